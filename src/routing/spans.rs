//! Durations and moments as upstreams write them in headers and bodies.
//!
//! Strict: what is not wholly understood is nothing. No sign, no exponent, no infinity.

use std::time::Duration;

/// Longer numbers are not numbers anybody meant.
const DIGITS_MAX: usize = 20;

/// A decimal number of units of so many seconds: `7`, `0.5`.
pub(super) fn decimal(text: &str, unit_seconds: f64) -> Option<Duration> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if text.is_empty() || text.len() > DIGITS_MAX || !is_plain {
        return None;
    }
    Duration::try_from_secs_f64(text.parse::<f64>().ok()? * unit_seconds).ok()
}

/// A duration as Go prints it: `6m0s`, `8.64s`, `1ms`.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    if text.is_empty() {
        return None;
    }
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |byte| !byte.is_ascii_digit() && byte != b'.')?;
        let (unit, after) = split_where(after, |byte| byte.is_ascii_digit() || byte == b'.')?;
        let unit_seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total = total.checked_add(decimal(number, unit_seconds)?)?;
        rest = after;
    }
    Some(total)
}

fn split_where(text: &str, at: impl Fn(u8) -> bool) -> Option<(&str, &str)> {
    text.split_at_checked(text.bytes().position(at).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read_in_every_unit() {
        let cases = [
            ("6m0s", 360_000_000_000),
            ("8.64s", 8_640_000_000),
            ("1ms", 1_000_000),
            ("1h0m0.5s", 3_600_500_000_000),
            ("12µs", 12_000),
            ("0s", 0),
        ];
        for (text, nanos) in cases {
            assert_eq!(go_duration(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_nothing() {
        for text in
            ["", "s", "5", "-5s", "5x", "1e9s", "5s ", "inf", "..s", "1.2.3s", "99999999999999999999h", "é"]
        {
            assert_eq!(go_duration(text), None, "{text}");
        }
        for text in ["", "-1", "+1", "1e9", "NaN", "inf", "7 ", "0x7", "111111111111111111111"] {
            assert_eq!(decimal(text, 1.0), None, "{text}");
        }
    }
}
