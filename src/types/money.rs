//! An amount of US dollars.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::iter::Sum;

/// Digits after the decimal point.
const SCALE: u32 = 12;

/// US dollars as a whole number of 1e-12 (pico) dollars: never negative, never a float, up to 18.4
/// million dollars. All arithmetic is checked or saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u64);

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("must be a decimal number of US dollars, such as \"0.25\"")]
    NotDecimal,
    #[error("must not be negative")]
    Negative,
    #[error("is finer than 0.000000000001 US dollars")]
    TooFine,
    #[error("is more than 18 million US dollars")]
    TooLarge,
}

impl Money {
    pub const ZERO: Money = Money(0);
    pub const MAX: Money = Money(u64::MAX);

    pub const fn from_pico(pico: u64) -> Self {
        Self(pico)
    }

    /// In 1e-12 dollars.
    pub const fn pico(self) -> u64 {
        self.0
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    pub fn checked_mul(self, times: u64) -> Option<Self> {
        self.0.checked_mul(times).map(Self)
    }

    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// What `basis_points` hundredths of a percent of it come to, rounded up to the next pico dollar:
    /// never less than agreed. Saturates.
    pub fn part(self, basis_points: u32) -> Self {
        let part = (u128::from(self.0) * u128::from(basis_points)).div_ceil(10_000);
        Self(u64::try_from(part).unwrap_or(u64::MAX))
    }

    /// With a margin of `basis_points` on top.
    pub fn with_margin(self, basis_points: u32) -> Self {
        self.saturating_add(self.part(basis_points))
    }

    /// Reads a decimal number as people write amounts: `12`, `0.25`, `.5`, `1_000`, `2.5e-6`. Every
    /// digit counts: what cannot be held exactly is refused.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        Self::parse_per(text, 0)
    }

    /// Like [`parse`](Self::parse), of an amount for ten to the power of `per` things: `"1.25"` per
    /// million (6) is 0.00000125 dollars for one.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse_per(text: &str, per: u32) -> Result<Self, MoneyError> {
        let text = text.trim();
        let text = match text.strip_prefix('-') {
            Some(rest) if rest.bytes().any(|b| b.is_ascii_digit()) => return Err(MoneyError::Negative),
            _ => text.strip_prefix('+').unwrap_or(text),
        };
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i16>().map_err(|_| MoneyError::NotDecimal)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = whole.bytes().chain(fraction.bytes()).filter(|b| *b != b'_');
        let mut value: u128 = 0;
        let mut count = 0;
        for digit in digits {
            if !digit.is_ascii_digit() || count == 36 {
                return Err(MoneyError::NotDecimal);
            }
            value = value * 10 + u128::from(digit - b'0');
            count += 1;
        }
        if count == 0 {
            return Err(MoneyError::NotDecimal);
        }
        let decimals = fraction.bytes().filter(|b| *b != b'_').count() as i64;
        shift(value, i64::from(SCALE) - i64::from(per) + i64::from(power) - decimals)
    }
}

/// `value` × 10^`by`, exactly.
fn shift(mut value: u128, by: i64) -> Result<Money, MoneyError> {
    if value == 0 {
        return Ok(Money::ZERO);
    }
    for _ in 0..by.unsigned_abs().min(64) {
        if by > 0 {
            value = value.checked_mul(10).ok_or(MoneyError::TooLarge)?;
        } else if value.is_multiple_of(10) {
            value /= 10;
        } else {
            return Err(MoneyError::TooFine);
        }
    }
    u64::try_from(value).map(Money).map_err(|_| MoneyError::TooLarge)
}

/// Without an exponent and without trailing zeros: `0.00000125`, `3`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(SCALE);
        let (whole, fraction) = (self.0 / unit, self.0 % unit);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{fraction:0width$}", width = SCALE as usize);
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl Sum for Money {
    /// Saturates.
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Self::saturating_add)
    }
}

/// A decimal string, as it is read: JSON's numbers are floats to most who read them.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From a decimal string or a whole number of dollars.
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;

        impl Visitor<'_> for Amount {
            type Value = Money;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("US dollars as a decimal string, such as \"0.25\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Money, E> {
                Money::parse(text).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, dollars: u64) -> Result<Money, E> {
                let money = Money(10_u64.pow(SCALE)).checked_mul(dollars);
                money.ok_or_else(|| E::custom(MoneyError::TooLarge))
            }
        }

        deserializer.deserialize_any(Amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_to_the_last_digit() {
        for (text, pico) in [
            ("1", 1_000_000_000_000),
            ("0.25", 250_000_000_000),
            (".5", 500_000_000_000),
            ("0.000000000001", 1),
            ("1e-12", 1),
            ("2.5e-6", 2_500_000),
            ("1_000.00", 1_000_000_000_000_000),
            ("0", 0),
            ("0.00000000000000", 0),
            ("18446744.073709551615", u64::MAX),
        ] {
            assert_eq!(Money::parse(text), Ok(Money::from_pico(pico)), "{text}");
        }
    }

    #[test]
    fn a_margin_is_exact_rounded_up_and_never_wraps() {
        for (pico, basis_points, with) in [
            (10_000, 1500, 11_500),
            (6_910_000_000, 1500, 7_946_500_000),
            // 1 × 0.0001 and 10,001 × 0.0001: a part of a pico dollar is a whole one.
            (1, 1, 2),
            (10_001, 1, 10_003),
            (0, 1_000_000, 0),
            (7, 0, 7),
            (3, 1_000_000, 303),
            (u64::MAX, 1, u64::MAX),
            (u64::MAX / 2, 20_000, u64::MAX),
        ] {
            assert_eq!(Money(pico).with_margin(basis_points).pico(), with, "{pico} {basis_points}");
        }
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        for (text, error) in [
            ("", MoneyError::NotDecimal),
            (".", MoneyError::NotDecimal),
            ("abc", MoneyError::NotDecimal),
            ("1.2.3", MoneyError::NotDecimal),
            ("1e", MoneyError::NotDecimal),
            ("inf", MoneyError::NotDecimal),
            ("-", MoneyError::NotDecimal),
            ("$1", MoneyError::NotDecimal),
            ("-1", MoneyError::Negative),
            ("-0.0", MoneyError::Negative),
            ("0.0000000000001", MoneyError::TooFine),
            ("1e-400", MoneyError::TooFine),
            ("18446744.073709551616", MoneyError::TooLarge),
            ("1e300", MoneyError::TooLarge),
        ] {
            assert_eq!(Money::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_price_per_million_is_exact_for_one() {
        assert_eq!(Money::parse_per("1.25", 6), Ok(Money::from_pico(1_250_000)));
        assert_eq!(Money::parse_per("0.000001", 6), Ok(Money::from_pico(1)));
        assert_eq!(Money::parse_per("0.0000001", 6), Err(MoneyError::TooFine));
    }

    #[test]
    fn amounts_are_shown_without_exponent_or_padding() {
        for (pico, text) in [(0, "0"), (1, "0.000000000001"), (1_250_000, "0.00000125")] {
            assert_eq!(Money::from_pico(pico).to_string(), text);
        }
        assert_eq!(Money::from_pico(3_000_000_000_000).to_string(), "3");
        assert_eq!(Money::MAX.to_string(), "18446744.073709551615");
    }

    #[test]
    fn arithmetic_never_wraps() {
        assert_eq!(Money::MAX.checked_add(Money::from_pico(1)), None);
        assert_eq!(Money::ZERO.checked_sub(Money::from_pico(1)), None);
        assert_eq!(Money::MAX.checked_mul(2), None);
        assert_eq!([Money::MAX, Money::MAX].into_iter().sum::<Money>(), Money::MAX);
        assert_eq!(Money::ZERO.saturating_sub(Money::MAX), Money::ZERO);
    }

    proptest! {
        #[test]
        fn every_amount_survives_being_written_and_read(pico: u64) {
            let money = Money::from_pico(pico);
            prop_assert_eq!(Money::parse(&money.to_string()), Ok(money));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9._eE]{0,48}") {
            let _ = Money::parse(&text);
        }
    }
}
