//! The vectors a provider made.

use super::{Dtype, Shape, Vector};
use crate::chat::Text;
use crate::dialect::codec::Garbled;
use crate::types::Usage;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    pub from: Shape,
    /// Empty where the provider gives none.
    pub id: Text<'a>,
    /// The model in the provider's words; empty where it does not say.
    pub model: Text<'a>,
    /// The vectors, once for each kind of numbers given.
    pub sets: Vec<Set<'a>>,
    pub usage: Option<Usage>,
}

/// All vectors in one kind of numbers, in the order of the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<'a> {
    pub dtype: Dtype,
    pub vectors: Vec<Vector<'a>>,
}

/// No embedding costs a trillion tokens; a bigger number is a mistake.
pub(super) const TOKENS_MAX: u64 = 1 << 40;

impl<'a> Response<'a> {
    pub(super) fn new(from: Shape) -> Self {
        Self { from, id: Text::default(), model: Text::default(), sets: Vec::new(), usage: None }
    }

    /// An answer of floats; None where a vector was none.
    pub(super) fn floats(from: Shape, vectors: Option<Vec<Vector<'a>>>) -> Option<Self> {
        let vectors = vectors.filter(|vectors| !vectors.is_empty())?;
        Some(Self { sets: vec![Set { dtype: Dtype::Float, vectors }], ..Self::new(from) })
    }

    pub(super) fn with_tokens(mut self, input: Option<u64>) -> Self {
        let counted = input.filter(|tokens| *tokens <= TOKENS_MAX);
        self.usage = counted.map(|input| Usage { input, ..Usage::default() });
        self
    }

    /// The vectors in numbers of this kind.
    pub(super) fn vectors(&self, dtype: Dtype) -> Result<&[Vector<'a>], Garbled> {
        let set = self.sets.iter().find(|set| set.dtype == dtype);
        let missing = || Garbled(format!("the provider gave no {} vectors", dtype.as_str()));
        set.map(|set| set.vectors.as_slice()).ok_or_else(missing)
    }

    /// The next part of an answer that was asked for in parts.
    pub fn absorb(&mut self, next: Response<'a>) {
        for set in next.sets {
            match self.sets.iter_mut().find(|own| own.dtype == set.dtype) {
                Some(own) => own.vectors.extend(set.vectors),
                None => self.sets.push(set),
            }
        }
        match (&mut self.usage, next.usage) {
            (Some(own), Some(more)) => {
                own.input = own.input.saturating_add(more.input);
                own.image_input = own.image_input.saturating_add(more.image_input);
            }
            (usage, more) => *usage = usage.take().or(more),
        }
    }
}
