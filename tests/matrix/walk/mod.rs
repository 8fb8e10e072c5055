//! Readers of answers by hand, one file a protocol: whole, streamed, and what a client's SDK needs of
//! a stream's form.

pub mod chat;
pub mod cohere;
pub mod converse;
pub mod generate;
pub mod messages;
pub mod ollama;
pub mod responses;

use crate::facts::Answer;
use crate::frames::{self, Frame};
use serde_json::Value;
use tidegate::types::Protocol;

pub fn whole(protocol: Protocol, body: &Value) -> Answer {
    let answer = match protocol {
        Protocol::Chat => chat::whole(body),
        Protocol::Responses => responses::whole(body),
        Protocol::Messages => messages::whole(body),
        Protocol::Generate => generate::whole(body),
        Protocol::Converse => converse::whole(body),
        Protocol::Cohere => cohere::whole(body),
        Protocol::Ollama => ollama::whole(body),
    };
    answer.finished()
}

pub fn stream(protocol: Protocol, frames: &[Frame]) -> Answer {
    let answer = match protocol {
        Protocol::Chat => chat::stream(frames),
        Protocol::Responses => responses::stream(frames),
        Protocol::Messages => messages::stream(frames),
        Protocol::Generate => generate::stream(frames),
        Protocol::Converse => converse::stream(frames),
        Protocol::Cohere => cohere::stream(frames),
        Protocol::Ollama => ollama::stream(frames),
    };
    answer.finished()
}

/// The frames of a stream as this protocol sends it.
pub fn cut(protocol: Protocol, body: &[u8]) -> Vec<Frame> {
    match protocol {
        Protocol::Converse => frames::eventstream(body),
        Protocol::Ollama => frames::lines(body),
        _ => frames::sse(body),
    }
}

/// What is wrong with the form of a whole stream, for this protocol's SDKs; nothing is right.
pub fn faults(protocol: Protocol, body: &[u8], frames: &[Frame]) -> Vec<String> {
    let mut faults = Vec::new();
    match protocol {
        Protocol::Chat => chat::faults(frames, &mut faults),
        Protocol::Responses => responses::faults(frames, &mut faults),
        Protocol::Messages => messages::faults(frames, &mut faults),
        Protocol::Generate => generate::faults(body, frames, &mut faults),
        Protocol::Converse => converse::faults(frames, &mut faults),
        Protocol::Cohere => cohere::faults(frames, &mut faults),
        Protocol::Ollama => ollama::faults(frames, &mut faults),
    }
    faults
}

/// What is wrong with a whole answer's form.
pub fn whole_faults(protocol: Protocol, body: &Value) -> Vec<String> {
    let needed: &[(&str, Option<&str>)] = match protocol {
        Protocol::Chat => &[
            ("/id", None),
            ("/object", Some("chat.completion")),
            ("/created", None),
            ("/model", None),
            ("/choices", None),
        ],
        Protocol::Responses => &[
            ("/id", None),
            ("/object", Some("response")),
            ("/created_at", None),
            ("/model", None),
            ("/status", None),
            ("/output", None),
        ],
        Protocol::Messages => &[
            ("/id", None),
            ("/type", Some("message")),
            ("/role", Some("assistant")),
            ("/model", None),
            ("/content", None),
            ("/stop_reason", None),
            ("/usage/input_tokens", None),
            ("/usage/output_tokens", None),
        ],
        Protocol::Generate => &[("/modelVersion", None), ("/responseId", None)],
        Protocol::Converse => &[
            ("/output/message/role", Some("assistant")),
            ("/output/message/content", None),
            ("/stopReason", None),
            ("/usage/inputTokens", None),
            ("/usage/outputTokens", None),
            ("/usage/totalTokens", None),
            ("/metrics/latencyMs", None),
        ],
        Protocol::Cohere => &[("/id", None), ("/message/role", Some("assistant")), ("/finish_reason", None)],
        Protocol::Ollama => &[
            ("/model", None),
            ("/created_at", None),
            ("/message/role", Some("assistant")),
            ("/message/content", None),
            ("/done_reason", None),
        ],
    };
    let is_wrong = |(path, word): &&(&str, Option<&str>)| {
        let value = body.pointer(path).unwrap_or(&Value::Null);
        value.is_null() || word.is_some_and(|word| value != word)
    };
    needed.iter().filter(is_wrong).map(|(path, _)| format!("{path} is missing or wrong")).collect()
}
