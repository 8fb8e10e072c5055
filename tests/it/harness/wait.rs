//! Waiting for something to become so, with an end.

use std::time::{Duration, Instant};

/// How long anything may take that should take no time, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Waits until `is_so`.
#[track_caller]
pub fn until(what: &str, within: Duration, mut is_so: impl FnMut() -> bool) {
    eventually(what, within, || is_so().then_some(()));
}

/// Waits until `look` finds something.
#[track_caller]
pub fn eventually<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {within:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}
