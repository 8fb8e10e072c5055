//! Numbers with their bounds.

use super::collector::Collector;
use super::value::Value;
use std::ops::RangeInclusive;
use toml::de::DeValue;

/// A whole number within `range`.
pub(super) fn integer<T>(range: RangeInclusive<u64>) -> impl Fn(&Value<'_>, &mut Collector<'_>) -> Option<T>
where
    T: TryFrom<u64>,
{
    move |value, collector| {
        let DeValue::Integer(digits) = value.node else {
            value.expected(collector, "an integer");
            return None;
        };
        // A negative or huge number is out of every range we have.
        let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok();
        let inside =
            number.filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok());
        if inside.is_none() {
            value.fail(collector, format!("out of range: must be {} to {}", range.start(), range.end()));
        }
        inside
    }
}

/// A number, whole or not, within `range`.
pub(super) fn decimal(range: RangeInclusive<f64>) -> impl Fn(&Value<'_>, &mut Collector<'_>) -> Option<f64> {
    move |value, collector| {
        let text = match value.node {
            DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str(),
            DeValue::Float(digits) => digits.as_str(),
            _ => {
                value.expected(collector, "a number");
                return None;
            }
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            value.fail(collector, format!("out of range: must be {} to {}", range.start(), range.end()));
        }
        number
    }
}
