//! A call in another protocol than the client's: its body, its path, and what reads the answer.
//!
//! Encoded for each attempt, always from the client's own bytes (T25). Not here: what the protocols
//! mean (`dialect::codec`). Invariant: whatever is left out of the body is named in
//! [`Translated::dropped`].

use super::attempt::Aim;
use super::prepare::Prepared;
use crate::chat::{Losses, Refused, Request};
use crate::dialect::codec::{self, Called, Garbled, Owed, places};
use crate::dialect::paths::encode_model;
use crate::dialect::tap::{BodyReading, read_body};
use crate::framing::json::{Duplicates, JsonError, JsonFault, parse_bytes, path_at};
use crate::runtime::{Edge, OnUnsupported};
use crate::types::{Endpoint, Protocol, Reason, Reject, Usage};
use bytes::Bytes;

/// A body that is sent up in `protocol`.
pub struct Translated {
    pub protocol: Protocol,
    pub body: Bytes,
    /// Below the provider's base path, with its query.
    pub path: String,
    /// Paths of the client's fields that the target has no word for; at last `+N` for so many more.
    pub dropped: Vec<String>,
    /// What the answer must hold.
    pub owed: Owed,
}

/// Writes the client's request in `to`.
///
/// # Errors
/// 400 naming the field: the request is at fault, or this target cannot serve it.
pub fn translate(
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    from: Protocol,
    to: Protocol,
) -> Result<Translated, Reject> {
    let called = Called { model: prepared.hit.model.as_deref(), is_stream: Some(prepared.is_stream) };
    if from != to && prepared.previous_response().is_some() {
        let message = "this model's provider keeps no responses: send the conversation in `input`";
        return Err(Reject::new(Reason::InvalidRequest, message).with_param("previous_response_id"));
    }
    let root =
        parse_bytes(&prepared.body, Duplicates::Refuse).map_err(|error| malformed(&prepared.body, error))?;
    let refused = |refused: Refused| unserved(&prepared.body, &refused);
    let mut request = codec::decode_request(from, &root, called).map_err(refused)?;
    let target = aim.provider.target(&aim.runtime.catalog, aim.upstream_model);
    let mut losses = Losses::default();
    if to != Protocol::Messages {
        codec::messages::leave_out_deferred(&mut request, &mut losses);
    }
    let mut body = Vec::with_capacity(prepared.body.len() + 256);
    codec::encode_request(to, &request, &target, &mut losses, &mut body).map_err(refused)?;
    let mut dropped = places::of_losses(&prepared.body, &losses);
    if aim.policy.on_unsupported == OnUnsupported::Reject
        && let Some(first) = dropped.first()
    {
        let message =
            format!("the model's provider has no `{first}`, and this model refuses to leave it out");
        return Err(Reject::new(Reason::InvalidRequest, message).with_param(first.clone()));
    }
    if losses.more() > 0 {
        dropped.push(format!("+{}", losses.more()));
    }
    Ok(Translated {
        protocol: to,
        body: Bytes::from(body),
        path: path(to, aim.upstream_model, prepared.is_stream),
        dropped,
        owed: owed(edge, prepared, from, &request),
    })
}

/// The client's answer for the provider's whole one, and what it cost.
///
/// # Errors
/// What is wrong with the provider's answer.
pub fn answer(
    translated: &Translated,
    client: Protocol,
    body: &[u8],
) -> Result<(Bytes, Option<Usage>), Garbled> {
    let root = parse_bytes(body, Duplicates::LastCounts).map_err(|e| Garbled(e.to_string()))?;
    let response = codec::decode_response(translated.protocol, &root)?;
    let mut out = Vec::with_capacity(body.len() + 256);
    codec::encode_response(client, &response, &translated.owed, &mut out);
    Ok((Bytes::from(out), response.usage))
}

/// What a provider's whole body says of itself.
pub fn read_answer(endpoint: Endpoint, body: &[u8]) -> BodyReading {
    let decoded = match endpoint.protocol() {
        Some(protocol @ (Protocol::Converse | Protocol::Cohere | Protocol::Ollama)) => protocol,
        _ => return read_body(endpoint, body),
    };
    let root = parse_bytes(body, Duplicates::LastCounts).ok();
    match root.as_ref().map(|root| codec::decode_response(decoded, root)) {
        Some(Ok(response)) => {
            BodyReading { usage: response.usage, is_expected_shape: true, ..BodyReading::default() }
        }
        _ => BodyReading::default(),
    }
}

fn owed(edge: &Edge, prepared: &Prepared<'_>, from: Protocol, request: &Request<'_>) -> Owed {
    let echo = if from == Protocol::Responses { codec::responses::echo(request) } else { String::new() };
    Owed {
        model: prepared.model.clone(),
        token: format!("{:016x}{:016x}", edge.dice.roll(), edge.dice.roll()),
        created: edge.wall.unix_ms() / 1000,
        wants_usage: request.wants_usage,
        is_array: prepared.is_array,
        echo,
    }
}

/// Where `protocol` takes a generation call.
fn path(protocol: Protocol, model: &str, is_stream: bool) -> String {
    match protocol {
        Protocol::Chat => "/chat/completions".to_owned(),
        Protocol::Responses => "/responses".to_owned(),
        Protocol::Messages => "/v1/messages".to_owned(),
        Protocol::Generate => {
            let action = if is_stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let is_qualified = model.starts_with("models/") || model.starts_with("tunedModels/");
            let collection = if is_qualified { "" } else { "models/" };
            format!("/v1beta/{collection}{}:{action}", encode_model(model))
        }
        Protocol::Converse => {
            let action = if is_stream { "converse-stream" } else { "converse" };
            format!("/model/{}/{action}", crate::dialect::paths::encode_segment(model))
        }
        Protocol::Cohere => "/v2/chat".to_owned(),
        Protocol::Ollama => "/api/chat".to_owned(),
    }
}

/// The endpoint that answers as `protocol` does.
pub fn endpoint_of(protocol: Protocol, is_stream: bool) -> Endpoint {
    match protocol {
        Protocol::Chat => Endpoint::ChatCompletions,
        Protocol::Responses => Endpoint::Responses,
        Protocol::Messages => Endpoint::Messages,
        Protocol::Generate if is_stream => Endpoint::StreamGenerateContent,
        Protocol::Generate => Endpoint::GenerateContent,
        Protocol::Converse if is_stream => Endpoint::ConverseStream,
        Protocol::Converse => Endpoint::Converse,
        Protocol::Cohere => Endpoint::CohereChat,
        Protocol::Ollama => Endpoint::OllamaChat,
    }
}

/// The type a client's stream of `endpoint` has.
pub fn stream_type(endpoint: Endpoint, is_array: bool) -> &'static str {
    match endpoint {
        _ if is_array => "application/json",
        Endpoint::ConverseStream => "application/vnd.amazon.eventstream",
        Endpoint::OllamaChat => "application/x-ndjson",
        _ => "text/event-stream; charset=utf-8",
    }
}

fn malformed(body: &[u8], error: JsonError) -> Reject {
    let reason = match error.fault {
        JsonFault::Duplicate => Reason::DuplicateField,
        _ => Reason::InvalidJson,
    };
    let place = u32::try_from(error.at).ok().and_then(|at| path_at(body, at));
    let reject = Reject::new(reason, error.to_string());
    match place {
        Some(place) => reject.with_param(place),
        None => reject,
    }
}

fn unserved(body: &[u8], refused: &Refused) -> Reject {
    match places::of_refusal(body, refused) {
        Some(place) => {
            let message = format!("`{place}`: {}", refused.message);
            Reject::new(Reason::InvalidRequest, message).with_param(place)
        }
        None => Reject::new(Reason::InvalidRequest, refused.message.clone()),
    }
}
