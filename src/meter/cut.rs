//! Where text may be cut so that the parts count as much as the whole.
//!
//! Not a pre-tokenizer: it knows only enough of the patterns of o200k and cl100k to name places where
//! both always end a match, whatever follows. Invariant: an exact cut never changes a count.

/// Where to cut `text` to get a head of at most `max` bytes: the last exact place, else the last
/// character boundary (which may change the count by a token). `text.len()` when all of it fits.
pub(super) fn head_len(text: &str, max: usize) -> usize {
    if text.len() <= max {
        return text.len();
    }
    last_exact(text, max).unwrap_or_else(|| {
        let at = text.floor_char_boundary(max);
        if at == 0 { text.ceil_char_boundary(1) } else { at }
    })
}

/// The last exact cut at or before `max`, looking at both neighbours; never 0 nor the end.
pub(super) fn last_exact(text: &str, max: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let reach = bytes.get(..bytes.len().min(max.saturating_add(1)))?;
    let at = reach.windows(2).rposition(|pair| matches!(pair, [left, right] if is_exact(*left, *right)))?;
    Some(at + 1)
}

/// - After an ASCII letter or digit, before ASCII that is neither nor an apostrophe (`'s` belongs to
///   its word): a run of letters or digits ends there in both patterns, and no alternative goes on.
/// - After ASCII punctuation, before a space: only a run of whitespace takes a second space.
fn is_exact(left: u8, right: u8) -> bool {
    if left.is_ascii_alphanumeric() {
        right.is_ascii() && !right.is_ascii_alphanumeric() && right != b'\''
    } else {
        left.is_ascii_punctuation() && right == b' '
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_an_exact_place_is_cut_at_a_character() {
        assert_eq!(head_len("日本語", 4), 3);
        assert_eq!(head_len("日本語", 2), 3);
        assert_eq!(head_len("aaaa", 2), 2);
        assert_eq!(head_len("aa bb", 4), 2);
        assert_eq!(head_len("don't", 4), 4);
    }
}
