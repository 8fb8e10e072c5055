//! Background work of the process: reloads, certificate renewal, fresh addresses, second signals.

use crate::runtime::{DrainPhase, Edge};
use async_trait::async_trait;
use pingora_core::server::{Server, ShutdownWatch};
use pingora_core::services::background::{BackgroundService, background_service};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{SignalKind, signal};

/// How often files are looked at for changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often names are resolved again.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);

/// Reads the configuration again and puts it in force, or leaves everything as it is.
pub struct Reload {
    pub file: PathBuf,
    pub apply: Box<dyn Fn() + Send + Sync>,
}

/// Something read from files that can be read again.
pub trait Renewable: Send + Sync {
    fn files(&self) -> Vec<PathBuf>;
    fn renew(&self);
}

struct Jobs {
    edge: Arc<Edge>,
    reload: Reload,
    renewables: Vec<Arc<dyn Renewable>>,
}

pub fn add_service(
    server: &mut Server,
    edge: Arc<Edge>,
    reload: Reload,
    renewables: Vec<Arc<dyn Renewable>>,
) {
    let mut service = background_service("jobs", Jobs { edge, reload, renewables });
    service.threads = Some(1);
    server.add_service(service);
}

#[async_trait]
impl BackgroundService for Jobs {
    async fn start(&self, shutdown: ShutdownWatch) {
        tokio::join!(
            self.watch_files(shutdown.clone()),
            self.refresh_addresses(shutdown),
            self.hear_signals()
        );
    }
}

impl Jobs {
    /// SIGHUP, and a change of the configuration file or of a certificate.
    async fn watch_files(&self, mut shutdown: ShutdownWatch) {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        let mut config = stamp(std::slice::from_ref(&self.reload.file));
        let mut stamps: Vec<_> = self.renewables.iter().map(|r| stamp(&r.files())).collect();
        loop {
            let asked = tokio::select! {
                _ = hangup.recv() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
                _ = shutdown.changed() => return,
            };
            let seen = stamp(std::slice::from_ref(&self.reload.file));
            if asked || seen != config {
                config = seen;
                (self.reload.apply)();
            }
            for (renewable, known) in self.renewables.iter().zip(&mut stamps) {
                let seen = stamp(&renewable.files());
                if asked || seen != *known {
                    *known = seen;
                    renewable.renew();
                }
            }
            if asked {
                self.edge.access_log.reopen();
            }
        }
    }

    async fn refresh_addresses(&self, mut shutdown: ShutdownWatch) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(RESOLVE_EVERY) => {}
                _ = shutdown.changed() => return,
            }
            for provider in &self.edge.runtime().providers {
                if let Some(account) = provider.accounts.first() {
                    account.link.addresses.refresh().await;
                }
            }
        }
    }

    /// Pingora hears one signal only. A second one, while draining, means: now.
    async fn hear_signals(&self) {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        let [Ok(mut term), Ok(mut interrupt)] = kinds.map(signal) else { return };
        let mut heard = 0;
        loop {
            tokio::select! { _ = term.recv() => {} _ = interrupt.recv() => {} }
            heard += 1;
            if heard > 1 {
                log::warn!("second signal: streams are cut now");
                self.edge.drain.enter(DrainPhase::Cutting);
            }
        }
    }
}

/// What changes when a file does: its modification time and size. A missing file has none.
fn stamp(files: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let look = |file: &PathBuf| {
        let meta = std::fs::metadata(file).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    files.iter().map(look).collect()
}
