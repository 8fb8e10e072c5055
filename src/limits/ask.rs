//! What a call needs, and what it came to.

use crate::types::{Money, Ticks};

/// What a call needs of its limits and budgets, as far as it can be known before it is made.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// As the client asked for it.
    pub model: &'a str,
    /// Tokens of the prompt, counted or bounded from above.
    pub prompt: u64,
    /// Tokens the answer is expected to have, all choices together: taken from limits of tokens.
    pub output: u64,
    /// Whether the client stated how many it may have; else it is a guess.
    pub is_stated: bool,
    /// Tokens of the answer that are paid for before it begins. More of it is taken while it comes.
    pub slice: u64,
    /// None where it is not known, or where nothing needs it.
    pub price: Option<Price>,
    /// The largest price there is: what a call without one may be charged.
    pub bound: Price,
    pub now: Ticks,
    /// Seconds since 1970, UTC.
    pub wall: u64,
    /// Whether the caller asks again when a [`Waiting`](super::Refusal::Waiting) is over. Without it
    /// the till's rule for a loss decides.
    pub may_wait: bool,
}

/// What a token costs at most, in pico dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    pub input: u64,
    pub output: u64,
}

impl Price {
    /// With a plan's margin on top, in hundredths of a percent; rounded up for each token, so that what
    /// is reserved is never less than what is settled.
    pub fn with_margin(self, basis_points: u32) -> Self {
        let raised = |pico| Money::from_pico(pico).with_margin(basis_points).pico();
        Self { input: raised(self.input), output: raised(self.output) }
    }
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// No upstream has worked for it.
    Nothing,
    /// `cost` is None where it cannot be told: then what was reserved is taken.
    Used { tokens: u64, cost: Option<Money> },
    /// An upstream has answered and nobody knows what that came to: budgets are charged what was
    /// reserved, limits nothing.
    Unknown,
}

impl Settlement {
    pub(super) fn tokens(self) -> u64 {
        match self {
            Settlement::Nothing | Settlement::Unknown => 0,
            Settlement::Used { tokens, .. } => tokens,
        }
    }
}

impl Ask<'_> {
    /// Pico dollars of the prompt and `output` tokens of the answer. Saturates: no budget has as much.
    pub(super) fn cost(&self, price: Price, output: u64) -> u64 {
        let pico = u128::from(price.input)
            .saturating_mul(u128::from(self.prompt))
            .saturating_add(u128::from(price.output).saturating_mul(u128::from(output)));
        u64::try_from(pico).unwrap_or(u64::MAX)
    }
}
