//! Heads of `multipart/form-data` bodies (audio transcriptions, image edits): the `model` and
//! `stream` fields, found where they lie.
//!
//! Not here: files, which are passed over. Invariant: what servers could read differently (a name
//! given twice, an extended or escaped name, a re-encoded field) is an error.

use memchr::memmem;

use super::error::{HeadError, HeadErrorKind};
use super::{BodyForm, ModelField, RequestHead};
use crate::types::Endpoint;
use crate::types::bounds::MODEL_NAME_BYTES_MAX;

/// Parts of one form.
const PARTS_MAX: usize = 256;
/// The head of one part.
const PART_HEAD_BYTES_MAX: usize = 8 * 1024;
/// A boundary, as RFC 2046 §5.1.1 limits it.
const BOUNDARY_BYTES_MAX: usize = 70;

pub(super) fn is_multipart(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("multipart/form-data")
}

pub(super) fn parse(endpoint: Endpoint, content_type: &str, body: &[u8]) -> Result<RequestHead, HeadError> {
    let boundary =
        boundary(content_type).ok_or_else(|| HeadError::form("the content-type has no boundary", body, 0))?;
    let form = Form { body, delimiter: format!("--{boundary}") };
    let mut head = RequestHead::new(endpoint, BodyForm::Multipart { boundary });
    let mut has_stream = false;
    let (first, mut at) = form.first_delimiter()?;
    head.insert_at = first;
    for _ in 0..PARTS_MAX {
        let Some(part) = form.part(at)? else { return Ok(head) };
        at = part.next;
        match part.name.as_deref() {
            Some("model") if head.model.is_some() => {
                return Err(HeadError::at(HeadErrorKind::Duplicate("model"), body, part.value.start));
            }
            Some("model") => head.model = Some(form.model(part)?),
            Some("stream") if has_stream => {
                return Err(HeadError::at(HeadErrorKind::Duplicate("stream"), body, part.value.start));
            }
            Some("stream") => {
                has_stream = true;
                let value = body.get(part.value).unwrap_or_default();
                head.stream = value.eq_ignore_ascii_case(b"true") || value == b"1";
            }
            _ => {}
        }
    }
    Err(HeadError::at(HeadErrorKind::TooMany("parts"), body, at))
}

struct Form<'a> {
    body: &'a [u8],
    /// `--` and the boundary.
    delimiter: String,
}

struct Part {
    name: Option<String>,
    value: std::ops::Range<usize>,
    is_encoded: bool,
    /// Where the delimiter after it ends.
    next: usize,
}

impl Form<'_> {
    fn after(&self, at: usize) -> &[u8] {
        self.body.get(at..).unwrap_or_default()
    }

    /// Start and end of the first delimiter: at the start of the body or of a line.
    fn first_delimiter(&self) -> Result<(usize, usize), HeadError> {
        let delimiter = self.delimiter.as_bytes();
        if self.body.starts_with(delimiter) {
            return Ok((0, delimiter.len()));
        }
        let line =
            self.find_delimiter(0).ok_or_else(|| HeadError::form("it has no first part", self.body, 0))?;
        Ok((line + 2, line + 2 + delimiter.len()))
    }

    /// Where the next `CRLF--boundary` starts, from `at`.
    fn find_delimiter(&self, at: usize) -> Option<usize> {
        let delimiter = self.delimiter.as_bytes();
        memmem::find_iter(self.after(at), delimiter)
            .map(|found| at + found)
            .find(|found| {
                found
                    .checked_sub(2)
                    .filter(|line| *line >= at)
                    .is_some_and(|line| self.after(line).starts_with(b"\r\n"))
            })
            .map(|found| found - 2)
    }

    /// The part after the delimiter that ends at `at`; `None` after the last one.
    fn part(&self, at: usize) -> Result<Option<Part>, HeadError> {
        let error = |what, at| Err(HeadError::form(what, self.body, at));
        let rest = self.after(at);
        if rest.starts_with(b"--") {
            return Ok(None);
        }
        // Padding may follow a delimiter; anything else means that it is none.
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let start = at + padding;
        if !self.after(start).starts_with(b"\r\n") {
            return error("a boundary is followed by other bytes", start);
        }
        let window = self.after(start);
        let window = window.get(..PART_HEAD_BYTES_MAX.min(window.len())).unwrap_or_default();
        let Some(length) = memmem::find(window, b"\r\n\r\n") else {
            return error("the head of a part has no end", start);
        };
        let fields = window.get(2..length).unwrap_or_default();
        let value_start = start + length + 4;
        // The blank line's CRLF may be the delimiter's own: an empty value.
        let Some(value_end) = self.find_delimiter(value_start - 2) else {
            return error("a part has no end", value_start);
        };
        let (name, is_encoded) = match part_name(fields) {
            Ok(found) => found,
            Err(what) => return error(what, start + 2),
        };
        let next = value_end + 2 + self.delimiter.len();
        let value = value_start..value_end.max(value_start);
        Ok(Some(Part { name, value, is_encoded, next }))
    }

    fn model(&self, part: Part) -> Result<ModelField, HeadError> {
        let error = |kind| Err(HeadError::at(kind, self.body, part.value.start));
        if part.is_encoded {
            return error(HeadErrorKind::WrongType("model"));
        }
        // Its line end may be the delimiter's own, so that nothing could be put in its place.
        if part.value.is_empty() {
            return error(HeadErrorKind::Empty("model"));
        }
        if part.value.len() > MODEL_NAME_BYTES_MAX {
            return error(HeadErrorKind::TooLong("model"));
        }
        let value = self.body.get(part.value.clone()).unwrap_or_default();
        match std::str::from_utf8(value) {
            Ok(name) => Ok(ModelField { name: name.to_owned(), span: part.value }),
            Err(_) => error(HeadErrorKind::NotUtf8),
        }
    }
}

/// The `boundary` parameter, quoted or not.
fn boundary(content_type: &str) -> Option<String> {
    let mut found = None;
    for parameter in content_type.split(';').skip(1) {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("boundary") && found.replace(value.trim()).is_some() {
            return None;
        }
    }
    let value = found?;
    let value = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let is_boundary = (1..=BOUNDARY_BYTES_MAX).contains(&value.len()) && value.bytes().all(is_legal);
    is_boundary.then(|| value.to_owned())
}

/// The field name in a part's head, and whether the part says that its value is encoded.
fn part_name(head: &[u8]) -> Result<(Option<String>, bool), &'static str> {
    let mut disposition = None;
    let mut is_encoded = false;
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            return Err("the head of a part has a folded line");
        }
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let Some((name, value)) = line.split_at_checked(colon) else { continue };
        let value = value.get(1..).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"content-disposition") {
            if disposition.replace(value).is_some() {
                return Err("a part has two content-dispositions");
            }
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            is_encoded = true;
        }
    }
    let Some(disposition) = disposition else { return Ok((None, is_encoded)) };
    Ok((disposition_name(disposition)?, is_encoded))
}

/// The `name` parameter of a content-disposition.
fn disposition_name(disposition: &[u8]) -> Result<Option<String>, &'static str> {
    let text = String::from_utf8_lossy(disposition);
    let mut found: Option<String> = None;
    for parameter in split_parameters(&text).skip(1) {
        let Some((key, value)) = parameter.split_once('=') else { continue };
        let key = key.trim();
        if key.eq_ignore_ascii_case("name*") {
            return Err("a part has an extended name");
        }
        if !key.eq_ignore_ascii_case("name") {
            continue;
        }
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        if value.contains(['"', '\\']) {
            return Err("a part has an escaped name");
        }
        if found.replace(value.to_owned()).is_some() {
            return Err("a part has two names");
        }
    }
    Ok(found)
}

/// Splits at semicolons outside of quotes.
fn split_parameters(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    text.split(move |character| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            '"' if !was_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        character == ';' && !is_quoted
    })
}
