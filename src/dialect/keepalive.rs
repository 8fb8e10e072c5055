//! Bytes that keep a silent stream alive and mean nothing: without them the client reads the same.
//!
//! Not here: when to send them. Invariant: they are legal only between two events; the caller never
//! puts them inside one.

use std::borrow::Cow;

use crate::types::{Dialect, Endpoint};

/// A content block of an Anthropic stream that has started and not stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenBlock {
    pub index: u64,
    pub kind: BlockKind,
}

/// What an empty delta of the block looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    Text,
    Thinking,
    /// `tool_use` and `server_tool_use`.
    ToolInput,
    /// No empty delta is known to be harmless.
    Other,
}

/// What the client has been sent so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepaliveState {
    BeforeFirstEvent,
    BetweenEvents {
        open_block: Option<OpenBlock>,
    },
    /// Gemini without `alt=sse`: one growing JSON array, between two elements or before the first.
    JsonArray,
}

/// The keepalive that is legal here.
///
/// OpenAI: a comment. Anthropic: `ping` once `message_start` has gone, a comment before it, and an
/// empty delta inside an open block, because newer Claude Code does not count pings as life. Gemini:
/// an empty line, because google-genai takes every non-empty line that is not `data: ` for JSON.
pub fn keepalive(endpoint: Endpoint, state: KeepaliveState) -> Cow<'static, [u8]> {
    const COMMENT: &[u8] = b": keepalive\n\n";
    const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";
    match (endpoint.dialect(), state) {
        (_, KeepaliveState::JsonArray) => Cow::Borrowed(b"\n"),
        (Dialect::Gemini, _) => Cow::Borrowed(b"\r\n"),
        (Dialect::Anthropic, KeepaliveState::BetweenEvents { open_block }) => {
            open_block.and_then(empty_delta).map_or(Cow::Borrowed(PING), Cow::Owned)
        }
        (Dialect::Anthropic | Dialect::OpenAi | Dialect::Cohere, _) => Cow::Borrowed(COMMENT),
        // An empty line is no line of NDJSON to any reader of it. Amazon's event streams have no message
        // that means nothing: boto3 passes over events it does not know, but the typed SDKs (Java, Go,
        // Rust) hand them to the program.
        (Dialect::Ollama, _) => Cow::Borrowed(b"\n"),
        (Dialect::Bedrock, _) => Cow::Borrowed(b""),
    }
}

fn empty_delta(block: OpenBlock) -> Option<Vec<u8>> {
    let delta = match block.kind {
        BlockKind::Text => r#"{"type":"text_delta","text":""}"#,
        BlockKind::Thinking => r#"{"type":"thinking_delta","thinking":""}"#,
        BlockKind::ToolInput => r#"{"type":"input_json_delta","partial_json":""}"#,
        BlockKind::Other => return None,
    };
    let data = format!(r#"{{"type":"content_block_delta","index":{},"delta":{delta}}}"#, block.index);
    Some(format!("event: content_block_delta\ndata: {data}\n\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(endpoint: Endpoint, open_block: Option<OpenBlock>) -> String {
        String::from_utf8(keepalive(endpoint, KeepaliveState::BetweenEvents { open_block }).into_owned())
            .unwrap()
    }

    #[test]
    fn openai_streams_get_comments_in_every_state() {
        for endpoint in [Endpoint::ChatCompletions, Endpoint::Completions, Endpoint::Responses] {
            assert_eq!(&*keepalive(endpoint, KeepaliveState::BeforeFirstEvent), b": keepalive\n\n");
            assert_eq!(between(endpoint, None), ": keepalive\n\n");
        }
    }

    #[test]
    fn anthropic_gets_no_event_before_message_start_and_pings_after_it() {
        assert_eq!(&*keepalive(Endpoint::Messages, KeepaliveState::BeforeFirstEvent), b": keepalive\n\n");
        assert_eq!(between(Endpoint::Messages, None), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    }

    #[test]
    fn an_open_block_gets_an_empty_delta_of_its_own_kind() {
        for (kind, field) in [
            (BlockKind::Text, "text"),
            (BlockKind::Thinking, "thinking"),
            (BlockKind::ToolInput, "partial_json"),
        ] {
            let event = between(Endpoint::Messages, Some(OpenBlock { index: 3, kind }));
            let data = event.strip_prefix("event: content_block_delta\ndata: ").unwrap();
            let data: serde_json::Value = serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap();
            assert_eq!(data["index"], 3);
            assert_eq!(data["type"], "content_block_delta");
            assert_eq!(data["delta"][field], "");
        }
        let other = between(Endpoint::Messages, Some(OpenBlock { index: 0, kind: BlockKind::Other }));
        assert!(other.starts_with("event: ping\n"), "{other}");
    }

    #[test]
    fn newer_dialects_get_what_their_readers_pass_over_and_bedrock_nothing() {
        assert_eq!(between(Endpoint::CohereChat, None), ": keepalive\n\n");
        assert_eq!(between(Endpoint::OllamaChat, None), "\n");
        assert_eq!(between(Endpoint::ConverseStream, None), "");
    }

    #[test]
    fn gemini_gets_white_space_only_in_either_form() {
        for state in [
            KeepaliveState::BeforeFirstEvent,
            KeepaliveState::BetweenEvents { open_block: None },
            KeepaliveState::JsonArray,
        ] {
            let bytes = keepalive(Endpoint::StreamGenerateContent, state);
            assert!(!bytes.is_empty() && bytes.iter().all(u8::is_ascii_whitespace));
        }
    }
}
