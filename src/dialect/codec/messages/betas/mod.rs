//! What Claude's other hosts refuse of a Messages request, cut out of its bytes.
//!
//! A beta name and the fields that need it go together: a name without its fields is idle, a field
//! without its name is a 400. Not here: Anthropic itself, which gets everything as it came. Invariant:
//! bytes outside the changes are the client's.

mod change;
mod table;
mod undress;

use super::host::Host;
use crate::framing::json::Node;
use change::{apply_all, insert_front, remove_members};

pub use change::{Change, apply};
pub(super) use table::refuses;
pub use table::{Place, accepted};
pub use undress::{Undressed, is_dressed, undress};

/// A Messages request in the dress of its host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adapted {
    /// The names left of `anthropic-beta`: the header's for Vertex, in the body already for Bedrock.
    pub betas: Vec<String>,
    /// In order, without overlap.
    pub changes: Vec<Change>,
    /// What the client asked for and the host does not get: names of betas, and of fields as
    /// `tools[].eager_input_streaming`; each once.
    pub removed: Vec<String>,
}

/// Brings `root`, the body of a Messages call, into the form `host` takes. `names`: the elements of the
/// client's `anthropic-beta` headers. `vouched`: names the operator knows this target to take although
/// the table does not.
pub fn adapt(host: Host, names: &[&str], vouched: &[&str], root: &Node<'_>) -> Adapted {
    if host == Host::Anthropic {
        let betas = names.iter().map(|name| (*name).to_owned()).collect();
        return Adapted { betas, ..Adapted::default() };
    }
    let betas = accepted(host, names, searches_tools(root), vouched);
    let mut work = Work { host, betas, changes: Vec::new(), removed: Vec::new() };
    for name in names {
        if !work.betas.iter().any(|kept| kept == name) {
            work.remove((*name).to_owned());
        }
    }
    work.body(root);
    work.tools(root);
    work.blocks(root.get("system"));
    work.messages(root);
    work.changes.sort_by_key(|change| (change.range.start, change.range.end));
    Adapted { betas: work.betas, changes: work.changes, removed: work.removed }
}

/// [`adapt`], and the new body.
pub fn adapt_body(host: Host, names: &[&str], vouched: &[&str], root: &Node<'_>) -> (Adapted, Vec<u8>) {
    let adapted = adapt(host, names, vouched, root);
    let body = apply_all(root, &adapted.changes);
    (adapted, body)
}

/// Whether the request lets the model look for tools: the one use of `advanced-tool-use` that other
/// hosts have, under a name of its own.
fn searches_tools(root: &Node<'_>) -> bool {
    let tools = root.get("tools").map(Node::items).unwrap_or_default();
    tools.iter().any(|tool| {
        tool.get("defer_loading").is_some_and(|flag| flag.as_bool() == Some(true))
            || tool.text_of("type").is_some_and(|kind| kind.starts_with("tool_search_tool"))
    })
}

struct Work {
    host: Host,
    betas: Vec<String>,
    changes: Vec<Change>,
    removed: Vec<String>,
}

impl Work {
    fn remove(&mut self, what: String) {
        if !self.removed.contains(&what) {
            self.removed.push(what);
        }
    }

    fn refuses(&self, place: Place, name: &str) -> bool {
        let betas: Vec<&str> = self.betas.iter().map(String::as_str).collect();
        refuses(self.host, place, name, &betas)
    }

    /// Cuts the refused members of one object; `path` leads their names.
    fn cut(&mut self, node: &Node<'_>, place: Place, path: &str) {
        let refused: Vec<&str> = node
            .entries()
            .iter()
            .map(|(key, _)| key.as_ref())
            .filter(|key| self.refuses(place, key))
            .collect();
        if refused.is_empty() {
            return;
        }
        self.changes.extend(remove_members(node, |key| refused.contains(&key)));
        for key in refused {
            self.remove(format!("{path}{key}"));
        }
    }

    fn body(&mut self, root: &Node<'_>) {
        // The host's dress: who and whether to stream stands in its URL.
        let is_dress = |key: &str| match key {
            "model" | "anthropic_version" | "anthropic_beta" => true,
            "stream" => !self.host.says_stream(),
            _ => false,
        };
        let refused: Vec<&str> = root
            .entries()
            .iter()
            .map(|(key, _)| key.as_ref())
            .filter(|key| self.refuses(Place::Body, key))
            .collect();
        let is_old_format = |key: &str| key == "output_format";
        let is_cut = |key: &str| is_dress(key) || is_old_format(key) || refused.contains(&key);
        let has_more = root.entries().iter().any(|(key, _)| !is_cut(key));
        let mut changes = remove_members(root, is_cut);
        let mut front = self.dress();
        self.move_format(root, &mut front, &mut changes);
        changes.extend(insert_front(root, &front, has_more));
        self.changes.append(&mut changes);
        for key in refused {
            self.remove(key.to_owned());
        }
        if let Some(config) = root.get("output_config") {
            let name = |key: &str| format!("output_config.{key}");
            let refused: Vec<&str> = config
                .entries()
                .iter()
                .map(|(key, _)| key.as_ref())
                .filter(|key| self.refuses(Place::Body, &name(key)))
                .collect();
            self.changes.extend(remove_members(config, |key| refused.contains(&key)));
            for key in refused {
                self.remove(name(key));
            }
        }
    }

    /// Members that lead the body.
    fn dress(&self) -> Vec<String> {
        let version = self.host.version().unwrap_or_default();
        let mut front = vec![format!("\"anthropic_version\":\"{version}\"")];
        if self.host == Host::BedrockInvoke && !self.betas.is_empty() {
            let mut names = Vec::new();
            crate::framing::json::JsonWriter::new(&mut names)
                .array(|w| self.betas.iter().for_each(|beta| w.string(beta)));
            front.push(format!("\"anthropic_beta\":{}", String::from_utf8(names).unwrap_or_default()));
        }
        front
    }

    /// `output_format` was the beta's word for what is `output_config.format` everywhere now.
    fn move_format(&self, root: &Node<'_>, front: &mut Vec<String>, changes: &mut Vec<Change>) {
        let Some(format) = root.get("output_format") else { return };
        let member = format!("\"format\":{}", format.raw());
        match root.get("output_config") {
            None => front.push(format!("\"output_config\":{{{member}}}")),
            Some(config) if config.is_object() && config.get("format").is_none() => {
                changes.extend(insert_front(config, &[member], !config.entries().is_empty()));
            }
            Some(_) => {}
        }
    }

    fn tools(&mut self, root: &Node<'_>) {
        for tool in root.get("tools").map(Node::items).unwrap_or_default() {
            self.cut(tool, Place::Tool, "tools[].");
            self.hint(tool);
        }
    }

    fn messages(&mut self, root: &Node<'_>) {
        for message in root.get("messages").map(Node::items).unwrap_or_default() {
            // Not taken inside a conversation by any host but Anthropic
            // (platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages).
            if let Some(role) = message.get("role").filter(|role| role.is("system")) {
                self.changes.push(Change::replace(role, "\"user\""));
                self.remove("messages[].role=system".to_owned());
            }
            self.blocks(message.get("content"));
        }
    }

    /// Cache hints of blocks, and of blocks inside them.
    fn blocks(&mut self, content: Option<&Node<'_>>) {
        for block in content.map(Node::items).unwrap_or_default() {
            self.hint(block);
            for inner in block.get("content").map(Node::items).unwrap_or_default() {
                self.hint(inner);
            }
        }
    }

    fn hint(&mut self, node: &Node<'_>) {
        if let Some(control) = node.get("cache_control") {
            self.cut(control, Place::CacheControl, "cache_control.");
        }
    }
}

#[cfg(test)]
mod tests;
