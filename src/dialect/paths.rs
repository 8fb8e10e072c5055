//! The one place where a URL path is read: method and path in, [`Hit`] out.
//!
//! Not here: credentials, model aliases, whether a model exists. Invariant: a path is matched
//! exactly as it came, byte for byte; the only decoding done is of a model's or a deployment's
//! name, once. What two readers could understand differently (dot segments, empty segments,
//! encoded dots, backslashes, doubly encoded bytes) is no path of ours.

use std::borrow::Cow;

use http::Method;

use super::codec::messages::Host;
use crate::types::{Dialect, Endpoint};

pub mod query;
mod segment;
#[cfg(test)]
mod tests;

pub use segment::{encode_all as encode_segment, encode_model};

/// Why a method and a path name nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("no such path")]
    NotFound,
    /// The path exists; `allowed` is the value of the `allow` header.
    #[error("this path takes {allowed}")]
    Method { allowed: &'static str },
}

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    pub endpoint: Endpoint,
    /// The shape the path alone speaks for. Differs from `endpoint.dialect()` on Gemini's model
    /// list; on `/v1/models` the client's headers decide (see `models::shape`).
    pub dialect: Dialect,
    /// The model the URL names, decoded: Gemini's `{m}`, an Azure deployment, `?model=` of realtime.
    pub model: Option<Cow<'a, str>>,
    /// A response's or a model's id, decoded.
    pub id: Option<Cow<'a, str>>,
    /// Whether the client speaks Azure's paths, whose `api-version` is not forwarded.
    pub is_azure_shape: bool,
    /// Set where the client speaks to Claude as one of its other hosts has it.
    pub dress: Option<Dress>,
    upstream: Upstream<'a>,
}

/// What Anthropic's body lacks on a path of another host's, because the path says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dress {
    pub host: Host,
    /// None where it is the body's to say.
    pub is_stream: Option<bool>,
}

/// How the path goes up, apart from the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upstream<'a> {
    /// As it stands.
    Whole(&'a str),
    /// `{version}models/{model}:{action}`.
    Model { version: &'a str, action: &'a str },
    /// `/model/{model}/{action}`: Bedrock's.
    Bedrock { action: &'a str },
}

impl Hit<'_> {
    /// The same call as Anthropic itself has it, once the body has shown that it is one: Bedrock's
    /// `invoke` takes every maker's.
    pub fn undressed(self) -> Self {
        let endpoint =
            if self.endpoint == Endpoint::CountTokens { self.endpoint } else { Endpoint::Messages };
        Self { endpoint, upstream: Upstream::Whole(anthropic_path(endpoint)), ..self }
    }

    /// Whether the client reads Amazon's event streams and errors around Anthropic's answers.
    pub fn is_wrapped(&self) -> bool {
        self.dress.is_some_and(|dress| dress.host == Host::BedrockInvoke)
    }

    /// Whether a GET of this may be a WebSocket's handshake.
    pub fn takes_websocket(&self) -> bool {
        self.upstream == Upstream::Whole(REALTIME)
    }

    /// The path to append to a provider's `base_url` for a same-dialect call: without `/v1` for
    /// OpenAI kinds (their base has it), whole for Anthropic and Gemini (theirs is the bare host).
    /// `upstream_model` takes the model's place where the path holds one.
    pub fn upstream_path(&self, upstream_model: &str) -> Cow<'_, str> {
        match self.upstream {
            Upstream::Whole(path) => Cow::Borrowed(path),
            Upstream::Model { version, action } => {
                Cow::Owned(format!("{version}{}", gemini_verb(upstream_model, action)))
            }
            Upstream::Bedrock { action } => {
                Cow::Owned(format!("/model/{}/{action}", segment::encode_all(upstream_model)))
            }
        }
    }

    /// The query to send up, `None` when nothing is left of it: the client's own, byte for byte,
    /// without credentials and Azure's `api-version`, and with realtime's `model` replaced.
    pub fn upstream_query(&self, query: Option<&str>, upstream_model: &str) -> Option<String> {
        let model = (self.endpoint == Endpoint::Opaque && self.model.is_some()).then_some(upstream_model);
        query::forwarded(query?, self.is_azure_shape, model)
    }
}

fn anthropic_path(endpoint: Endpoint) -> &'static str {
    if endpoint == Endpoint::CountTokens { "/v1/messages/count_tokens" } else { "/v1/messages" }
}

/// The path of a Gemini action on a model, below the bare host.
pub fn gemini_path(model: &str, action: &str) -> String {
    format!("/v1beta/{}", gemini_verb(model, action))
}

fn gemini_verb(model: &str, action: &str) -> String {
    let is_qualified = ["models/", "tunedModels/"].iter().any(|collection| model.starts_with(collection));
    let collection = if is_qualified { "" } else { "models/" };
    format!("{collection}{}:{action}", encode_model(model))
}

/// A matched path before its method is checked.
struct Route<'a> {
    endpoint: Endpoint,
    allowed: &'static str,
    dialect: Dialect,
    model: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    dress: Option<Dress>,
    upstream: Upstream<'a>,
}

impl<'a> Route<'a> {
    fn new(endpoint: Endpoint, allowed: &'static str, upstream: &'a str) -> Self {
        let upstream = Upstream::Whole(upstream);
        Self { endpoint, allowed, dialect: endpoint.dialect(), model: None, id: None, dress: None, upstream }
    }
}

/// POST endpoints of the OpenAI family, below `/v1/` and `/openai/v1/`.
const OPENAI: [(&str, Endpoint); 13] = [
    ("chat/completions", Endpoint::ChatCompletions),
    ("completions", Endpoint::Completions),
    ("responses", Endpoint::Responses),
    ("responses/input_tokens", Endpoint::ResponseTokens),
    ("embeddings", Endpoint::Embeddings),
    ("moderations", Endpoint::Moderations),
    ("images/generations", Endpoint::Images),
    ("images/edits", Endpoint::Images),
    ("images/variations", Endpoint::Images),
    ("audio/speech", Endpoint::Speech),
    ("audio/transcriptions", Endpoint::Transcriptions),
    ("audio/translations", Endpoint::Transcriptions),
    ("rerank", Endpoint::Rerank),
];

/// The one path of WebSockets, as it goes up.
const REALTIME: &str = "/realtime";

/// Reads `path` (no query) and `query` (no `?`) as they stand in the request line.
pub fn parse<'a>(method: &Method, path: &'a str, query: Option<&'a str>) -> Result<Hit<'a>, PathError> {
    if !segment::is_safe_path(path) || !query.is_none_or(query::is_safe) {
        return Err(PathError::NotFound);
    }
    let is_azure_shape = path.starts_with("/openai/");
    let mut route = match_path(method, path).ok_or(PathError::NotFound)?;
    // Nearly all paths take one method.
    let is_allowed = route.allowed == method.as_str()
        || route.allowed.split(", ").any(|allowed| allowed == method.as_str());
    if !is_allowed {
        return Err(PathError::Method { allowed: route.allowed });
    }
    if route.upstream == Upstream::Whole(REALTIME) {
        route.model = query.and_then(|query| query::value(query, "model"));
    }
    Ok(Hit {
        endpoint: route.endpoint,
        dialect: route.dialect,
        model: route.model,
        id: route.id,
        is_azure_shape,
        dress: route.dress,
        upstream: route.upstream,
    })
}

/// The shape in which to refuse a path that [`parse`] did not take: what its start suggests.
pub fn error_dialect(path: &str) -> Dialect {
    const GEMINI: [&str; 3] = ["/v1beta/", "/v1/projects/", "/v1beta1/projects/"];
    if GEMINI.iter().any(|start| path.starts_with(start)) {
        Dialect::Gemini
    } else if path.starts_with("/v1/messages") {
        Dialect::Anthropic
    } else if path.starts_with("/model/") {
        Dialect::Bedrock
    } else if path.starts_with("/v2/") {
        Dialect::Cohere
    } else if path.starts_with("/api/") {
        Dialect::Ollama
    } else {
        Dialect::OpenAi
    }
}

fn match_path<'a>(method: &Method, path: &'a str) -> Option<Route<'a>> {
    if let Some(rest) = path.strip_prefix("/openai/deployments/") {
        return match_deployment(rest);
    }
    if let Some(rest) = path.strip_prefix("/openai/v1") {
        return match_openai(rest);
    }
    if path.starts_with("/v1beta/") {
        return match_gemini(method, path);
    }
    if let Some(rest) = path.strip_prefix("/model/") {
        return match_bedrock(rest);
    }
    if let Some(rest) = path.strip_prefix("/v1/projects/").or_else(|| path.strip_prefix("/v1beta1/projects/"))
    {
        return match_vertex(rest);
    }
    match path {
        "/v2/chat" => Some(Route::new(Endpoint::CohereChat, "POST", path)),
        "/v1/tokenize" => Some(Route::new(Endpoint::CohereTokenize, "POST", path)),
        "/v2/embed" => Some(Route::new(Endpoint::CohereEmbed, "POST", path)),
        "/v2/rerank" => Some(Route::new(Endpoint::CohereRerank, "POST", path)),
        "/api/chat" => Some(Route::new(Endpoint::OllamaChat, "POST", path)),
        "/api/embed" => Some(Route::new(Endpoint::OllamaEmbed, "POST", path)),
        "/api/embeddings" => Some(Route::new(Endpoint::OllamaEmbeddings, "POST", path)),
        "/v1/messages" => Some(Route::new(Endpoint::Messages, "POST", path)),
        "/v1/messages/count_tokens" => Some(Route::new(Endpoint::CountTokens, "POST", path)),
        _ => match_gemini_action(path).or_else(|| {
            let rest = path.strip_prefix("/v1")?;
            // A custom verb we do not know is no model id to POST to.
            let is_verb = method == Method::POST && rest.starts_with("/models/");
            if is_verb { None } else { match_openai(rest) }
        }),
    }
}

/// `rest` starts with a slash and is what an OpenAI-kind base URL takes.
fn match_openai(rest: &str) -> Option<Route<'_>> {
    let name = rest.strip_prefix('/')?;
    if let Some((_, endpoint)) = OPENAI.iter().find(|(known, _)| *known == name) {
        return Some(Route::new(*endpoint, "POST", rest));
    }
    let (family, tail) = name.split_once('/').map_or((name, None), |(family, tail)| (family, Some(tail)));
    match (family, tail) {
        ("responses", Some(tail)) => match_response(rest, tail),
        ("conversations", None) => Some(Route::new(Endpoint::Conversations, "POST", rest)),
        ("conversations", Some(tail)) => match_conversation(rest, tail),
        ("models", None) => Some(Route::new(Endpoint::Models, "GET", rest)),
        ("models", Some(tail)) => {
            let id = Some(segment::decode_model(tail)?);
            Some(Route { id, ..Route::new(Endpoint::ModelById, "GET", rest) })
        }
        ("files" | "uploads" | "batches" | "realtime", tail) => match_opaque(rest, family, tail),
        _ => None,
    }
}

/// `responses/{id}`, `responses/{id}/cancel`, `responses/{id}/input_items`.
fn match_response<'a>(rest: &'a str, tail: &'a str) -> Option<Route<'a>> {
    let (id, allowed) = match tail.split_once('/') {
        None => (tail, "GET, DELETE"),
        Some((id, "cancel")) => (id, "POST"),
        Some((id, "input_items")) => (id, "GET"),
        Some(_) => return None,
    };
    // Names of operations, not of responses.
    let is_operation = matches!(id, "compact" | "input_tokens");
    if is_operation || !segment::is_plain(id) {
        return None;
    }
    Some(Route { id: Some(Cow::Borrowed(id)), ..Route::new(Endpoint::ResponseById, allowed, rest) })
}

/// `conversations/{id}`, `conversations/{id}/items`, `conversations/{id}/items/{item}`.
fn match_conversation<'a>(rest: &'a str, tail: &'a str) -> Option<Route<'a>> {
    let (id, below) = tail.split_once('/').map_or((tail, None), |(id, below)| (id, Some(below)));
    let allowed = match below.map(|below| (below, below.strip_prefix("items/"))) {
        None => "GET, POST, DELETE",
        Some(("items", _)) => "GET, POST",
        Some((_, Some(item))) if segment::is_plain(item) => "GET, DELETE",
        Some(_) => return None,
    };
    if !segment::is_plain(id) {
        return None;
    }
    Some(Route { id: Some(Cow::Borrowed(id)), ..Route::new(Endpoint::Conversations, allowed, rest) })
}

/// Forward-lane families, each with the depths and methods it really has.
fn match_opaque<'a>(rest: &'a str, family: &str, tail: Option<&str>) -> Option<Route<'a>> {
    let (id, action) = match tail.map(|tail| tail.split_once('/').unwrap_or((tail, ""))) {
        None => ("", ""),
        Some((id, action)) if segment::is_plain(id) => (id, action),
        Some(_) => return None,
    };
    let allowed = match (family, id.is_empty(), action) {
        ("files", true, "") => "GET, POST",
        ("files", false, "") => "GET, DELETE",
        ("files", false, "content") => "GET",
        ("uploads", true, "") => "POST",
        ("uploads", false, "parts" | "complete" | "cancel") => "POST",
        ("batches", true, "") => "GET, POST",
        ("batches", false, "") => "GET",
        ("batches", false, "cancel") => "POST",
        ("realtime", true, "") => "GET",
        _ => return None,
    };
    Some(Route::new(Endpoint::Opaque, allowed, rest))
}

/// `{deployment}/{operation}` of Azure's classic paths.
fn match_deployment(rest: &str) -> Option<Route<'_>> {
    let slash = rest.find('/')?;
    let (deployment, operation) = rest.split_at_checked(slash)?;
    let is_deployed =
        !matches!(operation, "/responses" | "/responses/input_tokens" | "/moderations" | "/rerank");
    let route = match_openai(operation).filter(|route| route.allowed == "POST" && is_deployed)?;
    let is_exchange =
        !matches!(route.endpoint, Endpoint::Opaque | Endpoint::ResponseById | Endpoint::Conversations);
    let model = segment::decode_model(deployment)?;
    is_exchange.then_some(Route { model: Some(model), ..route })
}

/// `{id}/converse`, `{id}/converse-stream`, `{id}/invoke`, `{id}/invoke-with-response-stream` and
/// `{id}/count-tokens`.
fn match_bedrock(rest: &str) -> Option<Route<'_>> {
    let (raw, action) = rest.split_once('/')?;
    let endpoint = match action {
        "converse" => Endpoint::Converse,
        "converse-stream" => Endpoint::ConverseStream,
        "count-tokens" => Endpoint::BedrockCountTokens,
        "invoke" => Endpoint::Invoke,
        // Vectors are not streamed: it is Anthropic's, or not served.
        "invoke-with-response-stream" => Endpoint::Messages,
        _ => return None,
    };
    let model = Some(segment::decode_model(raw)?);
    let route = Route { model, dialect: Dialect::Bedrock, ..Route::new(endpoint, "POST", rest) };
    let dress = |is_stream| Some(Dress { host: Host::BedrockInvoke, is_stream: Some(is_stream) });
    Some(match endpoint {
        Endpoint::Messages => {
            Route { dress: dress(true), upstream: Upstream::Whole(anthropic_path(endpoint)), ..route }
        }
        Endpoint::Invoke => Route { dress: dress(false), upstream: Upstream::Bedrock { action }, ..route },
        _ => Route { upstream: Upstream::Bedrock { action }, ..route },
    })
}

/// `{project}/locations/{location}/publishers/{google|anthropic}/models/{m}:{action}`, and
/// `…/endpoints/openapi/chat/completions`: a Vertex client's path.
/// Project and location are the provider's to choose, as its credentials are.
fn match_vertex(rest: &str) -> Option<Route<'_>> {
    let mut segments = rest.splitn(4, '/');
    let (project, locations) = (segments.next()?, segments.next()?);
    let (location, rest) = (segments.next()?, segments.next()?);
    if !segment::is_plain(project) || locations != "locations" || !segment::is_plain(location) {
        return None;
    }
    if rest == "endpoints/openapi/chat/completions" {
        return Some(Route::new(Endpoint::ChatCompletions, "POST", "/chat/completions"));
    }
    let (publisher, model) = rest.strip_prefix("publishers/")?.split_once("/models/")?;
    let (raw, action) = model.rsplit_once(':')?;
    match publisher {
        "google" => match_vertex_google(raw, action),
        "anthropic" => match_vertex_claude(raw, action),
        _ => None,
    }
}

fn match_vertex_claude<'a>(raw: &'a str, action: &str) -> Option<Route<'a>> {
    let (endpoint, is_stream) = match (raw, action) {
        ("count-tokens", "rawPredict") => (Endpoint::CountTokens, None),
        (_, "rawPredict") => (Endpoint::Messages, Some(false)),
        (_, "streamRawPredict") => (Endpoint::Messages, Some(true)),
        _ => return None,
    };
    let model = match endpoint {
        Endpoint::CountTokens => None,
        _ => Some(segment::decode_model(raw)?),
    };
    let dress = Some(Dress { host: Host::Vertex, is_stream });
    Some(Route { model, dress, ..Route::new(endpoint, "POST", anthropic_path(endpoint)) })
}

fn match_vertex_google<'a>(raw: &'a str, action: &'a str) -> Option<Route<'a>> {
    let endpoint = match action {
        "generateContent" => Endpoint::GenerateContent,
        "streamGenerateContent" => Endpoint::StreamGenerateContent,
        "countTokens" => Endpoint::GeminiCountTokens,
        "embedContent" => Endpoint::EmbedContent,
        "predict" => Endpoint::Predict,
        _ => return None,
    };
    let route = Route::new(endpoint, "POST", raw);
    let upstream = Upstream::Model { version: "/v1beta/", action };
    Some(Route { model: Some(segment::decode_model(raw)?), upstream, ..route })
}

/// Everything below `/v1beta/`, which is Gemini's alone.
fn match_gemini<'a>(method: &Method, path: &'a str) -> Option<Route<'a>> {
    let route = match path.strip_prefix("/v1beta/")? {
        "models" => Route::new(Endpoint::Models, "GET", path),
        rest => match match_gemini_action(path) {
            Some(route) => route,
            None if method == Method::POST => return None,
            None => {
                let id = Some(segment::decode_model(rest.strip_prefix("models/")?)?);
                Route { id, ..Route::new(Endpoint::ModelById, "GET", path) }
            }
        },
    };
    Some(Route { dialect: Dialect::Gemini, ..route })
}

/// `{version}models/{m}:{action}` and `{version}tunedModels/{m}:{action}`, for both versions.
fn match_gemini_action(path: &str) -> Option<Route<'_>> {
    let version = if path.starts_with("/v1beta/") { "/v1beta/" } else { "/v1/" };
    let rest = path.strip_prefix(version)?;
    let raw = rest.strip_prefix("models/").or_else(|| rest.strip_prefix("tunedModels/"))?;
    let (raw, action) = raw.rsplit_once(':')?;
    let endpoint = match action {
        "generateContent" => Endpoint::GenerateContent,
        "streamGenerateContent" => Endpoint::StreamGenerateContent,
        "countTokens" => Endpoint::GeminiCountTokens,
        "embedContent" => Endpoint::EmbedContent,
        "batchEmbedContents" => Endpoint::BatchEmbedContents,
        _ => return None,
    };
    let model = segment::without_collection(segment::decode_model(raw)?);
    let route = Route::new(endpoint, "POST", path);
    Some(Route { model: Some(model), upstream: Upstream::Model { version, action }, ..route })
}
