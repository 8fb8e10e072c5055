//! Prompts of protocols without a counter of their own, as the chat they are counted by.
//!
//! Not what is sent anywhere. Invariant: all that the model is shown of a request is in it, but for
//! what the chat form has no word for.

use crate::chat::{Losses, Refused, Request, Target};
use crate::dialect::codec::{self, Called};
use crate::framing::json::{Duplicates, JsonError, Node, parse_bytes};
use crate::types::{Endpoint, Protocol};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The body as a chat; None for an endpoint whose bodies are counted as they are.
pub fn chat_form(endpoint: Endpoint, model: &str, body: &[u8]) -> Option<Result<Vec<u8>, String>> {
    let protocol = match endpoint {
        Endpoint::BedrockCountTokens => return Some(of_count(model, body)),
        _ => endpoint.protocol()?,
    };
    let has_none = matches!(protocol, Protocol::Converse | Protocol::Cohere | Protocol::Ollama);
    has_none.then(|| written(protocol, model, &read(body)?))
}

fn read(body: &[u8]) -> Result<Node<'_>, String> {
    parse_bytes(body, Duplicates::LastCounts).map_err(|error: JsonError| error.to_string())
}

/// Bedrock's `CountTokens`: a Converse call, or Anthropic's body in base64.
fn of_count(model: &str, body: &[u8]) -> Result<Vec<u8>, String> {
    let root = read(body)?;
    let input = root.get("input").ok_or("`input` is missing")?;
    if let Some(converse) = input.get("converse") {
        return written(Protocol::Converse, model, converse);
    }
    let wrapped = input.get("invokeModel").and_then(|invoke| invoke.text_of("body"));
    let wrapped = wrapped.ok_or("`input` holds `converse` or `invokeModel`")?;
    let inner = STANDARD.decode(wrapped.as_bytes()).map_err(|_| "`body` is no base64")?;
    let inner = read(&inner)?;
    let called = Called { model: Some(model), is_stream: None };
    as_chat(model, &codec::messages::decode_count(&inner, called).map_err(said)?)
}

fn written(protocol: Protocol, model: &str, root: &Node<'_>) -> Result<Vec<u8>, String> {
    let called = Called { model: Some(model), is_stream: Some(false) };
    as_chat(model, &codec::decode_request(protocol, root, called).map_err(said)?)
}

fn as_chat(model: &str, request: &Request<'_>) -> Result<Vec<u8>, String> {
    let (mut chat, target) = (Vec::new(), Target::new(model));
    let mut losses = Losses::default();
    codec::encode_request(Protocol::Chat, request, &target, &mut losses, &mut chat).map_err(said)?;
    Ok(chat)
}

fn said(refused: Refused) -> String {
    refused.message.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Counter, FactorTable, Family};

    const TEXT: &str = "The quick brown fox jumps over the lazy dog.";

    /// The tokens of a body, by its own endpoint or as a chat.
    fn count(endpoint: Endpoint, body: &str) -> u64 {
        let counter = Counter::new(FactorTable::default(), 0);
        let (endpoint, body) = match chat_form(endpoint, "gpt-4o", body.as_bytes()) {
            None => (endpoint, body.as_bytes().to_vec()),
            Some(chat) => (Endpoint::ChatCompletions, chat.unwrap()),
        };
        counter.count(endpoint, Family::of("gpt-4o"), "gpt-4o", &body).unwrap().tokens
    }

    #[test]
    fn the_same_prompt_counts_the_same_in_every_protocol() {
        let turns = [("system", TEXT), ("user", TEXT)]
            .map(|(role, text)| serde_json::json!({"role": role, "content": text}));
        let chat = serde_json::json!({"model": "m", "messages": turns}).to_string();
        let expected = count(Endpoint::ChatCompletions, &chat);
        assert!(expected > 20, "{expected}");
        let user = serde_json::json!({"role": "user", "content": [{"text": TEXT}]});
        let converse = serde_json::json!({"system": [{"text": TEXT}], "messages": [user]});
        let messages =
            serde_json::json!({"system": TEXT, "messages": [{"role": "user", "content": TEXT}]}).to_string();
        let counted = serde_json::json!({"input": {"converse": converse}});
        let wrapped = serde_json::json!({"input": {"invokeModel": {"body": STANDARD.encode(messages)}}});
        for (endpoint, body) in [
            (Endpoint::Converse, converse.to_string()),
            (Endpoint::ConverseStream, converse.to_string()),
            (Endpoint::CohereChat, chat.clone()),
            (Endpoint::OllamaChat, chat.clone()),
            (Endpoint::BedrockCountTokens, counted.to_string()),
            (Endpoint::BedrockCountTokens, wrapped.to_string()),
        ] {
            assert_eq!(count(endpoint, &body), expected, "{endpoint:?} {body}");
        }
    }

    #[test]
    fn what_is_no_request_is_said_so() {
        for body in ["nonsense", "{}", r#"{"input":{}}"#, r#"{"input":{"invokeModel":{"body":"*"}}}"#] {
            assert!(
                chat_form(Endpoint::BedrockCountTokens, "m", body.as_bytes()).unwrap().is_err(),
                "{body}"
            );
            assert!(chat_form(Endpoint::Converse, "m", body.as_bytes()).unwrap().is_err(), "{body}");
        }
        assert!(chat_form(Endpoint::ChatCompletions, "m", b"{}").is_none());
    }
}
