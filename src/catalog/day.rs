//! A calendar day.

use std::fmt;

/// Days since 2000-01-01, the first of which is day 1: `0` is free for "not known". Until 2179.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u16);

impl Day {
    /// Reads `2026-11-21`; also `2026-11`, as its first day.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let month = number(parts.next()?, 2)?;
        let day = parts.next().map_or(Some(1), |day| number(day, 2))?;
        if parts.next().is_some() {
            return None;
        }
        Self::of(year, month, day)
    }

    /// A day that exists, from 2000 on.
    pub fn of(year: u32, month: u32, day: u32) -> Option<Self> {
        if !(2000..2179).contains(&year) || day == 0 || day > month_days(year, month)? {
            return None;
        }
        let years: u32 = (2000..year).map(year_days).sum();
        let months: u32 = (1..month).filter_map(|month| month_days(year, month)).sum();
        u16::try_from(years + months + day).ok().map(Self)
    }

    pub(super) fn to_raw(day: Option<Self>) -> u16 {
        day.map_or(0, |day| day.0)
    }

    pub(super) fn from_raw(raw: u16) -> Option<Self> {
        (raw != 0).then_some(Self(raw))
    }
}

fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn year_days(year: u32) -> u32 {
    let is_leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    if is_leap { 366 } else { 365 }
}

fn month_days(year: u32, month: u32) -> Option<u32> {
    Some(match month {
        2 => year_days(year) - 337,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    })
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut year, mut month, mut left) = (2000, 1, u32::from(self.0));
        while left > year_days(year) {
            left -= year_days(year);
            year += 1;
        }
        while let Some(days) = month_days(year, month).filter(|days| left > *days) {
            left -= days;
            month += 1;
        }
        write!(f, "{year:04}-{month:02}-{left:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_shown_as_they_were_read() {
        for text in ["2000-01-01", "2024-02-29", "2025-12-31", "2026-11-21", "2100-03-01", "2178-12-31"] {
            assert_eq!(Day::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Day::parse("2025-03").unwrap().to_string(), "2025-03-01");
        assert!(Day::parse("2026-11-21") > Day::parse("2026-10-31"));
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-00-01",
            "2025-02-29",
            "2026-1-1",
            "2026-01-01-01",
            "1999-12-31",
            "20260101",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }
}
