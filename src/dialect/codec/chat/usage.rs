//! Token counts in chat's form.

use crate::dialect::generic::cursor::Cursor;
use crate::dialect::generic::usage;
use crate::framing::json::{JsonWriter, Node};
use crate::types::Usage;

/// What a body or chunk reports, wherever its vendor puts it: beside the choices, under `x_groq`
/// (Groq), in the first choice (older Moonshot).
pub(super) fn read(root: &Node<'_>) -> Option<Usage> {
    let here = |node: &Node<'_>| usage::read(&mut Cursor::new(node.raw().as_bytes())).ok().flatten();
    let beside = root.get("usage").and_then(here);
    beside
        .or_else(|| here(root.get("x_groq")?.get("usage")?))
        .or_else(|| here(root.get("choices")?.items().first()?.get("usage")?))
}

/// Writes the usage object. `cached` and `reasoning` are parts of their totals, as in [`Usage`]; the
/// two lifetimes of a cache write are one here.
pub(super) fn write(usage: &Usage, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_u64("prompt_tokens", usage.input);
        w.field_u64("completion_tokens", usage.output);
        w.field_u64("total_tokens", usage.total());
        w.field_object("prompt_tokens_details", |w| {
            w.field_u64("cached_tokens", usage.cache_read);
            w.field_u64("audio_tokens", usage.audio_input);
            given("cache_write_tokens", usage.cache_write_5m.saturating_add(usage.cache_write_1h), w);
            given("image_tokens", usage.image_input, w);
        });
        w.field_object("completion_tokens_details", |w| {
            w.field_u64("reasoning_tokens", usage.reasoning);
            w.field_u64("audio_tokens", usage.audio_output);
            w.field_u64("accepted_prediction_tokens", 0);
            w.field_u64("rejected_prediction_tokens", 0);
            given("image_tokens", usage.image_output, w);
        });
    });
}

fn given(key: &str, count: u64, w: &mut JsonWriter<'_>) {
    if count > 0 {
        w.field_u64(key, count);
    }
}
