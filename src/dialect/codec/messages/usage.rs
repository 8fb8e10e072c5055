//! Anthropic's token counts: `input_tokens` leaves cached tokens out.

use crate::chat::Text;
use crate::framing::json::{JsonWriter, Node};
use crate::types::Usage;

/// No call has more; a number above is a fault.
const TOKENS_MAX: u64 = 1 << 40;

/// The largest number told so far, by field. A stream tells each up to three times, and repeats or
/// raises: adding would count twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    uncached: u64,
    cache_read: u64,
    cache_written: u64,
    written_5m: u64,
    written_1h: u64,
    output: u64,
    thinking: u64,
    is_told: bool,
}

impl Told {
    /// Takes one `usage` object.
    pub(super) fn read(&mut self, node: &Node<'_>) {
        let mut raise = |place: &mut u64, value: Option<&Node<'_>>| {
            if let Some(number) = value.and_then(Node::as_u64).filter(|number| *number < TOKENS_MAX) {
                *place = (*place).max(number);
                self.is_told |= number > 0;
            }
        };
        raise(&mut self.uncached, node.get("input_tokens"));
        raise(&mut self.cache_read, node.get("cache_read_input_tokens"));
        raise(&mut self.cache_written, node.get("cache_creation_input_tokens"));
        raise(&mut self.output, node.get("output_tokens"));
        if let Some(written) = node.get("cache_creation") {
            raise(&mut self.written_5m, written.get("ephemeral_5m_input_tokens"));
            raise(&mut self.written_1h, written.get("ephemeral_1h_input_tokens"));
        }
        if let Some(details) = node.get("output_tokens_details") {
            raise(
                &mut self.thinking,
                details.get("thinking_tokens").or_else(|| details.get("reasoning_tokens")),
            );
        }
    }

    /// Totals and parts; None while no number above zero was told. Cache writes without a lifetime count
    /// as five-minute ones.
    pub(super) fn usage(&self) -> Option<Usage> {
        let cache_write_5m = self.cache_written.saturating_sub(self.written_1h).max(self.written_5m);
        self.is_told.then(|| Usage {
            input: self.uncached + self.cache_read + cache_write_5m + self.written_1h,
            cache_read: self.cache_read,
            cache_write_5m,
            cache_write_1h: self.written_1h,
            output: self.output,
            reasoning: self.thinking.min(self.output),
            ..Usage::default()
        })
    }
}

/// The fields [`Told`] reads, and the tier.
pub(super) const KNOWN: [&str; 7] = [
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens",
    "output_tokens_details",
    "service_tier",
];

/// Writes the members of a `usage` object. SDKs demand the two totals, so what is unknown is 0.
pub(super) fn write(usage: Option<&Usage>, tier: Option<&Text<'_>>, w: &mut JsonWriter<'_>) {
    let usage = usage.copied().unwrap_or_default();
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    let uncached = usage.input.saturating_sub(usage.cache_read).saturating_sub(written);
    w.field_u64("input_tokens", uncached);
    w.field_u64("cache_creation_input_tokens", written);
    w.field_u64("cache_read_input_tokens", usage.cache_read);
    if written > 0 {
        w.field_object("cache_creation", |w| {
            w.field_u64("ephemeral_5m_input_tokens", usage.cache_write_5m);
            w.field_u64("ephemeral_1h_input_tokens", usage.cache_write_1h);
        });
    }
    w.field_u64("output_tokens", usage.output);
    if usage.reasoning > 0 {
        w.field_object("output_tokens_details", |w| w.field_u64("thinking_tokens", usage.reasoning));
    }
    w.field_opt_str("service_tier", tier.map(AsRef::as_ref));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    fn told(objects: &[&str]) -> Option<Usage> {
        let mut told = Told::default();
        for object in objects {
            told.read(&parse(object, Duplicates::LastCounts).unwrap());
        }
        told.usage()
    }

    fn written(usage: &Usage) -> String {
        let mut out = Vec::new();
        JsonWriter::new(&mut out).object(|w| write(Some(usage), None, w));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn parts_are_added_up_and_taken_apart_again() {
        let json = r#"{"input_tokens":10,"cache_creation_input_tokens":50,"cache_read_input_tokens":100,"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},"output_tokens":7,"output_tokens_details":{"thinking_tokens":3}}"#;
        let usage = told(&[json]).unwrap();
        assert_eq!((usage.input, usage.cache_write_5m, usage.cache_write_1h), (160, 20, 30));
        assert_eq!((usage.output, usage.reasoning), (7, 3));
        assert_eq!(written(&usage), json);
    }

    #[test]
    fn a_stream_repeats_or_raises_and_is_never_added() {
        let usage = told(&[
            r#"{"input_tokens":702,"cache_read_input_tokens":9,"output_tokens":1}"#,
            r#"{"input_tokens":1591,"output_tokens":175}"#,
        ]);
        assert_eq!(usage, Some(Usage { input: 1600, cache_read: 9, output: 175, ..Usage::default() }));
    }

    #[test]
    fn no_numbers_are_no_report_and_nonsense_neither() {
        assert_eq!(told(&[r#"{"input_tokens":0,"output_tokens":0}"#]), None);
        assert_eq!(told(&[r#"{"input_tokens":-1,"output_tokens":1e300,"cache_creation":7}"#, "[]"]), None);
        assert_eq!(told(&[r#"{"input_tokens":18446744073709551615}"#]), None);
    }
}
