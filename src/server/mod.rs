//! The process: Pingora's server with every default that hurts set on purpose, its listeners,
//! signals, hand-over and end.

mod certificate;
mod clients;
mod listen;
mod shutdown;
pub mod upgrade;

use crate::jobs;
use crate::proxy::connection::{ConnectionGate, ConnectionLimits};
use crate::runtime::Edge;
use pingora_core::server::configuration::{Opt, ServerConf};
use pingora_core::server::{RunArgs, Server};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use certificate::{Certificate, CertificateError};
pub use clients::{ClientAuthority, ClientFiles, ClientsError};

/// What the process is told once, at its start. A reload does not change it.
pub struct Settings {
    pub listen: Vec<SocketAddr>,
    pub tls: Vec<TlsListener>,
    pub admin: SocketAddr,
    pub admin_tls: Option<Arc<Certificate>>,
    /// Where the sealed copy of who is known goes.
    pub identities: PathBuf,
    pub workers: usize,
    pub is_work_stealing: bool,
    pub connections: ConnectionLimits,
    pub http2_idle: Duration,
    pub ready_grace: Duration,
    pub streams_max: Duration,
    pub upgrade_socket: PathBuf,
}

/// A TLS listener and the certificate it shows.
pub struct TlsListener {
    pub listen: SocketAddr,
    pub certificate: Arc<Certificate>,
    /// What certificates of clients are checked against; None: none is asked for.
    pub clients: Option<Arc<ClientAuthority>>,
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot prepare the folder of the upgrade socket {path}: {cause}")]
    UpgradeFolder { path: PathBuf, cause: std::io::Error },
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    #[error("cannot listen on {address}: {cause}")]
    Listen { address: SocketAddr, cause: std::io::Error },
}

/// Runs until told to stop. `reload` is called on SIGHUP and when the configuration file changes.
///
/// # Errors
/// Only before anything is served.
pub fn run(
    settings: Settings,
    edge: Arc<Edge>,
    reload: jobs::Reload,
    takes_over: bool,
) -> Result<(), ServeError> {
    let hangup = jobs::Hangup::hear().map_err(ServeError::Signals)?;
    upgrade::prepare_folder(&settings.upgrade_socket)?;
    if !takes_over {
        listen::probe(&settings)?;
    }
    let conf = server_conf(&settings);
    let options = Opt { upgrade: takes_over, ..Opt::default() };
    let mut server = Server::new_with_opt_and_conf(options, conf);
    // With `takes_over` this waits for the running process to hand its listeners over.
    server.bootstrap();
    let gate = ConnectionGate::new(settings.connections, edge.metrics.connections_open.clone());
    listen::add_services(&mut server, &settings, &edge, gate);
    let certificates = settings.tls.iter().map(|tls| &tls.certificate).chain(&settings.admin_tls);
    let certificates = certificates.map(|certificate| certificate.clone() as Arc<dyn jobs::Renewable>);
    let clients = settings.tls.iter().filter_map(|tls| tls.clients.clone());
    let renewables = certificates.chain(clients.map(|clients| clients as Arc<dyn jobs::Renewable>)).collect();
    let copy = settings.identities.clone();
    jobs::add_service(&mut server, edge.clone(), reload, renewables, hangup, copy);
    let _pid_file = upgrade::write_pid(&settings.upgrade_socket);
    let signals = shutdown::Signals::new(&settings, edge.clone());
    server.run(RunArgs { shutdown_signal: Box::new(signals) });
    shutdown::end(&edge, &settings.upgrade_socket);
    Ok(())
}

/// Pingora's configuration. What is left out keeps its default on purpose: no daemon, no user
/// switch, no logs of its own.
fn server_conf(settings: &Settings) -> ServerConf {
    ServerConf {
        threads: settings.workers,
        work_stealing: settings.is_work_stealing,
        upgrade_sock: settings.upgrade_socket.to_string_lossy().into_owned(),
        // The default is 300 s, slept through even when idle. `shutdown` ends the process as soon as
        // nothing is in flight, and cuts what is left at `streams_max`: this only must not be shorter.
        grace_period_seconds: Some(settings.streams_max.as_secs().saturating_add(30)),
        graceful_shutdown_timeout_seconds: Some(1),
        // Of the forward lane; the exchange lane has its own attempt loop.
        max_retries: 3,
        upstream_keepalive_pool_size: 256,
        listener_tasks_per_fd: 1,
        ..ServerConf::default()
    }
}
