//! References followed, and intersections (`allOf`) and root unions made one object schema.

use super::adapter::Adapter;
use crate::chat::Refused;
use crate::framing::json::{Node, Value};
use std::borrow::Cow;

/// References that follow each other before there is a schema.
const CHAIN_MAX: usize = 64;

/// The fields of a schema, its references and intersections resolved one level deep.
#[derive(Clone, Default)]
pub(super) struct Merged<'d> {
    /// All but `properties`, `required`, `allOf` and `$ref`. The last of a name counts.
    pub(super) fields: Vec<(&'d str, &'d Node<'d>)>,
    /// Several schemas of one name: a value of any of them.
    pub(super) properties: Vec<(&'d str, Vec<&'d Node<'d>>)>,
    pub(super) required: Vec<Cow<'d, str>>,
    pub(super) has_properties: bool,
}

impl<'d> Merged<'d> {
    pub(super) fn get(&self, key: &str) -> Option<&'d Node<'d>> {
        self.fields.iter().find(|(name, _)| *name == key).map(|(_, node)| *node)
    }

    fn set(&mut self, key: &'d str, node: &'d Node<'d>) {
        match self.fields.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = node,
            None => self.fields.push((key, node)),
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.fields.retain(|(name, _)| *name != key);
    }

    /// Takes over `other`; where both say something, `other` counts.
    pub(super) fn overlay(&mut self, other: Merged<'d>) {
        for (key, node) in other.fields {
            self.set(key, node);
        }
        for (name, nodes) in other.properties {
            match self.properties.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = nodes,
                None => self.properties.push((name, nodes)),
            }
        }
        for name in other.required {
            if !self.required.contains(&name) {
                self.required.push(name);
            }
        }
        self.has_properties |= other.has_properties;
    }

    /// The words of `type`, in small letters.
    pub(super) fn types(&self) -> Vec<String> {
        let Some(node) = self.get("type") else { return Vec::new() };
        let words = std::iter::once(node).chain(node.items()).filter_map(Node::text);
        words.map(|word| word.to_ascii_lowercase()).collect()
    }

    pub(super) fn is_object(&self) -> bool {
        self.has_properties || self.types().iter().any(|word| word == "object")
    }
}

impl<'d> Adapter<'d> {
    /// The fields of `node`. References met are noted as open until the caller is done with the
    /// schema's parts.
    pub(super) fn merged(&mut self, node: &'d Node<'d>) -> Result<Merged<'d>, Refused> {
        self.check_size()?;
        self.flatten(node, &mut Vec::new())
    }

    fn flatten(&mut self, node: &'d Node<'d>, chain: &mut Vec<Cow<'d, str>>) -> Result<Merged<'d>, Refused> {
        let mut merged = Merged::default();
        if let Some(pointer) = node.text_of("$ref") {
            self.note_change();
            if chain.len() >= CHAIN_MAX || chain.contains(&pointer) || self.open.contains(&pointer) {
                return Err(self.recursion());
            }
            let target = self.resolve(&pointer)?;
            chain.push(pointer.clone());
            merged = self.flatten(target, chain)?;
            chain.pop();
            self.fresh.push(pointer);
        }
        let parts = node.get("allOf").map(Node::items).unwrap_or_default();
        for part in parts {
            self.note_change();
            chain.push(Cow::Borrowed(""));
            let more = if chain.len() < CHAIN_MAX { self.flatten(part, chain)? } else { Merged::default() };
            chain.pop();
            for key in ["anyOf", "oneOf"] {
                if merged.get(key).is_some() && more.get(key).is_some() {
                    self.lose(key);
                }
            }
            merged.overlay(more);
        }
        merged.overlay(own(node));
        Ok(merged)
    }

    /// What a reference names.
    pub(super) fn resolve(&self, pointer: &str) -> Result<&'d Node<'d>, Refused> {
        let unknown = || self.refused(&format!("the reference \"{}\" names nothing", cut(pointer)));
        let path = pointer.strip_prefix('#').ok_or_else(|| {
            self.refused(&format!("the reference \"{}\" leads out of the schema", cut(pointer)))
        })?;
        let mut node = self.root;
        for step in path.split('/').skip(1) {
            let key = step.replace("~1", "/").replace("~0", "~");
            node = match node.value() {
                Value::Array(items) => key.parse::<usize>().ok().and_then(|at| items.get(at)),
                _ => node.get(&key),
            }
            .ok_or_else(unknown)?;
        }
        if path.is_empty() || path.starts_with('/') { Ok(node) } else { Err(unknown()) }
    }

    /// A choice between objects as one object that takes them all: every property of each, required
    /// what all require.
    pub(super) fn union(&mut self, variants: &'d [Node<'d>]) -> Result<Merged<'d>, Refused> {
        let mut all = Merged::default();
        let mut required: Option<Vec<Cow<'d, str>>> = None;
        for variant in variants {
            let one = self.merged(variant)?;
            if one.types() == ["null"] {
                continue;
            }
            if !one.is_object() {
                return Err(self.refused("a choice at the root must be between objects"));
            }
            for (name, nodes) in one.properties {
                match all.properties.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, old)) => {
                        nodes.into_iter().for_each(|node| {
                            if !old.iter().any(|known| known.raw() == node.raw()) {
                                old.push(node);
                            }
                        });
                    }
                    None => all.properties.push((name, nodes)),
                }
            }
            let names = one.required;
            required = Some(match required {
                Some(so_far) => so_far.into_iter().filter(|name| names.contains(name)).collect(),
                None => names,
            });
        }
        all.required = required.unwrap_or_default();
        all.has_properties = true;
        Ok(all)
    }
}

/// A schema's own fields.
fn own<'d>(node: &'d Node<'d>) -> Merged<'d> {
    let mut merged = Merged::default();
    for (key, value) in node.entries() {
        match key.as_ref() {
            "$ref" if value.is_string() => {}
            "allOf" => {}
            "properties" if value.is_object() => {
                merged.has_properties = true;
                merged.properties =
                    value.entries().iter().map(|(name, node)| (name.as_ref(), vec![node])).collect();
            }
            "required" => merged.required = value.items().iter().filter_map(Node::text).collect(),
            key => merged.set(key, value),
        }
    }
    merged
}

pub(super) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(80)).unwrap_or_default()
}

/// The end of a path says where; its start may go.
pub(super) fn cut_path(path: &str) -> &str {
    let from = path.ceil_char_boundary(path.len().saturating_sub(200));
    path.get(from..).unwrap_or_default()
}
