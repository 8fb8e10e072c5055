//! Spans of time: `"250ms"`, `"10s"`, `"5m"`, `"1h"`. A bare number is refused: nobody can see
//! whether it means seconds or milliseconds.

use super::collector::Collector;
use super::near::quoted;
use super::value::Value;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::de::DeValue;

const WHAT: &str = "a duration such as \"250ms\", \"10s\", \"5m\" or \"1h\"";
const MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// From 1 ms to a day.
pub(super) fn duration(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Duration> {
    within(1..=MS_MAX, value, collector)
}

/// From nothing ("0s") to a day.
pub(super) fn duration_or_zero(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Duration> {
    within(0..=MS_MAX, value, collector)
}

fn within(
    range_ms: RangeInclusive<u64>,
    value: &Value<'_>,
    collector: &mut Collector<'_>,
) -> Option<Duration> {
    if let DeValue::Integer(_) | DeValue::Float(_) = value.node {
        value.fail_help(collector, "a duration needs a unit", format!("write {WHAT}"));
        return None;
    }
    let text = value.string(collector, WHAT)?;
    let ms = match millis(text) {
        Ok(ms) => ms,
        Err(message) => {
            value.fail_help(collector, message, format!("write {WHAT}"));
            return None;
        }
    };
    if !range_ms.contains(&ms) {
        let bounds = format!("{} to {}", shown(*range_ms.start()), shown(*range_ms.end()));
        value.fail(collector, format!("`{text}` is out of range: must be {bounds}"));
        return None;
    }
    Some(Duration::from_millis(ms))
}

fn millis(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    if number.is_empty() {
        return Err(format!("`{}` is no duration", quoted(text)));
    }
    let scale: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "" => return Err("a duration needs a unit".to_owned()),
        _ => return Err(format!("`{}` has no unit of time known here", quoted(text))),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{}` is too long", quoted(text)))?;
    number.checked_mul(scale).ok_or_else(|| format!("`{}` is too long", quoted(text)))
}

/// A number of milliseconds in the language of the file.
fn shown(ms: u64) -> String {
    match ms {
        0 => "0s".to_owned(),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        let good = [("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("0s", 0)];
        for (text, ms) in good {
            assert_eq!(millis(text), Ok(ms), "{text}");
        }
        for bad in ["", "10", "s", "1.5s", "-1s", "10 s", "10S", "1d", "10sec", "99999999999999999999s", "ß"]
        {
            assert!(millis(bad).is_err(), "{bad}");
        }
        assert!(millis("18446744073709551615h").is_err());
    }

    #[test]
    fn bounds_are_shown_in_the_language_of_the_file() {
        assert_eq!([shown(0), shown(1), shown(1000), shown(MS_MAX)], ["0s", "1ms", "1s", "24h"]);
    }
}
