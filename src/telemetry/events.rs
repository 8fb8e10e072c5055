//! What happened and somebody wants to hear of: steps of subscriptions, alerts of budgets. A bounded
//! queue from whoever notices to whoever tells.

use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Events that wait. Beyond it the oldest are dropped: what happened last matters most.
pub const EVENTS_MAX: usize = 1024;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// `subscription.approved`, `budget.alert`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Milliseconds since 1970, UTC.
    pub at_ms: u64,
    /// What it happened to. Holds no secret.
    pub subject: Value,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Events {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    dropped: u64,
}

impl Events {
    pub fn push(&self, event: Event) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.events.len() == EVENTS_MAX {
            waiting.events.pop_front();
            waiting.dropped += 1;
        }
        waiting.events.push_back(event);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// The oldest event, once there is one.
    pub async fn next(&self) -> Event {
        loop {
            let arrived = self.arrived.notified();
            let taken = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).events.pop_front();
            if let Some(event) = taken {
                return event;
            }
            arrived.await;
        }
    }

    /// Events lost since the start, because nobody took them in time.
    pub fn dropped(&self) -> u64 {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_ms: u64) -> Event {
        Event { kind: "test", at_ms, subject: Value::Null }
    }

    #[tokio::test]
    async fn at_the_bound_the_oldest_is_dropped_and_counted() {
        let events = Events::default();
        (0..=EVENTS_MAX as u64).for_each(|at| events.push(event(at)));
        assert_eq!((events.next().await.at_ms, events.dropped()), (1, 1));
        for at in 2..=EVENTS_MAX as u64 {
            assert_eq!(events.next().await.at_ms, at);
        }
    }

    #[tokio::test]
    async fn who_waits_hears_what_comes() {
        let events = std::sync::Arc::new(Events::default());
        let hearing = events.clone();
        let (heard, ()) = tokio::join!(async move { hearing.next().await }, async { events.push(event(7)) });
        assert_eq!(heard.at_ms, 7);
    }
}
