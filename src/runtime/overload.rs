//! How loaded the gateway itself is: written by who measures it, read by who can leave something out.
//!
//! Not here: the decision (`limits::shed`). One word each; a call reads the stage and nothing more.

use crate::limits::Stage;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Overload {
    stage: AtomicU8,
    /// The longest lag since it was taken last, in nanoseconds.
    lag: AtomicU64,
}

impl Overload {
    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Calm,
            place => Stage::at(place),
        }
    }

    /// Whether what is left out at `stage` is left out now.
    pub fn sheds(&self, stage: Stage) -> bool {
        self.stage() >= stage
    }

    pub fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// A thread that serves calls came so late to its work.
    pub fn note_lag(&self, lag: Duration) {
        let lag = u64::try_from(lag.as_nanos()).unwrap_or(u64::MAX);
        self.lag.fetch_max(lag, Ordering::Relaxed);
    }

    /// The longest lag since the last time.
    pub fn take_lag(&self) -> Duration {
        Duration::from_nanos(self.lag.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_holds_with_all_before_it_and_a_lag_is_taken_once() {
        let overload = Overload::default();
        assert!(!overload.sheds(Stage::Extras));
        overload.set_stage(Stage::Low);
        assert!(overload.sheds(Stage::Extras) && overload.sheds(Stage::Low) && !overload.sheds(Stage::All));
        [3, 9, 4].into_iter().for_each(|millis| overload.note_lag(Duration::from_millis(millis)));
        assert_eq!(overload.take_lag(), Duration::from_millis(9));
        assert_eq!(overload.take_lag(), Duration::ZERO);
    }
}
