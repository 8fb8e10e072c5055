//! Private keys in PEM files, of listeners and of providers.

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A key is its owner's; a group may read it, as where one group holds a machine's certificates.
///
/// # Errors
/// What is wrong with the file, its name not included; never what stands in it.
pub fn read(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let found = file.metadata().map_err(|error| error.to_string())?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o027 != 0 {
        return Err(format!("the key may be used by others than its owner (mode {mode:04o}): chmod 600"));
    }
    PrivateKeyDer::from_pem_file(file).map_err(|error| error.to_string())
}
