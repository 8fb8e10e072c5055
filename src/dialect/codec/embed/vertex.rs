//! Vertex AI's `:predict` of Google's text embedding models: `instances` in, `predictions` out.
//!
//! Sources: Google Cloud, "Text embeddings API" (Vertex AI); recorded calls. Not here: models that
//! embed pictures, whose instances have other fields.

use super::fields::{self, number, only_floats, text};
use super::{Dtype, Input, InputType, Part, Request, Response, Shape, Truncate, Vector, Wanted};
use crate::chat::{At, Losses, Refused};
use crate::dialect::codec::{Called, Garbled};
use crate::framing::json::{JsonWriter, Node};

pub(super) fn decode_request<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    let mut request = Request::new(Shape::VertexPredict, fields::model(root, called)?);
    let instances = root.get("instances").ok_or_else(|| {
        Refused::new(At::of(root), "`instances` is missing: a list of texts to embed, each as `content`")
    })?;
    for (place, node) in instances.items().iter().enumerate() {
        let purpose = purpose(node)?;
        if place > 0 && purpose != request.input_type {
            return Err(Refused::new(At::of(node), "all instances must have one task type"));
        }
        request.input_type = purpose;
        let content = text(node, "content")?;
        let content = content.ok_or_else(|| Refused::new(At::of(node), "`content` is missing"))?;
        let mut input = Input::of(At::of(node), Part::Text(content));
        input.title = text(node, "title")?;
        request.inputs.push(input);
    }
    if let Some(parameters) = root.get("parameters") {
        request.dimensions = number(parameters, "outputDimensionality")?;
        let cuts = fields::flag(parameters, "autoTruncate")?;
        request.truncate = cuts.map(|is_cut| if is_cut { Truncate::End } else { Truncate::None });
    }
    request.extra = fields::rest(root, &["instances", "parameters", "model"]);
    Ok(request)
}

fn purpose(node: &Node<'_>) -> Result<Option<InputType>, Refused> {
    let key = if node.get("task_type").is_some() { "task_type" } else { "taskType" };
    let Some(word) = text(node, key)?.filter(|word| !word.is_empty()) else { return Ok(None) };
    let known = InputType::of(&word);
    known.map(Some).ok_or_else(|| Refused::new(At::of(node), "unknown task type"))
}

pub(super) fn encode_request(
    request: &Request<'_>,
    losses: &mut Losses,
    w: &mut JsonWriter<'_>,
) -> Result<(), Refused> {
    only_floats("Vertex", &request.dtypes)?;
    let Some(texts) = request.texts() else { return Err(fields::no_texts("Vertex", &request.inputs)) };
    let purpose = request.input_type.and_then(InputType::gemini);
    if purpose.is_none() {
        request.lose(&["input_type"], losses);
    }
    if request.truncate == Some(Truncate::Start) {
        request.lose(&["truncate"], losses);
    }
    request.lose_user(losses);
    w.object(|w| {
        w.field_array("instances", |w| {
            for (input, text) in request.inputs.iter().zip(&texts) {
                w.object(|w| {
                    w.field_str("content", text);
                    w.field_opt_str("task_type", purpose);
                    w.field_opt_str("title", input.title.as_deref());
                });
            }
        });
        let truncates = request.truncate.filter(|truncate| *truncate != Truncate::Start);
        if request.dimensions.is_some() || truncates.is_some() {
            w.field_object("parameters", |w| {
                if let Some(count) = request.dimensions {
                    w.field_u64("outputDimensionality", count);
                }
                if let Some(truncate) = truncates {
                    w.field_bool("autoTruncate", truncate == Truncate::End);
                }
            });
        }
        request.write_extra(Shape::VertexPredict, losses, w);
    });
    Ok(())
}

pub(super) fn decode_response<'a>(root: &Node<'a>) -> Option<Response<'a>> {
    let predictions = root.get("predictions")?.items();
    let vector = |node: &Node<'a>| Vector::read(node.get("embeddings")?.get("values")?);
    let tokens = |node: &Node<'a>| node.get("embeddings")?.get("statistics")?.get("token_count")?.as_u64();
    // A sum that leaves one out would be too low.
    let counted =
        predictions.iter().map(tokens).try_fold(0u64, |sum, tokens| Some(sum.saturating_add(tokens?)));
    let vectors = predictions.iter().map(vector).collect();
    Some(Response::floats(Shape::VertexPredict, vectors)?.with_tokens(counted))
}

pub(super) fn encode_response(
    response: &Response<'_>,
    _: &Wanted,
    w: &mut JsonWriter<'_>,
) -> Result<(), Garbled> {
    let vectors = response.vectors(Dtype::Float)?;
    // Only the sum is known: it is one vector's, or nobody's.
    let counted = response.usage.as_ref().filter(|_| vectors.len() == 1);
    let mut result = Ok(());
    w.object(|w| {
        w.field_array("predictions", |w| {
            for vector in vectors {
                w.object(|w| {
                    w.field_object("embeddings", |w| {
                        w.key("values");
                        let written = vector.write_numbers(Dtype::Float, w);
                        if written.is_err() {
                            w.null();
                            result = written;
                        }
                        if let Some(used) = counted {
                            w.field_object("statistics", |w| {
                                w.field_bool("truncated", false);
                                w.field_u64("token_count", used.input);
                            });
                        }
                    });
                });
            }
        });
    });
    result
}
