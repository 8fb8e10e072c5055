//! RFC 3339, to and from Unix seconds: Ollama's `created_at`, Gemini's `createTime`. Servers write their
//! own zone.

/// Seconds since 1970. None for what is no such time, or one before.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let (clock, ahead) = zone(rest)?;
    let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let is_real = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !is_real || second > 60 || !(1970..10_000).contains(&year) {
        return None;
    }
    let there = days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second;
    there.checked_add_signed(-ahead)
}

/// The time of day, and how many seconds its zone is ahead of UTC.
fn zone(rest: &str) -> Option<(&str, i64)> {
    if let Some(clock) = rest.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = rest.rfind(['+', '-'])?;
    let (clock, offset) = rest.split_at_checked(at)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..24).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let ahead = hours * 3600 + minutes * 60;
    Some((clock, if offset.starts_with('-') { -ahead } else { ahead }))
}

fn numbers(text: &str, between: char) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut next = || parts.next()?.parse::<u64>().ok();
    let found = [next()?, next()?, next()?];
    parts.next().is_none().then_some(found)
}

/// Days since 1970 of a date of the Gregorian calendar, its years begun in March.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_468)
}

/// The time in UTC.
pub(super) fn rfc3339(seconds: u64) -> String {
    let (days, clock) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        for (text, unix) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-08-07T06:08:39Z", 1_786_082_919),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!((seconds(text), rfc3339(unix).as_str()), (Some(unix), text));
        }
        assert_eq!(seconds("2026-08-07T06:08:39.410496Z"), Some(1_786_082_919));
        assert_eq!(seconds("2026-08-06T23:08:39.385406455-07:00"), Some(1_786_082_919));
        assert_eq!(seconds("2026-08-07T11:38:39+05:30"), Some(1_786_082_919));
        for day in (0..60_000u64).step_by(13) {
            assert_eq!(seconds(&rfc3339(day * 86_400 + 7)), Some(day * 86_400 + 7));
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "now",
            "2026-02-17",
            "2026-02-17T04:29Z",
            "2026-13-01T00:00:00Z",
            "1970-01-01T00:00:00+01:00",
            "2026-02-17T04:29:17",
            "2026-02-17T04:29:17+1",
            "0001-01-01T00:00:00Z",
            "1970-00-01T00:00:00Z",
            "99999999999999999999-01-01T00:00:00Z",
            "é-ü-Tä:ö:ßZ",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
