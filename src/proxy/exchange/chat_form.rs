//! Prompts of protocols without a counter of their own, as the chat they are counted by.
//!
//! Not what is sent anywhere. Invariant: all that the model is shown of a request is in it, but for
//! what the chat form has no word for.

use crate::chat::{Losses, Target};
use crate::dialect::codec::{self, Called};
use crate::framing::json::{Duplicates, parse_bytes};
use crate::types::{Endpoint, Protocol};

/// The body as a chat; None for an endpoint whose bodies are counted as they are.
pub fn chat_form(endpoint: Endpoint, model: &str, body: &[u8]) -> Option<Result<Vec<u8>, String>> {
    let protocol = endpoint
        .protocol()
        .filter(|protocol| matches!(protocol, Protocol::Converse | Protocol::Cohere | Protocol::Ollama))?;
    Some(written(protocol, model, body))
}

fn written(protocol: Protocol, model: &str, body: &[u8]) -> Result<Vec<u8>, String> {
    let root = parse_bytes(body, Duplicates::LastCounts).map_err(|error| error.to_string())?;
    let called = Called { model: Some(model), is_stream: Some(false) };
    let request =
        codec::decode_request(protocol, &root, called).map_err(|refused| refused.message.to_string())?;
    let mut chat = Vec::with_capacity(body.len() + 256);
    codec::encode_request(Protocol::Chat, &request, &Target::new(model), &mut Losses::default(), &mut chat)
        .map_err(|refused| refused.message.to_string())?;
    Ok(chat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Counter, FactorTable, Family};

    const TEXT: &str = "The quick brown fox jumps over the lazy dog.";

    /// The tokens of a body, by its own endpoint or as a chat.
    fn count(endpoint: Endpoint, body: &str) -> u64 {
        let counter = Counter::new(FactorTable::default(), 0);
        let family = Family::of("gpt-4o");
        let chat = chat_form(endpoint, "gpt-4o", body.as_bytes());
        let (endpoint, body) = match chat {
            None => (endpoint, body.as_bytes().to_vec()),
            Some(chat) => (Endpoint::ChatCompletions, chat.unwrap()),
        };
        counter.count(endpoint, family, "gpt-4o", &body).unwrap().tokens
    }

    #[test]
    fn the_same_prompt_counts_the_same_in_every_protocol() {
        let chat = format!(
            r#"{{"messages":[{{"role":"system","content":"{TEXT}"}},{{"role":"user","content":"{TEXT}"}}]}}"#
        );
        let expected = count(Endpoint::ChatCompletions, &chat);
        let converse = format!(
            r#"{{"system":[{{"text":"{TEXT}"}}],"messages":[{{"role":"user","content":[{{"text":"{TEXT}"}}]}}]}}"#
        );
        let named = chat.replacen('{', r#"{"model":"m","#, 1);
        for (endpoint, body) in [
            (Endpoint::Converse, &converse),
            (Endpoint::ConverseStream, &converse),
            (Endpoint::CohereChat, &named),
            (Endpoint::OllamaChat, &named),
        ] {
            assert_eq!(count(endpoint, body), expected, "{endpoint:?}");
        }
        assert!(expected > 20, "{expected}");
    }

    #[test]
    fn what_is_no_request_is_said_so() {
        assert!(chat_form(Endpoint::Converse, "m", b"{}").unwrap().is_err());
        assert!(chat_form(Endpoint::Converse, "m", b"nonsense").unwrap().is_err());
        assert!(chat_form(Endpoint::ChatCompletions, "m", b"{}").is_none());
    }
}
