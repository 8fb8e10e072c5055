//! A configuration that came into force: what the file said, and what the store added to it.

use super::object::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// As it is kept in the history. Holds names of secrets, never secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// When it came into force, milliseconds since 1970, UTC.
    pub at_ms: u64,
    pub cause: Cause,
    /// The file as JSON, masked by [`mask_file`](super::mask::mask_file).
    pub file: Value,
    /// Providers and models of the store, by kind and id. As they are kept there: to go back to them.
    pub stored: Vec<Object>,
}

/// What brought it about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The process began.
    Start,
    /// The file was loaded again.
    File,
    /// A provider or model of the store changed.
    Store,
}

/// A configuration of the history, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// From 1, one more with each.
    pub number: u64,
    pub at_ms: u64,
    pub cause: Cause,
    /// 64 hex digits: the same for the same content.
    pub digest: String,
}

impl Cause {
    pub const ALL: [Cause; 3] = [Cause::Start, Cause::File, Cause::Store];

    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Start => "start",
            Cause::File => "file",
            Cause::Store => "store",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

impl Configuration {
    /// Of what it says, not of when and why: 64 hex digits.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        let mut part = |text: &str| {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        };
        part(&self.file.to_string());
        for object in &self.stored {
            let body = object.body.to_string();
            [object.kind.as_str(), &object.id, &object.name, &body].into_iter().for_each(&mut part);
        }
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_said_tells_two_configurations_apart() {
        let one = Configuration {
            at_ms: 1,
            cause: Cause::Start,
            file: json!({ "models": {} }),
            stored: Vec::new(),
        };
        let later = Configuration { at_ms: 2, cause: Cause::File, ..one.clone() };
        let other = Configuration { file: json!({ "models": { "m": {} } }), ..one.clone() };
        assert_eq!(one.digest(), later.digest());
        assert_ne!(one.digest(), other.digest());
        assert!(Cause::ALL.into_iter().all(|cause| Cause::parse(cause.as_str()) == Some(cause)));
    }
}
