//! Names the user chooses for providers, keys and models.

use super::collector::Collector;
use super::near::quoted;
use super::value::Value;
use crate::types::bounds::MODEL_NAME_BYTES_MAX;

/// A provider's or key's name becomes a metric label and a response header.
const NAME_BYTES_MAX: usize = 64;

/// Reports a name of a provider or key that could not be a label or header value.
pub(super) fn check_name(name: &str, value: &Value<'_>, collector: &mut Collector<'_>) {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_plain) {
        let help = "1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`: it becomes a metric label and a header";
        value.fail_head(collector, format!("`{}` cannot be a name", quoted(name)), Some(help));
    }
}

/// What is wrong with a model's name or pattern, if anything.
pub(super) fn model_name_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a model's name must not be empty".to_owned());
    }
    if name.len() > MODEL_NAME_BYTES_MAX {
        return Some(format!("a model's name has at most {MODEL_NAME_BYTES_MAX} bytes"));
    }
    if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some(format!("`{}` cannot be a model's name: it has blanks in it", quoted(name)));
    }
    let before_last = name.strip_suffix('*').unwrap_or(name);
    before_last.contains('*').then(|| format!("`{}`: `*` may only stand at the end", quoted(name)))
}

/// A part of a host name or a path.
pub(super) fn label(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let text = value.string(collector, "a name")?;
    let is_label = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.is_empty() || text.len() > 128 || !text.bytes().all(is_label) {
        value.fail(collector, format!("`{}` is no name: letters, digits, `-`, `_`, `.`", quoted(text)));
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_names_are_as_vendors_write_them_with_a_star_at_the_end_only() {
        for good in ["gpt-5", "meta-llama/Llama-3.3-70B", "ft:gpt-4o:org::id", "claude-*", "*", "模型"] {
            assert_eq!(model_name_fault(good), None, "{good}");
        }
        for bad in ["", "a b", "a\n", "*-mini", "a**", &"x".repeat(257)] {
            assert!(model_name_fault(bad).is_some(), "{bad}");
        }
    }
}
