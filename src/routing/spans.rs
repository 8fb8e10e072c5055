//! Durations and moments as upstreams write them in headers and bodies.
//!
//! Strict: what is not wholly understood is nothing. No sign, no exponent, no infinity.

use std::time::{Duration, SystemTime};

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

/// A moment by RFC 3339: `2026-11-21T04:19:00Z`, with fraction or offset. Years 1970 to 9999.
pub(super) fn rfc3339(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(zone_at)?;
    let mut clock = clock.split(':');
    let (hour, minute) = (clock.next()?.parse::<u64>().ok()?, clock.next()?.parse::<u64>().ok()?);
    let seconds = decimal(clock.next()?, 1.0)?;
    let is_sane = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && seconds < Duration::from_secs(61)
        && date.next().is_none()
        && clock.next().is_none();
    if !is_sane {
        return None;
    }
    let minutes = days_from_epoch(year, month, day) * 1440 + hour * 60 + minute;
    let minutes = i64::try_from(minutes).ok()?.checked_sub(offset_minutes(zone)?)?;
    let since_epoch = Duration::from_secs(u64::try_from(minutes).ok()?.checked_mul(60)?) + seconds;
    SystemTime::UNIX_EPOCH.checked_add(since_epoch)
}

fn offset_minutes(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, text) = zone.split_at_checked(1)?;
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let total = i64::from(hours) * 60 + i64::from(minutes);
    Some(if sign == "-" { -total } else { total })
}

/// Days from 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap
/// day is a year's last.
fn days_from_epoch(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_of_years = year * 365 + year / 4 - year / 100 + year / 400;
    let days_of_months = (month * 153 + 2) / 5;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    (days_of_years + days_of_months + day - 1).saturating_sub(719_468)
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

    #[test]
    fn rfc3339_moments_agree_with_the_calendar() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-11-21T04:19:00Z", 1_795_234_740),
            ("2026-11-21T06:19:00+02:00", 1_795_234_740),
            ("2026-11-20 22:49:00-05:30", 1_795_234_740),
            ("2100-03-01T00:00:00z", 4_107_542_400),
        ];
        for (text, seconds) in cases {
            let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(rfc3339(text), Some(moment), "{text}");
        }
        let fraction = rfc3339("1970-01-01T00:00:01.25Z").unwrap();
        assert_eq!(fraction, SystemTime::UNIX_EPOCH + Duration::from_millis(1250));
    }

    #[test]
    fn broken_moments_are_nothing() {
        let broken = [
            "",
            "T",
            "2026-11-21",
            "2026-11-21T04:19:00",
            "2026-13-21T04:19:00Z",
            "2026-11-21T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "99999-01-01T00:00:00Z",
            "2026-11-21T04:19:00+2",
            "2026-11-21T04:19:00Zé",
            "1970-01-01T00:00:00+01:00",
            "2026-11-21-01T04:19:00Z",
        ];
        for text in broken {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }
}
