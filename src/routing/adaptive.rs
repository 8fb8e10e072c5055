//! How many calls a target takes at once, learned from how it answers.
//!
//! A gradient, after Netflix's concurrency-limits and Envoy's adaptive concurrency, made for LLM: what
//! is compared is the time to the first content of streams, never the length of an answer, and the
//! median of a window rather than single times, as prompts differ. The base it is compared with moves
//! only by windows in which the target had little to do; where there are none, the limit is halved for
//! one window now and then to make one. Refusals and timeouts lower the limit at once, but one in a
//! window of calls is chance. Invariant: the limit is never below `min` nor above `max`.

use crate::types::Ticks;
use std::time::Duration;

/// Times in a window.
const WINDOW: usize = 32;
/// A window of fewer ends after this span, with at least [`WINDOW_MIN`].
const WINDOW_SPAN: Duration = Duration::from_secs(1);
const WINDOW_MIN: usize = 5;
/// A median so many times the base is no queue yet.
const TOLERANCE: f64 = 1.5;
/// How far one window moves the limit towards where it points.
const STEP: f64 = 0.5;
/// What refusals leave of the limit.
const BACKOFF: f64 = 0.8;
/// Refusals in a window below which they are chance.
const DROPS_MIN: u32 = 2;
/// Refusals after one that counted say the same thing once more.
const DROP_PAUSE: Duration = Duration::from_millis(200);
/// So long under full load, and the base is looked at again.
const LOOK_AFTER: Duration = Duration::from_secs(30);
/// A look that takes longer is given up.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// The bounds of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub min: u32,
    pub max: u32,
}

/// What was learned of one target.
#[derive(Clone, Debug)]
pub struct Adaptive {
    bounds: Bounds,
    limit: f64,
    /// Seconds to the first content where there is little to do.
    base: Option<f64>,
    window: Window,
    /// Nothing has pointed down yet: it grows by halves.
    is_starting: bool,
    /// Until when further refusals are not counted.
    deaf_until: Ticks,
    /// Refusals for load among the last [`WINDOW`] first contents or so, and contents since the last one.
    drops: u32,
    since_drop: usize,
    look: Look,
}

#[derive(Clone, Debug)]
struct Window {
    times: [f32; WINDOW],
    len: usize,
    begun: Ticks,
    /// Most calls at once in it.
    busiest: u32,
}

/// Whether the base is being looked at.
#[derive(Clone, Copy, Debug)]
enum Look {
    /// Not before this moment.
    Due(Ticks),
    /// Since then the limit is lower, and calls that began before it was low do not count.
    Since { begun: Ticks, is_low: Option<Ticks> },
}

impl Adaptive {
    /// Starts low: a base that was measured under load would hide the load.
    pub fn new(bounds: Bounds, now: Ticks) -> Self {
        Self {
            bounds,
            limit: f64::from(bounds.min),
            base: None,
            window: Window::new(now),
            is_starting: true,
            deaf_until: now,
            drops: 0,
            since_drop: 0,
            look: Look::Due(now.plus(LOOK_AFTER)),
        }
    }

    /// Other bounds: what was learned stays, as far as it lies within.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.limit = self.clamped(self.limit);
    }

    /// Calls at once.
    pub fn limit(&self) -> u32 {
        match self.look {
            Look::Since { .. } => self.lowered(),
            Look::Due(_) => self.limit as u32,
        }
    }

    /// A stream had its first content so long after its call began; `busy` calls are under way.
    pub fn note_first(&mut self, span: Duration, busy: u32, now: Ticks) {
        let began = now.since_start().saturating_sub(span);
        if let Look::Since { begun, is_low } = self.look {
            if now.since(begun) > LOOK_MAX {
                return self.end_look(now);
            }
            let Some(low) = is_low else {
                if busy <= self.lowered() {
                    self.look = Look::Since { begun, is_low: Some(now) };
                    self.window = Window::new(now);
                }
                return;
            };
            // Of calls that began together the quick ones end first: they alone would mislead.
            let settled =
                Duration::try_from_secs_f64(self.base.unwrap_or_default() * 2.0).unwrap_or_default();
            if began < low.since_start() || now.since(low) < settled {
                return;
            }
        }
        self.window.note(span, busy);
        // By calls, not by time: who refuses may close the door for a while, and few calls come then.
        self.since_drop += 1;
        if self.since_drop >= WINDOW {
            self.drops = 0;
        }
        if self.window.is_whole(now) {
            self.learn(now);
        }
    }

    /// A call was refused for load, or not answered in time.
    pub fn note_drop(&mut self, busy: u32, now: Ticks) {
        if now < self.deaf_until {
            return;
        }
        self.drops += 1;
        self.since_drop = 0;
        self.window.busiest = self.window.busiest.max(busy);
        if self.drops < DROPS_MIN {
            return;
        }
        // Where it had not so many, the limit was not what they were refused for.
        let reached = self.limit.min(f64::from(self.window.busiest));
        self.limit = self.clamped(reached * BACKOFF);
        self.is_starting = false;
        self.deaf_until = now.plus(DROP_PAUSE);
        self.drops = 0;
        self.window = Window::new(now);
    }

    fn learn(&mut self, now: Ticks) {
        let Some(median) = self.window.median() else { return };
        let busiest = f64::from(self.window.busiest);
        self.window = Window::new(now);
        if let Look::Since { .. } = self.look {
            self.learn_base(median, 0.5);
            return self.end_look(now);
        }
        let is_idle = busiest * 2.0 <= self.limit;
        match self.base {
            None => self.base = Some(median),
            // While it grows by halves, the quick ones are too many for the same reason.
            Some(base) if median < base && !self.is_starting => self.learn_base(median, 0.1),
            Some(_) if is_idle => self.learn_base(median, 0.3),
            Some(_) => {}
        }
        if is_idle {
            self.look = Look::Due(now.plus(LOOK_AFTER));
        }
        let base = self.base.unwrap_or(median);
        let gradient = (TOLERANCE * base / median.max(1e-6)).clamp(0.5, 1.0);
        let (room, step) = match self.is_starting {
            true => (self.limit, 1.0),
            false => (self.limit.sqrt(), STEP),
        };
        self.is_starting &= gradient == 1.0;
        let next = self.limit + step * (self.limit * gradient + room - self.limit);
        // One that is not used up has not shown that more would be well.
        let may_grow = self.drops == 0 && busiest * 2.0 > self.limit;
        if next < self.limit || may_grow {
            self.limit = self.clamped(next);
        }
        if matches!(self.look, Look::Due(at) if now >= at) && self.lowered() < self.limit as u32 {
            self.look = Look::Since { begun: now, is_low: None };
        }
    }

    fn learn_base(&mut self, median: f64, weight: f64) {
        let base = self.base.unwrap_or(median);
        self.base = Some(base + weight * (median - base));
    }

    fn end_look(&mut self, now: Ticks) {
        self.look = Look::Due(now.plus(LOOK_AFTER));
        self.window = Window::new(now);
    }

    fn lowered(&self) -> u32 {
        self.clamped(self.limit / 2.0) as u32
    }

    fn clamped(&self, limit: f64) -> f64 {
        let min = f64::from(self.bounds.min.max(1));
        limit.clamp(min, f64::from(self.bounds.max).max(min))
    }
}

impl Window {
    fn new(now: Ticks) -> Self {
        Self { times: [0.0; WINDOW], len: 0, begun: now, busiest: 0 }
    }

    fn note(&mut self, span: Duration, busy: u32) {
        if let Some(place) = self.times.get_mut(self.len) {
            *place = span.as_secs_f32();
            self.len += 1;
        }
        self.busiest = self.busiest.max(busy);
    }

    fn is_whole(&self, now: Ticks) -> bool {
        self.len == WINDOW || (self.len >= WINDOW_MIN && now.since(self.begun) >= WINDOW_SPAN)
    }

    fn median(&mut self) -> Option<f64> {
        let times = self.times.get_mut(..self.len)?;
        times.sort_unstable_by(f32::total_cmp);
        times.get(self.len / 2).map(|time| f64::from(*time))
    }
}
