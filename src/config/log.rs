//! `[log]`: where the access log goes, and how much is said about the process.

use super::choice::choice;
use super::collector::Collector;
use super::near::{self, quoted};
use super::reader::Reader;
use super::value::Value;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// One JSON line a request.
    pub access: AccessTo,
    /// Of diagnostics, which go to stderr.
    pub level: Level,
    /// Whether lines hold decisions of routing whole, for `tidegate route replay`.
    pub routes: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessTo {
    Stdout,
    Stderr,
    Off,
    /// Appended to.
    File(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    /// The word in the file, which is also the one of the `log` crate.
    pub fn as_str(self) -> &'static str {
        LEVELS.iter().find(|(_, level)| *level == self).map_or("info", |(word, _)| word)
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { access: AccessTo::Stdout, level: Level::Info, routes: false }
    }
}

const LEVELS: &[(&str, Level)] = &[
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];

impl Log {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let log = Self {
            access: reader.or("access", d.access, access),
            level: reader.or("level", d.level, choice(LEVELS, &[])),
            routes: reader.or("routes", d.routes, |v, c| v.boolean(c)),
        };
        reader.done();
        Some(log)
    }
}

fn access(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<AccessTo> {
    const HELP: &str = "\"stdout\", \"stderr\", \"off\" or a path such as \"logs/access.jsonl\"";
    match value.string(collector, HELP)? {
        "stdout" => Some(AccessTo::Stdout),
        "stderr" => Some(AccessTo::Stderr),
        "off" => Some(AccessTo::Off),
        // A word without a slash or dot is more likely a slip than a file.
        path if path.contains(['/', '.']) && !path.contains('\0') => {
            Some(AccessTo::File(PathBuf::from(path)))
        }
        word => {
            let near = near::suffix(word, ["stdout", "stderr", "off"]);
            value.fail_help(collector, format!("unknown value `{}`{near}", quoted(word)), HELP);
            None
        }
    }
}
