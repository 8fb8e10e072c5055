//! The last event of a stream that failed after it began.
//!
//! Invariant: no terminal event of success goes with it (`[DONE]`, `message_stop`,
//! `response.completed`), so a client cannot take the cut for an end.

use serde::Serialize;

use super::{anthropic, bedrock, cohere, gemini, ollama, openai, render_body, to_json};
use crate::types::{Dialect, Endpoint, Reject};

/// How far a Gemini stream sent as one JSON array has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrayState {
    /// Nothing but white space has gone out.
    NotOpened,
    /// `[` has, or an element and its comma: the next thing is an element.
    ExpectsElement,
    /// An element has, without a comma.
    AfterElement,
    /// Half an element has: no byte would be legal now, the connection can only be cut.
    InsideElement,
}

/// How the stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamForm {
    /// Server-sent events; the client has been sent whole events only.
    Sse,
    /// Gemini without `alt=sse`.
    JsonArray(ArrayState),
}

/// Where in which stream the failure happened.
#[derive(Clone, Copy, Debug)]
pub struct StreamPlace<'a> {
    pub endpoint: Endpoint,
    pub form: StreamForm,
    pub request_id: &'a str,
    /// Responses: the id the upstream gave, once seen.
    pub response_id: Option<&'a str>,
    /// Responses: one more than the last `sequence_number` sent.
    pub next_sequence: u64,
}

/// The bytes that end the stream as failed. Responses get two events, as OpenAI sends them: `error`,
/// at which its SDKs raise, and `response.failed`, which other clients (Codex) wait for. The others
/// get one.
pub fn render_stream_error(place: &StreamPlace<'_>, reject: &Reject) -> Vec<u8> {
    if let StreamForm::JsonArray(state) = place.form {
        return json_array(state, &render_body(Dialect::Gemini, reject, place.request_id));
    }
    match place.endpoint {
        Endpoint::Responses | Endpoint::ResponseById => responses(place, reject),
        endpoint => match endpoint.dialect() {
            Dialect::OpenAi => event("", &openai::Body::new(reject, place.request_id), "\n"),
            Dialect::Anthropic => event("error", &anthropic::Body::new(reject, place.request_id), "\n"),
            Dialect::Gemini => event("", &gemini::Body::new(reject, place.request_id), "\r\n"),
            Dialect::Bedrock => bedrock::exception_frame(reject, place.request_id),
            Dialect::Cohere => event("message-end", &cohere::End::new(reject), "\n"),
            Dialect::Ollama => {
                [to_json(&ollama::Body::new(reject, place.request_id)), b"\n".to_vec()].concat()
            }
        },
    }
}

/// One event; `name` empty for none.
fn event<T: Serialize>(name: &str, data: &T, line_end: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    if !name.is_empty() {
        bytes.extend_from_slice(format!("event: {name}{line_end}").as_bytes());
    }
    bytes.extend_from_slice(b"data: ");
    bytes.extend_from_slice(&to_json(data));
    bytes.extend_from_slice(line_end.as_bytes());
    bytes.extend_from_slice(line_end.as_bytes());
    bytes
}

fn json_array(state: ArrayState, error: &[u8]) -> Vec<u8> {
    let before: &[u8] = match state {
        ArrayState::NotOpened => b"[",
        ArrayState::ExpectsElement => b"",
        ArrayState::AfterElement => b",\r\n",
        ArrayState::InsideElement => return Vec::new(),
    };
    [before, error, b"\r\n]"].concat()
}

#[derive(Serialize)]
struct ErrorEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    error: openai::Error<'a>,
    // The documented form of the event has these at the top; OpenAI sends them nested. Both are read.
    code: &'static str,
    message: &'a str,
    param: Option<&'a str>,
}

#[derive(Serialize)]
struct FailedEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    response: FailedResponse<'a>,
}

/// As much of a response as clients need to build one of theirs.
#[derive(Serialize)]
struct FailedResponse<'a> {
    id: &'a str,
    object: &'static str,
    status: &'static str,
    error: ResponseError<'a>,
    incomplete_details: Option<()>,
    output: [(); 0],
    usage: Option<()>,
}

#[derive(Serialize)]
struct ResponseError<'a> {
    code: &'static str,
    message: &'a str,
}

fn responses(place: &StreamPlace<'_>, reject: &Reject) -> Vec<u8> {
    let code = reject.reason.as_str();
    let error = ErrorEvent {
        kind: "error",
        sequence_number: place.next_sequence,
        error: openai::Error::new(reject, place.request_id),
        code,
        message: &reject.message,
        param: reject.param.as_deref(),
    };
    let response = FailedResponse {
        id: place.response_id.unwrap_or(place.request_id),
        object: "response",
        status: "failed",
        error: ResponseError { code, message: &reject.message },
        incomplete_details: None,
        output: [],
        usage: None,
    };
    let failed = FailedEvent {
        kind: "response.failed",
        sequence_number: place.next_sequence.saturating_add(1),
        response,
    };
    [event("error", &error, "\n"), event("response.failed", &failed, "\n")].concat()
}
