//! Floor 3: how many tokens a request has and an answer makes.
//!
//! Two stages. The *bound* looks at bytes and keys, costs next to nothing and is never too low; the
//! *count* reads the body. Not billing: what the upstream reports always wins over both. Invariant:
//! neither fails on client input in any other way than [`CountError`], and neither is worse than
//! linear in its length.

mod body;
mod bound;
mod cache;
#[cfg(test)]
mod corpus_tests;
mod cut;
mod family;
mod images;
mod media;
mod merge;
mod output;
mod template;
mod tokenizer;
mod tools;
mod vocabulary;
mod weight;

use thiserror::Error;

use crate::types::Endpoint;

use body::Piece;
use cache::MessageCache;
use weight::{Scale, Weight};

pub use body::BodyShape;
pub use family::{FactorTable, Factors, Family};
pub use images::{ImageRule, Size};
pub use output::OutputCounter;
pub use tokenizer::{Encoding, Tokenizer};
pub use vocabulary::VocabularyError;

/// A body up to here may be counted on an async worker (at most a few milliseconds); a larger one
/// belongs on a blocking thread.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
/// A shorter message is counted faster than it is looked up.
const CACHED_BYTES_MIN: usize = 128;

/// How a number was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountKind {
    /// The model's own vocabulary and a known template: what the provider will report.
    Exact,
    /// Close, by a factor or a rule of thumb.
    Estimated,
}

/// Input tokens of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The likeliest number.
    pub tokens: u64,
    /// The highest plausible number; equal to `tokens` when exact.
    pub upper: u64,
    pub kind: CountKind,
}

/// The body can't be counted. The bound still holds.
#[derive(Debug, Error)]
pub enum CountError {
    #[error("the request body can't be counted: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Counts request bodies. One for the process: it owns the cache of weighed messages.
pub struct Counter {
    factors: FactorTable,
    cache: MessageCache,
}

impl Counter {
    /// `cache_entries` bounds the remembered messages (each about 100 bytes; 0 remembers none).
    pub fn new(factors: FactorTable, cache_entries: usize) -> Self {
        Self { factors, cache: MessageCache::new(cache_entries) }
    }

    /// The factors it was made with.
    pub fn factors(&self) -> &FactorTable {
        &self.factors
    }

    /// Loads the o200k vocabulary (the yardstick of all families but one), so that no request waits
    /// for it. cl100k is loaded by its first use or [`Encoding::warm`].
    pub fn warm(&self) -> Result<(), VocabularyError> {
        Encoding::O200k.warm()
    }

    /// Never less than what the body counts as input with any model of the family.
    pub fn bound(&self, endpoint: Endpoint, family: Family, body: &[u8]) -> u64 {
        bound::of_body(BodyShape::from(endpoint), family, body)
    }

    /// The input tokens of a body for `model` (the name the upstream is sent).
    pub fn count(
        &self,
        endpoint: Endpoint,
        family: Family,
        model: &str,
        body: &[u8],
    ) -> Result<Count, CountError> {
        let shape = BodyShape::from(endpoint);
        let template = template::of(shape, family, model);
        let scale = Scale {
            tokenizer: family.encoding().tokenizer(),
            images: ImageRule::of(family, model),
            has_token_ids: matches!(shape, BodyShape::Embeddings | BodyShape::Completions),
        };
        let mut total =
            Weight { fixed: template.base, is_estimated: !template.is_exact, ..Weight::default() };
        shape.pieces::<CountError>(body, &mut |piece| {
            let rules = (family, scale.images, scale.has_token_ids);
            let weight = match piece {
                Piece::Message(raw) => {
                    // No message is shorter than its frame; what is one in name only must not count
                    // more than its bytes.
                    total.fixed += template.per_message.min(raw.len() as u64);
                    self.cached((rules, 'm'), raw, || scale.weigh(raw, true))?
                }
                Piece::Text(raw) => self.cached((rules, 't'), raw, || scale.weigh(raw, false))?,
                Piece::Tools(raw) => self.cached((rules, 'f'), raw, || tools::weigh(scale, family, raw))?,
                Piece::Schema(raw) => self.cached((rules, 's'), raw, || tools::weigh_schema(scale, raw))?,
                Piece::Elsewhere => Weight { is_estimated: true, ..Weight::default() },
            };
            total.add(weight);
            Ok(())
        })?;
        Ok(self.scaled(family, total, bound::of_body(shape, family, body)))
    }

    /// The tokens of a bare text.
    pub fn count_text(&self, family: Family, text: &str) -> Count {
        let weight = Weight { text: family.encoding().tokenizer().count(text), ..Weight::default() };
        self.scaled(family, weight, text.len() as u64)
    }

    /// A counter for the text that a model of the family generates.
    pub fn output(&self, family: Family) -> OutputCounter {
        OutputCounter::new(family, self.factors.get(family))
    }

    fn cached(
        &self,
        rules: impl std::hash::Hash,
        raw: &str,
        weigh: impl FnOnce() -> Result<Weight, serde_json::Error>,
    ) -> Result<Weight, CountError> {
        if raw.len() < CACHED_BYTES_MIN {
            return Ok(weigh()?);
        }
        let key = self.cache.key(rules, raw);
        if let Some(weight) = self.cache.get(key) {
            return Ok(weight);
        }
        let weight = weigh()?;
        self.cache.insert(key, weight);
        Ok(weight)
    }

    /// No factor takes an estimate above the bound.
    fn scaled(&self, family: Family, weight: Weight, bound: u64) -> Count {
        let factors = self.factors.get(family);
        let tokens = factors.estimate(weight.text).saturating_add(weight.fixed);
        if family.is_exact() && !weight.is_estimated {
            return Count { tokens, upper: tokens, kind: CountKind::Exact };
        }
        let upper = factors.upper(weight.text).saturating_add(weight.fixed);
        Count { tokens: tokens.min(bound), upper: upper.min(bound), kind: CountKind::Estimated }
    }
}

#[cfg(test)]
mod tests;
