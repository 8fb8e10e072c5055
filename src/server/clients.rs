//! Client certificates of a listener: which authorities vouch for them, and who a connection's is.
//!
//! Not here: what a holder may do (`auth`). Invariant: a certificate is proved against the authorities in
//! force at every handshake, the ones that go on from an earlier one included: those carry the
//! certificate along without anybody looking at it again.

use crate::auth::Certificate;
use crate::jobs::Renewable;
use crate::telemetry::WallClock;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use pingora_core::listeners::TlsAccept;
use pingora_core::protocols::tls::TlsRef;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Files that client certificates cannot be checked with.
#[derive(Debug, thiserror::Error)]
#[error("cannot check client certificates with {path}: {cause}", path = path.display())]
pub struct ClientsError {
    path: PathBuf,
    cause: String,
}

/// Where authorities come from, and whether there is a way in without a certificate.
#[derive(Clone, Debug)]
pub struct ClientFiles {
    /// PEM: certificates of the authorities.
    pub ca: PathBuf,
    /// PEM: certificates that were taken back.
    pub crl: Option<PathBuf>,
    pub is_required: bool,
}

/// What client certificates are checked against; replaced without a restart.
pub struct ClientAuthority {
    files: ClientFiles,
    current: ArcSwap<Current>,
}

type Current = Arc<dyn ClientCertVerifier>;

/// Reads who a connection's certificate is, when its handshake is over.
pub struct Identify(pub Arc<ClientAuthority>);

impl ClientAuthority {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`ClientsError`] where one is missing, or is not what it should be.
    pub fn load(files: ClientFiles) -> Result<Arc<Self>, ClientsError> {
        let current = ArcSwap::from_pointee(verifier(&files)?);
        Ok(Arc::new(Self { files, current }))
    }

    /// Who a chain that was shown is now.
    fn identify(&self, chain: &[CertificateDer<'_>]) -> Option<Certificate> {
        let (leaf, above) = chain.split_first()?;
        let now = UnixTime::since_unix_epoch(Duration::from_millis(WallClock.unix_ms()));
        let is_required = self.files.is_required;
        // Also of a connection that goes on from an earlier one.
        if self.current.load().verify_client_cert(leaf, above, now).is_err() {
            return Some(Certificate::void(is_required));
        }
        Some(Certificate::read(leaf, is_required).unwrap_or_else(|| Certificate::void(is_required)))
    }
}

impl Renewable for ClientAuthority {
    fn files(&self) -> Vec<PathBuf> {
        [self.files.ca.clone()].into_iter().chain(self.files.crl.clone()).collect()
    }

    fn renew(&self) {
        match verifier(&self.files) {
            Ok(current) => {
                self.current.store(Arc::new(current));
                log::info!("authorities of client certificates {} renewed", self.files.ca.display());
            }
            Err(error) => log::error!("the old authorities stay in force: {error}"),
        }
    }
}

fn verifier(files: &ClientFiles) -> Result<Current, ClientsError> {
    let fault = |path: &PathBuf, cause: String| ClientsError { path: path.clone(), cause };
    let read = |path: &PathBuf| {
        let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        all.map_err(|error| fault(path, error.to_string()))
    };
    let mut roots = RootCertStore::empty();
    for authority in read(&files.ca)? {
        roots.add(authority).map_err(|error| fault(&files.ca, error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fault(&files.ca, "no certificate in the file".to_owned()));
    }
    let mut lists = Vec::new();
    if let Some(path) = &files.crl {
        let all: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_file_iter(path).and_then(Iterator::collect);
        lists = all.map_err(|error| fault(path, error.to_string()))?;
        if lists.is_empty() {
            return Err(fault(path, "no list in the file".to_owned()));
        }
    }
    // Who issued the leaf answers for it; a list of its own authorities' authority is rare.
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::new(default_provider()))
        .with_crls(lists)
        .only_check_end_entity_revocation();
    let builder = if files.is_required { builder } else { builder.allow_unauthenticated() };
    let path = files.crl.as_ref().unwrap_or(&files.ca);
    builder.build().map_err(|error| fault(path, error.to_string()))
}

/// Each call goes to the verifier in force.
impl ClientCertVerifier for ClientAuthority {
    fn client_auth_mandatory(&self) -> bool {
        self.files.is_required
    }

    /// None: they could not change with the files. Clients then send what they have.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.current.load().verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current.load().verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current.load().verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current.load().supported_verify_schemes()
    }
}

impl fmt::Debug for ClientAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientAuthority({})", self.files.ca.display())
    }
}

#[async_trait]
impl TlsAccept for Identify {
    async fn handshake_complete_callback(&self, tls: &TlsRef) -> Option<Arc<dyn Any + Send + Sync>> {
        let certificate = self.0.identify(tls.peer_cert_chain_der()?)?;
        // Requests share it: what is kept is itself an `Arc`.
        Some(Arc::new(Arc::new(certificate)))
    }
}
