//! Deterministic text: a seed gives always the same words, and a longer text begins with the
//! shorter one.

use super::words::WORDS;

/// The words of one answer, without end.
#[derive(Clone, Debug)]
pub struct Prose {
    state: u64,
    is_begun: bool,
    /// Said instead of words, piece by piece, until they end.
    pieces: Option<std::vec::IntoIter<String>>,
}

impl Prose {
    pub fn new(seed: u64) -> Self {
        Self { state: seed, is_begun: false, pieces: None }
    }

    /// Text that is decided already, ready to stand between the quotes of JSON.
    pub fn decided(pieces: Vec<String>) -> Self {
        Self { state: 0, is_begun: false, pieces: Some(pieces.into_iter()) }
    }

    /// Appends the next word, with a space before it unless it is the first.
    pub fn push_next(&mut self, out: &mut String) {
        if let Some(pieces) = &mut self.pieces {
            return out.push_str(&pieces.next().unwrap_or_default());
        }
        if self.is_begun {
            out.push(' ');
        }
        self.is_begun = true;
        self.state = self.state.wrapping_add(1);
        let pick = mix(self.state) as usize % WORDS.len();
        out.push_str(WORDS.get(pick).unwrap_or(&"the"));
    }

    /// A text of `words` words.
    pub fn text(seed: u64, words: usize) -> String {
        let mut prose = Self::new(seed);
        let mut out = String::with_capacity(words.saturating_mul(6));
        for _ in 0..words {
            prose.push_next(&mut out);
        }
        out
    }
}

/// Spreads the bits of a number, a small one too.
pub fn mix(value: u64) -> u64 {
    crate::types::mix(value.wrapping_mul(crate::types::mix::GOLDEN))
}

/// A quick hash of bytes, equal in every run. Not against adversaries.
pub fn hash(bytes: &[u8]) -> u64 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut state = mix(bytes.len() as u64);
    for eight in eights {
        state = (state.rotate_left(23) ^ u64::from_le_bytes(*eight)).wrapping_mul(0x9fb2_1c65_1e98_df25);
    }
    for byte in rest {
        state = (state.rotate_left(23) ^ u64::from(*byte)).wrapping_mul(0x9fb2_1c65_1e98_df25);
    }
    mix(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_text_begins_with_the_shorter_one() {
        let (short, long) = (Prose::text(7, 10), Prose::text(7, 40));
        assert!(long.starts_with(&short));
        assert_eq!(long.split(' ').count(), 40);
        assert_ne!(Prose::text(8, 10), short);
    }

    #[test]
    fn hashes_differ_by_one_byte_and_by_length() {
        assert_ne!(hash(b"12345678a"), hash(b"12345678b"));
        assert_ne!(hash(b"12345678"), hash(b"12345678\0"));
        assert_eq!(hash(b"same"), hash(b"same"));
    }

    #[test]
    fn words_are_all_different_and_need_no_escaping() {
        let unique: std::collections::BTreeSet<_> = WORDS.iter().collect();
        assert_eq!(unique.len(), WORDS.len());
        assert!(WORDS.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
    }
}
