//! How the answers of a [`Plan`](super::plan::Plan) become the client's one.
//!
//! Invariant: every input has its vector at its place, every ranked document exists; anything else is
//! garbled. Usage is the sum of all calls, or not told at all.

use crate::dialect::codec::{Garbled, embed};
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::types::Usage;
use bytes::Bytes;
use embed::rerank;

/// One call's answer.
pub struct Told {
    /// Content codings undone.
    pub body: Vec<u8>,
    /// Prompt tokens that only its head told.
    pub counted: Option<u64>,
}

/// What the answers are, and what the client is owed.
pub enum Reading {
    Vectors {
        from: embed::Shape,
        to: embed::Shape,
        wanted: embed::Wanted,
        /// Inputs of each call.
        counts: Vec<usize>,
    },
    Ranking {
        from: rerank::Shape,
        to: rerank::Shape,
        wanted: rerank::Wanted,
        documents: usize,
    },
}

impl Reading {
    /// Whether the provider may say nothing of what was used, so that it has to be counted here for
    /// the client to be told.
    pub fn may_lack_usage(&self) -> bool {
        use embed::Shape::{BedrockCohere, GeminiMany, GeminiOne, OllamaOne, VertexPredict};
        matches!(
            self,
            Reading::Vectors { to: GeminiOne | GeminiMany | BedrockCohere | OllamaOne | VertexPredict, .. }
        )
    }

    /// The client's answer and what was used; `estimate` stands in where a provider does not say.
    ///
    /// # Errors
    /// What is wrong with the provider's answers.
    pub fn answer(&self, told: &[Told], estimate: Option<Usage>) -> Result<(Bytes, Option<Usage>), Garbled> {
        let parsed = told.iter().map(|told| parse_bytes(&told.body, Duplicates::LastCounts));
        let roots: Vec<Node<'_>> = parsed.collect::<Result<_, _>>().map_err(|e| Garbled(e.to_string()))?;
        let mut out = Vec::with_capacity(told.iter().map(|told| told.body.len()).sum::<usize>() + 256);
        let usage = match self {
            Reading::Vectors { from, to, wanted, counts } => {
                let mut whole = vectors(&roots, told, *to, wanted, counts)?;
                whole.usage = whole.usage.or(estimate);
                embed::encode_response(&whole, *from, wanted, &mut out)?;
                whole.usage
            }
            Reading::Ranking { from, to, wanted, documents } => {
                let root = roots.first().ok_or_else(|| Garbled("no answer".to_owned()))?;
                let ranking = rerank::decode_response(root, *to)?;
                let exists = |index: u64| usize::try_from(index).is_ok_and(|index| index < *documents);
                if !ranking.results.iter().all(|ranked| exists(ranked.index)) {
                    return Err(Garbled("a ranking of documents that were not sent".to_owned()));
                }
                rerank::encode_response(&ranking, *from, wanted, &mut out)?;
                let (tokens, searches) = (ranking.tokens, ranking.search_units);
                let is_told = tokens.is_some() || searches.is_some();
                is_told.then(|| Usage {
                    input: tokens.unwrap_or(0),
                    searches: searches.unwrap_or(0),
                    ..Usage::default()
                })
            }
        };
        Ok((Bytes::from(out), usage))
    }
}

/// All parts in one.
fn vectors<'a>(
    roots: &[Node<'a>],
    told: &[Told],
    to: embed::Shape,
    wanted: &embed::Wanted,
    counts: &[usize],
) -> Result<embed::Response<'a>, Garbled> {
    let mut whole: Option<embed::Response<'a>> = None;
    let mut is_told = true;
    for ((root, told), count) in roots.iter().zip(told).zip(counts) {
        let mut part = embed::decode_response(root, to, wanted)?;
        if let Some(set) = part.sets.iter().find(|set| set.vectors.len() != *count) {
            return Err(Garbled(format!("{} vectors for {count} inputs", set.vectors.len())));
        }
        let counted = told.counted.map(|input| Usage { input, ..Usage::default() });
        part.usage = part.usage.or(counted);
        is_told &= part.usage.is_some();
        match &mut whole {
            Some(whole) => whole.absorb(part),
            None => whole = Some(part),
        }
    }
    let mut whole = whole.ok_or_else(|| Garbled("no answer".to_owned()))?;
    // A sum that leaves a part out would be too low.
    whole.usage = whole.usage.filter(|_| is_told);
    Ok(whole)
}
