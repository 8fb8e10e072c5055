//! Ollama's `/api/chat`: calls come whole.

use super::{Made, Manner, Piece, frame, pieces};
use crate::frames::Frame;
use serde_json::{Value, json};

fn line(message: Value) -> Value {
    json!({"model": "m", "created_at": "2026-08-07T06:08:39.41Z", "message": message, "done": false})
}

fn end(made: &Made, mut line: Value) -> Value {
    line["done"] = json!(true);
    line["done_reason"] = json!(made.stop);
    line["prompt_eval_count"] = json!(made.usage.input);
    line["eval_count"] = json!(made.usage.output);
    line["total_duration"] = json!(5_000_000_000_u64);
    line
}

fn call(piece: &Piece) -> Option<Value> {
    let Piece::Call(id, name, arguments) = piece else { return None };
    let arguments: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
    Some(json!({"id": id, "function": {"name": name, "arguments": arguments}}))
}

pub fn whole(made: &Made) -> Value {
    let of = |wanted: fn(&Piece) -> Option<&'static str>| -> String {
        made.pieces.iter().filter_map(wanted).collect()
    };
    let text = of(|piece| match piece {
        Piece::Text(text) | Piece::Refusal(text) => Some(text),
        _ => None,
    });
    let thinking = of(|piece| if let Piece::Think(text) = piece { Some(text) } else { None });
    let mut message = json!({"role": "assistant", "content": text});
    if !thinking.is_empty() {
        message["thinking"] = json!(thinking);
    }
    let calls: Vec<Value> = made.pieces.iter().filter_map(call).collect();
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    end(made, line(message))
}

pub fn stream(made: &Made, manner: Manner) -> Vec<Frame> {
    let mut out = Vec::new();
    let mut push = |message: Value| out.push(frame(None, &line(message)));
    for piece in &made.pieces {
        match piece {
            Piece::Think(text) => pieces(text, manner.every)
                .iter()
                .for_each(|text| push(json!({"role": "assistant", "content": "", "thinking": text}))),
            Piece::Text(text) | Piece::Refusal(text) => pieces(text, manner.every)
                .iter()
                .for_each(|text| push(json!({"role": "assistant", "content": text}))),
            Piece::Call(..) => push(json!({"role": "assistant", "content": "", "tool_calls": [call(piece)]})),
        }
        if manner.pads {
            push(json!({"role": "assistant", "content": ""}));
        }
    }
    if manner.pads {
        out.push(frame(None, &json!({"vendor_news": "nobody knows this"})));
    }
    out.push(frame(None, &end(made, line(json!({"role": "assistant", "content": ""})))));
    out
}
