//! Token counts in Cohere's form.
//!
//! `tokens` is what the model read and wrote, Cohere's own preamble included; `billed_units` leaves
//! that out. `cached_tokens` is a part of `tokens.input_tokens`.

use crate::framing::json::{JsonWriter, Node};
use crate::types::Usage;

/// No call has a trillion tokens; a bigger number is a mistake.
const TOKENS_MAX: u64 = 1 << 40;

pub(super) fn read(usage: Option<&Node<'_>>) -> Option<Usage> {
    let usage = usage?;
    let count = |node: Option<&Node<'_>>| node.and_then(Node::as_u64).filter(|count| *count <= TOKENS_MAX);
    let pair = |key: &str| {
        let counts = usage.get(key)?;
        let (input, output) = (count(counts.get("input_tokens")), count(counts.get("output_tokens")));
        (input.is_some() || output.is_some()).then(|| (input.unwrap_or(0), output.unwrap_or(0)))
    };
    let (input, output) = pair("tokens").or_else(|| pair("billed_units"))?;
    let cache_read = count(usage.get("cached_tokens")).unwrap_or(0).min(input);
    Some(Usage { input, output, cache_read, ..Usage::default() })
}

pub(super) fn write(usage: &Usage, w: &mut JsonWriter<'_>) {
    let counts = |w: &mut JsonWriter<'_>| {
        w.field_u64("input_tokens", usage.input);
        w.field_u64("output_tokens", usage.output);
    };
    w.object(|w| {
        w.field_object("billed_units", counts);
        w.field_object("tokens", counts);
        if usage.cache_read > 0 {
            w.field_u64("cached_tokens", usage.cache_read);
        }
    });
}
