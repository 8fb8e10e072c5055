//! Where a vendor's account lives: the parts of its address that are the user's.

use super::base_url::{self, BaseUrl};
use super::kind::ProviderKind;
use super::name::label;
use super::reader::Reader;

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
            if let Some(text) = reader.take(name, label) {
                written.push((name, text));
            }
        }
        Self { written }
    }

    /// A part by its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.written.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }

    /// The kind's address with these parts in their places; a missing one is the file's mistake.
    pub(super) fn base_url(&self, kind: &ProviderKind, reader: &mut Reader<'_, '_, '_>) -> Option<BaseUrl> {
        let first = kind.protocols().first().copied()?;
        let mut url = kind.facts().base_url(first)?.to_owned();
        if let Some(host) = self.get("region").and_then(wide_host) {
            url = url.replace(VERTEX_HOST, host);
        }
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

const VERTEX_HOST: &str = "{region}-aiplatform.googleapis.com";

/// Vertex's hosts of places that are no single region.
fn wide_host(region: &str) -> Option<&'static str> {
    match region {
        "global" => Some("aiplatform.googleapis.com"),
        "us" => Some("aiplatform.us.rep.googleapis.com"),
        "eu" => Some("aiplatform.eu.rep.googleapis.com"),
        _ => None,
    }
}
