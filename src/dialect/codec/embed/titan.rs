//! Amazon's Titan embedding models at Bedrock: of text, and of text and an image together.

use super::fields::{self, number, text, texts, wrong};
use super::{Dtype, Input, Part, Request, Response, Set, Shape, Vector, Wanted};
use crate::chat::{At, Losses, Media, Refused, Source};
use crate::dialect::codec::{Called, Garbled};
use crate::framing::json::{JsonWriter, Node};

pub(super) fn decode_request<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    let mut request = Request::new(Shape::BedrockTitan, fields::model(root, called)?);
    let mut parts: Vec<Part<'a>> = text(root, "inputText")?.map(Part::Text).into_iter().collect();
    if let Some(data) = text(root, "inputImage")? {
        parts.push(Part::Image(Media { source: Source::Base64(data), mime: None, name: None, detail: None }));
    }
    if parts.is_empty() {
        return Err(Refused::new(At::of(root), "`inputText` is missing"));
    }
    request.inputs = vec![Input { at: At::of(root), parts, title: None }];
    request.dimensions = match root.get("embeddingConfig") {
        Some(config) => number(config, "outputEmbeddingLength")?,
        None => number(root, "dimensions")?,
    };
    if let Some(node) = root.get("embeddingTypes") {
        for (_, word) in texts(node, "embeddingTypes")? {
            let known = Dtype::of(&word).filter(|dtype| matches!(dtype, Dtype::Float | Dtype::Binary));
            request
                .dtypes
                .push(known.ok_or_else(|| wrong(node, "embeddingTypes", "made of float and binary"))?);
        }
    }
    let known = ["inputText", "inputImage", "embeddingConfig", "dimensions", "embeddingTypes", "model"];
    request.extra = fields::rest(root, &known);
    Ok(request)
}

pub(super) fn encode_request(
    request: &Request<'_>,
    losses: &mut Losses,
    w: &mut JsonWriter<'_>,
) -> Result<(), Refused> {
    let input = request.inputs.first();
    let (mut words, mut image) = (None, None);
    for part in input.map(|input| input.parts.as_slice()).unwrap_or_default() {
        match part {
            Part::Text(text) if words.is_none() => words = Some(text),
            Part::Image(Media { source: Source::Base64(data), .. }) if image.is_none() => image = Some(data),
            Part::Image(Media { source: Source::Url(_), .. }) => {
                let at = input.map_or(At::NOWHERE, |input| input.at);
                return Err(Refused::new(at, "Titan fetches no URLs: send the image as base64"));
            }
            _ => return Err(fields::no_texts("Titan", &request.inputs)),
        }
    }
    let odd = request.dtypes.iter().find(|dtype| !matches!(dtype, Dtype::Float | Dtype::Binary));
    if let Some(odd) = odd {
        let message = format!("Titan gives floats and binary numbers, not {}", odd.as_str());
        return Err(Refused::new(At::NOWHERE, message));
    }
    request.lose_user(losses);
    request.lose(&["input_type", "truncate", "title"], losses);
    w.object(|w| {
        w.field_opt_str("inputText", words.map(|text| text.as_ref()));
        w.field_opt_str("inputImage", image.map(|data| data.as_ref()));
        match (request.dimensions, image) {
            (Some(count), Some(_)) => {
                w.field_object("embeddingConfig", |w| w.field_u64("outputEmbeddingLength", count));
            }
            (Some(count), None) => w.field_u64("dimensions", count),
            (None, _) => {}
        }
        if !request.dtypes.is_empty() {
            w.field_array("embeddingTypes", |w| {
                request.dtypes.iter().for_each(|dtype| w.string(dtype.as_str()));
            });
        }
        request.write_extra(Shape::BedrockTitan, losses, w);
    });
    Ok(())
}

pub(super) fn decode_response<'a>(root: &Node<'a>) -> Option<Response<'a>> {
    let mut sets = Vec::new();
    for (kind, list) in root.get("embeddingsByType").map(Node::entries).unwrap_or_default() {
        if let (Some(dtype), Some(vector)) = (Dtype::of(kind), Vector::read(list)) {
            sets.push(Set { dtype, vectors: vec![vector] });
        }
    }
    let has_floats = sets.iter().any(|set| set.dtype == Dtype::Float);
    if let Some(vector) = root.get("embedding").filter(|_| !has_floats).and_then(Vector::read) {
        sets.push(Set { dtype: Dtype::Float, vectors: vec![vector] });
    }
    if sets.is_empty() {
        return None;
    }
    let tokens = root.get("inputTextTokenCount").and_then(Node::as_u64);
    Some(Response { sets, ..Response::new(Shape::BedrockTitan) }.with_tokens(tokens))
}

pub(super) fn encode_response(
    response: &Response<'_>,
    wanted: &Wanted,
    w: &mut JsonWriter<'_>,
) -> Result<(), Garbled> {
    let kinds = if wanted.dtypes.is_empty() { &[Dtype::Float] } else { wanted.dtypes.as_slice() };
    let mut result = Ok(());
    let mut one = |dtype: Dtype, w: &mut JsonWriter<'_>| {
        let vector = response.vectors(dtype).map(<[_]>::first);
        let written = match vector {
            Ok(Some(vector)) => vector.write_numbers(dtype, w),
            Ok(None) => Err(Garbled("no embeddings: the answer holds no vectors".to_owned())),
            Err(garbled) => Err(garbled),
        };
        if written.is_err() {
            w.null();
            result = written;
        }
    };
    w.object(|w| {
        if kinds.contains(&Dtype::Float) {
            w.key("embedding");
            one(Dtype::Float, w);
        }
        w.field_object("embeddingsByType", |w| {
            for dtype in kinds {
                w.key(dtype.as_str());
                one(*dtype, w);
            }
        });
        if let Some(used) = &response.usage {
            w.field_u64("inputTextTokenCount", used.input);
        }
    });
    result
}
