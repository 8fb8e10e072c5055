//! Subsets of JSON Schema proper.

use super::adapter::Adapter;
use super::merge::Merged;
use super::tree::Tree;
use crate::chat::Refused;
use crate::framing::json::Node;
use std::borrow::Cow;

impl<'d> Adapter<'d> {
    pub(super) fn json_schema(&mut self, merged: Merged<'d>) -> Result<Tree<'d>, Refused> {
        let mut tree = Tree::Object(Vec::with_capacity(merged.fields.len() + 3));
        let is_object = merged.is_object();
        if is_object && merged.get("type").is_none() {
            self.note_change();
            tree.put("type", Tree::word("object"));
        }
        for (key, node) in &merged.fields {
            self.json_keyword(key, node, &merged, &mut tree)?;
        }
        if merged.has_properties || is_object && self.rules.requires_all {
            self.json_properties(&merged, &mut tree)?;
        }
        if self.rules.closes_objects && is_object {
            if merged.get("additionalProperties").and_then(Node::as_bool) != Some(false) {
                self.note_change();
            }
            tree.put("additionalProperties", Tree::raw("false"));
        }
        self.null_in_type(&merged, &mut tree);
        Ok(tree)
    }

    fn json_keyword(
        &mut self,
        key: &'d str,
        node: &'d Node<'d>,
        merged: &Merged<'d>,
        tree: &mut Tree<'d>,
    ) -> Result<(), Refused> {
        let value = match key {
            "type" => Tree::raw(node.raw()),
            "const" if self.rules.is_const_enum => {
                self.note_change();
                tree.put("enum", Tree::Array(vec![Tree::raw(node.raw())]));
                return Ok(());
            }
            "const" => Tree::raw(node.raw()),
            "enum" => {
                self.json_enum(node, tree);
                return Ok(());
            }
            "format" => match node.text() {
                Some(format) if self.rules.formats.contains(&format.as_ref()) => Tree::raw(node.raw()),
                _ => {
                    self.note_change();
                    return Ok(());
                }
            },
            "anyOf" | "oneOf" => {
                let has_word = key == "anyOf" || self.rules.has_one_of;
                if !has_word {
                    self.note_change();
                }
                if tree.get("anyOf").is_some() && !has_word {
                    self.lose(key);
                    return Ok(());
                }
                let choice = self.each(key, node)?;
                tree.put(if has_word && key == "oneOf" { "oneOf" } else { "anyOf" }, Tree::Array(choice));
                return Ok(());
            }
            "items" if node.is_array() => return self.tuple(key, node, tree),
            // Behind a tuple's elements nothing more, or what a tuple is made to say already.
            "items" if !node.is_object() || merged.get("prefixItems").is_some() && !self.rules.has_tuples => {
                self.lose(key);
                return Ok(());
            }
            "items" => self.within(key, |it| it.schema(node))?,
            "prefixItems" => return self.tuple(key, node, tree),
            "$defs" | "definitions" => return self.definitions(key, node, tree),
            "additionalProperties" => return self.json_additional(node, merged, tree),
            "minItems" if node.as_u64().is_none_or(|least| least > self.rules.minimal_items_max) => {
                self.leave(key);
                return Ok(());
            }
            key if self.rules.kept.contains(&key) => Tree::raw(node.raw()),
            // `nullable` comes back in the type.
            key => {
                self.leave(key);
                return Ok(());
            }
        };
        if let Tree::Object(fields) = tree {
            fields.push((Cow::Borrowed(key), value));
        }
        Ok(())
    }

    /// Every schema of a list.
    pub(super) fn each(&mut self, key: &str, list: &'d Node<'d>) -> Result<Vec<Tree<'d>>, Refused> {
        let mut all = Vec::with_capacity(list.items().len());
        for (at, one) in list.items().iter().enumerate() {
            all.push(self.within(&format!("{key}[{at}]"), |it| it.schema(one))?);
        }
        Ok(all)
    }

    fn json_enum(&mut self, node: &'d Node<'d>, tree: &mut Tree<'d>) {
        let values = node.items().iter();
        if !self.rules.has_no_null_in_enum {
            return tree.put("enum", Tree::raw(node.raw()));
        }
        if values.clone().any(|value| value.as_bool().is_some() || value.is_object() || value.is_array()) {
            return self.lose("enum");
        }
        if !values.clone().any(Node::is_null) {
            return tree.put("enum", Tree::raw(node.raw()));
        }
        self.note_change();
        let kept = values.filter(|value| !value.is_null()).map(|value| Tree::raw(value.raw()));
        tree.put("enum", Tree::Array(kept.collect()));
    }

    /// `nullable`, and a null that stood in an enum, as a word of the type.
    fn null_in_type(&mut self, merged: &Merged<'d>, tree: &mut Tree<'d>) {
        let has_null = merged.get("enum").is_some_and(|list| list.items().iter().any(Node::is_null));
        let is_nullable = merged.get("nullable").and_then(Node::as_bool) == Some(true);
        if self.rules.types_enums
            && tree.get("type").is_none()
            && let Some(kind) = kind_of_enum(merged)
        {
            self.note_change();
            tree.put("type", Tree::word(kind));
        }
        if is_nullable || has_null && self.rules.types_enums {
            add_null(tree);
        }
    }

    fn tuple(&mut self, key: &str, node: &'d Node<'d>, tree: &mut Tree<'d>) -> Result<(), Refused> {
        let all = self.each(key, node)?;
        if self.rules.has_tuples {
            if key == "items" {
                self.note_change();
            }
            tree.put("prefixItems", Tree::Array(all));
            return Ok(());
        }
        // Each element may then be any of them, in any place.
        self.lose(key);
        let any =
            if all.len() == 1 { all.into_iter().next() } else { Some(Tree::one("anyOf", Tree::Array(all))) };
        tree.put("items", any.unwrap_or(Tree::Object(Vec::new())));
        Ok(())
    }

    /// Definitions stand at the root, where references look for them.
    fn definitions(&mut self, key: &str, node: &'d Node<'d>, tree: &mut Tree<'d>) -> Result<(), Refused> {
        if !self.rules.keeps_refs || !self.at_root() {
            self.note_change();
            return Ok(());
        }
        if key == "definitions" {
            self.note_change();
        }
        let mut all = Vec::with_capacity(node.entries().len());
        for (name, schema) in node.entries() {
            let made = self.within(&format!("{key}.{name}"), |it| it.schema(schema))?;
            all.push((name.clone(), made));
        }
        match tree.get_mut("$defs") {
            Some(Tree::Object(known)) => known.extend(all),
            _ => tree.put("$defs", Tree::Object(all)),
        }
        Ok(())
    }

    fn json_additional(
        &mut self,
        node: &'d Node<'d>,
        merged: &Merged<'d>,
        tree: &mut Tree<'d>,
    ) -> Result<(), Refused> {
        if self.rules.closes_objects {
            // A map of free keys cannot be said; a closed object is written behind the properties.
            if node.as_bool() != Some(false) && (node.is_object() || !merged.has_properties) {
                self.lose("additionalProperties");
            }
            return Ok(());
        }
        let value = match node.as_bool() {
            Some(_) => Tree::raw(node.raw()),
            None => self.within("additionalProperties", |it| it.schema(node))?,
        };
        tree.put("additionalProperties", value);
        Ok(())
    }

    fn json_properties(&mut self, merged: &Merged<'d>, tree: &mut Tree<'d>) -> Result<(), Refused> {
        let mut all = Vec::with_capacity(merged.properties.len());
        for (name, nodes) in &merged.properties {
            let mut made = self.within(&format!("properties.{name}"), |it| it.any_of(nodes))?;
            let is_required = merged.required.iter().any(|known| known == name);
            if self.rules.requires_all && !is_required && !nodes.iter().any(|node| has_null_value(node)) {
                self.note_change();
                made = or_null(made);
            }
            all.push((Cow::Borrowed(*name), made));
        }
        if self.root.get("properties").is_none() && self.at_root() {
            self.note_change();
        }
        let names: Vec<&str> = merged.properties.iter().map(|(name, _)| *name).collect();
        tree.put("properties", Tree::Object(all));
        let required: Vec<Tree<'d>> = if self.rules.requires_all {
            names.iter().map(|name| Tree::Text(Cow::Borrowed(*name))).collect()
        } else {
            let known = merged.required.iter().filter(|name| names.contains(&name.as_ref()));
            known.map(|name| Tree::Text(name.clone())).collect()
        };
        if required.len() != merged.required.len() {
            self.note_change();
        }
        if !required.is_empty() || self.rules.requires_all {
            tree.put("required", Tree::Array(required));
        }
        Ok(())
    }

    /// One schema, or any of several.
    pub(super) fn any_of(&mut self, nodes: &[&'d Node<'d>]) -> Result<Tree<'d>, Refused> {
        if let [one] = nodes {
            return self.schema(one);
        }
        let all = nodes.iter().map(|node| self.schema(node)).collect::<Result<Vec<_>, _>>()?;
        Ok(Tree::one("anyOf", Tree::Array(all)))
    }
}

fn has_null_value(node: &Node<'_>) -> bool {
    node.get("enum").is_some_and(|list| list.items().iter().any(Node::is_null))
}

/// The one type of the values of a `const` or `enum`, nulls set aside.
fn kind_of_enum(merged: &Merged<'_>) -> Option<&'static str> {
    let values = match merged.get("const") {
        Some(value) => std::slice::from_ref(value),
        None => merged.get("enum")?.items(),
    };
    let mut values = values.iter().filter(|value| !value.is_null()).peekable();
    let kind = if values.peek()?.is_string() { "string" } else { "number" };
    let is_of_kind = |value: &Node<'_>| if kind == "string" { value.is_string() } else { value.is_number() };
    values.all(is_of_kind).then_some(kind)
}

/// Adds `null` to what `tree` takes, in its type.
fn add_null(tree: &mut Tree<'_>) {
    let null = || Tree::word("null");
    let Some(kind) = tree.get_mut("type") else { return };
    match kind {
        Tree::Array(words) if !words.contains(&null()) => words.push(null()),
        Tree::Array(_) => {}
        Tree::Raw(json) if json.contains("\"null\"") => {}
        Tree::Raw(json) if json.starts_with('[') => {
            let words = json.trim_start_matches('[').trim_end_matches(']').trim();
            let comma = if words.is_empty() { "" } else { "," };
            *json = Cow::Owned(format!("[{words}{comma}\"null\"]"));
        }
        one => *one = Tree::Array(vec![one.clone(), null()]),
    }
}

/// What `tree` takes, or null.
fn or_null(mut tree: Tree<'_>) -> Tree<'_> {
    let takes_null = tree.get("anyOf").is_some_and(|choice| match choice {
        Tree::Array(all) => all
            .iter()
            .any(|one| matches!(one.get("type"), Some(Tree::Raw(json)) if json.as_ref() == "\"null\"")),
        _ => false,
    });
    if takes_null || has_no_type(&tree) {
        return tree;
    }
    let is_plain = tree.get("type").is_some() && tree.get("enum").is_none() && tree.get("const").is_none();
    if is_plain {
        add_null(&mut tree);
        return tree;
    }
    if let Some(Tree::Array(all)) = tree.get_mut("anyOf") {
        all.push(Tree::one("type", Tree::word("null")));
        return tree;
    }
    Tree::one("anyOf", Tree::Array(vec![tree, Tree::one("type", Tree::word("null"))]))
}

/// Nothing is said about the value, so it may be null already.
fn has_no_type(tree: &Tree<'_>) -> bool {
    ["type", "anyOf", "enum", "const", "$ref"].iter().all(|key| tree.get(key).is_none())
}
