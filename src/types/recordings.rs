//! Where tests find recorded traffic. It lies outside of the repository.

use std::path::{Path, PathBuf};

/// The folder of recordings: what `TIDEGATE_CORPUS` names, else `../shared/corpus`. None where there
/// is none; that is printed.
#[expect(clippy::disallowed_methods, reason = "a test asks where the recordings lie; no product code does")]
pub fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("TIDEGATE_CORPUS").map(PathBuf::from);
    let root = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"));
    if root.join("index.json").is_file() {
        return Some(root);
    }
    println!("skipped: no recordings at {} (TIDEGATE_CORPUS)", root.display());
    None
}
