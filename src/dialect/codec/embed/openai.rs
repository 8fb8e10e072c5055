//! `/v1/embeddings` as OpenAI has it, and as Voyage has it with words of its own.

use super::fields::{self, flag, inputs, number, only_floats, text};
use super::{Dtype, InputType, Part, Request, Response, Set, Shape, Truncate, Vector, Wanted};
use crate::chat::{At, Feature, Losses, Refused, Text};
use crate::dialect::codec::{Called, Garbled};
use crate::framing::json::{JsonWriter, Node};

pub(super) fn decode_request<'a>(
    root: &Node<'a>,
    shape: Shape,
    called: Called<'_>,
) -> Result<Request<'a>, Refused> {
    let mut request = Request::new(shape, fields::model(root, called)?);
    request.inputs = inputs(root, "input")?;
    request.is_base64 = match text(root, "encoding_format")?.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(unknown(root, "encoding_format", "float or base64")),
    };
    let purpose = text(root, "input_type")?;
    request.input_type = purpose.as_deref().and_then(InputType::of);
    if shape == Shape::Voyage {
        request.dimensions = number(root, "output_dimension")?;
        if let Some(word) = text(root, "output_dtype")? {
            let dtype = Dtype::of(&word).ok_or_else(|| unknown(root, "output_dtype", "a kind of numbers"))?;
            request.dtypes = vec![dtype];
        }
        let truncates = flag(root, "truncation")?;
        request.truncate = truncates.map(|is_cut| if is_cut { Truncate::End } else { Truncate::None });
        request.extra = fields::rest(
            root,
            &[
                "model",
                "input",
                "encoding_format",
                "input_type",
                "output_dimension",
                "output_dtype",
                "truncation",
            ],
        );
        return Ok(request);
    }
    request.dimensions = number(root, "dimensions")?;
    request.user = text(root, "user")?;
    let mut known = vec!["model", "input", "encoding_format", "dimensions", "user"];
    // Compatible providers have the field; a word nobody knows stays theirs.
    if request.input_type.is_some() {
        known.push("input_type");
    }
    request.extra = fields::rest(root, &known);
    Ok(request)
}

fn unknown(root: &Node<'_>, key: &str, wanted: &str) -> Refused {
    Refused::new(root.get(key).map_or(At::NOWHERE, At::of), format!("`{key}` must be {wanted}"))
}

pub(super) fn encode_request(
    request: &Request<'_>,
    shape: Shape,
    model: &str,
    losses: &mut Losses,
    w: &mut JsonWriter<'_>,
) -> Result<(), Refused> {
    let is_voyage = shape == Shape::Voyage;
    let provider = if is_voyage { "Voyage" } else { "OpenAI" };
    let is_taken =
        |part: &Part<'_>| matches!((part, is_voyage), (Part::Text(_), _) | (Part::Tokens(_), false));
    if !request.inputs.iter().all(|input| matches!(input.parts.as_slice(), [part] if is_taken(part))) {
        return Err(fields::no_texts(provider, &request.inputs));
    }
    if !is_voyage {
        only_floats(provider, &request.dtypes)?;
    } else if request.dtypes.len() > 1 {
        return Err(Refused::new(At::NOWHERE, "Voyage gives one kind of numbers a call"));
    }
    let purpose = request.input_type.and_then(InputType::voyage);
    let keeps_purpose = is_voyage || request.from == shape;
    if purpose.is_none() || !keeps_purpose {
        request.lose(&["input_type"], losses);
    }
    match is_voyage {
        true => {
            request.lose_user(losses);
            request.lose(&["title"], losses);
        }
        false => request.lose(&["truncate", "title"], losses),
    }
    w.object(|w| {
        w.field_str("model", model);
        w.key("input");
        write_inputs(request, w);
        w.field_opt_str("input_type", purpose.filter(|_| keeps_purpose));
        if let Some(count) = request.dimensions {
            w.field_u64(if is_voyage { "output_dimension" } else { "dimensions" }, count);
        }
        if is_voyage {
            w.field_opt_str("output_dtype", request.dtypes.first().map(|dtype| dtype.as_str()));
            if let Some(truncate) = request.truncate {
                w.field_bool("truncation", truncate != Truncate::None);
                if truncate == Truncate::Start {
                    losses.push_named(Feature::Unknown, At::NOWHERE, &Text::Borrowed("truncate"));
                }
            }
        } else {
            w.field_opt_str("user", request.user.as_deref());
        }
        match (request.is_base64, is_voyage) {
            (true, _) => w.field_str("encoding_format", "base64"),
            (false, false) => w.field_str("encoding_format", "float"),
            (false, true) => {}
        }
        request.write_extra(shape, losses, w);
    });
    Ok(())
}

fn write_inputs(request: &Request<'_>, w: &mut JsonWriter<'_>) {
    let one = |part: &Part<'_>, w: &mut JsonWriter<'_>| match part {
        Part::Text(text) => w.string(text),
        Part::Tokens(list) => w.raw(list.as_str()),
        Part::Image(_) => {}
    };
    w.array(|w| request.inputs.iter().flat_map(|input| &input.parts).for_each(|part| one(part, w)));
}

pub(super) fn decode_response<'a>(root: &Node<'a>, shape: Shape, wanted: &Wanted) -> Option<Response<'a>> {
    let data = root.get("data").filter(|data| !data.items().is_empty())?;
    let mut entries: Vec<(u64, Vector<'a>)> = Vec::with_capacity(data.items().len());
    for (place, entry) in data.items().iter().enumerate() {
        let index = entry.get("index").and_then(Node::as_u64).unwrap_or(place as u64);
        entries.push((index, Vector::read(entry.get("embedding")?)?));
    }
    entries.sort_by_key(|(index, _)| *index);
    let dtype = match wanted.dtypes.as_slice() {
        [only] if shape == Shape::Voyage => *only,
        _ => Dtype::Float,
    };
    let usage = root.get("usage");
    let count = |key: &str| usage.and_then(|usage| usage.get(key)?.as_u64());
    let response = Response {
        id: root.text_of("id").unwrap_or_default(),
        model: root.text_of("model").unwrap_or_default(),
        sets: vec![Set { dtype, vectors: entries.into_iter().map(|(_, vector)| vector).collect() }],
        ..Response::new(shape)
    };
    Some(response.with_tokens(count("prompt_tokens").or_else(|| count("total_tokens"))))
}

pub(super) fn encode_response(
    response: &Response<'_>,
    shape: Shape,
    wanted: &Wanted,
    w: &mut JsonWriter<'_>,
) -> Result<(), Garbled> {
    let dtype = wanted.dtypes.first().copied().unwrap_or(Dtype::Float);
    let vectors = response.vectors(dtype)?;
    let mut result = Ok(());
    w.object(|w| {
        w.field_str("object", "list");
        w.field_array("data", |w| {
            for (index, vector) in vectors.iter().enumerate() {
                w.object(|w| {
                    w.field_str("object", "embedding");
                    w.field_u64("index", index as u64);
                    w.key("embedding");
                    let written = vector.write(dtype, wanted.is_base64, w);
                    if written.is_err() {
                        w.null();
                        result = written;
                    }
                });
            }
        });
        w.field_str("model", if response.model.is_empty() { &wanted.model } else { &response.model });
        if let Some(used) = &response.usage {
            w.field_object("usage", |w| {
                if shape == Shape::OpenAi {
                    w.field_u64("prompt_tokens", used.input);
                }
                w.field_u64("total_tokens", used.input);
            });
        }
    });
    result
}
