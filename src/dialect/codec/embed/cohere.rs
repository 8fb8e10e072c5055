//! Cohere's `/v2/embed`, and the same body at Bedrock.

use super::fields::{self, image, number, text, texts, wrong};
use super::response::TOKENS_MAX;
use super::vector::write_all;
use super::{Dtype, Input, InputType, Part, Request, Response, Set, Shape, Truncate, Vector, Wanted};
use crate::chat::{At, Losses, Media, Refused, Source};
use crate::dialect::codec::{Called, Garbled};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Usage;

const KNOWN: [&str; 8] =
    ["model", "texts", "images", "inputs", "input_type", "embedding_types", "truncate", "output_dimension"];

pub(super) fn decode_request<'a>(
    root: &Node<'a>,
    shape: Shape,
    called: Called<'_>,
) -> Result<Request<'a>, Refused> {
    let mut request = Request::new(shape, fields::model(root, called)?);
    for (at, text) in root.get("texts").map(|node| texts(node, "texts")).transpose()?.unwrap_or_default() {
        request.inputs.push(Input::of(at, Part::Text(text)));
    }
    for (at, url) in root.get("images").map(|node| texts(node, "images")).transpose()?.unwrap_or_default() {
        request.inputs.push(Input::of(at, Part::Image(image(url, at)?)));
    }
    for node in root.get("inputs").map(Node::items).unwrap_or_default() {
        let content = node.get("content").map(Node::items).unwrap_or_default();
        let parts = content.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() {
            return Err(Refused::new(At::of(node), "an input needs a list `content`"));
        }
        request.inputs.push(Input { at: At::of(node), parts, title: None });
    }
    let purpose = text(root, "input_type")?;
    request.input_type = purpose.as_deref().and_then(InputType::of);
    if let (Some(node), None) = (root.get("input_type"), request.input_type) {
        return Err(Refused::new(
            At::of(node),
            "unknown purpose: search_document, search_query, classification, clustering or image",
        ));
    }
    for (at, word) in root
        .get("embedding_types")
        .map(|node| texts(node, "embedding_types"))
        .transpose()?
        .unwrap_or_default()
    {
        match (word.as_ref(), Dtype::of(&word)) {
            ("base64", _) => request.is_base64 = true,
            (_, Some(dtype)) if !request.dtypes.contains(&dtype) => request.dtypes.push(dtype),
            (_, Some(_)) => {}
            (_, None) => return Err(Refused::new(at, "unknown kind of numbers")),
        }
    }
    request.truncate = match text(root, "truncate")?.as_deref() {
        None => None,
        Some("NONE") => Some(Truncate::None),
        Some("START") => Some(Truncate::Start),
        Some("END" | "LEFT" | "RIGHT") => Some(Truncate::End),
        Some(_) => {
            return Err(Refused::new(
                root.get("truncate").map_or(At::NOWHERE, At::of),
                "`truncate` must be NONE, START or END",
            ));
        }
    };
    request.dimensions = number(root, "output_dimension")?;
    request.extra = fields::rest(root, &KNOWN);
    Ok(request)
}

fn part<'a>(node: &Node<'a>) -> Result<Part<'a>, Refused> {
    if let Some(text) = node.text_of("text") {
        return Ok(Part::Text(text));
    }
    let image_url = node.get("image_url");
    let url = image_url.and_then(|inner| inner.text_of("url").or_else(|| inner.text()));
    match url {
        Some(url) => Ok(Part::Image(image(url, At::of(node))?)),
        None => Err(wrong(node, "content", "made of texts and images")),
    }
}

pub(super) fn encode_request(
    request: &Request<'_>,
    shape: Shape,
    model: &str,
    losses: &mut Losses,
    w: &mut JsonWriter<'_>,
) -> Result<(), Refused> {
    if request.inputs.iter().flat_map(|input| &input.parts).any(|part| matches!(part, Part::Tokens(_))) {
        return Err(fields::no_texts("Cohere", &request.inputs));
    }
    let purpose = request.input_type.and_then(InputType::cohere);
    if purpose.is_none() {
        request.lose(&["input_type"], losses);
    }
    request.lose_user(losses);
    request.lose(&["title"], losses);
    w.object(|w| {
        if shape == Shape::Cohere {
            w.field_str("model", model);
        }
        inputs(request, w);
        // Cohere wants a purpose; documents are what most are.
        let has_images =
            request.inputs.iter().any(|input| matches!(input.parts.as_slice(), [Part::Image(_)]));
        let made = if has_images { "image" } else { "search_document" };
        w.field_str("input_type", purpose.unwrap_or(made));
        let kinds = kinds(request, shape);
        if !kinds.is_empty() {
            w.field_array("embedding_types", |w| kinds.iter().for_each(|kind| w.string(kind)));
        }
        if let Some(truncate) = request.truncate {
            w.field_str(
                "truncate",
                match truncate {
                    Truncate::None => "NONE",
                    Truncate::Start => "START",
                    Truncate::End => "END",
                },
            );
        }
        if let Some(count) = request.dimensions {
            w.field_u64("output_dimension", count);
        }
        request.write_extra(shape, losses, w);
    });
    Ok(())
}

/// Texts and images have lists of their own; anything mixed goes to `inputs`.
fn inputs(request: &Request<'_>, w: &mut JsonWriter<'_>) {
    if let Some(texts) = request.texts() {
        return w.field_array("texts", |w| texts.iter().for_each(|text| w.string(text)));
    }
    let images: Option<Vec<&Media<'_>>> = request
        .inputs
        .iter()
        .map(|input| match input.parts.as_slice() {
            [Part::Image(media)] => Some(media),
            _ => None,
        })
        .collect();
    if let Some(images) = images {
        return w.field_array("images", |w| images.iter().for_each(|media| url(media, w)));
    }
    w.field_array("inputs", |w| {
        for input in &request.inputs {
            w.object(|w| {
                w.field_array("content", |w| input.parts.iter().for_each(|part| write_part(part, w)))
            });
        }
    });
}

fn write_part(part: &Part<'_>, w: &mut JsonWriter<'_>) {
    w.object(|w| match part {
        Part::Text(text) => {
            w.field_str("type", "text");
            w.field_str("text", text);
        }
        Part::Image(media) => {
            w.field_str("type", "image_url");
            w.field_object("image_url", |w| {
                w.key("url");
                url(media, w);
            });
        }
        Part::Tokens(_) => {}
    });
}

fn url(media: &Media<'_>, w: &mut JsonWriter<'_>) {
    match &media.source {
        Source::Base64(data) => {
            w.string_of(["data:", media.mime.as_deref().unwrap_or("image/png"), ";base64,", data]);
        }
        Source::Url(url) | Source::File { id: url, .. } | Source::Text(url) => w.string(url),
    }
}

/// Packed floats are asked for as such, but of Bedrock's older models, which have none: they are
/// packed here.
fn kinds(request: &Request<'_>, shape: Shape) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = request.dtypes.iter().map(|dtype| dtype.as_str()).collect();
    let wants_floats = request.dtypes.is_empty() || request.dtypes.contains(&Dtype::Float);
    match (shape, request.is_base64 && wants_floats) {
        (Shape::Cohere, true) => kinds.push("base64"),
        (Shape::Cohere, false) if kinds.is_empty() => kinds.push("float"),
        _ => {}
    }
    kinds
}

pub(super) fn decode_response<'a>(root: &Node<'a>, shape: Shape) -> Option<Response<'a>> {
    let embeddings = root.get("embeddings")?;
    let mut response = match embeddings.is_array() {
        true => Response::floats(shape, Vector::read_all(embeddings))?,
        false => by_kind(embeddings, shape)?,
    };
    response.id = root.text_of("id").unwrap_or_default();
    response.usage = usage(root);
    Some(response)
}

fn by_kind<'a>(embeddings: &Node<'a>, shape: Shape) -> Option<Response<'a>> {
    let mut sets: Vec<Set<'a>> = Vec::new();
    for (kind, list) in embeddings.entries().iter().filter(|(_, list)| !list.items().is_empty()) {
        let dtype = if kind == "base64" { Dtype::Float } else { Dtype::of(kind)? };
        // The same floats twice: digits count more.
        let is_known = sets.iter().any(|set| set.dtype == dtype);
        if is_known && kind == "base64" {
            continue;
        }
        sets.retain(|set| set.dtype != dtype);
        sets.push(Set { dtype, vectors: Vector::read_all(list)? });
    }
    (!sets.is_empty()).then(|| Response { sets, ..Response::new(shape) })
}

fn usage(root: &Node<'_>) -> Option<Usage> {
    let meta = root.get("meta")?;
    let counts = meta.get("tokens").filter(|tokens| tokens.get("input_tokens").is_some());
    let counts = counts.or_else(|| meta.get("billed_units"))?;
    let count = |key: &str| counts.get(key).and_then(Node::as_u64).filter(|count| *count <= TOKENS_MAX);
    let (input, image) = (count("input_tokens"), count("image_tokens"));
    if input.is_none() && image.is_none() {
        return None;
    }
    let (input, image) = (input.unwrap_or(0), image.unwrap_or(0));
    Some(Usage { input: input.saturating_add(image), image_input: image, ..Usage::default() })
}

pub(super) fn encode_response(
    response: &Response<'_>,
    shape: Shape,
    wanted: &Wanted,
    w: &mut JsonWriter<'_>,
) -> Result<(), Garbled> {
    let mut result = Ok(());
    let is_plain = shape == Shape::BedrockCohere && wanted.dtypes.is_empty() && !wanted.is_base64;
    w.object(|w| {
        w.field_str("id", if response.id.is_empty() { &wanted.token } else { &response.id });
        w.key("embeddings");
        result = match is_plain {
            true => response.vectors(Dtype::Float).and_then(|all| write_all(all, Dtype::Float, false, w)),
            false => write_kinds(response, wanted, w),
        };
        if result.is_err() {
            return;
        }
        w.field_array("texts", |_| {});
        if let Some(used) = response.usage.as_ref().filter(|_| shape == Shape::Cohere) {
            meta(used, w);
        }
        w.field_str("response_type", if is_plain { "embeddings_floats" } else { "embeddings_by_type" });
    });
    result
}

fn write_kinds(response: &Response<'_>, wanted: &Wanted, w: &mut JsonWriter<'_>) -> Result<(), Garbled> {
    let mut kinds: Vec<(&str, Dtype, bool)> =
        wanted.dtypes.iter().map(|dtype| (dtype.as_str(), *dtype, false)).collect();
    match wanted.is_base64 {
        true => kinds.push(("base64", Dtype::Float, true)),
        false if kinds.is_empty() => kinds.push(("float", Dtype::Float, false)),
        false => {}
    }
    let mut result = Ok(());
    w.object(|w| {
        for (name, dtype, is_base64) in kinds {
            w.key(name);
            result = response.vectors(dtype).and_then(|all| write_all(all, dtype, is_base64, w));
            if result.is_err() {
                return;
            }
        }
    });
    result
}

fn meta(used: &Usage, w: &mut JsonWriter<'_>) {
    w.field_object("meta", |w| {
        w.field_object("api_version", |w| w.field_str("version", "2"));
        w.field_object("billed_units", |w| {
            w.field_u64("input_tokens", used.input.saturating_sub(used.image_input));
            if used.image_input > 0 {
                w.field_u64("image_tokens", used.image_input);
            }
        });
    });
}
