//! Reading fields of a request.

use crate::chat::{At, Field, Media, Raw, Refused, Source, Text};
use crate::dialect::codec::Called;
use crate::framing::json::Node;

use super::{Input, Part};

pub(super) fn model<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Text<'a>, Refused> {
    if let Some(model) = called.model {
        return Ok(Text::Owned(model.to_owned()));
    }
    let model = text(root, "model")?.filter(|model| !model.is_empty());
    model.ok_or_else(|| Refused::new(At::of(root), "`model` is missing"))
}

pub(super) fn text<'a>(root: &Node<'a>, key: &str) -> Result<Option<Text<'a>>, Refused> {
    let Some(node) = root.get(key) else { return Ok(None) };
    node.text().map(Some).ok_or_else(|| wrong(node, key, "a string"))
}

pub(super) fn number(root: &Node<'_>, key: &str) -> Result<Option<u64>, Refused> {
    let Some(node) = root.get(key) else { return Ok(None) };
    node.as_u64().map(Some).ok_or_else(|| wrong(node, key, "a whole number"))
}

pub(super) fn flag(root: &Node<'_>, key: &str) -> Result<Option<bool>, Refused> {
    let Some(node) = root.get(key) else { return Ok(None) };
    node.as_bool().map(Some).ok_or_else(|| wrong(node, key, "true or false"))
}

pub(super) fn wrong(node: &Node<'_>, key: &str, wanted: &str) -> Refused {
    Refused::new(At::of(node), format!("`{key}` must be {wanted}, not {}", node.kind()))
}

/// The fields that are not among `known`.
pub(super) fn rest<'a>(root: &Node<'a>, known: &[&str]) -> Vec<Field<'a>> {
    let unknown =
        root.entries().iter().filter(|(name, value)| !value.is_null() && !known.contains(&name.as_ref()));
    unknown
        .map(|(name, value)| Field { name: name.clone(), at: At::of(value), value: Raw::of(value) })
        .collect()
}

/// Reads `input`: a text, a list of texts, a list of tokens, or a list of those.
pub(super) fn inputs<'a>(root: &Node<'a>, key: &str) -> Result<Vec<Input<'a>>, Refused> {
    let node = root.get(key).ok_or_else(|| Refused::new(At::of(root), format!("`{key}` is missing")))?;
    let is_tokens =
        |node: &Node<'_>| !node.items().is_empty() && node.items().iter().all(|n| n.as_u64().is_some());
    if node.is_string() || is_tokens(node) {
        return Ok(vec![input(node, key)?]);
    }
    if !node.is_array() {
        return Err(wrong(node, key, "a string or a list"));
    }
    node.items().iter().map(|item| input(item, key)).collect()
}

fn input<'a>(node: &Node<'a>, key: &str) -> Result<Input<'a>, Refused> {
    let at = At::of(node);
    if let Some(text) = node.text() {
        return Ok(Input::of(at, Part::Text(text)));
    }
    if !node.items().is_empty() && node.items().iter().all(|token| token.as_u64().is_some()) {
        return Ok(Input::of(at, Part::Tokens(Raw::of(node))));
    }
    Err(wrong(node, key, "made of strings or lists of token numbers"))
}

/// An image by its URL or data URL.
pub(super) fn image<'a>(url: Text<'a>, at: At) -> Result<Media<'a>, Refused> {
    let media = |source, mime| Media { source, mime, name: None, detail: None };
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(media(Source::Url(url), None));
    }
    let refused = || Refused::new(at, "neither an http URL nor a data URL (data:image/png;base64,…)");
    let (head, data) = url.strip_prefix("data:").and_then(|rest| rest.split_once(',')).ok_or_else(refused)?;
    let mime = head.strip_suffix(";base64").ok_or_else(refused)?;
    let mime = (!mime.is_empty()).then(|| Text::Owned(mime.to_owned()));
    Ok(media(Source::Base64(Text::Owned(data.to_owned())), mime))
}

/// What cannot be embedded by a provider of texts only.
pub(super) fn no_texts(provider: &str, inputs: &[Input<'_>]) -> Refused {
    let odd = inputs.iter().find(|input| input.as_text().is_none());
    let at = odd.map_or(At::NOWHERE, |input| input.at);
    let what = match odd.and_then(|input| input.parts.first()) {
        Some(Part::Tokens(_)) => "lists of tokens: send the text",
        Some(Part::Image(_)) => "images",
        _ => "inputs of several parts",
    };
    Refused::new(at, format!("{provider} embeds no {what}"))
}

/// Kinds of numbers a provider of floats cannot give.
pub(super) fn only_floats(provider: &str, dtypes: &[super::Dtype]) -> Result<(), Refused> {
    match dtypes.iter().find(|dtype| **dtype != super::Dtype::Float) {
        None => Ok(()),
        Some(odd) => {
            Err(Refused::new(At::NOWHERE, format!("{provider} gives floats only, not {}", odd.as_str())))
        }
    }
}

/// A list of strings.
pub(super) fn texts<'a>(node: &Node<'a>, key: &str) -> Result<Vec<(At, Text<'a>)>, Refused> {
    if !node.is_array() {
        return Err(wrong(node, key, "a list of strings"));
    }
    let one = |item: &Node<'a>| {
        let text = item.text().ok_or_else(|| wrong(item, key, "a list of strings"))?;
        Ok((At::of(item), text))
    };
    node.items().iter().map(one).collect()
}
