//! Background work of the process: reloads, certificate renewal, fresh addresses and credentials,
//! shared limits and budgets, probes of providers, the gateway's own load, second signals.

mod addresses;
mod alerts;
mod history;
mod identities;
mod issuers;
mod keepsakes;
mod pressure;
mod probes;
mod sealed_file;
mod webhooks;

use crate::runtime::{DrainPhase, Edge};
use crate::upstream::credentials::LinkFetch;
use async_trait::async_trait;
use pingora_core::server::{Server, ShutdownWatch};
use pingora_core::services::background::{BackgroundService, background_service};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{Signal, SignalKind, signal};

mod purses;

/// How often files are looked at for changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often credentials are looked at for those that end soon.
const CREDENTIALS_EVERY: Duration = Duration::from_secs(30);

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

/// SIGHUP, heard since this was made; what came before the jobs run is told to them then.
pub struct Hangup(Signal);

struct Jobs {
    edge: Arc<Edge>,
    /// Where the sealed copy of who is known goes.
    identities: PathBuf,
    reload: Reload,
    renewables: Vec<Arc<dyn Renewable>>,
    /// Taken when the jobs start.
    hangup: Mutex<Option<Hangup>>,
}

impl Hangup {
    /// To be called before anybody can know of the process: until then SIGHUP ends it, and so does
    /// SIGQUIT, which from now on is lost instead until the server listens for it.
    ///
    /// # Errors
    /// The system's, where signals cannot be listened for.
    pub fn hear() -> std::io::Result<Self> {
        // Handlers and their queue are the process's, and outlive the runtime they were made in.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _inside = runtime.enter();
        drop(signal(SignalKind::quit())?);
        signal(SignalKind::hangup()).map(Self)
    }
}

pub fn add_service(
    server: &mut Server,
    edge: Arc<Edge>,
    reload: Reload,
    renewables: Vec<Arc<dyn Renewable>>,
    hangup: Hangup,
    identities: PathBuf,
) {
    let hangup = Mutex::new(Some(hangup));
    let mut service = background_service("jobs", Jobs { edge, identities, reload, renewables, hangup });
    service.threads = Some(1);
    server.add_service(service);
}

#[async_trait]
impl BackgroundService for Jobs {
    async fn start(&self, shutdown: ShutdownWatch) {
        let edge = &self.edge;
        let fetch = LinkFetch::new(edge.transports.usual());
        tokio::join!(
            self.watch_files(shutdown.clone()),
            addresses::keep(edge.clone(), shutdown.clone()),
            self.refresh_credentials(shutdown.clone()),
            identities::keep(edge.clone(), self.identities.clone(), shutdown.clone()),
            alerts::tell(edge, shutdown.clone()),
            history::keep(edge, shutdown.clone()),
            issuers::keep(edge.clone(), fetch, shutdown.clone()),
            webhooks::tell(edge.clone(), webhooks::Ways::new(edge), shutdown.clone()),
            keepsakes::keep(edge.clone(), shutdown.clone()),
            probes::keep(edge.clone(), shutdown.clone()),
            pressure::watch(edge, shutdown.clone()),
            purses::run(&self.edge, shutdown),
            self.hear_signals()
        );
    }
}

impl Jobs {
    /// SIGHUP, and a change of the configuration file or of a certificate.
    async fn watch_files(&self, mut shutdown: ShutdownWatch) {
        let taken = self.hangup.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Hangup(mut hangup)) = taken else { return };
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

    /// So that the first call after a silence finds a credential that holds. Those nobody has asked
    /// for yet are left alone.
    async fn refresh_credentials(&self, mut shutdown: ShutdownWatch) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(CREDENTIALS_EVERY) => {}
                _ = shutdown.changed() => return,
            }
            for provider in &self.edge.runtime().providers {
                provider.accounts.iter().for_each(|account| account.credential.keep_fresh());
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
