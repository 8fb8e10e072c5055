//! The first line against floods: calls a second by client address, before any key is looked at.
//!
//! A sketch, not a table, so that a million addresses cost no more memory than one. It may count an
//! address too high when others share its cells, never too low, save for a few calls at the turn of
//! a second. Exact limits are for keys.

use crate::types::Ticks;
use pingora_limits::estimator::Estimator;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows and columns of a sketch. At 40,000 calls a second an address is over-counted by about 2.
const ROWS: usize = 3;
const COLUMNS: usize = 8192;

/// Lets each address make so many calls in a rolling second.
pub struct FloodGate {
    sketches: Option<Sketches>,
    per_second: u64,
}

/// Three seconds in turn: the running one, the one before, and the next, wiped ahead of time so that
/// nobody counts into a sketch while it is being wiped.
struct Sketches {
    second: AtomicU64,
    ring: [Estimator; 3],
}

impl FloodGate {
    /// Zero lets everything through and takes no memory.
    pub fn new(per_address_per_second: u32) -> Self {
        let sketches = (per_address_per_second > 0).then(|| Sketches {
            second: AtomicU64::new(0),
            ring: std::array::from_fn(|_| Estimator::new(ROWS, COLUMNS)),
        });
        Self { sketches, per_second: u64::from(per_address_per_second) }
    }

    /// Whether one more call from this address passes, counting it if so. `address_hash` is any
    /// stable hash of the address (for IPv6, of its /64).
    pub fn allow(&self, address_hash: u64, now: Ticks) -> bool {
        let Some(sketches) = &self.sketches else { return true };
        let elapsed = now.since_start();
        // Counted from 1, so that the second before always has a number of its own.
        let second = sketches.turn_to(elapsed.as_secs().saturating_add(1));
        // The part of the last second that a window of one second ending now still covers.
        let millis_left = 1000 - u64::from(elapsed.subsec_millis());
        let before =
            sketches.count(second.saturating_sub(1), address_hash).saturating_mul(millis_left) / 1000;
        let running = sketches.count(second, address_hash);
        let is_allowed = before.saturating_add(running) < self.per_second;
        if is_allowed && let Some(sketch) = sketches.sketch(second) {
            sketch.incr(address_hash, 1);
        }
        is_allowed
    }
}

impl Sketches {
    /// Makes `second` the running one, wiping what is out of date. Returns the running second,
    /// which is a later one when another thread's clock read was later.
    fn turn_to(&self, second: u64) -> u64 {
        let running = self.second.load(Ordering::Acquire);
        if second <= running {
            return running;
        }
        if let Err(other) = self.second.compare_exchange(running, second, Ordering::AcqRel, Ordering::Acquire)
        {
            return other.max(running);
        }
        // One winner wipes: the next second's sketch always; after a silence also those that were
        // not wiped ahead.
        let stale = (second - running).min(3);
        for ahead in 0..stale {
            if let Some(sketch) = self.sketch((second + 1).saturating_sub(ahead)) {
                sketch.reset();
            }
        }
        second
    }

    fn sketch(&self, second: u64) -> Option<&Estimator> {
        self.ring.get((second % 3) as usize)
    }

    fn count(&self, second: u64, address_hash: u64) -> u64 {
        self.sketch(second).map_or(0, |sketch| u64::try_from(sketch.get(address_hash)).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(millis: u64) -> Ticks {
        Ticks::from_start(Duration::from_millis(millis))
    }

    fn allowed(gate: &FloodGate, address: u64, calls: u32, millis: u64) -> usize {
        (0..calls).filter(|_| gate.allow(address, at(millis))).count()
    }

    #[test]
    fn an_address_gets_its_calls_and_others_are_not_held_up() {
        let gate = FloodGate::new(10);
        assert_eq!(allowed(&gate, 7, 1000, 0), 10);
        assert_eq!(allowed(&gate, 8, 5, 0), 5);
    }

    #[test]
    fn the_turn_of_a_second_does_not_double_the_limit() {
        let gate = FloodGate::new(10);
        assert_eq!(allowed(&gate, 7, 100, 5_990), 10);
        assert!(allowed(&gate, 7, 100, 6_010) <= 1);
        assert_eq!(allowed(&gate, 7, 100, 7_999), 10);
    }

    #[test]
    fn a_silence_of_any_length_wipes_the_past() {
        for pause in 2..9 {
            let gate = FloodGate::new(10);
            assert_eq!(allowed(&gate, 7, 100, 3_000), 10);
            assert_eq!(allowed(&gate, 7, 100, 4_000), 0);
            assert_eq!(allowed(&gate, 7, 100, 4_000 + pause * 1000), 10, "after {pause} s");
        }
    }

    #[test]
    fn a_minute_of_flooding_passes_at_most_the_limit_each_second() {
        let gate = FloodGate::new(10);
        let passed: usize = (0..60_000).step_by(10).map(|millis| allowed(&gate, 7, 1, millis)).sum();
        assert!((500..=610).contains(&passed), "{passed}");
    }

    #[test]
    fn thousands_of_addresses_do_not_crowd_out_a_slow_one() {
        let gate = FloodGate::new(20);
        for address in 0..20_000_u64 {
            gate.allow(address.wrapping_mul(0x9e37_79b9_7f4a_7c15), at(0));
        }
        assert!(gate.allow(42, at(0)));
    }

    #[test]
    fn zero_is_off() {
        assert_eq!(allowed(&FloodGate::new(0), 7, 1000, 0), 1000);
    }
}
