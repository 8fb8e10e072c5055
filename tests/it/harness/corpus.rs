//! Recorded traffic, which lies outside of the repository.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// One recording.
pub struct Case {
    /// Its folder within the corpus.
    pub name: String,
    /// Its entry of `index.json`.
    pub about: Value,
    dir: PathBuf,
}

impl Case {
    /// A file of the recording, such as `request.json` or `stream.sse`.
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.dir.join(name)).ok()
    }
}

/// All recordings. Where there are none it says so, and the test has nothing to hold.
pub fn cases() -> Option<Vec<Case>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = std::env::var_os("TIDEGATE_CORPUS").map_or(beside, PathBuf::from);
    let Ok(index) = fs::read(root.join("index.json")) else {
        println!("SKIPPED: corpus not found at {}", root.display());
        return None;
    };
    let mut index: Value = serde_json::from_slice(&index).unwrap();
    let Value::Array(entries) = index["entries"].take() else { panic!("index.json has no list of entries") };
    let case = |about: Value| {
        let name = about["dir"].as_str().expect("a path").to_owned();
        Case { dir: root.join(&name), name, about }
    };
    Some(entries.into_iter().map(case).collect())
}
