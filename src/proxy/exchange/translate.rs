//! A call in another protocol than the client's: its body, its path, and what reads the answer.
//!
//! Encoded for each attempt, always from the client's own bytes (T25). Not here: what the protocols
//! mean (`dialect::codec`). Invariant: whatever is left out of the body is named in
//! [`Translated::dropped`].

use super::aside::aside;
use super::attempt::Aim;
use super::prefill::Prefill;
use super::prepare::Prepared;
use super::recall::Recalled;
use super::remote;
use super::unserved::{dropped, malformed, refuse_losses, unserved};
use crate::chat::{self, At, Feature, Losses, Raw, Refused, Request, Setting, Text};
use crate::dialect::codec::messages::Host;
use crate::dialect::codec::remote::{FetchedAll, Wanted, fill};
use crate::dialect::codec::{self, Called, Garbled, Owed};
use crate::dialect::front::Front;
use crate::dialect::kept;
use crate::dialect::paths::{encode_segment, gemini_path};
use crate::dialect::tap::{BodyReading, read_body};
use crate::dialect::tier::service_of;
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::runtime::{Edge, OnUnsupported, Way};
use crate::types::{Endpoint, Protocol, Reason, Reject, Usage};
use bytes::Bytes;
use std::sync::Arc;

/// A body that is sent up in `protocol`.
pub struct Translated {
    pub protocol: Protocol,
    pub body: Bytes,
    /// Paths of the client's fields that the target has no word for; at last `+N` for so many more.
    pub dropped: Vec<String>,
    /// What the answer must hold.
    pub owed: Owed,
}

/// All that one encoding needs, owned: a long one is done elsewhere.
struct Job {
    from: Protocol,
    way: Way,
    body: Bytes,
    path_model: Option<String>,
    is_stream: bool,
    target: Arc<chat::Target>,
    on_unsupported: OnUnsupported,
    /// What the body was completed from.
    recalled: Option<Arc<Recalled>>,
    /// But for what the request itself says.
    owed: Owed,
    fetched: FetchedAll,
    /// Set where a stream that broke is gone on with.
    prefill: Option<Prefill>,
}

/// What an encoding came to.
enum Done {
    Translated(Box<Translated>),
    /// These must be fetched first.
    Wants(Vec<Wanted>),
}

/// Writes the client's request as `way` takes it; images and documents that the target wants whole are
/// fetched where the provider's configuration allows it.
///
/// # Errors
/// 400 naming the field: the request is at fault, or this target cannot serve it.
pub async fn translate(
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    from: Protocol,
    way: &Way,
) -> Result<Translated, Reject> {
    let mut job = Job::of(edge, prepared, aim, from, way);
    if job.is_kept_here() {
        check_known(prepared)?;
    }
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
    fn of(edge: &Edge, prepared: &Prepared<'_>, aim: &Aim<'_>, from: Protocol, way: &Way) -> Self {
        let owed = Owed {
            model: prepared.model.clone(),
            token: edge.token(),
            created: edge.wall.unix_ms() / 1000,
            wants_usage: false,
            is_array: prepared.is_array,
            echo: String::new(),
        };
        Self {
            from,
            way: way.clone(),
            body: prepared.body.clone(),
            path_model: prepared.hit.model.as_deref().map(str::to_owned),
            is_stream: prepared.is_stream,
            target: aim.provider.target(&aim.runtime.catalog, aim.upstream_model),
            on_unsupported: aim.policy.on_unsupported,
            recalled: prepared.recalled.clone(),
            owed,
            fetched: FetchedAll::new(),
            prefill: Prefill::of(aim, way),
        }
    }

    /// The answer is written here, so it is kept here as well.
    fn is_kept_here(&self) -> bool {
        self.from == Protocol::Responses && (self.from != self.way.protocol || self.recalled.is_some())
    }

    /// Encodes, off the worker where the body is long. Gives itself back for a second time.
    async fn run(self) -> Result<(Self, Done), Reject> {
        let bytes = self.body.len();
        let done = aside(bytes, move || self.encode().map(|done| (self, done))).await;
        done.ok_or_else(|| Reject::new(Reason::Draining, "the gateway is shutting down"))?
    }

    fn encode(&self) -> Result<Done, Reject> {
        let to = self.way.protocol;
        let root =
            parse_bytes(&self.body, Duplicates::Refuse).map_err(|error| malformed(&self.body, error))?;
        if self.is_kept_here() {
            check_items(&root, to)?;
        }
        let told = |path| self.client_path(path);
        let refused = |refused: Refused| unserved(&self.body, &refused, told);
        let called = Called { model: self.path_model.as_deref(), is_stream: Some(self.is_stream) };
        let mut request = codec::decode_request(self.from, &root, called).map_err(refused)?;
        if let Some(prefill) = &self.prefill {
            prefill.begin(&mut request)?;
        }
        let wanted = fill(&mut request, to, &self.target, &self.fetched);
        if !wanted.is_empty() {
            return Ok(Done::Wants(wanted));
        }
        let owed = self.owed_for(&request);
        if self.is_kept_here() {
            keep_here(&mut request, to);
        }
        let mut losses = Losses::default();
        if to != Protocol::Messages {
            codec::messages::leave_out_deferred(&mut request, &mut losses);
        }
        let mut body = Vec::with_capacity(self.body.len() + 256);
        encode(&self.way, &request, &self.target, &mut losses, &mut body).map_err(refused)?;
        if let Some(prefill) = &self.prefill {
            body = prefill.mark(to, body);
        }
        let dropped = dropped(&self.body, &losses, told);
        refuse_losses(self.on_unsupported, &dropped)?;
        Ok(Done::Translated(Box::new(Translated { protocol: to, body: Bytes::from(body), dropped, owed })))
    }

    fn owed_for(&self, request: &Request<'_>) -> Owed {
        let echo = match &self.recalled {
            _ if self.from != Protocol::Responses => String::new(),
            Some(recalled) => codec::responses::echo_stored(request, &recalled.stored(true)),
            None => codec::responses::echo(request),
        };
        Owed { wants_usage: request.wants_usage, echo, ..self.owed.clone() }
    }

    /// A path in the body as the client wrote it: without what was put before its input.
    fn client_path(&self, path: String) -> String {
        match &self.recalled {
            Some(recalled) => recalled.client_path(&path),
            None => path,
        }
    }
}

/// The fronts of Claude have dresses of their own; betas are the client's own vendor's, and others
/// have none.
fn encode(
    way: &Way,
    request: &Request<'_>,
    target: &chat::Target,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    match (way.protocol, host_of(&way.front)) {
        (Protocol::Messages, Some(host)) => {
            codec::messages::encode_request_for(host, &[], request, target, losses, out)
        }
        (to, _) => codec::encode_request(to, request, target, losses, out),
    }
}

/// Who runs the Claude behind a front; None for Anthropic's own.
pub fn host_of(front: &Front) -> Option<Host> {
    match front {
        Front::Vertex { .. } => Some(Host::Vertex),
        Front::Invoke => Some(Host::BedrockInvoke),
        Front::Plain | Front::Deployments { .. } => None,
    }
}

/// Refuses what only the provider that was there before could know, and what none of ours does.
fn check_known(prepared: &Prepared<'_>) -> Result<(), Reject> {
    let head = prepared.head.as_deref();
    if let Some(id) = head.and_then(|head| head.previous_response.as_deref()) {
        return Err(kept::previous_not_found(id));
    }
    if let Some(id) = head.and_then(|head| head.conversation.as_deref()) {
        return Err(kept::not_found("Conversation", id).with_param("conversation"));
    }
    Ok(())
}

/// The same of what is in the body.
fn check_items(root: &Node<'_>, to: Protocol) -> Result<(), Reject> {
    // Left out, its turn would be missing, and the model would answer something else.
    let referred = root.get("input").and_then(|input| input.items().iter().find_map(kept::reference));
    if let Some(id) = referred.filter(|_| to != Protocol::Responses) {
        return Err(kept::not_found("Item", &id).with_param("input"));
    }
    if root.get("background").and_then(Node::as_bool) == Some(true) {
        let message = "this model's provider answers nothing in the background";
        return Err(Reject::new(Reason::InvalidRequest, message).with_param("background"));
    }
    Ok(())
}

/// `store` is this gateway's to honour: no provider is asked to keep the answer too.
fn keep_here(request: &mut Request<'_>, to: Protocol) {
    request.settings.retain(|setting| setting.feature != Feature::Store);
    if to == Protocol::Responses {
        let value = Raw(Text::Borrowed("false"));
        request.settings.push(Setting { feature: Feature::Store, at: At::NOWHERE, value });
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

/// Where its own vendor takes a generation call of `protocol`, with its query.
pub fn plain_path(protocol: Protocol, model: &str, is_stream: bool) -> String {
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
