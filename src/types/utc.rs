//! Times of UTC as texts, by the calendar of `jiff`: RFC 3339 read and written.
//!
//! Not here: time zones of people (`limits::calendar`), dates of HTTP (`httpdate`), and asking what time
//! it is. Moments are from 1970 to the end of the year 9999; what is later is written as that end.

use jiff::Timestamp;
use std::time::Duration;

/// The last second that the calendar has in every zone: 9999-12-30T22:00:00Z.
pub const LAST_SECOND: u64 = 253_402_207_200;

/// Time since 1970 of an RFC 3339 moment in any zone. None for what is no moment, or one before.
pub fn since_1970(text: &str) -> Option<Duration> {
    let moment: Timestamp = text.parse().ok()?;
    Duration::try_from(moment.as_duration()).ok()
}

/// As [`since_1970`], in whole seconds.
pub fn unix_s(text: &str) -> Option<u64> {
    since_1970(text).map(|span| span.as_secs())
}

/// `2026-11-21T04:19:00Z`.
pub fn rfc3339(unix_s: u64) -> String {
    timestamp(unix_s).to_string()
}

/// `20261121T041900Z`, the basic form of ISO 8601. Its first eight characters are the day.
pub fn basic(unix_s: u64) -> String {
    timestamp(unix_s).strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn timestamp(unix_s: u64) -> Timestamp {
    let seconds = i64::try_from(unix_s.min(LAST_SECOND)).unwrap_or_default();
    Timestamp::from_second(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_back() {
        for (text, unix) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-08-07T06:08:39Z", 1_786_082_919),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-30T22:00:00Z", LAST_SECOND),
        ] {
            assert_eq!((since_1970(text), rfc3339(unix).as_str()), (Some(Duration::from_secs(unix)), text));
        }
        assert_eq!(rfc3339(u64::MAX), rfc3339(LAST_SECOND));
        assert_eq!(
            (basic(1_440_938_160).as_str(), basic(0).as_str()),
            ("20150830T123600Z", "19700101T000000Z")
        );
    }

    #[test]
    fn zones_and_fractions_are_understood() {
        for text in [
            "2026-08-07T06:08:39.25Z",
            "2026-08-06T23:08:39.250-07:00",
            "2026-08-07t11:38:39.250000000+05:30",
        ] {
            assert_eq!(since_1970(text), Some(Duration::from_millis(1_786_082_919_250)), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "now",
            "2026-02-17",
            "2026-13-01T00:00:00Z",
            "2026-02-31T00:00:00Z",
            "1970-01-01T00:00:00+01:00",
            "2026-02-17T04:29:17",
            "2026-02-17T04:29:17+1",
            "0001-01-01T00:00:00Z",
            "99999999999999999999-01-01T00:00:00Z",
            "é-ü-Tä:ö:ßZ",
        ] {
            assert_eq!(since_1970(text), None, "{text}");
        }
    }
}
