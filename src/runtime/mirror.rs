//! Copies of calls for a second target: which calls, how many at once, and what the two sides of a pair
//! came to.
//!
//! Not here: the sending (`proxy::exchange::mirror`). Invariant: a copy has a target, cells and a room of
//! its own, so nothing that becomes of it can be seen by the model's own calls.

use super::ModelPolicy;
use crate::telemetry::{Figures, MirrorMetrics, MirrorSide};
use crate::types::bounds::COPIES_MAX;
use crate::types::mix;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// So that the draw for a copy has nothing to do with the draw for a target, which knows a session by the
/// same number.
const SALT: u64 = 0x6d69_7272_6f72_0001;
/// What [`Mirror::share`] is a part of.
const SHARE_OF: u64 = 100_000;

/// Where copies of a model's calls go.
pub struct Mirror {
    /// Its only target is the mirror.
    pub policy: ModelPolicy,
    /// Of a hundred thousand calls.
    pub share: u32,
    /// Copies at once.
    pub in_flight: u32,
    /// A whole copy.
    pub timeout: Duration,
    /// Goes on over reloads.
    pub room: Arc<Room>,
    pub metrics: Arc<MirrorMetrics>,
}

/// Copies of one model under way.
#[derive(Debug, Default)]
pub struct Room(AtomicU32);

/// A copy under way, given back however it ends.
#[derive(Debug)]
pub struct Berth(Arc<Room>);

/// A call and its copy, of which each tells what it came to when it ends.
pub struct Pair {
    metrics: Arc<MirrorMetrics>,
    /// Who has told it first.
    first: Mutex<Option<(MirrorSide, Figures)>>,
}

/// The copies of a process. Who ends it waits for none of them.
#[derive(Debug, Default)]
pub struct Copies(Mutex<JoinSet<()>>);

impl Mirror {
    /// Whether the call is copied that drew this number: calls of one session draw the same one.
    pub fn takes(&self, drawn: u64) -> bool {
        is_drawn(self.share, drawn)
    }
}

fn is_drawn(share: u32, drawn: u64) -> bool {
    let place = (u128::from(mix(drawn ^ SALT)) * u128::from(SHARE_OF)) >> 64;
    place < u128::from(share)
}

impl Room {
    /// A berth, where fewer than `most` are taken.
    pub fn enter(self: &Arc<Self>, most: u32) -> Option<Berth> {
        let more = |taken: u32| (taken < most).then_some(taken + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Berth(self.clone()))
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pair {
    pub fn new(metrics: Arc<MirrorMetrics>) -> Self {
        Self { metrics, first: Mutex::default() }
    }

    /// One side was answered. Whoever comes second tells the metrics; of a pair with one answer nothing is
    /// told.
    pub fn tell(&self, side: MirrorSide, figures: Figures) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        match (first.take(), side) {
            (Some((MirrorSide::Primary, primary)), MirrorSide::Mirror) => {
                self.metrics.pair(&primary, &figures)
            }
            (Some((MirrorSide::Mirror, mirror)), MirrorSide::Primary) => self.metrics.pair(&figures, &mirror),
            _ => *first = Some((side, figures)),
        }
    }
}

impl Copies {
    /// Runs `work` beside everything else. False where the process has too many copies under way.
    /// To be called within the runtime that is to run it.
    pub fn begin(&self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= COPIES_MAX {
            return false;
        }
        under_way.spawn(work);
        true
    }

    /// Ends all of them where they stand.
    pub fn stop(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;
    use crate::types::mix::GOLDEN;
    use tokio::sync::oneshot;

    #[test]
    fn as_many_calls_are_drawn_as_the_share_says_and_one_session_always_or_never() {
        let of = |share| {
            let drawn = |number: &u64| is_drawn(share, number.wrapping_mul(GOLDEN));
            (0..200_000_u64).filter(drawn).count()
        };
        assert_eq!((of(0), of(100_000)), (0, 200_000));
        for (share, expected) in [(50_u32, 100.0_f64), (5_000, 10_000.0), (50_000, 100_000.0)] {
            let off = (of(share) as f64 - expected).abs();
            assert!(off < 5.0 * expected.sqrt(), "{share}: {off} off");
        }
        // A larger share has all that a smaller one has: it can be raised without changing whom.
        assert!((0..10_000_u64).all(|number| !is_drawn(5_000, number) || is_drawn(20_000, number)));
    }

    #[test]
    fn a_room_has_so_many_berths_and_each_is_given_back() {
        let room = Arc::new(Room::default());
        let taken: Vec<Berth> = (0..3).map_while(|_| room.enter(2)).collect();
        assert_eq!(taken.len(), 2);
        drop(taken);
        assert!(room.enter(1).is_some(), "and a lower bound holds at once");
        let _held = room.enter(1);
        assert!(room.enter(1).is_none());
    }

    #[test]
    fn a_pair_is_told_once_whoever_is_first_and_not_at_all_with_one_side() {
        let metrics = Metrics::new().unwrap();
        let handle = metrics.mirror("m").unwrap();
        let figures = |output| Figures { time: None, output, cost: None };
        let sum = |side: &str| {
            let line = format!("tidegate_mirror_output_tokens_total{{model=\"m\",side=\"{side}\"}} ");
            let text = String::from_utf8(metrics.render()).unwrap();
            text.lines().find_map(|held| held.strip_prefix(&line)?.parse::<u64>().ok()).unwrap()
        };
        for order in [[MirrorSide::Primary, MirrorSide::Mirror], [MirrorSide::Mirror, MirrorSide::Primary]] {
            let pair = Pair::new(handle.clone());
            let before = sum("primary");
            for side in order {
                assert_eq!(sum("primary"), before, "one alone tells nothing");
                pair.tell(side, figures(if side == MirrorSide::Primary { 3 } else { 5 }));
            }
        }
        Pair::new(handle.clone()).tell(MirrorSide::Mirror, figures(100));
        assert_eq!((sum("primary"), sum("mirror")), (6, 10));
    }

    #[tokio::test]
    async fn copies_are_bounded_ended_ones_make_room_and_all_can_be_stopped() {
        let copies = Copies::default();
        let (gate, shut) = tokio::sync::watch::channel(());
        let waiting = |mut shut: tokio::sync::watch::Receiver<()>| async move {
            let _ = shut.changed().await;
        };
        let begun = (0..COPIES_MAX + 5).filter(|_| copies.begin(waiting(shut.clone()))).count();
        assert_eq!(begun, COPIES_MAX);
        gate.send(()).unwrap();
        drop(gate);
        while !copies.begin(async {}) {
            tokio::task::yield_now().await;
        }
        let (held, ended) = oneshot::channel::<()>();
        let never = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        assert!(copies.begin(never));
        copies.stop();
        assert!(ended.await.is_err(), "what it held is dropped");
    }
}
