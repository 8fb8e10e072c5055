//! Gemini's `Schema`: OpenAPI 3.0 with upper-case types, `nullable`, enums of strings, no references.

use super::adapter::Adapter;
use super::merge::Merged;
use super::tree::Tree;
use crate::chat::Refused;
use crate::framing::json::Node;
use std::borrow::Cow;

/// Keywords written as they are, by the types they are taken with; none: with any.
const KEPT: [(&str, &[&str]); 11] = [
    ("title", &[]),
    ("description", &[]),
    ("minimum", &["INTEGER", "NUMBER"]),
    ("maximum", &["INTEGER", "NUMBER"]),
    ("minLength", &["STRING"]),
    ("maxLength", &["STRING"]),
    ("pattern", &["STRING"]),
    ("minItems", &["ARRAY"]),
    ("maxItems", &["ARRAY"]),
    ("minProperties", &["OBJECT"]),
    ("maxProperties", &["OBJECT"]),
];

/// Formats by type; the Gemini API refuses others.
const FORMATS: [(&str, &[&str]); 3] =
    [("STRING", &["date-time", "enum"]), ("NUMBER", &["float", "double"]), ("INTEGER", &["int32", "int64"])];

/// Upper-case words of the types; None for what is no type.
fn upper(word: &str) -> Option<&'static str> {
    Some(match word {
        "object" => "OBJECT",
        "array" => "ARRAY",
        "string" => "STRING",
        "integer" => "INTEGER",
        "number" => "NUMBER",
        "boolean" => "BOOLEAN",
        _ => return None,
    })
}

impl<'d> Adapter<'d> {
    pub(super) fn openapi(&mut self, mut merged: Merged<'d>) -> Result<Tree<'d>, Refused> {
        self.note_change();
        let words = merged.types();
        let mut is_nullable = words.iter().any(|word| word == "null")
            || merged.get("nullable").and_then(Node::as_bool) == Some(true)
            || merged.get("enum").is_some_and(|list| list.items().iter().any(Node::is_null));
        let mut kinds: Vec<&'static str> = words.iter().filter_map(|word| upper(word)).collect();
        kinds.dedup();
        if let Some((key, choice)) = self.choice(&mut merged, &kinds) {
            let all = choice.items();
            is_nullable |= all.iter().any(is_null_type);
            let others: Vec<&'d Node<'d>> = all.iter().filter(|one| !is_null_type(one)).collect();
            match others.as_slice() {
                [] => {}
                [one] => return self.only_variant(key, one, merged, is_nullable),
                many => {
                    let step = |at: usize| format!("{key}[{at}]");
                    let made =
                        many.iter().enumerate().map(|(at, one)| self.within(&step(at), |it| it.schema(one)));
                    let variants = made.collect::<Result<Vec<_>, _>>()?;
                    return Ok(any_of(variants, is_nullable, merged.get("description")));
                }
            }
        }
        if let [_, _, ..] = kinds.as_slice() {
            let variants = kinds.iter().map(|kind| self.typed(&merged, Some(kind), false));
            let variants = variants.collect::<Result<Vec<_>, _>>()?;
            return Ok(any_of(variants, is_nullable, None));
        }
        let kind = kinds.first().copied().or_else(|| guess(&merged));
        self.typed(&merged, kind, is_nullable)
    }

    /// The choice of the schema, unless it stands beside a type: then it only refines, and Gemini
    /// takes no `anyOf` beside anything.
    fn choice(&mut self, merged: &mut Merged<'d>, kinds: &[&str]) -> Option<(&'static str, &'d Node<'d>)> {
        for key in ["anyOf", "oneOf"] {
            let Some(node) = merged.get(key) else { continue };
            merged.remove(key);
            let has_parts = |one: &Node<'_>| one.get("properties").is_some() || one.get("$ref").is_some();
            let is_of_objects = kinds == ["OBJECT"] && node.items().iter().all(has_parts);
            if !merged.has_properties && (kinds.is_empty() || is_of_objects) {
                return Some((key, node));
            }
            self.lose(key);
        }
        None
    }

    /// A choice of one is that one, with what is said around it.
    fn only_variant(
        &mut self,
        key: &str,
        one: &'d Node<'d>,
        around: Merged<'d>,
        is_nullable: bool,
    ) -> Result<Tree<'d>, Refused> {
        let depth = self.open.len();
        let tree = self.within(&format!("{key}[0]"), |it| {
            let mut inner = it.merged(one)?;
            it.open.append(&mut it.fresh);
            inner.overlay(around);
            it.openapi(inner)
        });
        self.open.truncate(depth);
        let mut tree = tree?;
        if is_nullable {
            make_nullable(&mut tree);
        }
        Ok(tree)
    }

    fn typed(
        &mut self,
        merged: &Merged<'d>,
        kind: Option<&'static str>,
        is_nullable: bool,
    ) -> Result<Tree<'d>, Refused> {
        let mut tree = Tree::Object(Vec::with_capacity(merged.fields.len() + 2));
        if let Some(kind) = kind {
            tree.put("type", Tree::word(kind));
        }
        for (key, node) in &merged.fields {
            self.openapi_keyword(key, node, kind, &mut tree)?;
        }
        if kind == Some("ARRAY") && tree.get("items").is_none() {
            // Gemini wants to know what is in an array.
            tree.put("items", Tree::one("type", Tree::word("STRING")));
            self.lose("items");
        }
        if kind == Some("OBJECT") && merged.has_properties {
            self.openapi_properties(merged, &mut tree)?;
        }
        if is_nullable {
            make_nullable(&mut tree);
        }
        Ok(tree)
    }

    fn openapi_keyword(
        &mut self,
        key: &'d str,
        node: &'d Node<'d>,
        kind: Option<&'static str>,
        tree: &mut Tree<'d>,
    ) -> Result<(), Refused> {
        match key {
            "const" => self.openapi_enum(std::slice::from_ref(node), kind, tree),
            "enum" => self.openapi_enum(node.items(), kind, tree),
            "format" => {
                let known = FORMATS.iter().find(|(of, _)| Some(*of) == kind).map(|(_, formats)| *formats);
                let format = node.text().unwrap_or_default();
                if known.unwrap_or_default().contains(&format.as_ref()) {
                    tree.put("format", Tree::raw(node.raw()));
                }
            }
            // What stands behind a tuple's elements, or that nothing does.
            "items" if kind == Some("ARRAY") && (tree.get("items").is_some() || node.as_bool().is_some()) => {
            }
            "items" if kind == Some("ARRAY") && !node.is_array() => {
                let items = self.within(key, |it| it.schema(node))?;
                tree.put("items", items);
            }
            "items" | "prefixItems" if kind == Some("ARRAY") => {
                self.lose(key);
                let mut all = self.each(key, node)?;
                all.dedup();
                let one = if all.len() > 1 { None } else { all.pop() };
                tree.put("items", one.unwrap_or_else(|| any_of(all, false, None)));
            }
            "propertyOrdering" if kind == Some("OBJECT") => {
                tree.put("propertyOrdering", Tree::raw(node.raw()));
            }
            "additionalProperties" if node.is_object() => self.lose(key),
            "type" | "nullable" | "items" | "prefixItems" | "additionalProperties" => {}
            key => match KEPT.iter().find(|(known, _)| *known == key) {
                Some((known, kinds)) if kinds.is_empty() || kinds.iter().any(|of| Some(*of) == kind) => {
                    tree.put(known, Tree::raw(node.raw()));
                }
                // It says something of another type than this one.
                Some(_) if kind.is_some() => {}
                _ => self.leave(key),
            },
        }
        Ok(())
    }

    /// Enums are lists of strings, of no empty one.
    fn openapi_enum(&mut self, values: &'d [Node<'d>], kind: Option<&'static str>, tree: &mut Tree<'d>) {
        let mut kept = Vec::with_capacity(values.len());
        for value in values.iter().filter(|value| !value.is_null()) {
            match value.text() {
                // What is left is narrower, and still right.
                Some(text) if text.is_empty() => self.lose("enum"),
                Some(text) => kept.push(Tree::Text(text)),
                None if value.is_number() => kept.push(Tree::Text(Cow::Borrowed(value.raw()))),
                _ => return self.lose("enum"),
            }
        }
        if kind == Some("BOOLEAN") && !kept.is_empty() {
            self.lose("enum");
        } else if !kept.is_empty() {
            tree.put("enum", Tree::Array(kept));
        }
    }

    fn openapi_properties(&mut self, merged: &Merged<'d>, tree: &mut Tree<'d>) -> Result<(), Refused> {
        let mut all = Vec::with_capacity(merged.properties.len());
        for (name, nodes) in &merged.properties {
            let made = self.within(&format!("properties.{name}"), |it| it.any_of(nodes))?;
            all.push((Cow::Borrowed(*name), made));
        }
        let known = merged.required.iter().filter(|name| all.iter().any(|(known, _)| known == *name));
        let required: Vec<Tree<'d>> = known.map(|name| Tree::Text(name.clone())).collect();
        tree.put("properties", Tree::Object(all));
        if !required.is_empty() {
            tree.put("required", Tree::Array(required));
        }
        Ok(())
    }
}

/// The type of a schema that names none.
fn guess(merged: &Merged<'_>) -> Option<&'static str> {
    if merged.has_properties {
        return Some("OBJECT");
    }
    if merged.get("items").is_some() {
        return Some("ARRAY");
    }
    let values = merged.get("enum").map(Node::items).unwrap_or_default();
    let first = values.iter().find(|value| !value.is_null()).or_else(|| merged.get("const"))?;
    match first {
        value if value.is_string() => Some("STRING"),
        value if value.is_number() => Some("NUMBER"),
        value if value.as_bool().is_some() => Some("BOOLEAN"),
        _ => None,
    }
}

fn is_null_type(node: &Node<'_>) -> bool {
    node.get("type").is_some_and(|kind| kind.is("null"))
        || node.entries().iter().any(|(key, value)| key == "const" && value.is_null())
}

/// Nothing may stand beside `anyOf`: what holds for the whole is said of its first part.
fn any_of<'d>(mut variants: Vec<Tree<'d>>, is_nullable: bool, description: Option<&'d Node<'d>>) -> Tree<'d> {
    if let Some(first) = variants.first_mut() {
        if is_nullable {
            make_nullable(first);
        }
        if let Some(description) = description
            && first.get("description").is_none()
            && first.get("anyOf").is_none()
        {
            first.put("description", Tree::raw(description.raw()));
        }
    }
    Tree::one("anyOf", Tree::Array(variants))
}

fn make_nullable(tree: &mut Tree<'_>) {
    if let Some(Tree::Array(variants)) = tree.get_mut("anyOf") {
        if let Some(first) = variants.first_mut() {
            make_nullable(first);
        }
        return;
    }
    tree.put("nullable", Tree::raw("true"));
}
