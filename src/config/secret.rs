//! Secrets: `env:NAME` or `file:PATH`, never the value itself.
//!
//! Invariant: no message holds a value, and a value written into the file is masked in every
//! line of the report.

use super::collector::Collector;
use super::near::quoted;
use super::value::Value;
use crate::types::Secret;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SECRET_BYTES_MAX: u64 = 16 * 1024;
const HELP: &str = "write \"env:NAME\", or \"file:PATH\" of a file only its owner may read (mode 0600)";

/// A secret and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Empty where secrets are not resolved.
    pub(super) secret: Secret,
    /// `env:NAME` or `file:PATH`.
    pub(super) source: String,
}

/// Reads a reference to a secret and, where the policy says so, the secret.
pub(super) fn secret(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Found> {
    let reference = value_reference(value);
    let Some(source) = reference else {
        collector.mask(value.span.clone());
        value.fail_help(collector, "a secret must not stand in this file", HELP);
        return None;
    };
    if !collector.looks_outside() {
        return Some(Found { secret: Secret::new(""), source: source.to_owned() });
    }
    match resolve(source, collector).and_then(|text| one_line(text, source)) {
        Ok(text) => Some(Found { secret: Secret::new(text), source: source.to_owned() }),
        Err(message) => {
            value.fail(collector, message);
            None
        }
    }
}

/// Reads a reference to a secret of several lines, such as a key file. Empty where secrets are not
/// resolved.
pub(super) fn document(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Secret> {
    let Some(source) = value_reference(value) else {
        collector.mask(value.span.clone());
        value.fail_help(collector, "a secret must not stand in this file", HELP);
        return None;
    };
    if !collector.looks_outside() {
        return Some(Secret::new(""));
    }
    resolve(source, collector).map(Secret::new).map_err(|message| value.fail(collector, message)).ok()
}

/// The value as a well-formed reference to a secret.
fn value_reference<'a>(value: &Value<'a>) -> Option<&'a str> {
    match value.node {
        toml::de::DeValue::String(text) => is_reference(text).then_some(text.as_ref()),
        _ => None,
    }
}

/// Whether `text` names a secret rather than being one.
pub(super) fn is_reference(text: &str) -> bool {
    if let Some(name) = text.strip_prefix("env:") {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        return !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(is_word);
    }
    text.strip_prefix("file:").is_some_and(|path| !path.is_empty() && !path.contains('\0'))
}

fn resolve(source: &str, collector: &Collector<'_>) -> Result<String, String> {
    let text = match (source.strip_prefix("env:"), source.strip_prefix("file:")) {
        (Some(name), _) => collector
            .env(name)
            .ok_or_else(|| format!("the environment variable `{}` is not set", quoted(name)))?,
        (None, Some(path)) => {
            read_file(Path::new(path)).map_err(|why| format!("`{}` {why}", quoted(path)))?
        }
        (None, None) => return Err("neither env: nor file:".to_owned()),
    };
    let text = text.trim_matches(['\r', '\n', ' ', '\t']);
    if text.is_empty() {
        return Err(format!("the secret `{}` is empty", quoted(source)));
    }
    Ok(text.to_owned())
}

/// It goes into a header, where anything else would be cut off or be a second header.
fn one_line(text: String, source: &str) -> Result<String, String> {
    if !text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(format!(
            "the secret `{}` has characters that cannot be sent in a header",
            quoted(source)
        ));
    }
    Ok(text)
}

fn read_file(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| format!("cannot be read: {error}");
    // Looked at before it is opened: opening a FIFO would wait for its writer.
    if !path.metadata().map_err(told)?.is_file() {
        return Err("is no file".to_owned());
    }
    let file = std::fs::File::open(path).map_err(told)?;
    let mode = file.metadata().map_err(told)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("may be used by others than its owner (mode {:04o}): chmod 600", mode & 0o7777));
    }
    let mut text = String::new();
    // The error of a file that is no text says nothing about its content.
    file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(told)?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(format!("is longer than {SECRET_BYTES_MAX} bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_are_references() {
        for good in ["env:OPENAI_API_KEY", "env:_x", "file:/run/secrets/key", "file:key"] {
            assert!(is_reference(good), "{good}");
        }
        for bad in ["sk-abc", "env:", "env:sk-abc", "env:1A", "file:", "ENV:A", "", "env:A B", "$A"] {
            assert!(!is_reference(bad), "{bad}");
        }
    }
}
