//! Token counts in Ollama's form.

use crate::framing::json::{JsonWriter, Node};
use crate::types::Usage;

/// No call has a trillion tokens; a bigger number is a mistake.
const TOKENS_MAX: u64 = 1 << 40;

/// What a body or a last line reports. A prompt the server still had in memory may not be counted.
pub(super) fn read(root: &Node<'_>) -> Option<Usage> {
    let count = |key: &str| root.get(key).and_then(Node::as_u64).filter(|count| *count <= TOKENS_MAX);
    let (input, output) = (count("prompt_eval_count"), count("eval_count"));
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage { input: input.unwrap_or(0), output: output.unwrap_or(0), ..Usage::default() })
}

pub(super) fn write(usage: &Usage, w: &mut JsonWriter<'_>) {
    w.field_u64("prompt_eval_count", usage.input);
    w.field_u64("eval_count", usage.output);
}
