//! Sizes in bytes: `"512B"`, `"64KiB"`, `"32MiB"`, `"1GiB"`. Powers of 1000 are not offered: a
//! buffer of `"64KB"` would be a surprise either way.

use super::collector::Collector;
use super::near::quoted;
use super::value::Value;
use std::ops::RangeInclusive;
use toml::de::DeValue;

const WHAT: &str = "a size such as \"512B\", \"64KiB\" or \"32MiB\"";
pub(super) const KIB: usize = 1024;
pub(super) const MIB: usize = 1024 * KIB;

/// A size within `range` (bytes).
pub(super) fn size(range: RangeInclusive<usize>) -> impl Fn(&Value<'_>, &mut Collector<'_>) -> Option<usize> {
    move |value, collector| {
        if let DeValue::Integer(_) | DeValue::Float(_) = value.node {
            value.fail_help(collector, "a size needs a unit", format!("write {WHAT}"));
            return None;
        }
        let text = value.string(collector, WHAT)?;
        match bytes(text) {
            Ok(bytes) if range.contains(&bytes) => Some(bytes),
            Ok(_) => {
                let bounds = format!("{} to {}", shown(*range.start()), shown(*range.end()));
                value.fail(collector, format!("`{text}` is out of range: must be {bounds}"));
                None
            }
            Err(message) => {
                value.fail_help(collector, message, format!("write {WHAT}"));
                None
            }
        }
    }
}

fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    if number.is_empty() {
        return Err(format!("`{}` is no size", quoted(text)));
    }
    let scale = match unit {
        "B" => 1,
        "KiB" => KIB,
        "MiB" => MIB,
        "GiB" => 1024 * MIB,
        "" => return Err("a size needs a unit".to_owned()),
        _ => return Err(format!("`{}` has an unknown unit{}", quoted(text), meant(unit))),
    };
    let number: usize = number.parse().map_err(|_| format!("`{}` is too large", quoted(text)))?;
    number.checked_mul(scale).ok_or_else(|| format!("`{}` is too large", quoted(text)))
}

fn meant(unit: &str) -> String {
    let letter = unit.chars().next().map(|letter| letter.to_ascii_uppercase());
    match letter {
        Some(letter @ ('K' | 'M' | 'G')) => format!(", did you mean `{letter}iB`?"),
        Some('B') => ", did you mean `B`?".to_owned(),
        _ => String::new(),
    }
}

fn shown(bytes: usize) -> String {
    match bytes {
        _ if bytes > 0 && bytes.is_multiple_of(1024 * MIB) => format!("{}GiB", bytes / (1024 * MIB)),
        _ if bytes > 0 && bytes.is_multiple_of(MIB) => format!("{}MiB", bytes / MIB),
        _ if bytes > 0 && bytes.is_multiple_of(KIB) => format!("{}KiB", bytes / KIB),
        _ => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_carry_a_binary_unit() {
        assert_eq!([bytes("512B"), bytes("64KiB"), bytes("32MiB")], [Ok(512), Ok(65_536), Ok(33_554_432)]);
        assert_eq!(bytes("64KB"), Err("`64KB` has an unknown unit, did you mean `KiB`?".to_owned()));
        assert_eq!(bytes("1mb"), Err("`1mb` has an unknown unit, did you mean `MiB`?".to_owned()));
        for bad in ["", "64", "KiB", "-1KiB", "1.5MiB", "64 KiB", "99999999999999999999B", "17179869184GiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert_eq!([shown(65_536), shown(1), shown(MIB)], ["64KiB", "1B", "1MiB"]);
    }
}
