//! What a call costs: tokens by class times the price of the class, in whole 1e-12 dollars.
//!
//! Invariant: every token of [`Usage`] is billed once. What cannot be priced is [`Unpriced`], a value
//! of its own: no arithmetic makes a zero of it.

use super::price::chosen;
use super::{Class, Rates, Service};
use crate::types::{Money, Usage};

/// The cost of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// `is_partial`: a fee per call, which no token shows, comes on top.
    Priced {
        money: Money,
        is_partial: bool,
    },
    Unpriced(Unpriced),
}

/// Why a call has no cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpriced {
    #[error("the model is not in the catalogue")]
    NoModel,
    #[error("the catalogue has no price for the model")]
    NoPrice,
    #[error("the model has no price for generated tokens")]
    NoOutputPrice,
    #[error("the model has no price for this service tier")]
    NoServicePrice,
    #[error("the model has no price for searches")]
    NoSearchPrice,
    #[error("the cost is beyond any amount")]
    TooLarge,
}

impl Unpriced {
    pub const ALL: [Unpriced; 6] = [
        Unpriced::NoModel,
        Unpriced::NoPrice,
        Unpriced::NoOutputPrice,
        Unpriced::NoServicePrice,
        Unpriced::NoSearchPrice,
        Unpriced::TooLarge,
    ];

    /// The closed label of metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Unpriced::NoModel => "no_model",
            Unpriced::NoPrice => "no_price",
            Unpriced::NoOutputPrice => "no_output_price",
            Unpriced::NoServicePrice => "no_service_price",
            Unpriced::NoSearchPrice => "no_search_price",
            Unpriced::TooLarge => "too_large",
        }
    }
}

impl Cost {
    /// The amount, if there is one.
    pub fn money(self) -> Option<Money> {
        match self {
            Cost::Priced { money, .. } => Some(money),
            Cost::Unpriced(_) => None,
        }
    }
}

/// The cost of `usage` by a model's price lists.
///
/// The list is chosen by `service` and by the length of the whole prompt, cached tokens included;
/// beyond a threshold all tokens of the call have the higher price. Classes are taken out of the totals
/// one after the other (cache, audio, images, and what is left is plain), so that parts that overlap,
/// such as cached audio, are billed once. Searches are billed in place of the tokens they read. A class without a price costs what [`Rates::rate`] says.
///
/// # Errors
/// Why there is no cost.
pub fn cost(list: &[Rates], usage: &Usage, service: Service) -> Result<Money, Unpriced> {
    if list.is_empty() {
        return Err(Unpriced::NoPrice);
    }
    let parts = [
        (Class::CacheRead, usage.cache_read),
        (Class::CacheWrite, usage.cache_write_5m),
        (Class::CacheWrite1h, usage.cache_write_1h),
    ];
    // Parts are believed over a total that is less than they are.
    let cached = parts.iter().fold(0_u64, |sum, (_, tokens)| sum.saturating_add(*tokens));
    let input = usage.input.max(cached);
    let rates = chosen(list, service, input).ok_or(Unpriced::NoServicePrice)?;
    let mut bill = Bill { rates, pico: 0 };
    if usage.searches > 0 {
        bill.add(Class::Search, usage.searches)?;
        return bill.money();
    }
    let mut left = input - cached;
    for (class, tokens) in parts {
        bill.add(class, tokens)?;
    }
    for (class, tokens) in [(Class::AudioInput, usage.audio_input), (Class::ImageInput, usage.image_input)] {
        bill.add(class, tokens.min(left))?;
        left -= tokens.min(left);
    }
    bill.add(Class::Input, left)?;
    let mut left = usage.output;
    let parts = [
        (Class::Reasoning, usage.reasoning),
        (Class::AudioOutput, usage.audio_output),
        (Class::ImageOutput, usage.image_output),
    ];
    for (class, tokens) in parts {
        bill.add(class, tokens.min(left))?;
        left -= tokens.min(left);
    }
    bill.add(Class::Output, left)?;
    bill.money()
}

struct Bill<'a> {
    rates: &'a Rates,
    /// At most 8 products of two 64-bit numbers: they could pass 128 bits, so the sum saturates.
    pico: u128,
}

impl Bill<'_> {
    fn add(&mut self, class: Class, tokens: u64) -> Result<(), Unpriced> {
        if tokens == 0 {
            return Ok(());
        }
        // Every list prices input or searches ([`super::price::checked`]).
        let missing = match class {
            Class::Search => Unpriced::NoSearchPrice,
            _ if self.rates.stated(Class::Input).is_none() => Unpriced::NoPrice,
            _ => Unpriced::NoOutputPrice,
        };
        let rate = self.rates.rate(class).ok_or(missing)?;
        self.pico = self.pico.saturating_add(u128::from(rate.pico()) * u128::from(tokens));
        Ok(())
    }
    fn money(&self) -> Result<Money, Unpriced> {
        u64::try_from(self.pico).map(Money::from_pico).map_err(|_| Unpriced::TooLarge)
    }
}
