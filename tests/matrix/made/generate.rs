//! Gemini: calls come whole, usage with every chunk.

use super::{Made, Manner, Piece, frame, pieces};
use crate::frames::Frame;
use serde_json::{Value, json};

fn usage(made: &Made) -> Value {
    let u = made.usage;
    json!({
        "promptTokenCount": u.input, "cachedContentTokenCount": u.cache_read,
        "candidatesTokenCount": u.output - u.reasoning, "thoughtsTokenCount": u.reasoning,
        "totalTokenCount": u.input + u.output,
    })
}

fn call(piece: &Piece) -> Option<Value> {
    let Piece::Call(id, name, arguments) = piece else { return None };
    let args: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
    Some(json!({"functionCall": {"id": id, "name": name, "args": args}}))
}

fn answer(parts: Value, finish: Value, usage: Value) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
    if !finish.is_null() {
        candidate["finishReason"] = finish;
    }
    let mut answer = json!({"candidates": [candidate], "modelVersion": "m", "responseId": "r1"});
    if !usage.is_null() {
        answer["usageMetadata"] = usage;
    }
    answer
}

pub fn whole(made: &Made) -> Value {
    let part = |piece: &Piece| match piece {
        Piece::Think(text) => json!({"text": text, "thought": true}),
        Piece::Text(text) | Piece::Refusal(text) => json!({"text": text}),
        Piece::Call(..) => call(piece).unwrap(),
    };
    let parts: Vec<Value> = made.pieces.iter().map(part).collect();
    answer(json!(parts), json!(made.stop), usage(made))
}

pub fn stream(made: &Made, manner: Manner) -> Vec<Frame> {
    let mut parts: Vec<Value> = Vec::new();
    for piece in &made.pieces {
        match piece {
            Piece::Think(text) => {
                let cut = pieces(text, manner.every).into_iter();
                parts.extend(cut.map(|text| json!({"text": text, "thought": true})));
            }
            Piece::Text(text) | Piece::Refusal(text) => {
                parts.extend(pieces(text, manner.every).into_iter().map(|text| json!({"text": text})));
            }
            Piece::Call(..) => parts.extend(call(piece)),
        }
        if manner.pads {
            parts.push(json!({"text": ""}));
        }
    }
    // Several parts in one chunk, where deltas are interleaved elsewhere.
    let size = if manner.interleaves { 3 } else { 1 };
    let begun = json!({"promptTokenCount": made.usage.input, "totalTokenCount": made.usage.input});
    let mut out = Vec::new();
    for chunk in parts.chunks(size) {
        let told = if manner.repeats_usage { begun.clone() } else { Value::Null };
        out.push(frame(None, &answer(json!(chunk), Value::Null, told)));
        if manner.pads {
            out.push(frame(None, &json!({"vendorNews": {"note": "nobody knows this"}})));
        }
    }
    let last = if manner.pads { json!([{"text": ""}]) } else { json!([]) };
    out.push(frame(None, &answer(last, json!(made.stop), usage(made))));
    out
}
