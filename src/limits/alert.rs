//! A budget has passed one of its thresholds: told once a window, for whoever sends it on.

use super::Level;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Alerts that wait to be fetched; beyond it the oldest are dropped and counted.
pub const ALERTS_MAX: usize = 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The budget's account: scope, name, unit and period. With `window` and `percent` it names the
    /// alert; several nodes may tell the same one.
    pub account: String,
    pub level: Level,
    /// When the window began, seconds since 1970, UTC; 0 for a total.
    pub window: u64,
    /// The threshold that was passed.
    pub percent: u8,
    /// Settled so far, on all nodes as far as this one knows: pico dollars or tokens.
    pub spent: u64,
    pub amount: u64,
}

/// A bounded queue of alerts.
#[derive(Debug, Default)]
pub struct Alerts {
    waiting: Mutex<(VecDeque<Alert>, u64)>,
    arrived: Notify,
}

impl Alerts {
    pub(super) fn raise(&self, alert: Alert) {
        log::warn!(
            "budget {} has passed {} %: {} of {} spent",
            alert.account,
            alert.percent,
            alert.spent,
            alert.amount
        );
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.0.len() >= ALERTS_MAX {
            waiting.0.pop_front();
            waiting.1 += 1;
        }
        waiting.0.push_back(alert);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// As [`Alerts::take`], once there are any.
    pub async fn next(&self) -> (Vec<Alert>, u64) {
        loop {
            let arrived = self.arrived.notified();
            let taken = self.take();
            if !taken.0.is_empty() {
                return taken;
            }
            arrived.await;
        }
    }

    /// All that wait, oldest first, and how many were dropped since the last time.
    pub fn take(&self) -> (Vec<Alert>, u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = std::mem::take(&mut waiting.1);
        (waiting.0.drain(..).collect(), dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_keeps_the_newest_and_says_what_it_lost() {
        let alerts = Alerts::default();
        for number in 0..ALERTS_MAX as u64 + 3 {
            let account = "key/a/b".to_owned();
            let alert =
                Alert { account, level: Level::Key, window: 0, percent: 50, spent: number, amount: 9 };
            alerts.raise(alert);
        }
        let (waiting, dropped) = alerts.take();
        assert_eq!((waiting.len(), dropped, waiting[0].spent), (ALERTS_MAX, 3, 3));
        assert_eq!(alerts.take(), (Vec::new(), 0));
    }

    #[tokio::test]
    async fn who_waits_hears_what_comes() {
        let alerts = std::sync::Arc::new(Alerts::default());
        let hearing = alerts.clone();
        let alert = Alert {
            account: "key/a/b/tokens/day".to_owned(),
            level: Level::Key,
            window: 0,
            percent: 50,
            spent: 1,
            amount: 2,
        };
        let told = alert.clone();
        let (heard, ()) = tokio::join!(async move { hearing.next().await }, async { alerts.raise(told) });
        assert_eq!(heard, (vec![alert], 0));
    }
}
