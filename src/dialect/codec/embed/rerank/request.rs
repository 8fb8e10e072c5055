//! What a client wants ranked.

use super::Shape;
use crate::chat::{At, Feature, Field, Losses, Text};
use crate::framing::json::JsonWriter;

/// One rerank call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub from: Shape,
    /// As the client named it.
    pub model: Text<'a>,
    pub query: Text<'a>,
    pub documents: Vec<Document<'a>>,
    /// How many results at most; None: all.
    pub top: Option<u64>,
    /// The documents stand in the answer.
    pub returns_documents: Option<bool>,
    /// Fields this gateway has no word for.
    pub extra: Vec<Field<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<'a> {
    pub at: At,
    /// The text; the JSON of an object that is more than one.
    pub text: Text<'a>,
    pub is_json: bool,
}

/// What of a request its answer depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// As the client named it: shown where the provider names none.
    pub model: String,
    /// A token unique to this call: the answer's id where the provider gives none.
    pub token: String,
    /// The documents, where the client wants them back and the provider does not give them.
    pub documents: Vec<String>,
}

impl Request<'_> {
    pub fn wanted(&self, token: impl Into<String>) -> Wanted {
        let documents = match self.returns_documents {
            Some(true) => self.documents.iter().map(|document| document.text.to_string()).collect(),
            _ => Vec::new(),
        };
        Wanted { model: self.model.to_string(), token: token.into(), documents }
    }

    /// Writes fields of the shape's own; others are told as lost.
    pub(super) fn write_extra(&self, to: Shape, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        for field in &self.extra {
            match self.from == to {
                true => w.field_raw(&field.name, field.value.as_str()),
                false => losses.push_named(Feature::Unknown, field.at, &field.name),
            }
        }
    }
}
