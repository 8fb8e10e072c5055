//! Services and listeners.

use super::clients::Identify;
use super::{ServeError, Settings, TlsListener};
use crate::admin::AdminPlane;
use crate::proxy::connection::{ConnectionGate, Gated};
use crate::proxy::{Front, Gateway};
use crate::runtime::Edge;
use pingora_core::apps::HttpServerOptions;
use pingora_core::listeners::ListenerConfig;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::protocols::l4::stream::L4BufferSettings;
use pingora_core::server::Server;
use pingora_core::services::listening::Service;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// Pingora puts 64 KiB before each client; heads and prompts come in far smaller reads, and a
/// stream's client sends nothing. None at all for plain text: Pingora's HTTP layer reads into a
/// buffer of its own.
const PLAIN_READ_BUFFER: usize = 0;
/// TLS records are read whole.
const TLS_READ_BUFFER: usize = 8 * 1024;
/// Head and body of a small answer leave in one record.
const TLS_WRITE_BUFFER: usize = 4 * 1024;
/// Answers are put together before they are written.
const PLAIN_WRITE_BUFFER: usize = 0;

/// TLS of a listener, that asks for certificates of clients where it is to.
fn acceptor(tls: &TlsListener) -> pingora_core::Result<TlsSettings> {
    let Some(clients) = &tls.clients else { return TlsSettings::intermediate("", "") };
    let mut acceptor = TlsSettings::with_callbacks(Box::new(Identify(clients.clone())))?;
    acceptor.set_client_cert_verifier(clients.clone());
    Ok(acceptor)
}

/// Finds out before anything starts whether each address is free, so that a mistake is an error
/// message and not a panic in a worker.
pub(super) fn probe(settings: &Settings) -> Result<(), ServeError> {
    let tls = settings.tls.iter().map(|tls| tls.listen);
    for address in settings.listen.iter().copied().chain(tls).chain([settings.admin]) {
        probe_one(address)?;
    }
    Ok(())
}

fn probe_one(address: SocketAddr) -> Result<(), ServeError> {
    TcpListener::bind(address).map(drop).map_err(|cause| ServeError::Listen { address, cause })
}

pub(super) fn add_services(
    server: &mut Server,
    settings: &Settings,
    edge: &Arc<Edge>,
    gate: Arc<ConnectionGate>,
) {
    let conf = server.configuration.clone();
    let mut proxy = pingora_proxy::http_proxy(&conf, Gateway::new(edge.clone()));
    let mut options = HttpServerOptions::default();
    // Without it an idle HTTP/2 client stays for ever.
    options.h2_idle_timeout = Some(settings.http2_idle);
    proxy.server_options = Some(options);
    let front = Front::new(edge.clone(), proxy);
    let mut service = Service::new("edge".to_owned(), Gated::new(front, gate));
    for address in &settings.listen {
        let buffers = L4BufferSettings::new(PLAIN_READ_BUFFER, PLAIN_WRITE_BUFFER);
        service.add_listener(ListenerConfig::tcp(address.to_string()).l4_buffer(buffers));
    }
    for tls in &settings.tls {
        let Ok(mut acceptor) = acceptor(tls) else { continue };
        acceptor.set_cert_resolver(tls.certificate.clone());
        acceptor.enable_h2();
        let buffers = L4BufferSettings::new(TLS_READ_BUFFER, TLS_WRITE_BUFFER);
        let listener = ListenerConfig::tcp(tls.listen.to_string()).tls(acceptor).l4_buffer(buffers);
        service.add_listener(listener);
    }
    server.add_service(service);
    let mut admin = Service::new("admin".to_owned(), AdminPlane::new(edge.clone()));
    admin.threads = Some(1);
    match &settings.admin_tls {
        None => admin.add_tcp(&settings.admin.to_string()),
        Some(certificate) => {
            let Ok(mut acceptor) = TlsSettings::intermediate("", "") else { return };
            acceptor.set_cert_resolver(certificate.clone());
            admin.add_listener(ListenerConfig::tcp(settings.admin.to_string()).tls(acceptor));
        }
    }
    server.add_service(admin);
}
