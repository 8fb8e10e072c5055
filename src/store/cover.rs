//! Which roll-ups hold a span of time exactly, at the least cost.
//!
//! Pure. Sums are added, so they can be taken off too: all but an hour of a day is the day less that
//! hour, which is two buckets to read in place of twenty-three. Invariant: what is added and taken off
//! comes to the span, each moment of it once, from what is kept alone.

use super::usage::Bucket;

/// A stretch of one roll-up, in its own buckets since 1970; `to` not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub bucket: Bucket,
    pub from: u64,
    pub to: u64,
    /// Whether its sums are taken off the others'.
    pub is_less: bool,
}

/// When the first minutes and hours that are kept begin; before, there are only coarser ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Since {
    pub minutes: u64,
    pub hours: u64,
}

impl Since {
    /// The finest that is kept of a moment.
    pub fn finest(self, at: u64) -> Bucket {
        if at >= self.minutes {
            Bucket::Minute
        } else if at >= self.hours {
            Bucket::Hour
        } else {
            Bucket::Day
        }
    }

    fn of(self, bucket: Bucket) -> u64 {
        match bucket {
            Bucket::Minute => self.minutes,
            Bucket::Hour => self.hours,
            Bucket::Day => 0,
        }
    }
}

/// The stretches of a span whose ends are those of buckets that are kept.
pub(super) fn cover(from: u64, to: u64, since: Since) -> Vec<Stretch> {
    let mut cover = Cover { since, stretches: Vec::new() };
    cover.whole(Bucket::Day, from, to, false);
    cover.stretches
}

struct Cover {
    since: Since,
    stretches: Vec<Stretch>,
}

impl Cover {
    /// From whole buckets, and what is over or missing at the edges from finer ones.
    fn whole(&mut self, bucket: Bucket, from: u64, to: u64, is_less: bool) {
        if from >= to {
            return;
        }
        let Some(finer) = finer(bucket) else { return self.push(bucket, from, to, is_less) };
        let (first, last) = self.ends(bucket, finer, from, to);
        if first >= last {
            return self.whole(finer, from, to, is_less);
        }
        self.push(bucket, first, last, is_less);
        self.whole(finer, from, first, is_less);
        self.whole(finer, last, to, is_less);
        self.whole(finer, first, from, !is_less);
        self.whole(finer, to, last, !is_less);
    }

    /// The whole buckets to read: those inside, or one more at an end where that is less to read. The
    /// same moment twice: none.
    fn ends(&self, bucket: Bucket, finer: Bucket, from: u64, to: u64) -> (u64, u64) {
        let kept = self.since.of(finer);
        let inside = (ceil(from, bucket), floor(to, bucket));
        let cost = |(first, last): (u64, u64)| match first >= last {
            true => (to - from).div_ceil(finer.ms()),
            false => {
                let edges =
                    first.abs_diff(from).div_ceil(finer.ms()) + last.abs_diff(to).div_ceil(finer.ms());
                edges + (last - first) / bucket.ms()
            }
        };
        // What is taken off must be there: a bucket whose beginning is forgotten is read from its parts.
        let is_kept = |(first, _): &(u64, u64)| *first >= from || *first >= kept;
        let wider = [
            (floor(from, bucket), inside.1),
            (inside.0, ceil(to, bucket)),
            (floor(from, bucket), ceil(to, bucket)),
        ];
        let wider = wider.into_iter().filter(|ends| ends.0 < ends.1).filter(is_kept);
        wider.filter(|ends| cost(*ends) < cost(inside)).min_by_key(|ends| cost(*ends)).unwrap_or(inside)
    }

    fn push(&mut self, bucket: Bucket, from: u64, to: u64, is_less: bool) {
        let (from, to) = (from / bucket.ms(), to / bucket.ms());
        self.stretches.push(Stretch { bucket, from, to, is_less });
    }
}

const fn finer(bucket: Bucket) -> Option<Bucket> {
    match bucket {
        Bucket::Day => Some(Bucket::Hour),
        Bucket::Hour => Some(Bucket::Minute),
        Bucket::Minute => None,
    }
}

pub(super) fn floor(ms: u64, bucket: Bucket) -> u64 {
    ms - ms % bucket.ms()
}

pub(super) fn ceil(ms: u64, bucket: Bucket) -> u64 {
    ms.div_ceil(bucket.ms()).saturating_mul(bucket.ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;

    fn told(from: u64, to: u64, since: Since) -> Vec<String> {
        let line = |s: &Stretch| {
            let sign = if s.is_less { "less " } else { "" };
            format!("{sign}{} {}..{}", s.bucket.as_str(), s.from, s.to)
        };
        cover(from, to, since).iter().map(line).collect()
    }

    #[test]
    fn a_ragged_span_is_days_and_what_is_over_or_missing() {
        let all = Since::default();
        assert_eq!(told(0, 3 * DAY, all), ["day 0..3"]);
        // From one hour into the first day to one hour before the end of the third.
        assert_eq!(told(HOUR, 3 * DAY - HOUR, all), ["day 0..3", "less hour 0..1", "less hour 71..72"]);
        // Little of a day is read from its hours.
        assert_eq!(told(DAY - HOUR, 3 * DAY, all), ["day 1..3", "hour 23..24"]);
        assert_eq!(told(10 * HOUR, 13 * HOUR, all), ["hour 10..13"]);
        assert_eq!(told(5 * MINUTE, 9 * MINUTE, all), ["minute 5..9"]);
        assert_eq!(told(MINUTE, DAY, all), ["day 0..1", "less minute 0..1"]);
    }

    #[test]
    fn what_is_taken_off_is_there() {
        // The hours of the first day begin at six: of it nothing can be taken off.
        let since = Since { minutes: 6 * HOUR, hours: 6 * HOUR };
        assert_eq!(told(8 * HOUR, 2 * DAY, since), ["day 1..2", "hour 8..24"]);
        assert_eq!(told(DAY + HOUR, 2 * DAY, since), ["day 1..2", "less hour 24..25"]);
        assert_eq!(told(0, DAY, Since { minutes: 9 * DAY, hours: 9 * DAY }), ["day 0..1"]);
    }

    /// Each minute of the span once, none beside, whatever the span and what is kept.
    #[test]
    fn every_moment_counts_once() {
        let mut dice = 1u64;
        let mut roll = |below: u64| {
            dice = dice.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (dice >> 33) % below
        };
        for _ in 0..20_000 {
            let hours = roll(4) * DAY;
            let since = Since { hours, minutes: hours + roll(48) * HOUR };
            let at = |ms: u64| floor(ms, since.finest(ms));
            let (a, b) = (at(roll(6 * 1440) * MINUTE), at(roll(6 * 1440) * MINUTE));
            let (from, to) = (a.min(b), a.max(b));
            let mut counts = vec![0i32; 8 * 1440];
            let mut read = 0;
            for stretch in cover(from, to, since) {
                let unit = stretch.bucket.ms();
                assert!(stretch.from * unit >= since.of(stretch.bucket), "{stretch:?} {since:?}");
                read += stretch.to - stretch.from;
                for minute in stretch.from * unit / MINUTE..stretch.to * unit / MINUTE {
                    counts[minute as usize] += if stretch.is_less { -1 } else { 1 };
                }
            }
            for (minute, count) in (0u64..).zip(&counts) {
                let is_in = (from..to).contains(&(minute * MINUTE));
                assert_eq!(*count, i32::from(is_in), "{from}..{to} {since:?} at {minute}");
            }
            // Where all is kept, twelve hours and thirty minutes at each end are the most.
            if since == Since::default() {
                assert!(read <= 6 + 2 * (12 + 30), "{read} buckets for {from}..{to}");
            }
        }
    }
}
