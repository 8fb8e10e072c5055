//! Keeps who is known fresh, and what the store adds to the configuration: from the store into the
//! snapshots that requests work with, and onto the disk for a start without the store.
//!
//! Nothing on the path of a request waits for this. Invariant: what is in force is always what the
//! store had at some moment; a store that is away changes nothing.

use super::sealed_file;
use crate::auth::{Directory, Unreadable};
use crate::runtime::{Edge, IdentitySource};
use crate::store::{Store, StoreError};
use crate::types::{Clock, Ticks};
use pingora_core::server::ShutdownWatch;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The store is asked at least this often, should a notice of a change be lost: a revocation is to be
/// in force everywhere within two seconds.
const POLL: Duration = Duration::from_secs(1);
/// Between two tries while the store is away.
const RETRY: Duration = Duration::from_secs(1);
/// Between two copies on disk.
const COPY_EVERY: Duration = Duration::from_secs(5);

pub struct Keeper {
    edge: Arc<Edge>,
    store: Arc<dyn Store>,
    /// Where the copy on disk is.
    copy: PathBuf,
    directory: Directory,
    is_copied: bool,
    copied: Option<Ticks>,
}

/// Runs until the process ends. Does nothing without a store.
pub async fn keep(edge: Arc<Edge>, copy: PathBuf, mut shutdown: ShutdownWatch) {
    let Some(store) = edge.store().cloned() else { return };
    let mut keeper = Keeper::new(edge, store, copy);
    tokio::select! {
        () = keeper.run() => {}
        _ = shutdown.changed() => {}
    }
}

impl Keeper {
    pub fn new(edge: Arc<Edge>, store: Arc<dyn Store>, copy: PathBuf) -> Self {
        Self { edge, store, copy, directory: Directory::new(), is_copied: true, copied: None }
    }

    async fn run(&mut self) {
        self.begin().await;
        loop {
            self.wait().await;
            self.step().await;
        }
    }

    /// The first snapshot: the store's, or else the copy's.
    pub async fn begin(&mut self) {
        if self.load().await {
            return;
        }
        let peppers = self.edge.runtime().keys.peppers().clone();
        let unsealed = match sealed_file::read(&self.copy) {
            Ok(None) => {
                return log::error!(
                    "the store is away and there is no copy on disk: virtual keys do not work"
                );
            }
            Ok(Some(bytes)) => Directory::unseal(&bytes, &peppers).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match unsealed {
            Ok(directory) => {
                self.directory = directory.after(&self.directory);
                self.put();
                self.edge.set_identity_source(IdentitySource::Disk);
                log::warn!("the store is away: keys are from the copy {}", self.copy.display());
            }
            Err(error) => log::error!("the copy {} is not used: {error}", self.copy.display()),
        }
    }

    /// Everything, from nothing. True where the store gave it.
    async fn load(&mut self) -> bool {
        let mut fresh = Directory::new();
        match take_changes(self.store.as_ref(), &mut fresh).await {
            Ok(_) => {
                self.directory = fresh.after(&self.directory);
                self.publish();
                true
            }
            Err(error) => {
                log::error!("who is known could not be read: {error}");
                false
            }
        }
    }

    async fn wait(&self) {
        match self.edge.identity_source() {
            IdentitySource::Store => self.store.changed(self.directory.sequence(), POLL).await,
            _ => tokio::time::sleep(RETRY).await,
        }
    }

    /// Takes what has changed; after the copy, or after nothing, takes everything: the copy's numbers
    /// may be those of another store.
    pub async fn step(&mut self) {
        match self.edge.identity_source() {
            IdentitySource::Store | IdentitySource::Stale => {
                match take_changes(self.store.as_ref(), &mut self.directory).await {
                    Ok(true) => self.publish(),
                    Ok(false) => self.edge.set_identity_source(IdentitySource::Store),
                    Err(error) => {
                        if self.edge.identity_source() == IdentitySource::Store {
                            log::error!("the store is away, known keys keep working: {error}");
                        }
                        self.edge.set_identity_source(IdentitySource::Stale);
                    }
                }
            }
            _ => {
                self.load().await;
            }
        }
        self.copy_if_due().await;
    }

    fn publish(&mut self) {
        self.put();
        self.edge.set_identity_source(IdentitySource::Store);
        self.is_copied = false;
    }

    /// Providers and models first: a key that is new finds the model it was made for.
    fn put(&mut self) {
        if let Some(configure) = self.edge.configure() {
            configure.put(&self.edge, self.directory.additions());
        }
        self.edge.swap_identities(self.directory.snapshot());
    }

    async fn copy_if_due(&mut self) {
        let now = self.edge.clock.now();
        let is_soon = self.copied.is_some_and(|copied| now.since(copied) < COPY_EVERY);
        if self.is_copied || is_soon {
            return;
        }
        self.copied = Some(now);
        let peppers = self.edge.runtime().keys.peppers().clone();
        let directory = std::mem::take(&mut self.directory);
        let path = self.copy.clone();
        // Sealing many keys takes a while, and other jobs share this thread.
        let sealing = tokio::task::spawn_blocking(move || {
            let outcome = copy(&directory, &peppers, &path);
            (directory, outcome)
        });
        match sealing.await {
            Ok((directory, outcome)) => {
                self.directory = directory;
                self.is_copied = outcome.is_ok();
                if let Err(error) = outcome {
                    log::error!("the copy {} cannot be written: {error}", self.copy.display());
                }
            }
            Err(error) => {
                log::error!("the copy {} was not written: {error}", self.copy.display());
                self.edge.set_identity_source(IdentitySource::Disk);
            }
        }
    }
}

fn copy(directory: &Directory, peppers: &crate::auth::Peppers, path: &Path) -> Result<(), String> {
    let sealed = directory.seal(peppers).map_err(|error| error.to_string())?;
    sealed_file::write(path, &sealed).map_err(|error| error.to_string())
}

/// Takes what has changed since the directory's last change. True where there was anything.
async fn take_changes(store: &dyn Store, directory: &mut Directory) -> Result<bool, StoreError> {
    let mut has_any = false;
    loop {
        let since = directory.sequence();
        let changes = store.changes(since).await?;
        if changes.is_restart && since != 0 {
            // Another history: a backup was put back. What is known is of no use with its numbers.
            *directory = Directory::new().after(directory);
        }
        has_any |= changes.is_restart || changes.sequence > since;
        let faults = directory.apply(changes.objects, &changes.deleted, changes.sequence);
        tell(&faults);
        if !changes.has_more {
            return Ok(has_any);
        }
    }
}

fn tell(faults: &[Unreadable]) {
    for fault in faults.iter().take(10) {
        log::error!("{fault}");
    }
    if faults.len() > 10 {
        log::error!("{} more objects cannot be read", faults.len() - 10);
    }
}
