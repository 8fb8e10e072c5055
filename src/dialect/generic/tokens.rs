//! A token count as a stranger wrote it.
//!
//! Rule: a non-negative number up to [`TOKENS_MAX`], fractions cut off, also as a string of
//! digits. Everything else (negative, NaN, 2^63, 1e400, words, null) counts as *absent*, so that a
//! wrong number is replaced by an estimate and can neither drain a limit nor hide a cost.

use super::cursor::{Cursor, Read};

/// No call has a trillion tokens; a bigger number is a bug or an attack.
pub(crate) const TOKENS_MAX: u64 = 1 << 40;

/// Consumes one value and reads it as a token count.
pub(crate) fn tokens(c: &mut Cursor<'_>) -> Read<Option<u64>> {
    match c.peek() {
        Some(b'"') => Ok(c.string()?.and_then(|text| parse_digits(text.raw()))),
        Some(b'0'..=b'9') => Ok(parse(c.scalar()?)),
        _ => c.skip().map(|()| None),
    }
}

/// Raises `count` to the number read, when there is one.
pub(crate) fn raise(count: &mut u64, c: &mut Cursor<'_>) -> Read<()> {
    *count = (*count).max(tokens(c)?.unwrap_or(0));
    Ok(())
}

/// Raises `count`, keeping "never given" apart from zero.
pub(crate) fn raise_given(count: &mut Option<u64>, c: &mut Cursor<'_>) -> Read<()> {
    *count = (*count).max(tokens(c)?);
    Ok(())
}

fn parse(number: &[u8]) -> Option<u64> {
    if let Some(whole) = parse_digits(number) {
        return Some(whole);
    }
    let number: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    // The range check also refuses NaN and infinity.
    (0.0..=TOKENS_MAX as f64).contains(&number).then_some(number as u64)
}

fn parse_digits(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 13 {
        return None;
    }
    let mut count = 0u64;
    for digit in digits {
        count = count * 10 + u64::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
    }
    (count <= TOKENS_MAX).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_numbers_count_as_absent() {
        for json in [
            "-1",
            "-0",
            "NaN",
            "9223372036854775808",
            "18446744073709551616",
            "1e400",
            "-1e400",
            "\"many\"",
            "\"\"",
            "\"-3\"",
            "null",
            "true",
            "[12]",
            "{\"a\":12}",
            "1099511627777",
            "1.0.0",
        ] {
            assert_eq!(tokens(&mut Cursor::new(json.as_bytes())), Ok(None), "{json}");
        }
    }

    #[test]
    fn honest_numbers_are_read_in_every_spelling() {
        for (json, expected) in
            [("0", 0), ("17", 17), ("17.0", 17), ("17.9", 17), ("1e3", 1000), ("\"208\"", 208)]
        {
            assert_eq!(tokens(&mut Cursor::new(json.as_bytes())), Ok(Some(expected)), "{json}");
        }
        assert_eq!(tokens(&mut Cursor::new(b"1099511627776")), Ok(Some(TOKENS_MAX)));
    }
}
