//! The file of an SQLite store before SQLite opens it: nobody else's, and whole.

use super::StoreError;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What every database file begins with (sqlite.org/fileformat2.html §1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Makes folder (0700) and file (0600) where there are none; takes other people's rights to a file
/// that is there away. The files beside it get the rights of the file itself from SQLite.
///
/// # Errors
/// [`StoreError::Unavailable`] for a disk that does not let us; [`StoreError::Unusable`] for a file
/// that is no database, or only a part of one.
pub(super) fn prepare(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(StoreError::unavailable)?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
    let file = file.map_err(StoreError::unavailable)?;
    let meta = file.metadata().map_err(StoreError::unavailable)?;
    if !meta.is_file() {
        return Err(StoreError::Unusable(format!("{} is no file", path.display())));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        log::warn!("{} could be read by others: its mode is 0600 now", path.display());
        file.set_permissions(Permissions::from_mode(0o600)).map_err(StoreError::unavailable)?;
    }
    check_length(path, &file, meta.len())
}

/// A copy that was cut off is told here, in words, instead of by some query later. Only where no
/// write-ahead log is beside it: with one, pages may be in there.
fn check_length(path: &Path, file: &File, length: u64) -> Result<(), StoreError> {
    if length == 0 {
        return Ok(());
    }
    let mut head = [0u8; 100];
    let mut take = file;
    let unusable = |what: String| Err(StoreError::Unusable(format!("{} {what}", path.display())));
    if take.read_exact(&mut head).is_err() || !head.starts_with(MAGIC) {
        return unusable("is no SQLite database".to_owned());
    }
    let log = wal_of(path).metadata().map_or(0, |meta| meta.len());
    let number = |at: usize, count: usize| {
        head.iter().skip(at).take(count).fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let page = match number(16, 2) {
        1 => 65_536,
        size => size,
    };
    // The count of pages is true where its version is that of the last change.
    let is_known = number(24, 4) == number(92, 4);
    let whole = page * number(28, 4);
    if log == 0 && is_known && length < whole {
        return unusable(format!("is cut off: {length} bytes of {whole}; put a backup in its place"));
    }
    Ok(())
}

fn wal_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}
