//! The end of a process: readiness first, then the listeners, then the streams.

use super::{Settings, upgrade};
use crate::proxy::connection::FIRST_HEAD_GRACE;
use crate::runtime::{DrainPhase, Edge};
use async_trait::async_trait;
use pingora_core::server::{ShutdownSignal, ShutdownSignalWatch};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often a draining process looks whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What streams get to send their last event, once they are cut.
const CUT_GRACE: Duration = Duration::from_secs(2);
/// What the access log gets to reach its sink.
const FLUSH_GRACE: Duration = Duration::from_secs(2);
/// What the ledger gets to reach the store, or its spool.
const LEDGER_GRACE: Duration = Duration::from_secs(6);
/// Pingora keeps accepting this long after it has handed the listeners over.
const HAND_OVER: Duration = Duration::from_secs(5);

/// Waits for the signal that ends the process.
pub(super) struct Signals {
    edge: Arc<Edge>,
    ready_grace: Duration,
    streams_max: Duration,
    upgrade_socket: PathBuf,
}

impl Signals {
    pub(super) fn new(settings: &Settings, edge: Arc<Edge>) -> Self {
        Self {
            edge,
            ready_grace: settings.ready_grace,
            streams_max: settings.streams_max,
            upgrade_socket: settings.upgrade_socket.clone(),
        }
    }

    /// Ends the process once nothing is in flight, whatever Pingora's own grace period says.
    fn supervise(&self, listeners_closed_in: Duration) {
        let (edge, socket, streams_max) = (self.edge.clone(), self.upgrade_socket.clone(), self.streams_max);
        let watch = move || {
            std::thread::sleep(listeners_closed_in);
            wait_until_idle(&edge, streams_max);
            if edge.metrics.requests_in_flight.get() > 0 {
                edge.drain.enter(DrainPhase::Cutting);
                wait_until_idle(&edge, CUT_GRACE);
            }
            end(&edge, &socket);
            leave();
        };
        if let Err(error) = std::thread::Builder::new().name("drain".to_owned()).spawn(watch) {
            log::error!("cannot supervise the drain, the full grace period applies: {error}");
        }
    }
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        let kinds = [SignalKind::terminate(), SignalKind::quit(), SignalKind::interrupt()];
        let [Some(mut term), Some(mut quit), Some(mut interrupt)] = kinds.map(listen_for) else {
            return ShutdownSignal::FastShutdown;
        };
        loop {
            tokio::select! {
                _ = term.recv() => {
                    log::info!("SIGTERM: not ready any more, draining");
                    self.edge.drain.enter(DrainPhase::Leaving);
                    tokio::time::sleep(self.ready_grace).await;
                    self.supervise(FIRST_HEAD_GRACE + LOOK_EVERY);
                    return ShutdownSignal::GracefulTerminate;
                }
                _ = quit.recv() => {
                    if !upgrade::is_awaited(&self.upgrade_socket) {
                        log::error!("SIGQUIT, but no new process waits for the listeners: serving on");
                        continue;
                    }
                    log::info!("SIGQUIT: handing the listeners over");
                    self.edge.drain.enter(DrainPhase::HandedOver);
                    self.supervise(HAND_OVER + FIRST_HEAD_GRACE + LOOK_EVERY);
                    return ShutdownSignal::GracefulUpgrade;
                }
                _ = interrupt.recv() => {
                    log::info!("SIGINT: stopping at once");
                    self.edge.drain.enter(DrainPhase::Cutting);
                    return ShutdownSignal::FastShutdown;
                }
            }
        }
    }
}

fn listen_for(kind: SignalKind) -> Option<Signal> {
    signal(kind).map_err(|error| log::error!("cannot listen for a signal: {error}")).ok()
}

fn wait_until_idle(edge: &Edge, at_most: Duration) {
    let mut waited = Duration::ZERO;
    while edge.metrics.requests_in_flight.get() > 0 && waited < at_most {
        std::thread::sleep(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
}

/// What must be done before the process is gone.
pub(super) fn end(edge: &Edge, upgrade_socket: &Path) {
    edge.copies.stop();
    edge.access_log.flush(FLUSH_GRACE);
    if let Some(keeping) = &edge.keeping {
        keeping.keepsakes.finish(&edge.runtime().kept_in_store, LEDGER_GRACE);
    }
    if let Some(keeping) = &edge.keeping
        && !keeping.ledger.finish(LEDGER_GRACE)
    {
        log::error!("the last calls did not reach the ledger in time");
    }
    upgrade::remove_pid(upgrade_socket);
}

#[expect(clippy::disallowed_methods, reason = "Pingora sleeps through its whole grace period; this ends it")]
fn leave() -> ! {
    std::process::exit(0)
}
