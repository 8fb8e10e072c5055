//! A schema being made.

use crate::framing::json::JsonWriter;
use std::borrow::Cow;

/// JSON whose leaves are as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree<'d> {
    Raw(Cow<'d, str>),
    Text(Cow<'d, str>),
    Array(Vec<Tree<'d>>),
    Object(Vec<(Cow<'d, str>, Tree<'d>)>),
}

impl<'d> Tree<'d> {
    pub(super) fn word(text: &'static str) -> Self {
        Tree::Text(Cow::Borrowed(text))
    }

    pub(super) fn raw(json: &'d str) -> Self {
        Tree::Raw(Cow::Borrowed(json))
    }

    /// An object of one field.
    pub(super) fn one(key: &'static str, value: Tree<'d>) -> Self {
        Tree::Object(vec![(Cow::Borrowed(key), value)])
    }

    pub(super) fn get(&self, key: &str) -> Option<&Tree<'d>> {
        match self {
            Tree::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Tree<'d>> {
        match self {
            Tree::Object(fields) => fields.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Adds a field to an object.
    pub(super) fn put(&mut self, key: &'static str, value: Tree<'d>) {
        if let Tree::Object(fields) = self {
            match fields.iter_mut().find(|(name, _)| name == key) {
                Some((_, old)) => *old = value,
                None => fields.push((Cow::Borrowed(key), value)),
            }
        }
    }

    pub(super) fn write(&self, w: &mut JsonWriter<'_>) {
        match self {
            Tree::Raw(json) => w.raw(json),
            Tree::Text(text) => w.string(text),
            Tree::Array(items) => w.array(|w| items.iter().for_each(|item| item.write(w))),
            Tree::Object(fields) => w.object(|w| {
                for (key, value) in fields {
                    w.key(key);
                    value.write(w);
                }
            }),
        }
    }
}
