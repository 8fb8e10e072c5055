//! Anthropic Messages.

use super::{Made, Manner, Piece, frame, pieces, runs, turns};
use crate::frames::Frame;
use serde_json::{Value, json};

/// `output_tokens` of the start is 1, as Anthropic's is.
fn usage(made: &Made) -> Value {
    let u = made.usage;
    json!({
        "input_tokens": u.input - u.cache_read - u.cache_write,
        "cache_read_input_tokens": u.cache_read, "cache_creation_input_tokens": u.cache_write,
        "output_tokens": u.output, "output_tokens_details": {"thinking_tokens": u.reasoning},
    })
}

fn message(content: Value, stop: Value, usage: Value) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": usage,
    })
}

pub fn whole(made: &Made) -> Value {
    let block = |piece: &Piece| match piece {
        Piece::Think(text) => json!({"type": "thinking", "thinking": text, "signature": "c2ln"}),
        Piece::Text(text) | Piece::Refusal(text) => json!({"type": "text", "text": text}),
        Piece::Call(id, name, arguments) => {
            let input: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
    };
    let content: Vec<Value> = made.pieces.iter().map(block).collect();
    message(json!(content), json!(made.stop), usage(made))
}

fn event(kind: &str, mut data: Value) -> Frame {
    data["type"] = json!(kind);
    frame(Some(kind), &data)
}

pub fn stream(made: &Made, manner: Manner) -> Vec<Frame> {
    let mut begun = usage(made);
    begun["output_tokens"] = json!(1);
    begun["output_tokens_details"] = Value::Null;
    let mut out = vec![event("message_start", json!({"message": message(json!([]), Value::Null, begun)}))];
    let mut index = 0;
    for run in runs(made) {
        let first = index;
        let interleaves = manner.interleaves && run.len() > 1;
        for piece in run {
            let (block, kind, key, text) = match piece {
                Piece::Think(text) => (
                    json!({"type": "thinking", "thinking": "", "signature": ""}),
                    "thinking",
                    "thinking",
                    *text,
                ),
                Piece::Text(text) | Piece::Refusal(text) => {
                    (json!({"type": "text", "text": ""}), "text", "text", *text)
                }
                Piece::Call(id, name, arguments) => {
                    let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                    (block, "input_json", "partial_json", *arguments)
                }
            };
            out.push(event("content_block_start", json!({"index": index, "content_block": block})));
            if manner.pads {
                out.push(event("ping", json!({})));
                out.push(event("vendor_news", json!({"note": "nobody knows this"})));
                let empty = json!({"type": format!("{kind}_delta"), key: ""});
                out.push(event("content_block_delta", json!({"index": index, "delta": empty})));
            }
            if !interleaves {
                for piece in pieces(text, manner.every) {
                    let delta = json!({"type": format!("{kind}_delta"), key: piece});
                    out.push(event("content_block_delta", json!({"index": index, "delta": delta})));
                }
                if kind == "thinking" {
                    let delta = json!({"type": "signature_delta", "signature": "c2ln"});
                    out.push(event("content_block_delta", json!({"index": index, "delta": delta})));
                }
                out.push(event("content_block_stop", json!({"index": index})));
            }
            index += 1;
        }
        if interleaves {
            for (place, piece) in turns(run, manner) {
                let delta = json!({"type": "input_json_delta", "partial_json": piece});
                out.push(event("content_block_delta", json!({"index": first + place, "delta": delta})));
            }
            (first..index).for_each(|index| out.push(event("content_block_stop", json!({"index": index}))));
        }
    }
    let told = match manner.repeats_usage {
        true => usage(made),
        false => {
            json!({"output_tokens": made.usage.output, "output_tokens_details": {"thinking_tokens": made.usage.reasoning}})
        }
    };
    let delta = json!({"stop_reason": made.stop, "stop_sequence": null});
    out.push(event("message_delta", json!({"delta": delta, "usage": told})));
    out.push(event("message_stop", json!({})));
    out
}
