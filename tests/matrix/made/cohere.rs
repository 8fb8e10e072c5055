//! Cohere's `/v2/chat`.

use super::{Made, Manner, Piece, frame, pieces};
use crate::frames::Frame;
use serde_json::{Value, json};

fn usage(made: &Made) -> Value {
    let u = made.usage;
    json!({
        "billed_units": {"input_tokens": 1, "output_tokens": 1},
        "tokens": {"input_tokens": u.input, "output_tokens": u.output}, "cached_tokens": u.cache_read,
    })
}

pub fn whole(made: &Made) -> Value {
    let (mut content, mut calls) = (Vec::new(), Vec::new());
    for piece in &made.pieces {
        match piece {
            Piece::Think(text) => content.push(json!({"type": "thinking", "thinking": text})),
            Piece::Text(text) | Piece::Refusal(text) => content.push(json!({"type": "text", "text": text})),
            Piece::Call(id, name, arguments) => {
                let function = json!({"name": name, "arguments": arguments});
                calls.push(json!({"id": id, "type": "function", "function": function}));
            }
        }
    }
    let mut message = json!({"role": "assistant", "content": content});
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    json!({"id": "c1", "message": message, "finish_reason": made.stop, "usage": usage(made)})
}

pub fn stream(made: &Made, manner: Manner) -> Vec<Frame> {
    let mut out = Vec::new();
    let mut push = |kind: &str, index: usize, message: Value| {
        let data = json!({"type": kind, "index": index, "delta": {"message": message}});
        out.push(frame(Some(kind), &data));
    };
    push("message-start", 0, json!({"role": "assistant", "content": [], "tool_calls": []}));
    let (mut parts, mut calls) = (0, 0);
    for piece in &made.pieces {
        match piece {
            Piece::Think(text) | Piece::Text(text) | Piece::Refusal(text) => {
                let kind = if matches!(piece, Piece::Think(_)) { "thinking" } else { "text" };
                push("content-start", parts, json!({"content": {"type": kind, kind: ""}}));
                if manner.pads {
                    push("content-delta", parts, json!({"content": {kind: ""}}));
                    push("vendor-news", parts, json!({"note": "nobody knows this"}));
                }
                let cut = pieces(text, manner.every);
                cut.iter().for_each(|text| push("content-delta", parts, json!({"content": {kind: text}})));
                push("content-end", parts, Value::Null);
                parts += 1;
            }
            Piece::Call(id, name, arguments) => {
                let function = json!({"name": name, "arguments": ""});
                let call = json!({"id": id, "type": "function", "function": function});
                push("tool-call-start", calls, json!({"tool_calls": call}));
                for text in pieces(arguments, manner.every) {
                    let call = json!({"function": {"arguments": text}});
                    push("tool-call-delta", calls, json!({"tool_calls": call}));
                }
                push("tool-call-end", calls, Value::Null);
                calls += 1;
            }
        }
    }
    let delta = json!({"finish_reason": made.stop, "usage": usage(made)});
    out.push(frame(Some("message-end"), &json!({"type": "message-end", "id": "c1", "delta": delta})));
    out
}
