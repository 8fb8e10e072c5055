//! "Did you mean": the known name nearest to an unknown one.

/// A longer word is no typing mistake, and comparing it would cost.
const WORD_BYTES_MAX: usize = 64;

/// The candidate that was most likely meant, if one is near enough.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > WORD_BYTES_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= WORD_BYTES_MAX)
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(&lower, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// One slip in a short word, a third of a long one; a whole word more or less also counts
/// (`tokens` for `tokens_per_minute` is not near, `api_key` for `api_keys` is).
fn allowed(word: &str, candidate: &str) -> usize {
    (word.chars().count().max(candidate.chars().count()) / 3).max(1)
}

/// `, did you mean ...?`, or nothing.
pub(super) fn suffix<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default()
}

/// Text from the file as it is quoted in a message: escaped and cut.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(WORD_BYTES_MAX).flat_map(char::escape_debug).collect();
    if text.chars().count() > WORD_BYTES_MAX {
        shown.push('…');
    }
    shown.replace("\\'", "'").replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_word_and_strangers_find_none() {
        let known = ["tokens_per_minute", "requests_per_minute", "concurrent"];
        assert_eq!(nearest("tokens_per_minut", known), Some("tokens_per_minute"));
        assert_eq!(nearest("Concurent", known), Some("concurrent"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
        assert_eq!(nearest("olama", ["openai", "ollama"]), Some("ollama"));
    }

    #[test]
    fn quoted_text_is_one_short_line() {
        let shown = quoted(&format!("a\n\u{1b}{}", "x".repeat(1000)));
        assert!(shown.starts_with("a\\n\\u{1b}xxx") && shown.ends_with('…') && shown.len() < 100);
    }
}
