//! One timer for a whole call. Deadlines of a stream move with every chunk; the timer behind them
//! is armed again only when it rings too early, so a chunk costs no timer operation.

use crate::telemetry::SystemClock;
use crate::types::{Clock, Ticks};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, sleep_until};

pub struct Alarm {
    clock: SystemClock,
    sleep: Option<Pin<Box<Sleep>>>,
    armed_for: Ticks,
}

impl Alarm {
    pub fn new(clock: SystemClock) -> Self {
        Self { clock, sleep: None, armed_for: Ticks::default() }
    }

    /// Ready once `deadline` has passed. The deadline may differ at each poll.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Ticks) -> Poll<()> {
        if self.sleep.is_none() || deadline < self.armed_for {
            self.arm(deadline);
        }
        loop {
            let Some(sleep) = &mut self.sleep else { return Poll::Pending };
            ready!(sleep.as_mut().poll(cx));
            if self.clock.now() >= deadline {
                // A sleep that is over must not be polled again: the next call arms a new one.
                self.sleep = None;
                return Poll::Ready(());
            }
            self.arm(deadline);
        }
    }

    fn arm(&mut self, deadline: Ticks) {
        let at = Instant::from_std(self.clock.instant(deadline));
        self.armed_for = deadline;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(sleep_until(at))),
        }
    }
}
