//! Why a request's head could not be read, with the place of it.
//!
//! Invariant: a message names fields and places, never bytes of the body.

use std::borrow::Cow;
use std::fmt;

use crate::types::bounds::{JSON_DEPTH_MAX, MODEL_NAME_BYTES_MAX};
use crate::types::{Reason, Reject};

/// What is wrong. Fields are named as a path from the top (`stream_options.include_usage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadErrorKind {
    Invalid,
    Duplicate(&'static str),
    TooDeep,
    NotObject,
    WrongType(&'static str),
    Empty(&'static str),
    TooLong(&'static str),
    /// More parts in a form, or more requests in a batch, than one call may hold.
    TooMany(&'static str),
    NotUtf8,
}

/// A head that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadError {
    pub kind: HeadErrorKind,
    /// Counted from 1.
    pub line: usize,
    /// In bytes, counted from 1.
    pub column: usize,
    /// For the client.
    pub message: Cow<'static, str>,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HeadError {}

impl HeadError {
    /// An error at a byte offset of the body.
    pub(super) fn at(kind: HeadErrorKind, body: &[u8], offset: usize) -> Self {
        let before = body.get(..offset).unwrap_or(body);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1) + 1;
        let what = match kind {
            HeadErrorKind::Invalid => Cow::Borrowed("the request body cannot be read"),
            HeadErrorKind::Duplicate(field) => format!("the field `{field}` stands in the body twice").into(),
            HeadErrorKind::TooDeep => {
                format!("the request body is nested deeper than {JSON_DEPTH_MAX} levels").into()
            }
            HeadErrorKind::NotObject => Cow::Borrowed("the request body must be a JSON object"),
            HeadErrorKind::WrongType(field) => format!("`{field}` has a value of the wrong type").into(),
            HeadErrorKind::Empty(field) => format!("`{field}` is empty").into(),
            HeadErrorKind::TooLong(field) => {
                format!("`{field}` is longer than {MODEL_NAME_BYTES_MAX} bytes").into()
            }
            HeadErrorKind::TooMany(field) => format!("the request has too many `{field}`").into(),
            HeadErrorKind::NotUtf8 => Cow::Borrowed("the request body is not valid UTF-8"),
        };
        Self { kind, line, column, message: format!("{what} (line {line}, column {column})").into() }
    }

    /// A syntax error of a form.
    pub(super) fn form(what: &'static str, body: &[u8], offset: usize) -> Self {
        Self::syntax("multipart", what, body, offset)
    }

    /// A syntax error of JSON.
    pub(super) fn json(what: &'static str, body: &[u8], offset: usize) -> Self {
        Self::syntax("JSON", what, body, offset)
    }

    fn syntax(language: &'static str, what: &'static str, body: &[u8], offset: usize) -> Self {
        let error = Self::at(HeadErrorKind::Invalid, body, offset);
        let (line, column) = (error.line, error.column);
        let place = format!("line {line}, column {column}");
        Self {
            message: format!("the request body is not valid {language}: {what} ({place})").into(),
            ..error
        }
    }

    /// The refusal this is.
    pub fn to_reject(&self) -> Reject {
        let reject = |reason| Reject::new(reason, self.message.clone());
        match self.kind {
            HeadErrorKind::Duplicate(field) => reject(Reason::DuplicateField).with_param(field),
            HeadErrorKind::WrongType(field)
            | HeadErrorKind::Empty(field)
            | HeadErrorKind::TooLong(field)
            | HeadErrorKind::TooMany(field) => reject(Reason::InvalidRequest).with_param(field),
            HeadErrorKind::Invalid
            | HeadErrorKind::TooDeep
            | HeadErrorKind::NotObject
            | HeadErrorKind::NotUtf8 => reject(Reason::InvalidJson),
        }
    }
}

/// The body as text, or where it stops being UTF-8.
pub(super) fn utf8(body: &[u8]) -> Result<&str, HeadError> {
    std::str::from_utf8(body)
        .map_err(|error| HeadError::at(HeadErrorKind::NotUtf8, body, error.valid_up_to()))
}
