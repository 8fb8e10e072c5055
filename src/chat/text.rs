//! The small parts everything else is made of: text, JSON as written, places, leftovers.

use crate::framing::json::Node;
use crate::types::Protocol;
use std::borrow::Cow;

/// Text, borrowed from the body where it had no escapes.
pub type Text<'a> = Cow<'a, str>;

/// One JSON value in the bytes its writer chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw<'a>(pub Cow<'a, str>);

/// The byte offset in the client's body at which something was read. Errors turn it into a path
/// ([`crate::framing::json::path_at`]). Two values that differ in it only are equal: where a thing
/// stood is not what it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct At(Option<u32>);

/// A field no part of the canonical form stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    pub name: Text<'a>,
    pub at: At,
    pub value: Raw<'a>,
}

/// Such fields of one object, and the protocol whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra<'a> {
    pub of: Option<Protocol>,
    pub fields: Vec<Field<'a>>,
}

impl<'a> Raw<'a> {
    pub fn of(node: &Node<'a>) -> Self {
        Self(Cow::Borrowed(node.raw()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl At {
    /// Made here, not read.
    pub const NOWHERE: At = At(None);

    pub fn of(node: &Node<'_>) -> Self {
        Self(Some(node.at()))
    }

    pub fn offset(self) -> Option<u32> {
        self.0
    }
}

impl PartialEq for At {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for At {}

impl<'a> Extra<'a> {
    pub fn none() -> Self {
        Self::default()
    }

    /// The fields of `node` that are not among `known`. Nulls say nothing and are left out.
    pub fn of(protocol: Protocol, node: &Node<'a>, known: &[&str]) -> Self {
        let is_left = |name: &str, value: &Node<'_>| !value.is_null() && !known.contains(&name);
        let fields: Vec<Field<'a>> = node
            .entries()
            .iter()
            .filter(|(name, value)| is_left(name, value))
            .map(|(name, value)| Field { name: name.clone(), at: At::of(value), value: Raw::of(value) })
            .collect();
        Self { of: (!fields.is_empty()).then_some(protocol), fields }
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields that `protocol` understands: its own.
    pub fn for_protocol(&self, protocol: Protocol) -> &[Field<'a>] {
        if self.of == Some(protocol) { &self.fields } else { &[] }
    }

    pub fn get(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.name == name)
    }
}
