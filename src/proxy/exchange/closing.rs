//! The proper end of a stream that is cut because its budget is spent: as if the model had reached its
//! most tokens, in the client's dialect, with the usage so far.
//!
//! What a stream's end must repeat of its beginning is kept while it passes: the first frames where
//! that is enough, an encoder that follows along where it is not. Invariant: bounded by the first
//! frames, or by what an encoder keeps anyway.

use super::listener::Listener;
use crate::dialect::codec::{self, Owed, Translator};
use crate::types::{Endpoint, Protocol, Usage};
use serde_json::json;

/// What is kept of the first frames at most.
const FIRST_BYTES_MAX: usize = 8 * 1024;
/// Frames that are kept: the one with the ids, and the one with the first content.
const FIRST_FRAMES: usize = 2;

/// What a closing needs to know of the stream it ends.
pub enum Closing {
    /// The first frames, as they came.
    First(Owed, Vec<Vec<u8>>),
    /// Follows the stream; what it writes is not sent.
    Shadow(Box<Translator>, Vec<u8>),
}

impl Closing {
    /// For a stream whose bytes pass as they are.
    pub fn of(endpoint: Endpoint, owed: Owed) -> Self {
        match endpoint.protocol() {
            Some(
                protocol @ (Protocol::Responses | Protocol::Converse | Protocol::Cohere | Protocol::Ollama),
            ) => {
                let translator = Translator::new(codec::decoder(protocol), codec::encoder(protocol, owed));
                Self::Shadow(Box::new(translator), Vec::new())
            }
            _ => Self::First(owed, Vec::new()),
        }
    }

    pub fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8]) {
        match self {
            Self::First(_, frames) => {
                if frames.len() < FIRST_FRAMES && data.len() <= FIRST_BYTES_MAX {
                    frames.push(data.to_vec());
                }
            }
            Self::Shadow(translator, unsent) => {
                let _ = translator.on_frame(name, data, unsent, &mut |_| {});
                unsent.clear();
            }
        }
    }

    /// The bytes that end the stream.
    fn close(self, listener: &Listener, usage: Usage) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Shadow(mut translator, _) => translator.cut(usage, &mut out),
            Self::First(owed, frames) => match listener.endpoint {
                Endpoint::Messages => messages(listener.open_index(), usage, &mut out),
                Endpoint::Completions => completions(&owed, &frames, usage, &mut out),
                endpoint => {
                    let Some(protocol) = endpoint.protocol() else { return out };
                    let mut again = Translator::new(codec::decoder(protocol), codec::encoder(protocol, owed));
                    let mut unsent = Vec::new();
                    for frame in &frames {
                        let _ = again.on_frame(None, frame, &mut unsent, &mut |_| {});
                    }
                    again.cut(usage, &mut out);
                }
            },
        }
        out
    }
}

/// What ends a stream of `listener`'s now, with the reason as a comment where the form has comments.
pub fn close(listener: &mut Listener, usage: Usage) -> Vec<u8> {
    let closing = listener.take_closing();
    let mut out = Vec::new();
    if listener.has_comments() {
        out.extend_from_slice(b": budget_exceeded\n\n");
    }
    match closing {
        Some(closing) => out.extend(closing.close(listener, usage)),
        None => listener.cut_translated(usage, &mut out),
    }
    out
}

/// Anthropic's: the open block ends, then the message.
fn messages(open: Option<u64>, usage: Usage, out: &mut Vec<u8>) {
    let mut event = |name: &str, data: serde_json::Value| {
        out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
    };
    if let Some(index) = open {
        event("content_block_stop", json!({"type": "content_block_stop", "index": index}));
    }
    let delta = json!({"stop_reason": "max_tokens", "stop_sequence": null});
    let told = json!({"output_tokens": usage.output});
    event("message_delta", json!({"type": "message_delta", "delta": delta, "usage": told}));
    event("message_stop", json!({"type": "message_stop"}));
}

/// OpenAI's older completions, which no codec knows.
fn completions(owed: &Owed, frames: &[Vec<u8>], usage: Usage, out: &mut Vec<u8>) {
    let read = |frame: &Vec<u8>| serde_json::from_slice::<serde_json::Value>(frame).ok();
    let mut chunk = frames.iter().find_map(read).unwrap_or_else(|| json!({}));
    let last = json!([{"text": "", "index": 0, "logprobs": null, "finish_reason": "length"}]);
    let mut event = |chunk: &serde_json::Value| {
        out.extend_from_slice(format!("data: {chunk}\n\n").as_bytes());
    };
    if let Some(fields) = chunk.as_object_mut() {
        fields.insert("choices".to_owned(), last);
        fields.remove("usage");
        event(&chunk);
    }
    if let Some(fields) = chunk.as_object_mut().filter(|_| owed.wants_usage) {
        let (input, output) = (usage.input, usage.output);
        let told =
            json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": usage.total()});
        fields.insert("choices".to_owned(), json!([]));
        fields.insert("usage".to_owned(), told);
        event(&chunk);
    }
    out.extend_from_slice(b"data: [DONE]\n\n");
}
