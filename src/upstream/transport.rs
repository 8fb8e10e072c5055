//! Pingora's connectors, shared by all providers that trust and show the same certificates.

use super::dns::Addresses;
use super::egress::{Egress, Proxy};
use super::idle::IdlePool;
use super::private_key;
use crate::types::ProxyUrl;
use arc_swap::ArcSwap;
use pingora_core::connectors::http::v2::Connector;
use pingora_core::connectors::{ConnectorOptions, TransportConnector};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// HTTP/2 connections kept idle over all providers that share a transport.
const POOL_SIZE: usize = 4096;

/// Makes connections, and keeps those of HTTP/1.1 and of HTTP/2 that wait.
pub struct Transport {
    pub streams: TransportConnector,
    pub idle: Arc<IdlePool>,
    pub sessions: Connector,
    egress: Arc<ArcSwap<Egress>>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

/// Certificate files of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Trust {
    /// PEM of the authorities believed; None: the platform's.
    pub ca: Option<PathBuf>,
    /// PEM of the chain and of the key that are shown where a server asks for them.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A file that is no certificate or key, or a pair that does not fit.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {cause}", file = file.display())]
pub struct TrustError {
    file: PathBuf,
    cause: String,
}

/// Files, and the digest of what stands in them.
type Stamped = (Trust, [u8; 32]);

/// The transports of a process: one for each set of certificate files and what stood in them. They
/// outlive reloads, so that a new configuration keeps the warm connections and the known addresses.
#[derive(Default)]
pub struct Transports {
    by_trust: Mutex<HashMap<Stamped, Arc<Transport>>>,
    addresses: Mutex<HashMap<(String, u16), Weak<Addresses>>>,
    egress: Arc<ArcSwap<Egress>>,
}

impl Transports {
    /// The transport that trusts the platform's authorities and shows nothing.
    pub fn usual(&self) -> Arc<Transport> {
        self.shared(Trust::default(), [0; 32])
    }

    /// The transport of a provider's own files, as they stand now.
    ///
    /// # Errors
    /// [`TrustError`]
    pub fn trusting(&self, trust: &Trust) -> Result<Arc<Transport>, TrustError> {
        if *trust == Trust::default() {
            return Ok(self.usual());
        }
        Ok(self.shared(trust.clone(), trust.check()?))
    }

    fn shared(&self, trust: Trust, stamp: [u8; 32]) -> Arc<Transport> {
        let mut by_trust = lock(&self.by_trust);
        let made = by_trust.get(&(trust.clone(), stamp)).cloned();
        made.unwrap_or_else(|| {
            let made = Arc::new(Transport::new(&trust, self.egress.clone()));
            // What stood in the same files before is not connected to any more.
            by_trust.retain(|(known, _), _| *known != trust);
            by_trust.insert((trust, stamp), made.clone());
            made
        })
    }

    /// The addresses of a host: the same ones for all who ask while anybody holds them.
    pub fn addresses(&self, host: &str, port: u16) -> Arc<Addresses> {
        let mut known = lock(&self.addresses);
        let place = (host.to_owned(), port);
        if let Some(addresses) = known.get(&place).and_then(Weak::upgrade) {
            return addresses;
        }
        known.retain(|_, addresses| addresses.strong_count() > 0);
        let addresses = Arc::new(Addresses::of_host(host, port));
        known.insert(place, Arc::downgrade(&addresses));
        addresses
    }

    pub fn proxy(&self, url: &ProxyUrl) -> Arc<Proxy> {
        Arc::new(Proxy::new(url.clone(), self.addresses(&url.host, url.port)))
    }

    /// From now on everything without a way of its own leaves like this.
    pub fn leave_by(&self, egress: Egress) {
        self.egress.store(Arc::new(egress));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transport {
    fn new(trust: &Trust, egress: Arc<ArcSwap<Egress>>) -> Self {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut options = ConnectorOptions::new(POOL_SIZE);
        options.ca_file = trust.ca.as_deref().map(text);
        options.cert_key_file = trust.identity.as_ref().map(|(cert, key)| (text(cert), text(key)));
        Self {
            streams: TransportConnector::new(Some(options.clone())),
            idle: Arc::default(),
            sessions: Connector::new(Some(options)),
            egress,
        }
    }

    /// The proxy between here and a host that has no way of its own.
    pub fn proxy_for(&self, host: &str) -> Option<Arc<Proxy>> {
        self.egress.load().proxy_for(host)
    }
}

impl Trust {
    /// That the files are what they should be: Pingora ends the process over those that are not. The
    /// digest is of what stands in them.
    fn check(&self) -> Result<[u8; 32], TrustError> {
        let mut digest = Sha256::new();
        let mut roots = rustls::RootCertStore::empty();
        if let Some(ca) = &self.ca {
            for certificate in certificates(ca, &mut digest)? {
                roots.add(certificate).map_err(|cause| fault(ca, cause))?;
            }
        }
        if let Some((cert, key)) = &self.identity {
            let chain = certificates(cert, &mut digest)?;
            let pem = private_key::read(key).map_err(|cause| fault(key, cause))?;
            digest.update(pem.secret_der());
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let builder = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|cause| fault(cert, cause))?;
            let fits = builder.with_root_certificates(roots).with_client_auth_cert(chain, pem);
            fits.map_err(|cause| fault(key, cause))?;
        }
        Ok(digest.finalize().into())
    }
}

fn certificates(file: &Path, digest: &mut Sha256) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let text = std::fs::read(file).map_err(|cause| fault(file, cause))?;
    digest.update((text.len() as u64).to_be_bytes());
    digest.update(&text);
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|cause| fault(file, cause))?;
    if all.is_empty() { Err(fault(file, "there is no certificate in it")) } else { Ok(all) }
}

fn fault(file: &Path, cause: impl ToString) -> TrustError {
    TrustError { file: file.to_owned(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::credentials::Scratch;
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    /// A certificate of its own authority, and its key, as files.
    fn pair(name: &str) -> (Scratch, Scratch) {
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let files = [("pem", cert.pem()), ("key", key.serialize_pem())];
        let [cert, key] = files.map(|(kind, text)| Scratch::new(&format!("trust-{name}.{kind}"), &text));
        std::fs::set_permissions(&key.0, Permissions::from_mode(0o600)).unwrap();
        (cert, key)
    }

    #[test]
    fn files_that_cannot_be_used_are_named_before_they_are() {
        let (cert, key) = pair("a");
        let (_, other_key) = pair("b");
        let nothing = Scratch::new("trust-nothing", "hello");
        std::fs::set_permissions(&nothing.0, Permissions::from_mode(0o600)).unwrap();
        let [cert, key, other_key, nothing] =
            [&cert, &key, &other_key, &nothing].map(|file| file.0.as_path());
        let transports = Transports::default();
        let told = |ca: Option<&Path>, identity: Option<(&Path, &Path)>| {
            let identity = identity.map(|(cert, key)| (cert.to_owned(), key.to_owned()));
            let trust = Trust { ca: ca.map(Path::to_owned), identity };
            transports.trusting(&trust).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(told(Some(cert), Some((cert, key))), "");
        assert!(told(Some(nothing), None).contains("nothing: there is no certificate in it"));
        assert!(told(None, Some((cert, nothing))).contains("nothing"));
        assert!(told(None, Some((cert, other_key))).contains("trust-b.key"));
        assert!(told(Some(Path::new("/nowhere/gone")), None).contains("gone"));
    }

    #[test]
    fn a_file_that_changed_is_another_transport_and_the_old_one_is_let_go() {
        let (cert, _) = pair("c");
        let trust = Trust { ca: Some(cert.0.clone()), identity: None };
        let transports = Transports::default();
        let first = transports.trusting(&trust).unwrap();
        assert!(Arc::ptr_eq(&first, &transports.trusting(&trust).unwrap()));
        assert!(!Arc::ptr_eq(&first, &transports.usual()));
        let (other, _) = pair("d");
        std::fs::copy(&other.0, &cert.0).unwrap();
        assert!(!Arc::ptr_eq(&first, &transports.trusting(&trust).unwrap()));
        assert_eq!(Arc::strong_count(&first), 1);
    }

    #[test]
    fn one_host_has_one_set_of_addresses_while_it_is_held() {
        let transports = Transports::default();
        let first = transports.addresses("a.example", 443);
        assert!(Arc::ptr_eq(&first, &transports.addresses("a.example", 443)));
        assert!(!Arc::ptr_eq(&first, &transports.addresses("a.example", 444)));
        drop(first);
        transports.addresses("b.example", 443);
        assert_eq!(lock(&transports.addresses).len(), 1, "what nobody holds is forgotten");
    }
}
