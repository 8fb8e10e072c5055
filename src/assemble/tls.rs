//! Listeners with TLS: the certificates they show, and what clients' are checked against.

use super::AssembleError;
use crate::config::Config;
use crate::server::{Certificate, ClientAuthority, ClientFiles, TlsListener};
use std::sync::Arc;

/// # Errors
/// Files that cannot be used.
pub fn listeners(config: &Config) -> Result<Vec<TlsListener>, AssembleError> {
    let mut tls = Vec::new();
    for listener in &config.server.tls {
        let certificate = Certificate::load(listener.cert.clone(), listener.key.clone())?;
        let clients = listener.clients.clone();
        let files = clients.map(|clients| ClientFiles {
            ca: clients.ca,
            crl: clients.crl,
            is_required: clients.is_required,
        });
        let clients = files.map(ClientAuthority::load).transpose()?;
        tls.push(TlsListener { listen: listener.listen, certificate, clients });
    }
    Ok(tls)
}

/// The admin listener's certificate.
///
/// # Errors
/// Files that cannot be used.
pub fn admin(config: &Config) -> Result<Option<Arc<Certificate>>, AssembleError> {
    let files = config.admin.tls.clone();
    Ok(files.map(|(cert, key)| Certificate::load(cert, key)).transpose()?)
}
