//! All protocols, as far as a test of translated calls must know them.

use super::{Answer, Config, Gateway, Request, Sim};
use crate::frames::Frame;
use crate::made;
use crate::walk;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidegate::sim::{Behaviour, ScriptFraming, ScriptedReply};
use tidegate::types::Protocol;

/// The model at a strict simulator that speaks `protocol`.
pub fn upstream_model(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Chat | Protocol::Responses => "gpt-4o",
        Protocol::Messages => "claude-sonnet-4-5",
        Protocol::Generate => "gemini-3-pro-preview",
        Protocol::Converse => "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        Protocol::Cohere => "command-a-03-2025",
        Protocol::Ollama => "llama3.1",
    }
}

/// What clients call the model behind `protocol`.
pub fn model(protocol: Protocol) -> String {
    format!("to-{}", protocol.as_str())
}

/// The provider kind of the configuration.
fn kind(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Chat | Protocol::Responses => "openai-compatible",
        Protocol::Messages => "anthropic-compatible",
        Protocol::Generate => "gemini-compatible",
        Protocol::Converse => "bedrock-compatible",
        Protocol::Cohere => "cohere-compatible",
        Protocol::Ollama => "ollama-compatible",
    }
}

/// A provider that speaks `protocol` alone, named `name`.
pub fn provider(config: Config, name: &str, protocol: Protocol, addr: SocketAddr) -> Config {
    let version = if matches!(protocol, Protocol::Chat | Protocol::Responses) { "/v1" } else { "" };
    config
        .table(&format!("providers.{name}"))
        .set(&format!("kind = \"{}\"", kind(protocol)))
        .set(&format!("base_url = \"http://{addr}{version}\""))
        .set(&format!("protocols = [\"{}\"]", protocol.as_str()))
}

/// A gateway before `sim`, with a model for each protocol.
pub fn config(sim: &Sim) -> Config {
    let mut config = Config::new();
    for protocol in Protocol::ALL {
        let name = protocol.as_str();
        config = provider(config, name, protocol, sim.addr());
        config = config.model(&model(protocol), &[&format!("{name}={}", upstream_model(protocol))]);
    }
    config
}

/// That gateway, its simulator refusing what vendors refuse.
pub fn strict() -> (Sim, Gateway) {
    let sim = Sim::start();
    sim.behave(Behaviour { strict: true, ..Behaviour::default() });
    let gateway = Gateway::start(config(&sim));
    (sim, gateway)
}

/// That gateway, its simulator answering what it is told to.
pub fn scripted() -> (Sim, Gateway) {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim));
    (sim, gateway)
}

/// Where clients of `protocol` call `model`.
pub fn path(protocol: Protocol, model: &str, is_stream: bool) -> String {
    match (protocol, is_stream) {
        (Protocol::Chat, _) => "/v1/chat/completions".to_owned(),
        (Protocol::Responses, _) => "/v1/responses".to_owned(),
        (Protocol::Messages, _) => "/v1/messages".to_owned(),
        (Protocol::Generate, false) => format!("/v1beta/models/{model}:generateContent"),
        (Protocol::Generate, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        (Protocol::Converse, false) => format!("/model/{model}/converse"),
        (Protocol::Converse, true) => format!("/model/{model}/converse-stream"),
        (Protocol::Cohere, _) => "/v2/chat".to_owned(),
        (Protocol::Ollama, _) => "/api/chat".to_owned(),
    }
}

/// A small body: one user's sentence.
pub fn body(protocol: Protocol, text: &str) -> Value {
    let user = json!([{"role": "user", "content": text}]);
    match protocol {
        Protocol::Chat | Protocol::Cohere | Protocol::Ollama => json!({"messages": user}),
        Protocol::Responses => json!({"input": text}),
        Protocol::Messages => json!({"max_tokens": 64, "messages": user}),
        Protocol::Generate => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        Protocol::Converse => json!({"messages": [{"role": "user", "content": [{"text": text}]}]}),
    }
}

/// A call of `model` with `body`, to which model and stream are added where they stand in it.
pub fn call(protocol: Protocol, model: &str, is_stream: bool, body: &Value) -> Request {
    let mut body = body.clone();
    if !matches!(protocol, Protocol::Generate | Protocol::Converse) {
        body["model"] = json!(model);
        // Ollama streams unless it is told not to.
        if is_stream || protocol == Protocol::Ollama {
            body["stream"] = json!(is_stream);
        }
    }
    if is_stream && protocol == Protocol::Chat {
        body["stream_options"] = json!({"include_usage": true});
    }
    let request = Request::post(&path(protocol, model, is_stream), body.to_string());
    match protocol {
        Protocol::Messages => request.header("anthropic-version", "2023-06-01"),
        _ => request,
    }
}

/// What an answer that was made by hand is as a reply.
pub fn reply(protocol: Protocol, frames: &[Frame]) -> ScriptedReply {
    let (body, kind) = made::bytes(protocol, frames);
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    ScriptedReply { headers, body, framing: ScriptFraming::Chunked, ..ScriptedReply::default() }
}

/// Reads a client's answer by hand; fails where its form is not what the protocol's SDKs need.
#[track_caller]
pub fn read(protocol: Protocol, answer: &mut Answer, is_stream: bool, what: &str) -> crate::facts::Answer {
    let status = answer.status;
    let bytes = answer.body();
    assert_eq!(status, 200, "{what}: {}", String::from_utf8_lossy(&bytes));
    if !is_stream {
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(walk::whole_faults(protocol, &body), [""; 0], "{what}: {body}");
        return walk::whole(protocol, &body);
    }
    let frames = walk::cut(protocol, &bytes);
    let faults = walk::faults(protocol, &bytes, &frames);
    assert_eq!(faults, [""; 0], "{what}: {}", String::from_utf8_lossy(&bytes));
    walk::stream(protocol, &frames)
}

/// The message of a refusal in the protocol's own error form, and the field it names apart, where
/// that form has a place for one.
#[track_caller]
pub fn error(protocol: Protocol, body: &Value, what: &str) -> String {
    let message = match protocol {
        Protocol::Chat | Protocol::Responses => {
            assert!(body["error"]["type"].is_string(), "{what}: {body}");
            &body["error"]["message"]
        }
        Protocol::Messages => {
            assert!(body["type"] == "error" && body["error"]["type"].is_string(), "{what}: {body}");
            &body["error"]["message"]
        }
        Protocol::Generate => {
            assert!(body["error"]["code"].is_u64() && body["error"]["status"].is_string(), "{what}: {body}");
            &body["error"]["message"]
        }
        Protocol::Converse | Protocol::Cohere => &body["message"],
        Protocol::Ollama => &body["error"],
    };
    let message = message.as_str().unwrap_or_else(|| panic!("{what}: no message in {body}"));
    assert!(!message.is_empty(), "{what}: {body}");
    message.to_owned()
}
