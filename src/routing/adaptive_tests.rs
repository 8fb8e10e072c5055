//! The learned limit against servers of known size, with seeds and a clock of its own.

use super::adaptive::{Adaptive, Bounds};
use super::numbers::Numbers;
use crate::types::Ticks;
use std::time::Duration;

const BOUNDS: Bounds = Bounds { min: 4, max: 200 };

/// A server that works on `slots` calls at once; whoever comes later waits its turn.
struct Server {
    slots: u32,
    first: f64,
    /// Of single times, up and down, as a share of them.
    noise: f64,
    /// Beyond so many at once it refuses.
    most: u32,
    /// Calls of a thousand that fail for nothing.
    chance: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self { slots: 40, first: 0.2, noise: 0.0, most: u32::MAX, chance: 0 }
    }
}

/// Calls that come as long as there is room, so that the limit is always used up; or `offered` at most.
struct World {
    limit: Adaptive,
    numbers: Numbers,
    /// Ends of first contents, and when those calls began, in seconds.
    calls: Vec<(f64, f64)>,
    now: f64,
    seen: Vec<u32>,
}

impl World {
    fn new(seed: u64) -> Self {
        let limit = Adaptive::new(BOUNDS, Ticks::default());
        Self { limit, numbers: Numbers::new(seed), calls: Vec::new(), now: 0.0, seen: Vec::new() }
    }

    fn ticks(&self) -> Ticks {
        Ticks::from_start(Duration::from_secs_f64(self.now))
    }

    /// Steps of a millisecond.
    fn run(&mut self, server: &Server, seconds: f64, offered: u32) {
        let end = self.now + seconds;
        while self.now < end {
            self.now += 0.001;
            while (self.calls.len() as u32) < self.limit.limit().min(offered) {
                let busy = self.calls.len() as u32;
                if busy >= server.most || self.numbers.below(1000) < server.chance {
                    let now = self.ticks();
                    self.limit.note_drop(busy, now);
                    break;
                }
                // In line behind those who have no slot.
                let share = f64::from(busy / server.slots);
                let noise = (self.numbers.below(2001) as f64 / 1000.0 - 1.0) * server.noise;
                let took = server.first
                    * (1.0 + share * f64::from(busy % server.slots + 1) / f64::from(server.slots));
                self.calls.push((self.now + took * (1.0 + noise), self.now));
            }
            let (now, busy) = (self.ticks(), self.calls.len() as u32);
            let at = self.now;
            let done: Vec<f64> = self.calls.iter().filter(|(due, _)| *due <= at).map(|call| call.1).collect();
            self.calls.retain(|(due, _)| *due > at);
            for began in done {
                self.limit.note_first(Duration::from_secs_f64(at - began), busy, now);
            }
            let limit = self.limit.limit();
            assert!((BOUNDS.min..=BOUNDS.max).contains(&limit), "{limit}");
            self.seen.push(limit);
        }
    }

    /// The mean limit of the last `seconds`.
    fn mean(&self, seconds: usize) -> f64 {
        let last = &self.seen[self.seen.len() - seconds * 1000..];
        last.iter().map(|limit| f64::from(*limit)).sum::<f64>() / last.len() as f64
    }
}

#[test]
fn it_finds_out_how_much_a_server_takes_and_stays_there() {
    for seed in 0..5 {
        let mut world = World::new(seed);
        world.run(&Server::default(), 20.0, u32::MAX);
        let found = world.mean(5);
        assert!((30.0..=90.0).contains(&found), "seed {seed}: {found}");
        // Also after the base was looked at again and again.
        world.run(&Server::default(), 300.0, u32::MAX);
        let later = world.mean(100);
        assert!((30.0..=90.0).contains(&later), "seed {seed}: {later}");
    }
}

#[test]
fn times_that_differ_by_themselves_do_not_bring_it_down() {
    let mut world = World::new(7);
    world.run(&Server { slots: 500, noise: 0.8, chance: 5, ..Server::default() }, 60.0, u32::MAX);
    assert!(world.mean(20) > 100.0, "{}", world.mean(20));
}

#[test]
fn refusals_bring_it_down_and_it_comes_back() {
    let mut world = World::new(3);
    world.run(&Server { slots: 500, ..Server::default() }, 20.0, u32::MAX);
    assert!(world.mean(5) > 150.0);
    world.run(&Server { slots: 500, most: 30, ..Server::default() }, 10.0, u32::MAX);
    let held = world.mean(5);
    assert!((15.0..=36.0).contains(&held), "{held}");
    world.run(&Server { slots: 500, ..Server::default() }, 30.0, u32::MAX);
    assert!(world.mean(5) > 150.0, "{}", world.mean(5));
}

#[test]
fn a_server_that_became_slower_for_good_is_not_strangled_for_ever() {
    let mut world = World::new(11);
    let roomy = Server { slots: 500, ..Server::default() };
    world.run(&roomy, 20.0, u32::MAX);
    let slow = Server { first: 0.8, ..roomy };
    world.run(&slow, 10.0, u32::MAX);
    assert!(world.mean(2) < 60.0, "it looks like a queue at first: {}", world.mean(2));
    world.run(&slow, 400.0, u32::MAX);
    assert!(world.mean(30) > 100.0, "{}", world.mean(30));
}

#[test]
fn a_limit_that_nobody_uses_up_does_not_grow() {
    let mut world = World::new(1);
    world.run(&Server { slots: 500, ..Server::default() }, 60.0, 10);
    assert!(world.limit.limit() <= 40, "{}", world.limit.limit());
}

#[test]
fn bounds_hold_whatever_is_said() {
    let mut limit = Adaptive::new(Bounds { min: 1, max: 5 }, Ticks::default());
    let at = |n: u64| Ticks::from_start(Duration::from_millis(n * 300));
    (0..100).for_each(|n| limit.note_drop(0, at(n)));
    assert_eq!(limit.limit(), 1);
    let mut seen = Vec::new();
    for n in 100..2_000 {
        limit.note_first(Duration::from_millis(1), 1_000, at(n));
        seen.push(limit.limit());
    }
    assert_eq!((seen.iter().max(), seen.iter().min()), (Some(&5), Some(&1)));
    limit.set_bounds(Bounds { min: 2, max: 3 });
    assert!((2..=3).contains(&limit.limit()));
    limit.set_bounds(Bounds { min: 9, max: 3 });
    assert_eq!(limit.limit(), 9, "a minimum above the maximum is the maximum");
}
