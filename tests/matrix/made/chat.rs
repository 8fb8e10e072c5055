//! OpenAI chat completions, with DeepSeek's `reasoning_content`.

use super::{Made, Manner, Piece, frame, pieces, runs, turns};
use crate::frames::Frame;
use serde_json::{Value, json};

fn usage(made: &Made) -> Value {
    let u = made.usage;
    json!({
        "prompt_tokens": u.input, "completion_tokens": u.output, "total_tokens": u.input + u.output,
        "prompt_tokens_details": {"cached_tokens": u.cache_read, "cache_write_tokens": u.cache_write},
        "completion_tokens_details": {"reasoning_tokens": u.reasoning},
    })
}

pub fn whole(made: &Made) -> Value {
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    for piece in &made.pieces {
        match piece {
            Piece::Think(text) => add(&mut message["reasoning_content"], text),
            Piece::Text(text) => add(&mut message["content"], text),
            Piece::Refusal(text) => add(&mut message["refusal"], text),
            Piece::Call(id, name, arguments) => {
                if message["tool_calls"].is_null() {
                    message["tool_calls"] = json!([]);
                }
                let function = json!({"name": name, "arguments": arguments});
                let call = json!({"id": id, "type": "function", "function": function});
                message["tool_calls"].as_array_mut().unwrap().push(call);
            }
        }
    }
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_760_000_000, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": made.stop, "logprobs": null}],
        "usage": usage(made),
    })
}

fn add(field: &mut Value, text: &str) {
    *field = json!(field.as_str().unwrap_or_default().to_owned() + text);
}

pub fn stream(made: &Made, manner: Manner) -> Vec<Frame> {
    let mut out = Vec::new();
    let mut push = |delta: Value, finish: Value| {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": null}]);
        out.push(chunk(choices, if manner.repeats_usage { usage(made) } else { Value::Null }));
        if manner.pads && finish.is_null() {
            out.push(chunk(json!([{"index": 0, "delta": {}, "finish_reason": null}]), Value::Null));
            let empty = json!([{"index": 0, "delta": {"content": ""}, "finish_reason": null}]);
            out.push(chunk(empty, Value::Null));
            out.push(frame(None, &json!({"object": "vendor.news", "note": "nobody knows this"})));
        }
    };
    push(json!({"role": "assistant", "content": ""}), Value::Null);
    let mut calls = 0;
    for run in runs(made) {
        let first = calls;
        for piece in run {
            match piece {
                Piece::Think(text) => {
                    pieces(text, manner.every)
                        .iter()
                        .for_each(|p| push(json!({"reasoning_content": p}), Value::Null));
                }
                Piece::Text(text) => {
                    pieces(text, manner.every).iter().for_each(|p| push(json!({"content": p}), Value::Null));
                }
                Piece::Refusal(text) => {
                    pieces(text, manner.every).iter().for_each(|p| push(json!({"refusal": p}), Value::Null));
                }
                Piece::Call(id, name, _) => {
                    let function = json!({"name": name, "arguments": ""});
                    let call = json!({"index": calls, "id": id, "type": "function", "function": function});
                    push(json!({"tool_calls": [call]}), Value::Null);
                    calls += 1;
                    if !manner.interleaves {
                        let own = turns(std::slice::from_ref(piece), manner);
                        for (_, piece) in own {
                            let call = json!({"index": calls - 1, "function": {"arguments": piece}});
                            push(json!({"tool_calls": [call]}), Value::Null);
                        }
                    }
                }
            }
        }
        if manner.interleaves {
            for (place, piece) in turns(run, manner) {
                let call = json!({"index": first + place, "function": {"arguments": piece}});
                push(json!({"tool_calls": [call]}), Value::Null);
            }
        }
    }
    push(json!({}), json!(made.stop));
    out.push(chunk(json!([]), usage(made)));
    out.push(Frame { name: None, data: "[DONE]".to_owned() });
    out
}

fn chunk(choices: Value, usage: Value) -> Frame {
    let mut chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "m",
        "choices": choices, "obfuscation": "x",
    });
    if !usage.is_null() {
        chunk["usage"] = usage;
    }
    frame(None, &chunk)
}
