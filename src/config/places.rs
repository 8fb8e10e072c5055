//! Where a vendor's account lives: the parts of its address that are the user's.

use super::base_url::{self, BaseUrl};
use super::collector::Collector;
use super::kind::ProviderKind;
use super::near::quoted;
use super::reader::Reader;
use super::value::Value;

/// `region`, `project`, `resource`, `account` of a provider: they stand in braces in the catalogue's
/// address of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    written: Vec<(&'static str, String)>,
}

const NAMES: [&str; 5] = ["region", "project", "resource", "account", "host"];

impl Places {
    pub(super) fn read(reader: &mut Reader<'_, '_, '_>) -> Self {
        let mut written = Vec::new();
        for name in NAMES {
            if let Some(text) = reader.take(name, part) {
                written.push((name, text));
            }
        }
        Self { written }
    }

    /// The kind's address with these parts in their places; a missing one is the file's mistake.
    pub(super) fn base_url(&self, kind: &ProviderKind, reader: &mut Reader<'_, '_, '_>) -> Option<BaseUrl> {
        let first = kind.protocols().first().copied()?;
        let mut url = kind.facts().base_url(first)?.to_owned();
        for (name, text) in &self.written {
            url = url.replace(&format!("{{{name}}}"), text);
        }
        let missing = url.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(name, _)| name);
        if let Some(missing) = missing {
            let message = format!("kind `{}` needs a `{missing}`", kind.as_str());
            reader.fail(message, Some("or the whole `base_url`"));
            return None;
        }
        base_url::checked(&url).ok()
    }
}

/// One label of a host name.
fn part(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let text = value.string(collector, "a name")?;
    let is_label = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.is_empty() || text.len() > 128 || !text.bytes().all(is_label) {
        value.fail(collector, format!("`{}` is no name: letters, digits, `-`, `_`, `.`", quoted(text)));
        return None;
    }
    Some(text.to_owned())
}
