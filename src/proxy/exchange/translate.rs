//! A call in another protocol than the client's: its body, its path, and what reads the answer.
//!
//! Encoded for each attempt, always from the client's own bytes (T25). Not here: what the protocols
//! mean (`dialect::codec`). Invariant: whatever is left out of the body is named in
//! [`Translated::dropped`].

use super::aside::aside;
use super::attempt::Aim;
use super::prepare::Prepared;
use super::remote;
use crate::chat::{self, Loss, Losses, Refused, Request};
use crate::dialect::codec::remote::{FetchedAll, Wanted, fill};
use crate::dialect::codec::{self, Called, Garbled, Owed};
use crate::dialect::paths::{encode_segment, gemini_path};
use crate::dialect::tap::{BodyReading, read_body};
use crate::dialect::tier::service_of;
use crate::framing::json::{Duplicates, JsonError, JsonFault, parse_bytes, path_at};
use crate::runtime::{Edge, OnUnsupported};
use crate::types::{Endpoint, Protocol, Reason, Reject, Usage};
use bytes::Bytes;
use std::sync::Arc;

/// A body that is sent up in `protocol`.
pub struct Translated {
    pub protocol: Protocol,
    pub body: Bytes,
    /// Below the provider's base path, with its query.
    pub path: String,
    /// Paths of the client's fields that the target has no word for.
    pub dropped: Vec<String>,
    /// What the answer must hold.
    pub owed: Owed,
}

/// All that one encoding needs, owned: a long one is done elsewhere.
struct Job {
    from: Protocol,
    to: Protocol,
    body: Bytes,
    path_model: Option<String>,
    is_stream: bool,
    target: chat::Target,
    on_unsupported: OnUnsupported,
    /// But for what the request itself says.
    owed: Owed,
    fetched: FetchedAll,
}

/// What an encoding came to.
enum Done {
    Translated(Box<Translated>),
    /// These must be fetched first.
    Wants(Vec<Wanted>),
}

/// Writes the client's request in `to`; images and documents that the target wants whole are fetched
/// where the provider's configuration allows it.
///
/// # Errors
/// 400 naming the field: the request is at fault, or this target cannot serve it.
pub async fn translate(
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    from: Protocol,
    to: Protocol,
) -> Result<Translated, Reject> {
    if from != to && prepared.previous_response().is_some() {
        let message = "this model's provider keeps no responses: send the conversation in `input`";
        return Err(Reject::new(Reason::InvalidRequest, message).with_param("previous_response_id"));
    }
    let mut job = Job::of(edge, prepared, aim, from, to);
    let wanted = match job.run().await? {
        (_, Done::Translated(translated)) => return Ok(*translated),
        (back, Done::Wants(wanted)) => {
            job = back;
            wanted
        }
    };
    job.fetched = Box::pin(remote::fetch(aim, &prepared.body, wanted)).await?;
    match job.run().await? {
        (_, Done::Translated(translated)) => Ok(*translated),
        (_, Done::Wants(_)) => Err(Reject::new(Reason::Internal, "a URL was not fetched")),
    }
}

impl Job {
    fn of(edge: &Edge, prepared: &Prepared<'_>, aim: &Aim<'_>, from: Protocol, to: Protocol) -> Self {
        let owed = Owed {
            model: prepared.model.clone(),
            token: format!("{:016x}{:016x}", edge.dice.roll(), edge.dice.roll()),
            created: edge.wall.unix_ms() / 1000,
            wants_usage: false,
            is_array: prepared.is_array,
            echo: String::new(),
        };
        Self {
            from,
            to,
            body: prepared.body.clone(),
            path_model: prepared.hit.model.as_deref().map(str::to_owned),
            is_stream: prepared.is_stream,
            target: aim.provider.target(&aim.runtime.catalog, aim.upstream_model),
            on_unsupported: aim.policy.on_unsupported,
            owed,
            fetched: FetchedAll::new(),
        }
    }

    /// Encodes, off the worker where the body is long. Gives itself back for a second time.
    async fn run(self) -> Result<(Self, Done), Reject> {
        let bytes = self.body.len();
        let done = aside(bytes, move || self.encode().map(|done| (self, done))).await;
        done.ok_or_else(|| Reject::new(Reason::Draining, "the gateway is shutting down"))?
    }

    fn encode(&self) -> Result<Done, Reject> {
        let root =
            parse_bytes(&self.body, Duplicates::Refuse).map_err(|error| malformed(&self.body, error))?;
        let refused = |refused: Refused| unserved(&self.body, &refused);
        let called = Called { model: self.path_model.as_deref(), is_stream: Some(self.is_stream) };
        let mut request = codec::decode_request(self.from, &root, called).map_err(refused)?;
        let wanted = fill(&mut request, self.to, &self.target, &self.fetched);
        if !wanted.is_empty() {
            return Ok(Done::Wants(wanted));
        }
        let mut losses = Losses::default();
        if self.to != Protocol::Messages {
            codec::messages::leave_out_deferred(&mut request, &mut losses);
        }
        let mut body = Vec::with_capacity(self.body.len() + 256);
        codec::encode_request(self.to, &request, &self.target, &mut losses, &mut body).map_err(refused)?;
        let dropped = dropped(&self.body, &losses);
        refuse_losses(self.on_unsupported, &dropped)?;
        Ok(Done::Translated(Box::new(Translated {
            protocol: self.to,
            body: Bytes::from(body),
            path: path(self.to, &self.target.model, self.is_stream),
            dropped,
            owed: self.owed_for(&request),
        })))
    }

    fn owed_for(&self, request: &Request<'_>) -> Owed {
        let is_echoed = self.from == Protocol::Responses;
        let echo = if is_echoed { codec::responses::echo(request) } else { String::new() };
        Owed { wants_usage: request.wants_usage, echo, ..self.owed.clone() }
    }
}

/// What a model refuses to lose.
///
/// # Errors
/// 400 naming the first thing left out, where the policy says so.
pub fn refuse_losses(policy: OnUnsupported, dropped: &[String]) -> Result<(), Reject> {
    match dropped.first() {
        Some(first) if policy == OnUnsupported::Reject => {
            let message =
                format!("the model's provider has no `{first}`, and this model refuses to leave it out");
            Err(Reject::new(Reason::InvalidRequest, message).with_param(first.clone()))
        }
        _ => Ok(()),
    }
}

/// The client's answer for the provider's whole one, and what it cost; written off the worker where
/// it is long.
///
/// # Errors
/// What is wrong with the provider's answer.
pub async fn answer(
    translated: &Arc<Translated>,
    client: Protocol,
    body: Bytes,
) -> Result<(Bytes, Option<Usage>), Garbled> {
    let translated = translated.clone();
    let written = aside(body.len(), move || rewritten(&translated, client, &body)).await;
    written.ok_or_else(|| Garbled("the gateway is shutting down".to_owned()))?
}

fn rewritten(
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
            let service = service_of(body);
            BodyReading { usage: response.usage, service, is_expected_shape: true, ..BodyReading::default() }
        }
        _ => BodyReading::default(),
    }
}

/// Where `protocol` takes a generation call.
fn path(protocol: Protocol, model: &str, is_stream: bool) -> String {
    match protocol {
        Protocol::Chat => "/chat/completions".to_owned(),
        Protocol::Responses => "/responses".to_owned(),
        Protocol::Messages => "/v1/messages".to_owned(),
        Protocol::Generate if is_stream => gemini_path(model, "streamGenerateContent?alt=sse"),
        Protocol::Generate => gemini_path(model, "generateContent"),
        Protocol::Converse => {
            let action = if is_stream { "converse-stream" } else { "converse" };
            format!("/model/{}/{action}", encode_segment(model))
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

/// A body that is no JSON of ours.
pub fn malformed(body: &[u8], error: JsonError) -> Reject {
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

/// A request that this target cannot serve, with the place in the client's body.
pub fn unserved(body: &[u8], refused: &Refused) -> Reject {
    let place = refused.at.offset().and_then(|at| path_at(body, at));
    match place {
        Some(place) => {
            let message = format!("`{place}`: {}", refused.message);
            Reject::new(Reason::InvalidRequest, message).with_param(place)
        }
        None => Reject::new(Reason::InvalidRequest, refused.message.clone()),
    }
}

/// The paths of what was left out, as the client wrote them.
pub fn dropped(body: &[u8], losses: &Losses) -> Vec<String> {
    let path = |loss: &Loss| {
        let place = loss.at.offset().and_then(|at| path_at(body, at));
        match (place, &loss.name) {
            (Some(place), _) => place,
            (None, Some(name)) => name.clone(),
            (None, None) => loss.feature.as_str().to_owned(),
        }
    };
    let mut paths: Vec<String> = losses.all().iter().map(path).collect();
    paths.dedup();
    paths
}
