//! A value inside a body, where it stands, and how the few kinds that are read are read.
//!
//! Invariant: `raw` is a slice of `body` and one whole JSON value (or the whole body).

use std::ops::Range;

use super::error::{HeadError, HeadErrorKind};
use super::walk::Walk;

/// A value and where it stands in the body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    /// The whole body.
    pub body: &'a str,
    pub raw: &'a str,
}

impl<'a> Value<'a> {
    /// The value's place in the body. `raw` is a slice of `body`, so the addresses tell.
    pub(super) fn span(&self) -> Range<usize> {
        let start = (self.raw.as_ptr() as usize).saturating_sub(self.body.as_ptr() as usize);
        start..start + self.raw.len()
    }

    pub(super) fn error(&self, kind: HeadErrorKind) -> HeadError {
        HeadError::at(kind, self.body.as_bytes(), self.span().start)
    }

    pub(super) fn is_null(&self) -> bool {
        self.raw == "null"
    }

    pub(super) fn is_object(&self) -> bool {
        self.raw.starts_with('{')
    }

    pub(super) fn is_array(&self) -> bool {
        self.raw.starts_with('[')
    }

    /// `true`, `false`, or `None` for `null`.
    pub(super) fn flag(&self, field: &'static str) -> Result<Option<bool>, HeadError> {
        match self.raw {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            "null" => Ok(None),
            _ => Err(self.error(HeadErrorKind::WrongType(field))),
        }
    }

    /// The string, decoded, or `None` for `null`.
    pub(super) fn text(&self, field: &'static str) -> Result<Option<String>, HeadError> {
        if self.is_null() {
            return Ok(None);
        }
        let plain = self.raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
        match plain {
            Some(plain) if memchr::memchr(b'\\', plain.as_bytes()).is_none() => Ok(Some(plain.to_owned())),
            // An escape may still name no character (a lone surrogate).
            _ => serde_json::from_str(self.raw)
                .map(Some)
                .map_err(|_| self.error(HeadErrorKind::WrongType(field))),
        }
    }

    /// A whole number, or one that can be rounded up to a whole number. Anything else is `None`:
    /// whether it is an error is for the upstream to say.
    pub(super) fn number(&self) -> Option<u64> {
        let is_numeric = self.raw.starts_with(|first: char| first.is_ascii_digit());
        let float = || self.raw.parse::<f64>().ok().filter(|_| is_numeric).map(|value| value.ceil() as u64);
        self.raw.parse().ok().or_else(float)
    }

    /// The elements of an array of a body that was walked before; `None` when there are more than
    /// `max` or it is no array.
    pub(super) fn elements(&self, max: usize) -> Option<Vec<Value<'a>>> {
        let mut walk = Walk::new(self.raw);
        let mut elements = Vec::new();
        if !walk.take(b'[') {
            return None;
        }
        while !walk.take(b']') {
            if elements.len() == max {
                return None;
            }
            elements.push(Value { body: self.body, raw: walk.value(1).ok()? });
            walk.take(b',');
        }
        Some(elements)
    }
}
