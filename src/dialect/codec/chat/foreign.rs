//! Bodies of clients that an upstream of their own protocol would not take as they are: they hold other
//! vendors' proofs, or lack the thinking that it wants back.

use crate::framing::json::{Duplicates, Node, parse_bytes};
use memchr::memmem::Finder;
use std::sync::LazyLock;

// Made once: each of them is looked for in every body.
static ENVELOPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("tg1"));
static TOOL_CALLS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"tool_calls\""));

/// Whether a chat body holds an envelope, in a slot or in an id. A provider would refuse it (ids have
/// a longest length) or think it its own: such a body must be decoded and encoded, also for an
/// upstream of its own protocol.
pub fn holds_foreign(body: &[u8]) -> bool {
    ENVELOPE.find_iter(body).any(|at| {
        let before = at.checked_sub(1).and_then(|before| body.get(before));
        matches!((before, body.get(at + 3)), (Some(b'"'), Some(b'.')) | (Some(b'-'), Some(b'-')))
    })
}

/// Whether an assistant's message with tool calls has no `reasoning_content`, which targets that echo
/// thinking in it refuse (DeepSeek: "The reasoning_content in the thinking mode must be passed back to
/// the API"): for them such a body must be decoded and encoded, which puts an empty one there.
pub fn lacks_reasoning(body: &[u8]) -> bool {
    if TOOL_CALLS.find(body).is_none() {
        return false;
    }
    let Ok(root) = parse_bytes(body, Duplicates::LastCounts) else { return false };
    root.get("messages").map(Node::items).unwrap_or_default().iter().any(|message| {
        let calls = message.get("tool_calls").map(Node::items).unwrap_or_default();
        !calls.is_empty() && message.text_of("reasoning_content").is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_are_found_and_nothing_else() {
        assert!(holds_foreign(br#"{"reasoning_details":[{"signature": "tg1.a.QQ"}]}"#));
        assert!(holds_foreign(br#"{"tool_call_id":"call_1-tg1-gQQ"}"#));
        assert!(holds_foreign(br#"{"content":"tg1","tool_call_id":"call_1-tg1-gQQ"}"#));
        assert!(!holds_foreign(br#"{"content":"tg1","id":"-tg1."}"#));
        assert!(!holds_foreign(b"tg1") && !holds_foreign(b"-tg1"));
        assert!(!holds_foreign(br#"{"content":"tg1 is a word","id":"call_1"}"#));
    }

    #[test]
    fn calls_without_their_thinking_are_found() {
        let body = |more: &str| {
            let call = r#"{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}"#;
            format!(r#"{{"messages":[{{"role":"assistant","content":null{more},"tool_calls":[{call}]}}]}}"#)
        };
        assert!(lacks_reasoning(body("").as_bytes()));
        assert!(lacks_reasoning(body(r#","reasoning_content":null"#).as_bytes()));
        assert!(!lacks_reasoning(body(r#","reasoning_content":"""#).as_bytes()));
        assert!(!lacks_reasoning(br#"{"messages":[{"role":"user","content":"\"tool_calls\""}]}"#));
        assert!(!lacks_reasoning(br#"{"messages":[{"role":"assistant","content":"x","tool_calls":[]}]}"#));
    }
}
