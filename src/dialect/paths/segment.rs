//! What may stand in a path, and the one decoding and encoding of names in it.
//!
//! Invariant: [`is_safe_path`] has passed before anything else here is asked.

use std::borrow::Cow;

use crate::types::bounds::MODEL_NAME_BYTES_MAX;
use crate::types::percent;

/// Whether every reader would take this path apart in the same way: printable ASCII, no empty or
/// dot segments, no backslash, well-formed escapes, none of which hides a dot, a backslash, a
/// control byte or a second escape.
pub(super) fn is_safe_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let (mut segment, mut is_dots, mut has_escapes) = (0usize, true, false);
    for byte in rest.bytes() {
        match byte {
            b'/' if is_empty_or_dots(segment, is_dots) => return false,
            b'/' => (segment, is_dots) = (0, true),
            b'\\' | b'?' | b'#' => return false,
            _ if !byte.is_ascii_graphic() => return false,
            _ => {
                segment += 1;
                is_dots &= byte == b'.';
                has_escapes |= byte == b'%';
            }
        }
    }
    !is_empty_or_dots(segment, is_dots) && (!has_escapes || has_safe_escapes(rest))
}

/// The segments that are empty, `.` or `..`.
fn is_empty_or_dots(length: usize, is_dots: bool) -> bool {
    is_dots && length <= 2
}

fn has_safe_escapes(rest: &str) -> bool {
    rest.split('%').skip(1).all(|after| {
        escaped_byte(after)
            .is_some_and(|byte| !byte.is_ascii_control() && !matches!(byte, b'.' | b'\\' | b'%'))
    })
}

/// The byte whose two hex digits `after` starts with.
fn escaped_byte(after: &str) -> Option<u8> {
    let digits = after.get(..2)?;
    // `from_str_radix` alone would take a sign.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Whether this is one plain segment that may go up as it stands: no slash, encoded or not, and
/// no leading dot.
pub(super) fn is_plain(segment: &str) -> bool {
    let has_slash = segment.contains('/') || segment.to_ascii_lowercase().contains("%2f");
    let is_ordinary = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'@' | b'%')
    };
    !segment.is_empty() && !segment.starts_with('.') && !has_slash && segment.bytes().all(is_ordinary)
}

/// A model's or a deployment's name, decoded once. Slashes may be part of it, encoded or not
/// (`org/model`). `None` where the result is no name: too long, not UTF-8, dot or empty parts.
pub(super) fn decode_model(raw: &str) -> Option<Cow<'_, str>> {
    let name = decode(raw)?;
    let is_name = name.len() <= MODEL_NAME_BYTES_MAX
        && !name.chars().any(char::is_control)
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_name.then_some(name)
}

/// Percent-decodes once; `None` on a broken escape or when the result is not UTF-8.
pub(super) fn decode(raw: &str) -> Option<Cow<'_, str>> {
    let Some((plain, escaped)) = raw.split_once('%') else { return Some(Cow::Borrowed(raw)) };
    let mut bytes = Vec::with_capacity(raw.len());
    bytes.extend_from_slice(plain.as_bytes());
    for after in escaped.split('%') {
        bytes.push(escaped_byte(after)?);
        bytes.extend_from_slice(after.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// The name without `models/` or `tunedModels/`, for clients that put the collection in twice.
pub(super) fn without_collection(name: Cow<'_, str>) -> Cow<'_, str> {
    let strip = |name: &str| {
        let bare = name.strip_prefix("models/").or_else(|| name.strip_prefix("tunedModels/"));
        bare.filter(|bare| !bare.is_empty()).map(str::len)
    };
    let Some(kept) = strip(&name) else { return name };
    let start = name.len() - kept;
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.get(start..).unwrap_or(name)),
        Cow::Owned(mut name) => {
            name.drain(..start);
            Cow::Owned(name)
        }
    }
}

/// A name as one segment: everything but unreserved characters is escaped (RFC 3986 §2.3), and dots
/// where the name is nothing else.
pub fn encode_all(name: &str) -> String {
    let is_dots = name.bytes().all(|byte| byte == b'.');
    let mut segment = String::with_capacity(name.len() + 16);
    let is_kept = |byte| percent::is_unreserved(byte) && !(is_dots && byte == b'.');
    percent::encode(name, is_kept, &mut segment);
    segment
}

/// A model name as it stands in a path: everything but unreserved characters, `:` and `/` is
/// escaped; slashes and dots too where leaving them would make an empty or a dot segment.
pub fn encode_model(name: &str) -> Cow<'_, str> {
    let is_hostile = name.split('/').any(|part| matches!(part, "" | "." | ".."));
    let is_kept = |byte: u8| match byte {
        b'/' | b'.' => !is_hostile,
        _ => byte == b':' || percent::is_unreserved(byte),
    };
    if name.bytes().all(is_kept) {
        return Cow::Borrowed(name);
    }
    let mut path = String::with_capacity(name.len() + 16);
    percent::encode(name, is_kept, &mut path);
    Cow::Owned(path)
}
