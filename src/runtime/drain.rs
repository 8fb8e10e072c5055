//! Whether the process is on its way out.

/// What of its end the process has reached.
#[derive(Debug)]
pub struct Drain {
    phase: tokio::sync::watch::Sender<DrainPhase>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum DrainPhase {
    Serving,
    /// Told to stop, readiness withdrawn, connections still accepted; keep-alive is ended.
    Leaving,
    /// A new process has the listeners; keep-alive is ended.
    HandedOver,
    /// Time is up: streams end now, with an error event.
    Cutting,
}

impl Default for Drain {
    fn default() -> Self {
        Self { phase: tokio::sync::watch::Sender::new(DrainPhase::Serving) }
    }
}

impl Drain {
    pub fn phase(&self) -> DrainPhase {
        *self.phase.borrow()
    }

    /// Moves on; never back.
    pub fn enter(&self, phase: DrainPhase) {
        self.phase.send_if_modified(|current| {
            let moves = phase > *current;
            if moves {
                *current = phase;
            }
            moves
        });
    }

    /// A receiver whose `wait_for` ends when streams must be cut.
    pub fn watch(&self) -> tokio::sync::watch::Receiver<DrainPhase> {
        self.phase.subscribe()
    }
}
