//! `usage` of a response: totals, and parts that are included in them.

use crate::dialect::generic::cursor::Cursor;
use crate::dialect::generic::usage;
use crate::framing::json::{JsonWriter, Node};
use crate::types::Usage;

/// The usage of a response object, by the rules that passed-on answers are metered with. None where
/// there is none, or nothing in it.
pub(super) fn read(response: &Node<'_>) -> Option<Usage> {
    let node = response.get("usage")?;
    usage::read(&mut Cursor::new(node.raw().as_bytes())).ok().flatten()
}

/// Writes the value of `usage`.
pub(super) fn write(w: &mut JsonWriter<'_>, usage: Option<&Usage>) {
    let Some(usage) = usage else { return w.null() };
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    w.object(|w| {
        w.field_u64("input_tokens", usage.input);
        w.field_object("input_tokens_details", |w| {
            w.field_u64("cached_tokens", usage.cache_read);
            w.field_u64("cache_write_tokens", written);
        });
        w.field_u64("output_tokens", usage.output);
        w.field_object("output_tokens_details", |w| w.field_u64("reasoning_tokens", usage.reasoning));
        w.field_u64("total_tokens", usage.total());
    });
}
