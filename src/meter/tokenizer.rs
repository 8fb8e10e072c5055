//! Counts tokens of plain text with OpenAI's vocabularies.
//!
//! Not chat templates, not other families. Vocabularies and pre-tokenizers are those of the crate
//! `splintr` (small, fast, no regex engine at run time); the merge is ours, because that crate keeps up
//! to 65,536 client-chosen pieces of any length, takes a hash match for a token, and needs 3× the memory.

use once_cell::sync::Lazy;

use super::cut;
use super::merge;
use super::vocabulary::{Vocabulary, VocabularyError};

/// Text is counted in windows of this size, cut where it does not change the count if there is such a
/// place. It bounds the memory of a count and the length of a single piece.
const WINDOW_BYTES: usize = 16 * 1024;

/// Counts the tokens of a text. Special tokens spelled out in it are ordinary text.
pub trait Tokenizer: Send + Sync {
    fn count(&self, text: &str) -> u64;
}

/// A vocabulary that counts exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    O200k,
    Cl100k,
}

/// Byte-pair encoding over an embedded vocabulary.
struct BytePairs {
    vocabulary: Vocabulary,
    /// Holds only the 256 bytes: used to cut text into pre-tokens, never to encode.
    splitter: splintr::Tokenizer,
}

/// Counts bytes: an upper bound in the place of a vocabulary that did not load.
struct Bytes;

static O200K: Lazy<Result<BytePairs, VocabularyError>> =
    Lazy::new(|| BytePairs::load(splintr::pretrained::O200K_BASE_VOCAB_PACKED, splintr::O200K_BASE_PATTERN));
static CL100K: Lazy<Result<BytePairs, VocabularyError>> = Lazy::new(|| {
    BytePairs::load(splintr::pretrained::CL100K_BASE_VOCAB_PACKED, splintr::CL100K_BASE_PATTERN)
});

impl Encoding {
    /// Loads the vocabulary now; later calls are free. An error means the build is broken.
    pub fn warm(self) -> Result<(), VocabularyError> {
        self.loaded().as_ref().map(|_| ()).map_err(|error| *error)
    }

    /// The tokenizer, loaded on first use. If it can't be loaded, one that counts bytes.
    pub fn tokenizer(self) -> &'static dyn Tokenizer {
        match self.loaded() {
            Ok(pairs) => pairs,
            Err(_) => &Bytes,
        }
    }

    fn loaded(self) -> &'static Result<BytePairs, VocabularyError> {
        match self {
            Encoding::O200k => &O200K,
            Encoding::Cl100k => &CL100K,
        }
    }
}

impl BytePairs {
    fn load(data: &'static [u8], pattern: &str) -> Result<Self, VocabularyError> {
        let bytes = (0..=255u8).map(|byte| (vec![byte], u32::from(byte))).collect();
        let none = splintr::FxHashMap::<String, u32>::default();
        let splitter = splintr::Tokenizer::with_options(bytes, none, pattern, 0, false)
            .map_err(|_| VocabularyError::Pattern)?;
        Ok(Self { vocabulary: Vocabulary::parse(data)?, splitter })
    }
}

impl Tokenizer for BytePairs {
    fn count(&self, text: &str) -> u64 {
        let (mut rest, mut total) = (text, 0u64);
        while !rest.is_empty() {
            let Some((head, tail)) = rest.split_at_checked(cut::head_len(rest, WINDOW_BYTES)) else { break };
            self.splitter.for_each_pre_token(head, |piece| {
                total += merge::count(&self.vocabulary, piece.as_bytes());
            });
            rest = tail;
        }
        total
    }
}

impl Tokenizer for Bytes {
    fn count(&self, text: &str) -> u64 {
        text.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(text: &str) -> u64 {
        Encoding::O200k.tokenizer().count(text)
    }

    #[test]
    fn counts_match_published_examples() {
        // Known encodings of "hello world" (2) and of the OpenAI cookbook's sentence.
        for encoding in [Encoding::O200k, Encoding::Cl100k] {
            let tokenizer = encoding.tokenizer();
            assert_eq!(tokenizer.count(""), 0);
            assert_eq!(tokenizer.count("hello world"), 2);
            assert_eq!(tokenizer.count("tiktoken is great!"), 6);
        }
        assert_eq!(count("お誕生日おめでとう"), 8);
        assert_eq!(Encoding::Cl100k.tokenizer().count("お誕生日おめでとう"), 9);
    }

    #[test]
    fn a_spelled_out_special_token_is_text() {
        assert!(count("<|endoftext|>") > 1);
    }

    #[test]
    fn a_long_run_costs_no_more_per_byte_than_a_short_one() {
        // 256 KiB of one letter; a quadratic merge would run for minutes.
        let run = "a".repeat(256 * 1024);
        let tokens = count(&run);
        assert!((256 * 1024 / 128..256 * 1024).contains(&tokens), "{tokens}");
    }

    #[test]
    fn every_encoding_of_the_reference_crate_is_counted_alike() {
        let reference = splintr::from_vocab(splintr::PretrainedVocab::O200kBase).unwrap();
        for text in [
            "  leading",
            "tabs\t\tand\n\n\nlines  ",
            "I'Ll we'RE don't",
            "x=1234567;",
            "e\u{301}é",
            "\u{3000} 中文",
        ] {
            let ids = reference.encode_with(text, &splintr::SpecialMode::Ordinary).unwrap();
            assert_eq!(count(text), ids.len() as u64, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_exact_cut_does_not_change_the_count(text in "([a-zA-Z]{1,4}|[0-9]{1,4}|'[a-z]{1,3}|[ \n\r\t/]{1,3}|[.,:;(){}\"_]{1,2}|[äßЖ中。\u{3000}\u{301}]){1,12}") {
            for encoding in [Encoding::O200k, Encoding::Cl100k] {
                let tokenizer = encoding.tokenizer();
                let whole = tokenizer.count(&text);
                let mut max = text.len();
                while let Some(at) = cut::last_exact(&text, max) {
                    let (head, tail) = text.split_at(at);
                    prop_assert_eq!(tokenizer.count(head) + tokenizer.count(tail), whole, "{:?}|{:?}", head, tail);
                    max = at - 1;
                }
            }
        }
    }
}
