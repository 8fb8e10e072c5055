//! The beginning of an answer that another target is asked to go on with, and how its request says so.
//!
//! Not here: whether a stream may be gone on with (`recover`), and how what comes is joined to what was
//! (`dialect::codec::continued`). Invariant: a target that is not known to go on exactly where the
//! beginning ends is not given one.

use super::attempt::Aim;
use crate::chat::{Block, BlockKind, PrefillStyle, Request, Role, Seam, Turn};
use crate::dialect::codec::Recorder;
use crate::framing::json::{Duplicates, parse_bytes};
use crate::runtime::{Lane, Way};
use crate::types::{Protocol, Reason, Reject};
use std::sync::Arc;

/// What the next target is given of a stream that broke.
pub struct Beginning {
    /// What the client has, without white space at its end.
    pub text: Arc<str>,
    pub seam: Seam,
    /// Output tokens of it.
    pub tokens: u64,
    /// The target that broke it.
    pub broken: Option<usize>,
    /// Bits of the targets that may go on with it.
    pub targets: u64,
    /// Where what the next one says is kept until it is taken over.
    pub recorder: Recorder,
}

/// One target's form of it.
pub struct Prefill {
    text: Arc<str>,
    tokens: u64,
    style: PrefillStyle,
}

impl Beginning {
    /// Whether a target may go on with it.
    pub fn fits(&self, target: usize) -> bool {
        let bit = u32::try_from(target).ok().and_then(|bit| self.targets.checked_shr(bit));
        bit.is_some_and(|bits| bits & 1 == 1)
    }
}

impl Prefill {
    /// For where `aim` goes; None for a call that begins anew.
    pub fn of(aim: &Aim<'_>, way: &Way) -> Option<Self> {
        let begun = aim.begun?;
        let streams = &aim.policy.streams;
        let style = streams.prefill(aim.target, aim.provider, Lane::Same(way), aim.upstream_model);
        let style = style.unwrap_or(PrefillStyle::Plain);
        Some(Self { text: begun.text.clone(), tokens: begun.tokens, style })
    }

    /// Puts the beginning at the end of the conversation.
    ///
    /// # Errors
    /// Nobody could go on with it exactly.
    pub fn begin(&self, request: &mut Request<'_>) -> Result<(), Reject> {
        let thinks = request.reasoning.as_ref().is_some_and(|reasoning| !reasoning.is_off);
        if request.output.is_some() || thinks {
            return Err(inexact("an answer in a form or with thinking"));
        }
        // What was said counts against the client's limit.
        request.max_output = request.max_output.map(|most| most.saturating_sub(self.tokens).max(1));
        if self.text.is_empty() {
            return Ok(());
        }
        match request.turns.last_mut().filter(|turn| turn.role == Role::Assistant) {
            None => {
                let said = Block::text(self.text.to_string());
                request.turns.push(Turn::new(Role::Assistant, vec![said]));
            }
            // The client began the answer itself: what came is behind that.
            Some(turn) if request.from == Protocol::Messages => match turn.blocks.last_mut() {
                Some(Block { kind: BlockKind::Text { text, .. }, .. }) => text.to_mut().push_str(&self.text),
                _ => return Err(inexact("an answer that its client began")),
            },
            Some(_) => return Err(inexact("an answer that its client may have begun")),
        }
        Ok(())
    }

    /// Says in a written body that its last turn is gone on with.
    pub fn mark(&self, protocol: Protocol, body: Vec<u8>) -> Vec<u8> {
        if protocol != Protocol::Chat || self.text.is_empty() {
            return body;
        }
        match self.style {
            PrefillStyle::Plain => body,
            PrefillStyle::Prefix => in_last_message(body, b",\"prefix\":true"),
            PrefillStyle::Partial => in_last_message(body, b",\"partial\":true"),
            PrefillStyle::ContinueFinalMessage => {
                const SAID: &[u8] = b"{\"continue_final_message\":true,\"add_generation_prompt\":false,";
                [SAID, body.strip_prefix(b"{").unwrap_or_default()].concat()
            }
        }
    }
}

/// `body` with `member` at the end of its last message.
fn in_last_message(body: Vec<u8>, member: &[u8]) -> Vec<u8> {
    let end = parse_bytes(&body, Duplicates::LastCounts).ok().and_then(|root| {
        let last = root.get("messages")?.items().last()?;
        Some((last.at() as usize + last.raw().len()).saturating_sub(1))
    });
    match end.and_then(|end| body.split_at_checked(end)) {
        Some((before, behind)) => [before, member, behind].concat(),
        None => body,
    }
}

fn inexact(what: &str) -> Reject {
    Reject::new(Reason::InvalidRequest, format!("{what} cannot be gone on with"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::codec::{self, Called};
    use serde_json::{Value, json};

    fn prefill(style: PrefillStyle) -> Prefill {
        Prefill { text: "Once upon".into(), tokens: 2, style }
    }

    /// The chat body that goes up for `body` of a client of `from`.
    fn written(from: Protocol, style: PrefillStyle, body: &Value) -> Result<Value, Reject> {
        let bytes = body.to_string();
        let root = parse_bytes(bytes.as_bytes(), Duplicates::Refuse).unwrap();
        let called = Called { model: None, is_stream: Some(true) };
        let mut request = codec::decode_request(from, &root, called).unwrap();
        let prefill = prefill(style);
        prefill.begin(&mut request)?;
        let (mut losses, mut out) = (crate::chat::Losses::default(), Vec::new());
        let target = crate::chat::Target::new("m");
        codec::encode_request(Protocol::Chat, &request, &target, &mut losses, &mut out).unwrap();
        Ok(serde_json::from_slice(&prefill.mark(Protocol::Chat, out)).unwrap())
    }

    fn asked() -> Value {
        json!({"model": "m", "messages": [{"role": "user", "content": "Tell me."}], "max_tokens": 10})
    }

    #[test]
    fn the_beginning_is_the_last_turn_and_each_style_says_so_in_its_way() {
        for (style, message, beside) in [
            (PrefillStyle::Plain, json!({}), json!({})),
            (PrefillStyle::Prefix, json!({"prefix": true}), json!({})),
            (PrefillStyle::Partial, json!({"partial": true}), json!({})),
            (
                PrefillStyle::ContinueFinalMessage,
                json!({}),
                json!({"continue_final_message": true, "add_generation_prompt": false}),
            ),
        ] {
            let body = written(Protocol::Chat, style, &asked()).unwrap();
            let mut last = json!({"role": "assistant", "content": "Once upon"});
            last.as_object_mut().unwrap().extend(message.as_object().unwrap().clone());
            assert_eq!(body["messages"][1], last, "{style:?}");
            assert_eq!(body["messages"].as_array().unwrap().len(), 2);
            assert_eq!(body["max_tokens"], 8, "two of ten are said");
            for key in ["continue_final_message", "add_generation_prompt"] {
                assert_eq!(body.get(key), beside.get(key), "{style:?} {key}");
            }
        }
    }

    #[test]
    fn a_beginning_of_the_clients_own_goes_on_where_its_protocol_knows_such_a_thing() {
        let mut begun = asked();
        begun["messages"].as_array_mut().unwrap().push(json!({"role": "assistant", "content": "Well: "}));
        let body = written(Protocol::Messages, PrefillStyle::Plain, &begun).unwrap();
        assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "Well: Once upon"}));
        assert!(written(Protocol::Chat, PrefillStyle::Plain, &begun).is_err());
    }

    #[test]
    fn an_answer_in_a_form_or_with_thinking_is_not_gone_on_with() {
        for (key, value) in
            [("response_format", json!({"type": "json_object"})), ("reasoning_effort", json!("low"))]
        {
            let mut body = asked();
            body[key] = value;
            assert!(written(Protocol::Chat, PrefillStyle::Plain, &body).is_err(), "{key}");
        }
    }
}
