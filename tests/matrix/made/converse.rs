//! Bedrock Converse.

use super::{Made, Manner, Piece, frame, pieces, runs, turns};
use crate::frames::Frame;
use serde_json::{Value, json};

fn usage(made: &Made) -> Value {
    let u = made.usage;
    json!({
        "inputTokens": u.input - u.cache_read - u.cache_write, "outputTokens": u.output,
        "totalTokens": u.input + u.output,
        "cacheReadInputTokens": u.cache_read, "cacheWriteInputTokens": u.cache_write,
    })
}

pub fn whole(made: &Made) -> Value {
    let block = |piece: &Piece| match piece {
        Piece::Think(text) => {
            json!({"reasoningContent": {"reasoningText": {"text": text, "signature": "c2ln"}}})
        }
        Piece::Text(text) | Piece::Refusal(text) => json!({"text": text}),
        Piece::Call(id, name, arguments) => {
            let input: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
            json!({"toolUse": {"toolUseId": id, "name": name, "input": input}})
        }
    };
    let content: Vec<Value> = made.pieces.iter().map(block).collect();
    json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": made.stop, "usage": usage(made), "metrics": {"latencyMs": 7},
    })
}

pub fn stream(made: &Made, manner: Manner) -> Vec<Frame> {
    let mut out = Vec::new();
    let mut push = |name: &str, mut data: Value| {
        data["p"] = json!("abcdef");
        out.push(frame(Some(name), &data));
    };
    push("messageStart", json!({"role": "assistant"}));
    let mut index = 0;
    for run in runs(made) {
        let first = index;
        let interleaves = manner.interleaves && run.len() > 1;
        for piece in run {
            let at = index;
            index += 1;
            let delta = |delta: Value| json!({"contentBlockIndex": at, "delta": delta});
            let (text, form): (&str, fn(&str) -> Value) = match piece {
                Piece::Think(text) => (text, |text| json!({"reasoningContent": {"text": text}})),
                Piece::Text(text) | Piece::Refusal(text) => (text, |text| json!({"text": text})),
                Piece::Call(id, name, arguments) => {
                    let tool = json!({"toolUseId": id, "name": name});
                    push("contentBlockStart", json!({"contentBlockIndex": at, "start": {"toolUse": tool}}));
                    (arguments, |text| json!({"toolUse": {"input": text}}))
                }
            };
            if manner.pads {
                push("contentBlockDelta", delta(form("")));
                push("vendorNews", json!({"note": "nobody knows this"}));
            }
            if interleaves {
                continue;
            }
            pieces(text, manner.every).iter().for_each(|piece| push("contentBlockDelta", delta(form(piece))));
            if matches!(piece, Piece::Think(_)) {
                push("contentBlockDelta", delta(json!({"reasoningContent": {"signature": "c2ln"}})));
            }
            push("contentBlockStop", json!({"contentBlockIndex": at}));
        }
        if interleaves {
            for (place, piece) in turns(run, manner) {
                let delta = json!({"toolUse": {"input": piece}});
                push("contentBlockDelta", json!({"contentBlockIndex": first + place, "delta": delta}));
            }
            (first..index).for_each(|at| push("contentBlockStop", json!({"contentBlockIndex": at})));
        }
    }
    push("messageStop", json!({"stopReason": made.stop}));
    push("metadata", json!({"usage": usage(made), "metrics": {"latencyMs": 7}}));
    out
}
