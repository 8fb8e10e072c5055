//! The windows of budgets: hours, days, weeks and months as the calendar of a time zone has them.
//!
//! Wall time comes in with each question; nothing here reads or keeps a clock. Invariant: a window
//! holds the moment it was asked for, and its end is after its beginning.

use crate::govern::Window;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// How often a budget begins anew, and where.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    per: Window,
    zone: TimeZone,
}

/// One window, in seconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// 0 for a total.
    pub(super) start: u64,
    /// The first second that is not in it; the largest number for a total.
    pub(super) end: u64,
}

/// The name is of no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time zone `{0}`: write an IANA name such as \"Europe/Berlin\", or \"UTC\"")]
pub struct ZoneError(pub String);

/// Whether `name` is a time zone of the tz database.
///
/// # Errors
/// [`ZoneError`].
pub fn check_zone(name: &str) -> Result<(), ZoneError> {
    zone(name).map(|_| ())
}

fn zone(name: &str) -> Result<TimeZone, ZoneError> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| ZoneError(name.to_owned()))
}

impl Span {
    pub(super) const TOTAL: Span = Span { start: 0, end: u64::MAX };

    pub(super) fn holds(self, unix: u64) -> bool {
        (self.start..self.end).contains(&unix)
    }
}

impl Calendar {
    /// # Errors
    /// [`ZoneError`].
    pub(super) fn new(per: Window, zone_name: &str) -> Result<Self, ZoneError> {
        Ok(Self { per, zone: zone(zone_name)? })
    }

    /// The window that `unix` (seconds since 1970, UTC) lies in. A moment beyond the calendar (the
    /// year 9999) lies in one last window.
    pub(super) fn span(&self, unix: u64) -> Span {
        if self.per == Window::Total {
            return Span::TOTAL;
        }
        self.aligned(unix).filter(|span| span.holds(unix)).unwrap_or(Span { start: unix, end: u64::MAX })
    }

    fn aligned(&self, unix: u64) -> Option<Span> {
        let now = Timestamp::from_second(i64::try_from(unix).ok()?).ok()?.to_zoned(self.zone.clone());
        let (start, end) = match self.per {
            // Limits know these, budgets do not: the nearest they do.
            Window::Second | Window::Minute | Window::Hour => return self.hour(unix, &now),
            Window::Day | Window::Total => {
                let start = now.start_of_day().ok()?;
                let end = start.checked_add(1.day()).ok()?.start_of_day().ok()?;
                (start, end)
            }
            Window::Week => {
                let since_monday = i64::from(now.weekday().to_monday_zero_offset());
                let start = now.checked_sub(since_monday.days()).ok()?.start_of_day().ok()?;
                let end = start.checked_add(7.days()).ok()?.start_of_day().ok()?;
                (start, end)
            }
            Window::Month => {
                let start = now.first_of_month().ok()?.start_of_day().ok()?;
                let end = start.checked_add(1.month()).ok()?.start_of_day().ok()?;
                (start, end)
            }
        };
        let second = |at: &Zoned| u64::try_from(at.timestamp().as_second()).unwrap_or_default();
        Some(Span { start: second(&start), end: second(&end) })
    }

    /// From the full hour of the zone's own clock on. The hour that is there twice when summer time
    /// ends is two windows.
    fn hour(&self, unix: u64, now: &Zoned) -> Option<Span> {
        let minute = u64::try_from(now.minute()).ok()?;
        let second = u64::try_from(now.second()).ok()?;
        let start = unix.checked_sub(minute * 60 + second)?;
        Some(Span { start, end: start + 3600 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(text: &str) -> u64 {
        text.parse::<Timestamp>().unwrap().as_second() as u64
    }

    fn span(per: Window, zone: &str, at: &str) -> (String, String) {
        let span = Calendar::new(per, zone).unwrap().span(unix(at));
        let text = |second: u64| Timestamp::from_second(second as i64).unwrap().to_string();
        (text(span.start), text(span.end))
    }

    fn pair(start: &str, end: &str) -> (String, String) {
        (start.to_owned(), end.to_owned())
    }

    #[test]
    fn windows_begin_where_the_calendar_of_the_zone_says() {
        let at = "2026-11-21T12:34:56Z";
        let cases = [
            (Window::Hour, "UTC", "2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z"),
            (Window::Hour, "Asia/Kolkata", "2026-11-21T12:30:00Z", "2026-11-21T13:30:00Z"),
            (Window::Day, "UTC", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
            (Window::Day, "America/New_York", "2026-11-21T05:00:00Z", "2026-11-22T05:00:00Z"),
            (Window::Day, "Pacific/Auckland", "2026-11-21T11:00:00Z", "2026-11-22T11:00:00Z"),
            (Window::Week, "Europe/Berlin", "2026-11-15T23:00:00Z", "2026-11-22T23:00:00Z"),
            (Window::Month, "Europe/Berlin", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ];
        for (per, zone, start, end) in cases {
            assert_eq!(span(per, zone, at), pair(start, end), "{per:?} {zone}");
        }
        assert_eq!(Calendar::new(Window::Total, "UTC").unwrap().span(5), Span::TOTAL);
    }

    #[test]
    fn days_of_the_change_of_summer_time_are_23_and_25_hours_long() {
        let spring = pair("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
        assert_eq!(span(Window::Day, "Europe/Berlin", "2026-03-29T12:00:00Z"), spring);
        let autumn = pair("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
        assert_eq!(span(Window::Day, "Europe/Berlin", "2026-10-25T12:00:00Z"), autumn);
        // Where midnight itself does not exist the day begins when its first minute does.
        let cairo = span(Window::Day, "Africa/Cairo", "2026-04-24T12:00:00Z");
        assert_eq!(cairo, pair("2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"));
    }

    #[test]
    fn the_hour_that_is_there_twice_is_two_windows() {
        let first = pair("2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z");
        assert_eq!(span(Window::Hour, "Europe/Berlin", "2026-10-25T00:30:00Z"), first);
        let second = pair("2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z");
        assert_eq!(span(Window::Hour, "Europe/Berlin", "2026-10-25T01:30:00Z"), second);
    }

    #[test]
    fn windows_follow_each_other_without_gap_or_overlap_over_two_years() {
        for zone in ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Chatham"] {
            for per in [Window::Day, Window::Week, Window::Month] {
                let calendar = Calendar::new(per, zone).unwrap();
                let mut span = calendar.span(unix("2026-01-01T00:00:00Z"));
                while span.end < unix("2028-01-01T00:00:00Z") {
                    let next = calendar.span(span.end);
                    assert_eq!(next.start, span.end, "{zone} {per:?}");
                    assert_eq!(calendar.span(span.end - 1), span, "{zone} {per:?}");
                    span = next;
                }
            }
        }
    }

    #[test]
    fn no_moment_makes_a_window_that_it_is_not_in() {
        for per in [Window::Hour, Window::Day, Window::Week, Window::Month, Window::Total] {
            let calendar = Calendar::new(per, "Pacific/Kiritimati").unwrap();
            for unix in [0, 1, 86_400, 253_402_207_200, 253_402_300_799, 1 << 40, u64::MAX - 1] {
                assert!(calendar.span(unix).holds(unix), "{per:?} {unix}");
            }
        }
    }

    #[test]
    fn a_zone_that_is_none_is_told() {
        assert!(check_zone("Europe/Berlin").is_ok());
        assert_eq!(check_zone("Europe/Atlantis"), Err(ZoneError("Europe/Atlantis".to_owned())));
    }
}
