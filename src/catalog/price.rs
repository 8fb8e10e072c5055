//! Price lists.

use crate::types::{Money, MoneyError};
use std::fmt;

/// What a token can be billed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Prompt tokens that are nothing else below.
    Input,
    /// Generated tokens that are nothing else below.
    Output,
    CacheRead,
    /// Written to a cache of five minutes, or of no stated lifetime.
    CacheWrite,
    /// Written to a cache of one hour.
    CacheWrite1h,
    Reasoning,
    AudioInput,
    AudioOutput,
    ImageInput,
    ImageOutput,
    /// One search of a ranking, in place of all tokens (Cohere's search unit).
    Search,
}

/// How urgently the provider was asked to serve, as far as it changes the price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    #[default]
    Standard,
    Batch,
    Flex,
    Priority,
    /// OpenAI `service_tier: "fast"`, Anthropic `speed: "fast"`.
    Fast,
}

/// Prices of one service from one prompt length on: 1e-12 dollars per token by class, 0 where none is
/// stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rates {
    pub service: Service,
    /// They hold for prompts of more tokens than this.
    pub above: u32,
    rates: [u64; Class::ALL.len()],
}

/// What is wrong with a price list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("the price of {class} {error}")]
    Amount { class: Class, error: MoneyError },
    #[error("the price of {0} is zero: leave it out, or say `free = true`")]
    Zero(Class),
    #[error("no price of input")]
    NoInput,
    #[error("no standard price")]
    NoStandard,
    #[error("two price lists of {service} above {above} tokens", service = .0.as_str(), above = .1)]
    Twice(Service, u32),
}

impl Class {
    pub const ALL: [Class; 11] = [
        Class::Input,
        Class::Output,
        Class::CacheRead,
        Class::CacheWrite,
        Class::CacheWrite1h,
        Class::Reasoning,
        Class::AudioInput,
        Class::AudioOutput,
        Class::ImageInput,
        Class::ImageOutput,
        Class::Search,
    ];

    /// The word in the file and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Input => "input",
            Class::Output => "output",
            Class::CacheRead => "cache_read",
            Class::CacheWrite => "cache_write",
            Class::CacheWrite1h => "cache_write_1h",
            Class::Reasoning => "reasoning",
            Class::AudioInput => "audio_input",
            Class::AudioOutput => "audio_output",
            Class::ImageInput => "image_input",
            Class::ImageOutput => "image_output",
            Class::Search => "search",
        }
    }

    /// Whose price holds where this class has none.
    fn instead(self) -> Option<Class> {
        match self {
            Class::Input | Class::Output | Class::Search => None,
            Class::CacheWrite1h => Some(Class::CacheWrite),
            Class::CacheRead | Class::CacheWrite | Class::AudioInput | Class::ImageInput => {
                Some(Class::Input)
            }
            Class::Reasoning | Class::AudioOutput | Class::ImageOutput => Some(Class::Output),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Service {
    pub const ALL: [Service; 5] =
        [Service::Standard, Service::Batch, Service::Flex, Service::Priority, Service::Fast];

    /// The word in the file and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Service::Standard => "standard",
            Service::Batch => "batch",
            Service::Flex => "flex",
            Service::Priority => "priority",
            Service::Fast => "fast",
        }
    }

    /// The service a provider's answer says it gave: OpenAI and Bedrock `service_tier`, Anthropic
    /// `usage.service_tier` and `speed`, Gemini `serviceTier`, in any case. None for a word that says
    /// nothing about the price.
    pub fn of(word: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|service| service.as_str().eq_ignore_ascii_case(word));
        known.or_else(|| {
            let is_standard = ["default", "on_demand", "scale", "standard_only"];
            is_standard.iter().any(|name| name.eq_ignore_ascii_case(word)).then_some(Service::Standard)
        })
    }

    /// Whether it costs more than the standard service: then the standard price is no stand-in.
    pub fn is_premium(self) -> bool {
        matches!(self, Service::Priority | Service::Fast)
    }
}

impl Rates {
    pub fn new(service: Service, above: u32) -> Self {
        Self { service, above, rates: [0; Class::ALL.len()] }
    }

    /// Sets a price, in dollars per million tokens.
    ///
    /// # Errors
    /// No exact amount, or zero.
    pub fn set(&mut self, class: Class, per_million: &str) -> Result<(), PriceError> {
        let price = Money::parse_per(per_million, 6).map_err(|error| PriceError::Amount { class, error })?;
        if price == Money::ZERO {
            return Err(PriceError::Zero(class));
        }
        if let Some(place) = self.rates.get_mut(class as usize) {
            *place = price.pico();
        }
        Ok(())
    }

    /// The stated price of one token.
    pub fn stated(&self, class: Class) -> Option<Money> {
        self.rates.get(class as usize).copied().filter(|rate| *rate != 0).map(Money::from_pico)
    }

    /// The price of one token: the stated one, else of the class that stands in (one-hour writes are
    /// billed as other writes, these, reads, audio and images as input; reasoning, audio and images
    /// as output). None where neither is stated.
    pub fn rate(&self, class: Class) -> Option<Money> {
        self.stated(class).or_else(|| self.rate(class.instead()?))
    }

    /// Dollars per million tokens, as price pages show them.
    pub fn per_million(&self, class: Class) -> Option<Money> {
        self.stated(class)?.checked_mul(1_000_000)
    }
}

/// Puts a list into order and checks it: input (or a search) priced everywhere, a standard price for every length,
/// no two for the same case.
pub(super) fn checked(mut list: Vec<Rates>) -> Result<Vec<Rates>, PriceError> {
    list.sort_by_key(|rates| (rates.service, rates.above));
    for pair in list.windows(2) {
        if let [one, other] = pair
            && (one.service, one.above) == (other.service, other.above)
        {
            return Err(PriceError::Twice(one.service, one.above));
        }
    }
    if !list.first().is_some_and(|first| first.service == Service::Standard && first.above == 0) {
        return Err(PriceError::NoStandard);
    }
    let is_priced =
        |rates: &Rates| rates.stated(Class::Input).is_some() || rates.stated(Class::Search).is_some();
    if !list.iter().all(is_priced) {
        return Err(PriceError::NoInput);
    }
    Ok(list)
}

/// The rates for a prompt of `tokens` served as `service`: the highest threshold below it. A discount
/// that is not stated is not given; a premium that is not stated is not known.
pub(super) fn chosen(list: &[Rates], service: Service, tokens: u64) -> Option<&Rates> {
    let of = |service| {
        list.iter()
            .filter(move |rates| rates.service == service)
            .rfind(|rates| rates.above == 0 || tokens > u64::from(rates.above))
    };
    of(service).or_else(|| if service.is_premium() { None } else { of(Service::Standard) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(service: Service, above: u32, input: &str) -> Rates {
        let mut rates = Rates::new(service, above);
        rates.set(Class::Input, input).unwrap();
        rates
    }

    #[test]
    fn a_missing_class_costs_what_its_stand_in_does_and_never_nothing() {
        let mut list = rates(Service::Standard, 0, "3");
        list.set(Class::CacheWrite, "3.75").unwrap();
        assert_eq!(list.rate(Class::CacheWrite1h), Some(Money::from_pico(3_750_000)));
        assert_eq!(list.rate(Class::CacheRead), Some(Money::from_pico(3_000_000)));
        assert_eq!(list.rate(Class::Output), None);
        assert_eq!(list.rate(Class::Reasoning), None);
        assert_eq!(list.per_million(Class::CacheWrite), Some(Money::parse("3.75").unwrap()));
        assert_eq!(list.set(Class::Output, "0.0"), Err(PriceError::Zero(Class::Output)));
    }

    #[test]
    fn lists_that_leave_a_case_open_or_double_are_refused() {
        assert_eq!(checked(Vec::new()), Err(PriceError::NoStandard));
        assert_eq!(checked(vec![rates(Service::Batch, 0, "1")]), Err(PriceError::NoStandard));
        assert_eq!(checked(vec![rates(Service::Standard, 1, "1")]), Err(PriceError::NoStandard));
        assert_eq!(checked(vec![Rates::new(Service::Standard, 0)]), Err(PriceError::NoInput));
        let twice = vec![rates(Service::Standard, 0, "1"), rates(Service::Standard, 0, "2")];
        assert_eq!(checked(twice), Err(PriceError::Twice(Service::Standard, 0)));
    }

    #[test]
    fn the_threshold_itself_is_still_below_it() {
        let list = checked(vec![
            rates(Service::Standard, 200_000, "2"),
            rates(Service::Standard, 0, "1"),
            rates(Service::Batch, 0, "0.5"),
        ])
        .unwrap();
        let input =
            |service, tokens| chosen(&list, service, tokens).and_then(|r| r.per_million(Class::Input));
        let dollars = |text| Some(Money::parse(text).unwrap());
        assert_eq!(input(Service::Standard, 200_000), dollars("1"));
        assert_eq!(input(Service::Standard, 200_001), dollars("2"));
        assert_eq!(input(Service::Batch, 200_001), dollars("0.5"));
        assert_eq!(input(Service::Flex, 200_001), dollars("2"), "an unstated discount is not given");
        assert_eq!(input(Service::Priority, 1), None, "an unstated premium is not known");
    }

    #[test]
    fn providers_words_for_services_are_known() {
        for (word, service) in
            [("default", Some(Service::Standard)), ("PRIORITY", Some(Service::Priority)), ("auto", None)]
        {
            assert_eq!(Service::of(word), service, "{word}");
        }
    }
}
