//! Ollama's `/api/embed`, and `/api/embeddings` of before, whose answer is one vector.

use super::fields::{self, flag, inputs, number, only_floats};
use super::vector::write_all;
use super::{Dtype, Request, Response, Shape, Truncate, Vector, Wanted};
use crate::chat::{Losses, Refused};
use crate::dialect::codec::{Called, Garbled};
use crate::framing::json::{JsonWriter, Node};

pub(super) fn decode_request<'a>(
    root: &Node<'a>,
    shape: Shape,
    called: Called<'_>,
) -> Result<Request<'a>, Refused> {
    let mut request = Request::new(shape, fields::model(root, called)?);
    let key = if root.get("input").is_none() && root.get("prompt").is_some() { "prompt" } else { "input" };
    request.inputs = inputs(root, key)?;
    if let (Shape::OllamaOne, [_, second, ..]) = (shape, request.inputs.as_slice()) {
        return Err(Refused::new(second.at, "this path embeds one text: `/api/embed` takes several"));
    }
    request.dimensions = number(root, "dimensions")?;
    let truncates = flag(root, "truncate")?;
    request.truncate = truncates.map(|is_cut| if is_cut { Truncate::End } else { Truncate::None });
    request.extra = fields::rest(root, &["model", "input", "prompt", "dimensions", "truncate"]);
    request.extra.retain(|field| field.name != "options" || field.value.as_str() != "{}");
    Ok(request)
}

pub(super) fn encode_request(
    request: &Request<'_>,
    shape: Shape,
    model: &str,
    losses: &mut Losses,
    w: &mut JsonWriter<'_>,
) -> Result<(), Refused> {
    let texts = request.texts().ok_or_else(|| fields::no_texts("Ollama", &request.inputs))?;
    only_floats("Ollama", &request.dtypes)?;
    request.lose_user(losses);
    request.lose(&["input_type", "title"], losses);
    w.object(|w| {
        w.field_str("model", model);
        match texts.as_slice() {
            [only] if shape == Shape::OllamaOne => w.field_str("prompt", only),
            _ => w.field_array("input", |w| texts.iter().for_each(|text| w.string(text))),
        }
        if let Some(count) = request.dimensions {
            w.field_u64("dimensions", count);
        }
        if let Some(truncate) = request.truncate {
            w.field_bool("truncate", truncate != Truncate::None);
            if truncate == Truncate::Start {
                request.lose(&["truncate"], losses);
            }
        }
        request.write_extra(Shape::Ollama, losses, w);
    });
    Ok(())
}

pub(super) fn decode_response<'a>(root: &Node<'a>) -> Option<Response<'a>> {
    let vectors = match (root.get("embeddings"), root.get("embedding")) {
        (Some(list), _) => Vector::read_all(list),
        (None, Some(one)) => Vector::read(one).map(|vector| vec![vector]),
        (None, None) => None,
    };
    let response = Response::floats(Shape::Ollama, vectors)?;
    let model = root.text_of("model").unwrap_or_default();
    let tokens = root.get("prompt_eval_count").and_then(Node::as_u64);
    Some(Response { model, ..response }.with_tokens(tokens))
}

pub(super) fn encode_response(
    response: &Response<'_>,
    shape: Shape,
    wanted: &Wanted,
    w: &mut JsonWriter<'_>,
) -> Result<(), Garbled> {
    let vectors = response.vectors(Dtype::Float)?;
    let mut result = Ok(());
    if shape == Shape::OllamaOne {
        let first =
            vectors.first().ok_or_else(|| Garbled("no embeddings: the answer is empty".to_owned()))?;
        w.object(|w| {
            w.key("embedding");
            result = first.write_numbers(Dtype::Float, w);
        });
        return result;
    }
    w.object(|w| {
        w.field_str("model", if response.model.is_empty() { &wanted.model } else { &response.model });
        w.key("embeddings");
        result = write_all(vectors, Dtype::Float, false, w);
        if let Some(used) = &response.usage {
            w.field_u64("prompt_eval_count", used.input);
        }
    });
    result
}
