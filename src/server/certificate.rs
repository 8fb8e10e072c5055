//! A listener's certificate, read from PEM files and replaced without a restart.

use crate::jobs::Renewable;
use crate::upstream::private_key;
use arc_swap::ArcSwap;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Certificate files that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use certificate {cert} with key {key}: {cause}", cert = cert.display(), key = key.display())]
pub struct CertificateError {
    cert: PathBuf,
    key: PathBuf,
    cause: String,
}

/// The certificate in force, and where it came from.
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl Certificate {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`CertificateError`] where a file is missing, empty, or the key does not fit.
    pub fn load(cert: PathBuf, key: PathBuf) -> Result<Arc<Self>, CertificateError> {
        match read(&cert, &key) {
            Ok(loaded) => Ok(Arc::new(Self { cert, key, current: ArcSwap::from_pointee(loaded) })),
            Err(cause) => Err(CertificateError { cert, key, cause }),
        }
    }

    /// Reads the files again. Bad ones leave the old certificate in force.
    ///
    /// # Errors
    /// As [`Certificate::load`].
    pub fn reload(&self) -> Result<(), CertificateError> {
        match read(&self.cert, &self.key) {
            Ok(loaded) => {
                self.current.store(Arc::new(loaded));
                Ok(())
            }
            Err(cause) => Err(CertificateError { cert: self.cert.clone(), key: self.key.clone(), cause }),
        }
    }
}

impl Renewable for Certificate {
    fn files(&self) -> Vec<PathBuf> {
        vec![self.cert.clone(), self.key.clone()]
    }

    fn renew(&self) {
        match self.reload() {
            Ok(()) => log::info!("certificate {} renewed", self.cert.display()),
            Err(error) => log::error!("the old certificate stays in force: {error}"),
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.cert.display())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|e| format!("{}: {e}", cert.display()))?;
    if chain.is_empty() {
        return Err("no certificate in the file".to_owned());
    }
    let private = private_key::read(key).map_err(|e| format!("{}: {e}", key.display()))?;
    let signer = any_supported_type(&private).map_err(|e| e.to_string())?;
    let certified = CertifiedKey::new(chain, signer);
    certified.keys_match().map_err(|e| e.to_string())?;
    Ok(certified)
}
