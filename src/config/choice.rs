//! A value out of a closed set of words.

use super::collector::Collector;
use super::near;
use super::value::Value;

/// Reads one of `words`. `later` are words of the language this release does not carry out yet,
/// with the reason.
pub(super) fn choice<T: Copy>(
    words: &'static [(&'static str, T)],
    later: &'static [(&'static str, &'static str)],
) -> impl Fn(&Value<'_>, &mut Collector<'_>) -> Option<T> {
    move |value, collector| {
        let text = value.string(collector, &format!("one of {}", listed(words)))?;
        if let Some((_, found)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*found);
        }
        if let Some((word, why)) = later.iter().find(|(word, _)| *word == text) {
            value.fail_help(collector, format!("`{word}` {why}"), format!("one of {}", listed(words)));
            return None;
        }
        let near = near::suffix(text, words.iter().map(|(word, _)| *word));
        let message = format!("unknown value `{}`{near}", near::quoted(text));
        value.fail_help(collector, message, format!("one of {}", listed(words)));
        None
    }
}

fn listed<T>(words: &[(&str, T)]) -> String {
    words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}
