//! The walk through a schema that every subset shares.

use super::merge::Merged;
use super::rules::Rules;
use super::tree::Tree;
use super::{Adapted, Place, Subset};
use crate::chat::{At, Refused};
use crate::framing::json::{JsonWriter, Node, Value};
use std::borrow::Cow;

/// Schemas written, references inlined. Past this the result would be megabytes of prompt.
const SCHEMAS_MAX: usize = 10_000;
/// Schemas in schemas, references inlined. The walk recurses, so this bounds its stack.
const DEPTH_MAX: usize = 128;
const LOST_MAX: usize = 32;

pub(super) struct Adapter<'d> {
    pub(super) root: &'d Node<'d>,
    pub(super) rules: Rules,
    pub(super) subset: Subset,
    place: Place,
    at: At,
    path: Vec<String>,
    /// References the schemas around this one came from.
    pub(super) open: Vec<Cow<'d, str>>,
    /// References this schema came from.
    pub(super) fresh: Vec<Cow<'d, str>>,
    lost: Vec<String>,
    is_changed: bool,
    count: usize,
}

impl<'d> Adapter<'d> {
    pub(super) fn new(root: &'d Node<'d>, at: At, subset: Subset, place: Place) -> Self {
        Self {
            root,
            rules: Rules::of(subset),
            subset,
            place,
            at,
            path: Vec::new(),
            open: Vec::new(),
            fresh: Vec::new(),
            lost: Vec::new(),
            is_changed: false,
            count: 0,
        }
    }

    pub(super) fn run(mut self, source: &str) -> Result<Adapted<'_>, Refused> {
        let tree = if self.subset == Subset::Tool {
            self.tool_root()?
        } else if self.place == Place::Parameters || self.rules.has_object_root {
            self.object_root()?
        } else {
            self.schema(self.root)?
        };
        let is_empty = is_object_type(&tree) && tree.get("properties").is_none_or(has_nothing);
        let json = if self.is_changed {
            let mut out = Vec::with_capacity(source.len());
            tree.write(&mut JsonWriter::new(&mut out));
            Cow::Owned(String::from_utf8(out).map_err(|_| self.refused("the schema is no text"))?)
        } else {
            Cow::Borrowed(source)
        };
        Ok(Adapted { json, lost: self.lost, is_empty })
    }

    /// One schema, cut to the subset.
    pub(super) fn schema(&mut self, node: &'d Node<'d>) -> Result<Tree<'d>, Refused> {
        match node.value() {
            Value::Object(_) => {}
            // Anything is right.
            Value::Bool(true) => {
                self.is_changed = true;
                return Ok(Tree::Object(Vec::new()));
            }
            _ => return Err(self.refused(&format!("a schema is an object, not {}", node.kind()))),
        }
        if let Some(reference) = self.kept_reference(node) {
            return Ok(reference);
        }
        let around = self.open.len();
        let merged = self.merged(node)?;
        self.open.append(&mut self.fresh);
        let tree = self.emit(merged);
        self.open.truncate(around);
        tree
    }

    /// Counts one schema more.
    pub(super) fn check_size(&mut self) -> Result<(), Refused> {
        self.count += 1;
        if self.count > SCHEMAS_MAX {
            return Err(self.refused("the schema is too large once its references are followed"));
        }
        if self.path.len() > DEPTH_MAX {
            return Err(self.refused("the schema is nested too deep"));
        }
        Ok(())
    }

    pub(super) fn emit(&mut self, merged: Merged<'d>) -> Result<Tree<'d>, Refused> {
        match self.subset {
            Subset::GeminiOpenApi => self.openapi(merged),
            _ => self.json_schema(merged),
        }
    }

    /// A reference that stays one. What stands beside it is not taken by anybody.
    fn kept_reference(&mut self, node: &'d Node<'d>) -> Option<Tree<'d>> {
        if !self.rules.keeps_refs {
            return None;
        }
        let lone = match node.get("allOf").map(Node::items) {
            Some([only]) if node.get("$ref").is_none() => only,
            None => node,
            _ => return None,
        };
        let pointer = lone.text_of("$ref")?;
        let name = ["#/$defs/", "#/definitions/"].iter().find_map(|start| pointer.strip_prefix(start));
        let kept = match name {
            Some(name) if !name.contains('/') => format!("#/$defs/{name}"),
            None if pointer == "#" => "#".to_owned(),
            _ => return None,
        };
        self.resolve(&pointer).ok()?;
        let beside = node.entries().iter().chain(lone.entries());
        for (key, _) in
            beside.filter(|(key, _)| !matches!(key.as_ref(), "$ref" | "allOf" | "$defs" | "definitions"))
        {
            self.is_changed = true;
            if super::rules::is_constraint(key) {
                self.lose(key);
            }
        }
        self.is_changed |= kept != pointer || !std::ptr::eq(lone, node);
        Some(Tree::one("$ref", Tree::Text(kept.into())))
    }

    /// The root as an object, with the definitions that references need.
    fn object_root(&mut self) -> Result<Tree<'d>, Refused> {
        let merged = self.root_object()?;
        let tree = self.emit(merged)?;
        self.open.clear();
        Ok(tree)
    }

    fn root_object(&mut self) -> Result<Merged<'d>, Refused> {
        let mut merged = match self.root.value() {
            Value::Object(_) => self.merged(self.root)?,
            Value::Bool(true) => Merged::default(),
            _ => return Err(self.refused(&format!("a schema is an object, not {}", self.root.kind()))),
        };
        let kinds = merged.types();
        if !kinds.is_empty() && !kinds.iter().any(|kind| kind == "object") {
            return Err(self.refused(&format!("the root must be an object, not {}", kinds.join(" or "))));
        }
        for key in ["anyOf", "oneOf"] {
            let Some(choice) = merged.get(key).map(Node::items) else { continue };
            merged.remove(key);
            self.lose(key);
            // A choice that only says which properties go together adds none of its own.
            let refines = merged.has_properties && choice.iter().all(|one| one.get("properties").is_none());
            if !refines {
                let union = self.union(choice)?;
                merged.overlay(union);
            }
        }
        self.open.append(&mut self.fresh);
        if !merged.get("type").is_some_and(|kind| kind.is("object")) {
            self.is_changed = true;
            merged.remove("type");
        }
        merged.has_properties = true;
        Ok(merged)
    }

    /// The root of a tool that is not strict: what is below it is anybody's.
    fn tool_root(&mut self) -> Result<Tree<'d>, Refused> {
        let is_plain = self.root.get("type").is_some_and(|kind| kind.is("object"))
            && ["anyOf", "oneOf", "allOf", "$ref"].iter().all(|key| self.root.get(key).is_none());
        if is_plain {
            let fields = self.root.entries().iter();
            return Ok(Tree::Object(
                fields.map(|(key, value)| (key.clone(), Tree::raw(value.raw()))).collect(),
            ));
        }
        self.is_changed = true;
        let merged = self.root_object()?;
        let mut tree = Tree::one("type", Tree::word("object"));
        let any = |nodes: &Vec<&'d Node<'d>>| match nodes.as_slice() {
            [one] => Tree::raw(one.raw()),
            many => Tree::one("anyOf", Tree::Array(many.iter().map(|one| Tree::raw(one.raw())).collect())),
        };
        let properties = merged.properties.iter().map(|(name, nodes)| (Cow::Borrowed(*name), any(nodes)));
        tree.put("properties", Tree::Object(properties.collect()));
        if !merged.required.is_empty() {
            tree.put("required", Tree::Array(merged.required.into_iter().map(Tree::Text).collect()));
        }
        if let Tree::Object(fields) = &mut tree {
            let rest = merged.fields.iter().filter(|(key, _)| *key != "type");
            fields.extend(rest.map(|(key, node)| (Cow::Borrowed(*key), Tree::raw(node.raw()))));
        }
        Ok(tree)
    }

    /// Does `inner` one step deeper.
    pub(super) fn within<T>(&mut self, step: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step.to_owned());
        let made = inner(self);
        self.path.pop();
        made
    }

    pub(super) fn at_root(&self) -> bool {
        self.path.is_empty()
    }

    pub(super) fn note_change(&mut self) {
        self.is_changed = true;
    }

    /// Leaves a keyword out that constrains.
    pub(super) fn lose(&mut self, keyword: &str) {
        self.is_changed = true;
        let mut name = self.path.join(".");
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(super::merge::cut(keyword));
        if self.lost.len() < LOST_MAX && !self.lost.contains(&name) {
            self.lost.push(name);
        }
    }

    /// Leaves a keyword out, whatever it says.
    pub(super) fn leave(&mut self, keyword: &str) {
        self.is_changed = true;
        if super::rules::is_constraint(keyword) {
            self.lose(keyword);
        }
    }

    pub(super) fn refused(&self, what: &str) -> Refused {
        let path = self.path.join(".");
        Refused::new(self.at, what).in_schema(super::merge::cut_path(&path).to_owned())
    }

    pub(super) fn recursion(&self) -> Refused {
        self.refused(&format!("the schema refers to itself, and {} takes no recursion", self.rules.vendor))
    }
}

fn is_object_type(tree: &Tree<'_>) -> bool {
    match tree.get("type") {
        Some(Tree::Text(word)) => word.eq_ignore_ascii_case("object"),
        Some(Tree::Raw(json)) => json.trim_matches('"').eq_ignore_ascii_case("object"),
        _ => false,
    }
}

fn has_nothing(tree: &Tree<'_>) -> bool {
    match tree {
        Tree::Object(fields) => fields.is_empty(),
        Tree::Raw(json) => json.bytes().all(|byte| matches!(byte, b'{' | b'}') || byte.is_ascii_whitespace()),
        _ => false,
    }
}
