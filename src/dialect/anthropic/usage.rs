//! Anthropic's usage: `input_tokens` leaves cached tokens out, and a stream tells each number up to
//! three times.
//!
//! Rule: each field is the largest ever told (`message_delta` repeats or raises what
//! `message_start` said, adding would count twice), and only then are totals formed. Where the
//! split of cache writes by lifetime is missing, they count as five-minute writes. `iterations` are
//! already in the totals beside them, except those of other models, which nobody bills here.

use crate::dialect::generic::cursor::{Cursor, Read};
use crate::dialect::generic::tokens::raise;
use crate::dialect::generic::usage::fit_parts;
use crate::types::Usage;

/// The largest number told so far, by field.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told {
    uncached: u64,
    cache_read: u64,
    cache_written: u64,
    written_5m: u64,
    written_1h: u64,
    output: u64,
    thinking: u64,
}

impl Told {
    /// Consumes one usage value.
    pub(super) fn read(&mut self, c: &mut Cursor<'_>) -> Read<()> {
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"input_tokens" => raise(&mut self.uncached, c)?,
                b"cache_read_input_tokens" => raise(&mut self.cache_read, c)?,
                b"cache_creation_input_tokens" => raise(&mut self.cache_written, c)?,
                b"cache_creation" => self.lifetimes(c)?,
                b"output_tokens" => raise(&mut self.output, c)?,
                b"output_tokens_details" => self.output_details(c)?,
                _ => c.skip()?,
            }
        }
        Ok(())
    }

    fn lifetimes(&mut self, c: &mut Cursor<'_>) -> Read<()> {
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"ephemeral_5m_input_tokens" => raise(&mut self.written_5m, c)?,
                b"ephemeral_1h_input_tokens" => raise(&mut self.written_1h, c)?,
                _ => c.skip()?,
            }
        }
        Ok(())
    }

    fn output_details(&mut self, c: &mut Cursor<'_>) -> Read<()> {
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"thinking_tokens" | b"reasoning_tokens" => raise(&mut self.thinking, c)?,
                _ => c.skip()?,
            }
        }
        Ok(())
    }

    /// Totals and parts; `None` while no number above zero was told.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let cache_write_5m = self.cache_written.saturating_sub(self.written_1h).max(self.written_5m);
        let mut usage = Usage {
            input: self.uncached + self.cache_read + cache_write_5m + self.written_1h,
            cache_read: self.cache_read,
            cache_write_5m,
            cache_write_1h: self.written_1h,
            output: self.output,
            reasoning: self.thinking,
            ..Usage::default()
        };
        fit_parts(&mut usage);
        (usage.total() > 0).then_some(usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(objects: &[&str]) -> Option<Usage> {
        let mut told = Told::default();
        for object in objects {
            told.read(&mut Cursor::new(object.as_bytes())).unwrap();
        }
        told.usage()
    }

    #[test]
    fn cached_tokens_are_added_to_the_input_and_writes_split_by_lifetime() {
        let usage = told(&[
            r#"{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,
            "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},"output_tokens":7}"#,
        ])
        .unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (160, 100, 7));
        assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (20, 30));
    }

    #[test]
    fn a_missing_split_counts_as_five_minutes() {
        for split in ["", r#","cache_creation":null"#, r#","cache_creation":{}"#] {
            let json = format!(r#"{{"input_tokens":1,"cache_creation_input_tokens":50{split}}}"#);
            let usage = told(&[&json]).unwrap();
            assert_eq!((usage.input, usage.cache_write_5m, usage.cache_write_1h), (51, 50, 0), "{json}");
        }
    }

    #[test]
    fn the_delta_repeats_or_raises_and_is_never_added() {
        let usage = told(&[
            r#"{"input_tokens":702,"cache_read_input_tokens":9,"output_tokens":1}"#,
            r#"{"input_tokens":1591,"cache_read_input_tokens":9,"output_tokens":175}"#,
            r#"{"output_tokens":175}"#,
        ]);
        assert_eq!(usage, Some(Usage { input: 1600, cache_read: 9, output: 175, ..Usage::default() }));
    }

    #[test]
    fn hostile_numbers_are_no_report() {
        assert_eq!(
            told(&[r#"{"input_tokens":-1,"output_tokens":1e400,"cache_read_input_tokens":"9e99"}"#]),
            None
        );
    }
}
