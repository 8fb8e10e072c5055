//! Waits for what a first call needs to know of limits and budgets that are shared with other nodes.
//!
//! The only place of a request's path that waits for another node, and never for longer than
//! `cluster.wait`.

use crate::limits::{Refusal, Till};
use crate::runtime::Edge;
use std::pin::pin;

/// Tries until it is known, or until the wait is over; then once more with what there is. `attempt` is
/// told whether it may still come to [`Refusal::Waiting`].
///
/// # Errors
/// The last refusal.
pub async fn patiently<T>(
    edge: &Edge,
    till: &Till,
    mut attempt: impl FnMut(bool) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let first = attempt(true);
    if !matches!(first, Err(Refusal::Waiting)) {
        return first;
    }
    edge.metrics.sharing_waits.inc();
    let deadline = edge.now().plus(till.sharing().wait);
    // Boxed: hardly a call waits, and each would pay for the room.
    Box::pin(async move {
        loop {
            let mut answered = pin!(till.answered.notified());
            // From here on no answer is missed.
            answered.as_mut().enable();
            let left = deadline.since(edge.now());
            let outcome = attempt(!left.is_zero());
            if left.is_zero() || !matches!(outcome, Err(Refusal::Waiting)) {
                return outcome;
            }
            till.wake.notify_one();
            let _ = pingora_timeout::timeout(left, answered).await;
        }
    })
    .await
}
