//! Changes to a request body as byte splices, so that everything a client wrote and we do not have
//! to change goes up as it came.
//!
//! Not here: finding places (`head`). Invariant: bytes outside the edited ranges are the client's.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::head::{BodyForm, ModelField, RequestHead, StreamOptions};
use crate::types::{Dialect, Endpoint};

#[cfg(test)]
mod tests;

/// One replacement of a range of a body; an insertion where the range is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub range: Range<usize>,
    pub replacement: Bytes,
}

/// The body with `edits` made, as the pieces it consists of: the kept ones share the body's memory.
/// Edits may come in any order; those at one place are made in the order given. They must not
/// overlap or leave the body (a bug: such an edit is left out).
pub fn pieces(body: &Bytes, edits: &[Edit]) -> Vec<Bytes> {
    let mut order: Vec<&Edit> = edits.iter().collect();
    order.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut pieces = Vec::with_capacity(edits.len() * 2 + 1);
    let mut done = 0;
    for edit in order {
        let Range { start, end } = edit.range;
        let is_sound = done <= start && start <= end && end <= body.len();
        debug_assert!(is_sound, "an edit overlaps another or leaves the body");
        if !is_sound {
            continue;
        }
        if done < start {
            pieces.push(body.slice(done..start));
        }
        pieces.push(edit.replacement.clone());
        done = end;
    }
    if done < body.len() {
        pieces.push(body.slice(done..));
    }
    pieces
}

/// [`pieces`] in one buffer; with no edits the very same body.
pub fn splice(body: &Bytes, edits: &[Edit]) -> Bytes {
    if edits.is_empty() {
        return body.clone();
    }
    let pieces = pieces(body, edits);
    let mut spliced = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        spliced.extend_from_slice(&piece);
    }
    spliced.freeze()
}

/// The edits that make the body name `upstream_model`: none where it does already. A body without a
/// model gets one, except where the URL has it (Gemini, Bedrock).
pub fn model_edits(head: &RequestHead, upstream_model: &str) -> Vec<Edit> {
    let mut edits: Vec<Edit> = head
        .model
        .iter()
        .chain(&head.inner_models)
        .filter_map(|field| replace_model(head, field, upstream_model))
        .collect();
    if head.model.is_none() && !head.endpoint.has_model_in_path() {
        edits.push(insert_model(head, upstream_model));
    }
    edits
}

/// The edit that asks the upstream for a stream's usage, where this endpoint can be asked, the call
/// streams and the client has not asked already.
pub fn include_usage_edit(head: &RequestHead) -> Option<Edit> {
    let takes_options = matches!(head.endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
    if !takes_options || !head.stream || head.form != BodyForm::Json {
        return None;
    }
    const WISH: &str = r#""include_usage":true"#;
    match &head.stream_options {
        StreamOptions::Absent => {
            // The object holds `stream` at least: a comma is needed.
            insert(head.insert_at, format!(r#""stream_options":{{{WISH}}},"#))
        }
        StreamOptions::Null { span } => replace(span, format!("{{{WISH}}}")),
        StreamOptions::Present { include_usage: Some(true), .. } => None,
        StreamOptions::Present { include_usage_span: Some(span), .. } => replace(span, "true".to_owned()),
        StreamOptions::Present { include_usage_span: None, span, is_empty, .. } => {
            let comma = if *is_empty { "" } else { "," };
            insert(span.start + 1, format!("{WISH}{comma}"))
        }
    }
}

/// The edit that takes `stream_options` out, for a provider that refuses the field.
pub fn cut_stream_options(head: &RequestHead, body: &[u8]) -> Option<Edit> {
    let (StreamOptions::Null { span } | StreamOptions::Present { span, .. }) = &head.stream_options else {
        return None;
    };
    let range = member(body, span).filter(|_| head.form == BodyForm::Json)?;
    Some(Edit { range, replacement: Bytes::new() })
}

/// The member whose value stands at `value`, with one of the commas beside it.
fn member(body: &[u8], value: &Range<usize>) -> Option<Range<usize>> {
    let before = |end: usize, byte: u8| {
        let rest = body.get(..end)?.trim_ascii_end();
        (rest.last() == Some(&byte)).then_some(rest.len() - 1)
    };
    // No key holds a quote that is not escaped, and this one's letters need none.
    let close = before(before(value.start, b':')?, b'"')?;
    let open = body.get(..close)?.iter().rposition(|byte| *byte == b'"')?;
    let rest = body.get(value.end..)?;
    let blank = rest.len() - rest.trim_ascii_start().len();
    if rest.get(blank) == Some(&b',') {
        return Some(open..value.end + blank + 1);
    }
    Some(before(open, b',').unwrap_or(open)..value.end)
}

fn insert(at: usize, text: String) -> Option<Edit> {
    Some(Edit { range: at..at, replacement: text.into() })
}

fn replace(span: &Range<usize>, text: String) -> Option<Edit> {
    Some(Edit { range: span.clone(), replacement: text.into() })
}

fn is_gemini(endpoint: Endpoint) -> bool {
    endpoint.dialect() == Dialect::Gemini
}

fn replace_model(head: &RequestHead, field: &ModelField, upstream_model: &str) -> Option<Edit> {
    // Gemini's bodies name a model with its collection, as the API's own documents do.
    let has_collection = |name: &str| name.starts_with("models/") || name.starts_with("tunedModels/");
    let qualified = format!("models/{upstream_model}");
    let needs_collection =
        is_gemini(head.endpoint) && has_collection(&field.name) && !has_collection(upstream_model);
    let name = if needs_collection { &qualified } else { upstream_model };
    let text = match head.form {
        BodyForm::Json => quoted(name),
        BodyForm::Multipart { .. } => printable(name),
    };
    if field.name == name { None } else { replace(&field.span, text) }
}

fn insert_model(head: &RequestHead, upstream_model: &str) -> Edit {
    let text = match &head.form {
        BodyForm::Json => {
            let comma = if head.is_empty_object { "" } else { "," };
            format!(r#""model":{}{comma}"#, quoted(upstream_model))
        }
        BodyForm::Multipart { boundary } => {
            let model = printable(upstream_model);
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n")
        }
    };
    Edit { range: head.insert_at..head.insert_at, replacement: text.into() }
}

/// The name as a JSON string.
fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// The name as a form field's value, which has no escapes: a line break could end the part.
fn printable(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).collect()
}
