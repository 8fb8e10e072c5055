//! How many calls may be asked of a second target: a share of all, saved up.
//!
//! Not a window: slow calls come in clusters, and a share as large as theirs would be used up by each
//! cluster and wasted between them. Invariant: never more than the share of all calls so far, and at most
//! [`SAVED_MAX`] in a burst. Lock-free.

use std::sync::atomic::{AtomicU64, Ordering};

/// Second calls that may be saved up.
const SAVED_MAX: u64 = 20;
/// What a second call costs: each call brings its percentage.
const COST: u64 = 100;

/// What is saved up of a model's share, in hundredths of a call.
#[derive(Debug, Default)]
pub struct HedgeShare(AtomicU64);

impl HedgeShare {
    pub fn note_call(&self, percent: u8) {
        let more = |saved: u64| Some((saved + u64::from(percent)).min(SAVED_MAX * COST));
        // It never refuses.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Takes what a second call costs, if it is there.
    pub fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| saved.checked_sub(COST)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_calls_are_never_more_than_their_share_and_saved_up_in_bounds() {
        let share = HedgeShare::default();
        assert!(!share.take(), "nothing is saved yet");
        (0..100).for_each(|_| share.note_call(5));
        assert_eq!((0..10).filter(|_| share.take()).count(), 5);
        (0..10_000).for_each(|_| share.note_call(5));
        assert_eq!((0..100).filter(|_| share.take()).count(), 20);
    }

    #[test]
    fn a_tail_as_large_as_the_share_is_nearly_all_asked_again() {
        // A twentieth is slow, at random; a window of ten seconds would miss a tenth of them.
        let (share, mut random) = (HedgeShare::default(), 7_u64);
        let (mut slow, mut missed) = (0, 0);
        for _ in 0..100_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            share.note_call(5);
            if (random >> 33) % 20 == 0 {
                slow += 1;
                missed += u32::from(!share.take());
            }
        }
        assert!(missed * 20 < slow, "{missed} of {slow}");
    }
}
