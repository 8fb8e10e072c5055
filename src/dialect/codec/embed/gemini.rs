//! Gemini's `:embedContent` and `:batchEmbedContents`.

use super::fields::{self, number, only_floats, text};
use super::{Dtype, Input, InputType, Part, Request, Response, Shape, Truncate, Vector};
use crate::chat::{At, Losses, Media, Raw, Refused, Source, Text};
use crate::dialect::codec::{Called, Garbled};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

const KNOWN: [&str; 11] = [
    "model",
    "content",
    "requests",
    "taskType",
    "task_type",
    "title",
    "outputDimensionality",
    "output_dimensionality",
    "autoTruncate",
    "auto_truncate",
    "embedContentConfig",
];

pub(super) fn decode_request<'a>(
    root: &Node<'a>,
    shape: Shape,
    called: Called<'_>,
) -> Result<Request<'a>, Refused> {
    let several = root.get("requests").map(Node::items).unwrap_or_default();
    let single = std::slice::from_ref(root);
    let all = if shape == Shape::GeminiMany { several } else { single };
    let Some(first) = all.first() else {
        return Err(Refused::new(At::of(root), "`requests` must be a list of at least one request"));
    };
    let model = match (called.model, text(first, "model")?) {
        (Some(model), _) => Text::Owned(model.to_owned()),
        (None, Some(model)) => Text::Owned(model.strip_prefix("models/").unwrap_or(&model).to_owned()),
        (None, None) => return Err(Refused::new(At::of(root), "`model` is missing")),
    };
    let mut request = Request::new(shape, model);
    for (number, node) in all.iter().enumerate() {
        let config = node.get("embedContentConfig").unwrap_or(node);
        let said = said(config)?;
        if number > 0 && said != (request.dimensions, request.input_type, request.truncate) {
            return Err(Refused::new(
                At::of(node),
                "all requests of a batch must ask for vectors of one kind",
            ));
        }
        (request.dimensions, request.input_type, request.truncate) = said;
        let mut input = input(node)?;
        input.title = text(config, "title")?;
        request.inputs.push(input);
    }
    request.extra = fields::rest(first, &KNOWN);
    if shape == Shape::GeminiMany {
        request.extra.extend(fields::rest(root, &KNOWN));
    }
    Ok(request)
}

type Said = (Option<u64>, Option<InputType>, Option<Truncate>);

/// What a request asks for beside its content; both spellings are JSON of the same message.
fn said(config: &Node<'_>) -> Result<Said, Refused> {
    let either = |a: &'static str, b: &'static str| if config.get(a).is_some() { a } else { b };
    let dimensions = number(config, either("outputDimensionality", "output_dimensionality"))?;
    let key = either("taskType", "task_type");
    let word = text(config, key)?.filter(|word| word != "TASK_TYPE_UNSPECIFIED");
    let purpose = word.as_deref().and_then(InputType::of);
    if let (Some(node), true) = (config.get(key), word.is_some() && purpose.is_none()) {
        return Err(Refused::new(At::of(node), "unknown task type"));
    }
    let truncates = fields::flag(config, either("autoTruncate", "auto_truncate"))?;
    Ok((dimensions, purpose, truncates.map(|is_cut| if is_cut { Truncate::End } else { Truncate::None })))
}

fn input<'a>(node: &Node<'a>) -> Result<Input<'a>, Refused> {
    let content = node.get("content");
    let parts = content.and_then(|content| content.get("parts")).map(Node::items).unwrap_or_default();
    let parts = parts.iter().map(part).collect::<Result<Vec<_>, _>>()?;
    let at = content.map_or(At::of(node), At::of);
    if parts.is_empty() {
        return Err(Refused::new(at, "`content` needs `parts`"));
    }
    Ok(Input { at, parts, title: None })
}

fn part<'a>(node: &Node<'a>) -> Result<Part<'a>, Refused> {
    if let Some(text) = node.text_of("text") {
        return Ok(Part::Text(text));
    }
    let either = |a: &str, b: &str| node.get(a).or_else(|| node.get(b));
    let mime = |inner: &Node<'a>| inner.text_of("mimeType").or_else(|| inner.text_of("mime_type"));
    let media =
        |source, inner: &Node<'a>| Part::Image(Media { source, mime: mime(inner), name: None, detail: None });
    if let Some((inner, data)) =
        either("inlineData", "inline_data").and_then(|i| Some((i, i.text_of("data")?)))
    {
        return Ok(media(Source::Base64(data), inner));
    }
    if let Some(inner) = either("fileData", "file_data")
        && let Some(id) = inner.text_of("fileUri").or_else(|| inner.text_of("file_uri"))
    {
        return Ok(media(Source::File { of: Protocol::Generate, id }, inner));
    }
    Err(Refused::new(At::of(node), "a part to embed must have a `text`, `inlineData` or `fileData`"))
}

pub(super) fn encode_request(
    request: &Request<'_>,
    shape: Shape,
    model: &str,
    losses: &mut Losses,
    w: &mut JsonWriter<'_>,
) -> Result<(), Refused> {
    only_floats("Gemini", &request.dtypes)?;
    for input in &request.inputs {
        for part in &input.parts {
            match part {
                Part::Tokens(_) => return Err(fields::no_texts("Gemini", &request.inputs)),
                Part::Image(Media { source: Source::Url(_), .. }) => {
                    return Err(Refused::new(input.at, "Gemini fetches no URLs: send the image as base64"));
                }
                _ => {}
            }
        }
    }
    if request.input_type.is_some_and(|purpose| purpose.gemini().is_none()) {
        request.lose(&["input_type"], losses);
    }
    request.lose_user(losses);
    request.lose(if request.from.is_kin(shape) { &[] } else { &["truncate"] }, losses);
    w.object(|w| match shape {
        Shape::GeminiMany => w.field_array("requests", |w| {
            for input in &request.inputs {
                w.object(|w| write_one(request, input, shape, model, losses, w));
            }
        }),
        _ => {
            if let Some(input) = request.inputs.first() {
                write_one(request, input, shape, model, losses, w);
            }
        }
    });
    Ok(())
}

fn write_one(
    request: &Request<'_>,
    input: &Input<'_>,
    shape: Shape,
    model: &str,
    losses: &mut Losses,
    w: &mut JsonWriter<'_>,
) {
    w.key("model");
    w.string_of([if model.contains('/') { "" } else { "models/" }, model]);
    w.field_object("content", |w| {
        w.field_array("parts", |w| input.parts.iter().for_each(|part| w.object(|w| write_part(part, w))));
    });
    w.field_opt_str("taskType", request.input_type.and_then(InputType::gemini));
    w.field_opt_str("title", input.title.as_deref());
    if let Some(count) = request.dimensions {
        w.field_u64("outputDimensionality", count);
    }
    if let Some(truncate) = request.truncate.filter(|_| request.from.is_kin(shape)) {
        w.field_bool("autoTruncate", truncate != Truncate::None);
    }
    request.write_extra(shape, losses, w);
}

fn write_part(part: &Part<'_>, w: &mut JsonWriter<'_>) {
    match part {
        Part::Text(text) => w.field_str("text", text),
        Part::Image(Media { source: Source::Base64(data), mime, .. }) => w.field_object("inlineData", |w| {
            w.field_str("mimeType", mime.as_deref().unwrap_or("image/png"));
            w.field_str("data", data);
        }),
        Part::Image(Media {
            source: Source::File { id: uri, .. } | Source::Url(uri) | Source::Text(uri),
            mime,
            ..
        }) => {
            w.field_object("fileData", |w| {
                w.field_opt_str("mimeType", mime.as_deref());
                w.field_str("fileUri", uri);
            });
        }
        Part::Tokens(Raw(_)) => {}
    }
}

pub(super) fn decode_response<'a>(root: &Node<'a>, shape: Shape) -> Option<Response<'a>> {
    let vector = |node: &Node<'a>| Vector::read(node.get("values")?);
    let vectors = match (root.get("embeddings"), root.get("embedding")) {
        (Some(list), _) => list.items().iter().map(vector).collect(),
        (None, Some(one)) => vector(one).map(|vector| vec![vector]),
        (None, None) => None,
    };
    let usage = root.get("usageMetadata");
    let tokens = usage.and_then(|usage| usage.get("promptTokenCount")?.as_u64());
    Some(Response::floats(shape, vectors)?.with_tokens(tokens))
}

pub(super) fn encode_response(
    response: &Response<'_>,
    shape: Shape,
    w: &mut JsonWriter<'_>,
) -> Result<(), Garbled> {
    let vectors = response.vectors(Dtype::Float)?;
    let mut result = Ok(());
    let mut one = |vector: &Vector<'_>, w: &mut JsonWriter<'_>| {
        w.object(|w| {
            w.key("values");
            let written = vector.write_numbers(Dtype::Float, w);
            if written.is_err() {
                w.null();
                result = written;
            }
        });
    };
    w.object(|w| {
        match (shape, vectors) {
            (Shape::GeminiOne, [only]) => {
                w.key("embedding");
                one(only, w);
            }
            _ => w.field_array("embeddings", |w| vectors.iter().for_each(|vector| one(vector, w))),
        }
        if let Some(used) = &response.usage {
            w.field_object("usageMetadata", |w| {
                w.field_u64("promptTokenCount", used.input);
                w.field_u64("totalTokenCount", used.input);
            });
        }
    });
    result
}
