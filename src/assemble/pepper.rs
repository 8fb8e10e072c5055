//! The pepper of a node that keeps its own store and was given none: made once, beside the database.
//!
//! Whoever copies the database alone still has no way in. A database of many nodes needs one that all
//! of them are given, so for PostgreSQL the configuration must name it.

use crate::auth::token;
use crate::types::Secret;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Characters of a pepper made here.
const LENGTH: usize = 43;

/// The pepper beside `database`, made where there is none (mode 0600).
///
/// # Errors
/// The disk does not let us; or a file is there that others may read, or that is no pepper.
pub(super) fn beside(database: &Path) -> io::Result<Secret> {
    let path = PathBuf::from(format!("{}.pepper", database.display()));
    if !path.exists() {
        make(&path)?;
    }
    let mode = path.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!("may be read by others (mode {mode:04o}): chmod 600")));
    }
    let text = std::fs::read_to_string(&path)?;
    let text = text.trim();
    if text.len() < LENGTH {
        return Err(io::Error::other("is no whole pepper: put its copy back, or all keys of the store end"));
    }
    Ok(Secret::new(text))
}

/// Written whole under another name first: who reads it never sees a part.
fn make(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let pepper = token::digits(LENGTH).map_err(io::Error::other)?;
    let aside = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(pepper.as_bytes())?;
    file.sync_all()?;
    // A link is never put over a file that is there: of two that start at once, one makes it.
    let made = std::fs::hard_link(&aside, path);
    std::fs::remove_file(&aside)?;
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_nobody_elses() {
        let folder = std::env::temp_dir().join(format!("tidegate-pepper-{}", std::process::id()));
        let database = folder.join("data/tidegate.db");
        let first = beside(&database).unwrap();
        assert!(first.expose().len() >= LENGTH);
        assert_eq!(beside(&database).unwrap().expose(), first.expose());
        let path = folder.join("data/tidegate.db.pepper");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(beside(&database).unwrap_err().to_string().contains("0644"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "cut").unwrap();
        assert!(beside(&database).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
