//! RFC 3339 timestamps in UTC, with the part that changes once a second kept between lines.
//!
//! Not here: asking what time it is (`clock`). Invariant: a stamp is 24 characters,
//! `2026-11-21T04:24:33.015Z`, for every date from 1970 to 9999; later ones are shown as its end.

/// 9999-12-31T23:59:59.999Z.
const LAST_MS: u64 = 253_402_300_799_999;
const SECONDS_PER_DAY: u64 = 86_400;

/// Writes stamps, and remembers the last second written.
#[derive(Debug)]
pub(super) struct Stamp {
    second: u64,
    text: Vec<u8>,
}

impl Default for Stamp {
    fn default() -> Self {
        Self { second: u64::MAX, text: Vec::with_capacity(19) }
    }
}

impl Stamp {
    /// Appends the stamp of `unix_ms`, milliseconds since 1970.
    pub fn write(&mut self, out: &mut Vec<u8>, unix_ms: u64) {
        let unix_ms = unix_ms.min(LAST_MS);
        let (second, millis) = (unix_ms / 1000, unix_ms % 1000);
        if second != self.second {
            self.second = second;
            self.text.clear();
            write_second(&mut self.text, second);
        }
        out.extend_from_slice(&self.text);
        out.push(b'.');
        digits(out, millis, 3);
        out.push(b'Z');
    }
}

fn write_second(out: &mut Vec<u8>, unix_second: u64) {
    let (year, month, day) = civil(unix_second / SECONDS_PER_DAY);
    let in_day = unix_second % SECONDS_PER_DAY;
    let parts = [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (in_day / 3600, 2, b':'),
        (in_day / 60 % 60, 2, b':'),
    ];
    for (value, width, then) in parts {
        digits(out, value, width);
        out.push(then);
    }
    digits(out, in_day % 60, 2);
}

/// The last `width` decimal digits of `value`, with leading zeros.
fn digits(out: &mut Vec<u8>, value: u64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_u64.pow(place) % 10) as u8);
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years are taken to begin in March, so that the leap day is a year's last and every month's
/// first day is a linear function of the month: 153 days in five months.
fn civil(day: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    const DAYS_FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    let day = day + DAYS_FROM_MARCH_OF_YEAR_0;
    let (era, in_era) = (day / DAYS_IN_400_YEARS, day % DAYS_IN_400_YEARS);
    let year_in_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let march_month = (5 * in_year + 2) / 153;
    let day_of_month = in_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_in_era + u64::from(month <= 2);
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(unix_ms: u64) -> String {
        let mut out = Vec::new();
        Stamp::default().write(&mut out, unix_ms);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_instants_are_written_as_rfc_3339() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(stamp(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(stamp(1_709_251_199_007), "2024-02-29T23:59:59.007Z");
        assert_eq!(stamp(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(stamp(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn days_follow_each_other_through_four_centuries() {
        let lengths = |year: u64| {
            let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
            [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        };
        let mut expected = (1970, 1, 1);
        for day in 0..146_097 {
            assert_eq!(civil(day), expected);
            let (year, month, date) = expected;
            expected = match (month, date < lengths(year)[month as usize - 1]) {
                (_, true) => (year, month, date + 1),
                (12, _) => (year + 1, 1, 1),
                _ => (year, month + 1, 1),
            };
        }
    }

    #[test]
    fn the_kept_second_is_renewed_when_it_changes_in_either_direction() {
        let (mut stamp, mut out) = (Stamp::default(), Vec::new());
        for unix_ms in [1_000, 1_999, 61_000, 1_001] {
            stamp.write(&mut out, unix_ms);
        }
        let text = String::from_utf8(out).unwrap();
        let seconds: Vec<_> = text.split_terminator('Z').map(|stamp| &stamp[14..]).collect();
        assert_eq!(seconds, ["00:01.000", "00:01.999", "01:01.000", "00:01.001"]);
    }
}
