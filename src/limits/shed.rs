//! How much of its work the gateway leaves out when it has more of it than it can do well: a pure
//! function of what was measured.
//!
//! Not here: measuring (`jobs`), and what is left out at each stage (who does it asks for the stage).
//! Invariant: it goes up as soon as it must, and down one stage at a time, so that what it takes back
//! in is seen before more is.

use crate::types::Ticks;
use std::time::Duration;

/// What is left out, each with all before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// Nothing.
    #[default]
    Calm,
    /// Second calls for the sake of speed or of comparison.
    Extras,
    /// Counting prompts where a bound will do.
    Counts,
    /// New calls of low priority.
    Low,
    /// All new calls.
    All,
}

/// Bounds at which everything new is refused; None: not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShedRules {
    /// Bytes in RAM.
    pub memory_max: Option<u64>,
    /// How late the threads that serve calls come to their work.
    pub lag_max: Duration,
    /// Calls under way.
    pub calls_max: Option<u64>,
    /// Client connections open.
    pub connections_max: u64,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    pub memory: u64,
    pub lag: Duration,
    pub calls: u64,
    pub connections: u64,
}

/// Each reading as a share of its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    pub memory: f32,
    pub lag: f32,
    pub calls: f32,
    pub connections: f32,
}

/// The stage, and how it came about.
#[derive(Clone, Debug, Default)]
pub struct Shedder {
    stage: Stage,
    lag: Duration,
    changed: Ticks,
}

/// The shares from which the stages behind [`Stage::Calm`] are.
const SHARES: [(Stage, f32); 4] =
    [(Stage::All, 1.0), (Stage::Low, 0.95), (Stage::Counts, 0.9), (Stage::Extras, 0.85)];
/// How far below its share a stage is left.
const SLACK: f32 = 0.05;
/// The shortest time in a stage that is left for a lower one.
const STAY: Duration = Duration::from_secs(1);
/// With so few calls under way refusing more frees no memory.
const CALLS_FEW: u64 = 8;

impl Stage {
    pub const ALL: [Stage; 5] = [Stage::Calm, Stage::Extras, Stage::Counts, Stage::Low, Stage::All];

    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Calm => "calm",
            Stage::Extras => "extras",
            Stage::Counts => "counts",
            Stage::Low => "low",
            Stage::All => "all",
        }
    }

    /// The stage at this place in [`Stage::ALL`].
    pub fn at(place: u8) -> Self {
        Self::ALL.into_iter().find(|stage| *stage as u8 == place).unwrap_or_default()
    }

    fn of(share: f32) -> Self {
        SHARES.into_iter().find(|(_, from)| share >= *from).map_or(Stage::Calm, |(stage, _)| stage)
    }
}

impl Pressure {
    pub fn of(seen: &Readings, rules: &ShedRules) -> Self {
        let share = |seen: u64, most: Option<u64>| match most {
            Some(most) => (seen as f64 / most.max(1) as f64) as f32,
            None => 0.0,
        };
        let memory = share(seen.memory, rules.memory_max);
        Self {
            // What nobody uses any more an allocator may keep: it must not shut the door for ever.
            memory: if seen.calls <= CALLS_FEW { memory.min(0.99) } else { memory },
            lag: seen.lag.as_secs_f32() / rules.lag_max.as_secs_f32().max(0.001),
            calls: share(seen.calls, rules.calls_max),
            connections: share(seen.connections, Some(rules.connections_max)),
        }
    }

    /// The largest share, and what it is of.
    pub fn worst(&self) -> (&'static str, f32) {
        let all = [
            ("memory", self.memory),
            ("lag", self.lag),
            ("calls", self.calls),
            ("connections", self.connections),
        ];
        all.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
    }
}

impl Shedder {
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Takes in what was measured; a lag that was seen once counts for half. Gives the pressure.
    pub fn note(&mut self, seen: Readings, rules: &ShedRules, now: Ticks) -> Pressure {
        self.lag = (self.lag + seen.lag) / 2;
        let pressure = Pressure::of(&Readings { lag: self.lag, ..seen }, rules);
        let share = pressure.worst().1;
        let reached = Stage::of(share);
        if reached > self.stage {
            self.stage = reached;
            self.changed = now;
        } else if Stage::of(share + SLACK) < self.stage && now.since(self.changed) >= STAY {
            self.stage = Stage::at(self.stage as u8 - 1);
            self.changed = now;
        }
        pressure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: ShedRules = ShedRules {
        memory_max: Some(1000),
        lag_max: Duration::from_millis(100),
        calls_max: None,
        connections_max: 200,
    };

    fn at(millis: u64) -> Ticks {
        Ticks::from_start(Duration::from_millis(millis))
    }

    fn memory(memory: u64) -> Readings {
        Readings { memory, calls: 100, ..Readings::default() }
    }

    #[test]
    fn each_share_has_its_stage() {
        for (seen, stage) in [
            (0, Stage::Calm),
            (849, Stage::Calm),
            (850, Stage::Extras),
            (900, Stage::Counts),
            (950, Stage::Low),
            (1000, Stage::All),
            (9000, Stage::All),
        ] {
            let mut shedder = Shedder::default();
            shedder.note(memory(seen), &RULES, at(0));
            assert_eq!(shedder.stage(), stage, "{seen}");
        }
    }

    #[test]
    fn it_goes_up_at_once_and_down_step_by_step() {
        let mut shedder = Shedder::default();
        shedder.note(memory(1200), &RULES, at(0));
        assert_eq!(shedder.stage(), Stage::All);
        let stages: Vec<Stage> = (1..50)
            .map(|n| {
                shedder.note(memory(100), &RULES, at(n * 100));
                shedder.stage()
            })
            .collect();
        assert_eq!(stages[8], Stage::All);
        assert_eq!(
            [stages[9], stages[19], stages[29], stages[39]],
            [Stage::Low, Stage::Counts, Stage::Extras, Stage::Calm]
        );
    }

    #[test]
    fn at_the_edge_of_a_stage_it_does_not_go_to_and_fro() {
        let mut shedder = Shedder::default();
        shedder.note(memory(950), &RULES, at(0));
        for n in 1..100 {
            shedder.note(memory(if n % 2 == 0 { 955 } else { 920 }), &RULES, at(n * 500));
            assert_eq!(shedder.stage(), Stage::Low);
        }
        shedder.note(memory(890), &RULES, at(60_000));
        assert_eq!(shedder.stage(), Stage::Counts);
    }

    #[test]
    fn a_lag_that_stays_counts_whole_and_one_that_was_seen_once_for_half() {
        let late = |millis| Readings { lag: Duration::from_millis(millis), ..Readings::default() };
        let mut shedder = Shedder::default();
        shedder.note(late(160), &RULES, at(0));
        assert_eq!(shedder.stage(), Stage::Calm);
        for n in 1..10 {
            shedder.note(late(120), &RULES, at(n));
        }
        assert_eq!(shedder.stage(), Stage::All);
    }

    #[test]
    fn memory_that_nobody_uses_does_not_shut_the_door_for_ever() {
        let mut shedder = Shedder::default();
        let idle = Readings { memory: 5000, calls: 1, ..Readings::default() };
        let pressure = shedder.note(idle, &RULES, at(0));
        assert_eq!((shedder.stage(), pressure.worst().0), (Stage::Low, "memory"));
    }

    #[test]
    fn the_worst_of_all_bounds_decides() {
        let seen = Readings { connections: 200, calls: u64::MAX, ..Readings::default() };
        assert_eq!(Pressure::of(&seen, &RULES).worst(), ("connections", 1.0));
        let rules = ShedRules { calls_max: Some(10), ..RULES };
        let seen = Readings { calls: 20, ..Readings::default() };
        assert_eq!(Pressure::of(&seen, &rules).worst(), ("calls", 2.0));
        assert_eq!(Stage::ALL.map(|stage| Stage::at(stage as u8)), Stage::ALL);
    }
}
