//! What a connection's task is woken for besides its own work: a deadline, and the moment when the
//! process cuts its streams.
//!
//! One for the life of a connection, not one for each call: what is registered stays registered, and
//! a request costs no operation on a timer nor on a list of those who wait.

use super::alarm::Alarm;
use crate::runtime::{DrainPhase, Edge};
use crate::types::Ticks;
use std::pin::Pin;
use std::task::{Context, Poll};

pub struct Vigil {
    alarm: Alarm,
    /// Ends when streams are cut; None once it has, which is told once.
    cut: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Vigil {
    pub fn new(edge: &Edge) -> Self {
        let mut phase = edge.drain.watch();
        let cut = async move {
            // The sender lives as long as the process.
            let _ = phase.wait_for(|phase| *phase == DrainPhase::Cutting).await;
        };
        Self { alarm: Alarm::new(edge.clock), cut: Some(Box::pin(cut)) }
    }

    /// Ready once `deadline` has passed. The deadline may differ at each poll.
    pub fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Ticks) -> Poll<()> {
        self.alarm.poll(cx, deadline)
    }

    /// True when streams must end; said once.
    pub fn poll_cut(&mut self, cx: &mut Context<'_>) -> bool {
        let is_cut = self.cut.as_mut().is_some_and(|cut| cut.as_mut().poll(cx).is_ready());
        if is_cut {
            self.cut = None;
        }
        is_cut
    }
}
