//! The known fields of one JSON object, each with its place in the body.
//!
//! Invariant: a known name stands in the object at most once, however it is escaped.

use super::error::{HeadError, HeadErrorKind};
use super::value::Value;
use super::walk::{Fault, FaultKind, Walk};

/// Most names one object is read for.
pub(super) const NAMES_MAX: usize = 24;

/// A set of field names. A field is asked for by its variant, so that finding one costs no search.
pub(super) trait Names: Copy {
    /// The place of `key` in the set; below [`NAMES_MAX`].
    fn find(key: &str) -> Option<usize>;
    fn index(self) -> usize;
    /// What errors call it.
    fn name(index: usize) -> &'static str;
}

/// Declares an enum that is a set of names; with `in`, of an object inside the body, whose fields
/// are told as paths from the top.
macro_rules! names {
    ($set:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        names!($set in "" { $($variant = $name),* });
    };
    ($set:ident in $path:literal { $($variant:ident = $name:literal),* $(,)? }) => {
        #[derive(Clone, Copy)]
        enum $set { $($variant),* }

        impl $crate::dialect::head::fields::Names for $set {
            fn find(key: &str) -> Option<usize> {
                match key {
                    $($name => Some($set::$variant as usize),)*
                    _ => None,
                }
            }

            fn index(self) -> usize {
                self as usize
            }

            fn name(index: usize) -> &'static str {
                [$(concat!($path, $name)),*].get(index).copied().unwrap_or_default()
            }
        }
    };
}
pub(super) use names;

/// Known fields of an object.
pub(super) struct Fields<'a, N> {
    body: &'a str,
    slots: [Option<&'a str>; NAMES_MAX],
    /// Whether the object has no field at all, known or not.
    pub is_empty: bool,
    names: std::marker::PhantomData<N>,
}

impl<'a, N: Names> Fields<'a, N> {
    /// Reads a whole body.
    pub(super) fn read(body: &'a str) -> Result<Self, HeadError> {
        Self::inside(Value { body, raw: body })
    }

    /// Reads an object: the whole body, or one inside a body that was read before.
    pub(super) fn inside(object: Value<'a>) -> Result<Self, HeadError> {
        let Value { body, raw } = object;
        let error = |kind, at| HeadError::at(kind, body.as_bytes(), object.span().start + at);
        let fault = |fault: Fault| match fault.what {
            FaultKind::TooDeep => error(HeadErrorKind::TooDeep, fault.at),
            FaultKind::Syntax(what) => HeadError::json(what, body.as_bytes(), object.span().start + fault.at),
        };
        let mut fields =
            Self { body, slots: [None; NAMES_MAX], is_empty: true, names: std::marker::PhantomData };
        let mut walk = Walk::new(raw);
        if !walk.take(b'{') {
            // A sound value of another kind, or no JSON at all.
            walk.value(0).and_then(|_| walk.end()).map_err(fault)?;
            return Err(error(HeadErrorKind::NotObject, raw.len() - raw.trim_start().len()));
        }
        if !walk.take(b'}') {
            fields.is_empty = false;
            loop {
                walk.peek();
                let at = walk.at();
                let key = walk.key().map_err(fault)?;
                let index = find::<N>(key).map_err(|what| fault(Fault { what, at }))?;
                let value = walk.value(1).map_err(fault)?;
                if let Some(slot) = index.and_then(|index| fields.slots.get_mut(index))
                    && slot.replace(value).is_some()
                {
                    let name = index.map(N::name).unwrap_or_default();
                    return Err(error(HeadErrorKind::Duplicate(name), at));
                }
                if !walk.take(b',') {
                    break;
                }
            }
            if !walk.take(b'}') {
                return Err(fault(walk.unclosed()));
            }
        }
        walk.end().map_err(fault)?;
        Ok(fields)
    }

    pub(super) fn get(&self, name: N) -> Option<Value<'a>> {
        let raw = self.slots.get(name.index()).copied().flatten()?;
        Some(Value { body: self.body, raw })
    }

    /// The field under either of its two spellings; both at once are one field twice.
    pub(super) fn either(&self, camel: N, snake: N) -> Result<Option<Value<'a>>, HeadError> {
        match (self.get(camel), self.get(snake)) {
            (Some(_), Some(second)) => Err(second.error(HeadErrorKind::Duplicate(N::name(camel.index())))),
            (first, second) => Ok(first.or(second)),
        }
    }

    pub(super) fn number(&self, name: N) -> Option<u64> {
        self.get(name).and_then(|value| value.number())
    }
}

/// The place in `N` of a key as it stands, quotes and escapes included.
fn find<N: Names>(raw: &str) -> Result<Option<usize>, FaultKind> {
    let plain = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or_default();
    if memchr::memchr(b'\\', plain.as_bytes()).is_none() {
        return Ok(N::find(plain));
    }
    let decoded: Result<String, _> = serde_json::from_str(raw);
    decoded
        .map(|key| N::find(&key))
        .map_err(|_| FaultKind::Syntax("a field name holds half a surrogate pair"))
}
