//! OpenAI Responses.

use super::{Made, Manner, Piece, Told, frame, pieces, runs, turns};
use crate::frames::Frame;
use serde_json::{Value, json};

fn usage(made: &Made) -> Value {
    let u = made.usage;
    json!({
        "input_tokens": u.input, "output_tokens": u.output, "total_tokens": u.input + u.output,
        "input_tokens_details": {"cached_tokens": u.cache_read, "cache_write_tokens": u.cache_write},
        "output_tokens_details": {"reasoning_tokens": u.reasoning},
    })
}

/// `completed`, or the reason why it is incomplete.
fn response(made: &Made, output: Value) -> Value {
    let mut response = json!({
        "id": "resp_1", "object": "response", "created_at": 1_760_000_000, "model": "m", "output": output,
        "status": "completed", "error": null, "incomplete_details": null, "usage": usage(made),
    });
    if made.stop != "completed" {
        response["status"] = json!("incomplete");
        response["incomplete_details"] = json!({"reason": made.stop});
    }
    response
}

fn item(at: usize, piece: &Piece) -> Value {
    let status = "completed";
    match piece {
        Piece::Think(text) => {
            let summary = json!([{"type": "summary_text", "text": text}]);
            json!({"id": format!("rs_{at}"), "type": "reasoning", "summary": summary, "encrypted_content": "Z0FB"})
        }
        Piece::Text(text) => {
            let part = json!({"type": "output_text", "text": text, "annotations": []});
            json!({"id": format!("msg_{at}"), "type": "message", "role": "assistant", "status": status, "content": [part]})
        }
        Piece::Refusal(text) => {
            let part = json!({"type": "refusal", "refusal": text});
            json!({"id": format!("msg_{at}"), "type": "message", "role": "assistant", "status": status, "content": [part]})
        }
        Piece::Call(id, name, arguments) => json!({
            "id": format!("fc_{at}"), "type": "function_call", "call_id": id, "name": name, "arguments": arguments, "status": status,
        }),
    }
}

pub fn whole(made: &Made) -> Value {
    let output: Vec<Value> = made.pieces.iter().enumerate().map(|(at, piece)| item(at, piece)).collect();
    response(made, json!(output))
}

struct Out {
    frames: Vec<Frame>,
    manner: Manner,
}

impl Out {
    fn push(&mut self, kind: &str, mut data: Value) {
        data["type"] = json!(kind);
        data["sequence_number"] = json!(self.frames.len());
        self.frames.push(frame(Some(kind), &data));
    }

    fn pad(&mut self) {
        if self.manner.pads {
            self.push("response.vendor_news.delta", json!({"note": "nobody knows this"}));
        }
    }

    /// One item that talks: thinking, text or refusal.
    fn talk(&mut self, at: usize, piece: &Piece) {
        let (part, name, text, list) = match piece {
            Piece::Think(text) => (
                json!({"type": "summary_text", "text": ""}),
                "reasoning_summary_text",
                *text,
                "summary_index",
            ),
            Piece::Refusal(text) => {
                (json!({"type": "refusal", "refusal": ""}), "refusal", *text, "content_index")
            }
            Piece::Text(text) | Piece::Call(_, _, text) => (
                json!({"type": "output_text", "text": "", "annotations": []}),
                "output_text",
                *text,
                "content_index",
            ),
        };
        let done = item(at, piece);
        let place = |mut data: Value| {
            data["item_id"] = done["id"].clone();
            data["output_index"] = json!(at);
            data[list] = json!(0);
            data
        };
        let mut added = done.clone();
        added["status"] = json!("in_progress");
        let key = if list == "summary_index" { "summary" } else { "content" };
        added[key] = json!([]);
        self.push("response.output_item.added", json!({"output_index": at, "item": added}));
        let part_name = if list == "summary_index" { "reasoning_summary_part" } else { "content_part" };
        self.push(&format!("response.{part_name}.added"), place(json!({"part": part})));
        self.pad();
        if self.manner.told != Told::Done {
            if self.manner.pads {
                self.push(&format!("response.{name}.delta"), place(json!({"delta": ""})));
            }
            for piece in pieces(text, self.manner.every) {
                self.push(&format!("response.{name}.delta"), place(json!({"delta": piece})));
            }
        }
        if self.manner.told != Told::Deltas {
            let key = if name == "refusal" { "refusal" } else { "text" };
            self.push(&format!("response.{name}.done"), place(json!({key: text})));
            let part = done[if list == "summary_index" { "summary" } else { "content" }][0].clone();
            self.push(&format!("response.{part_name}.done"), place(json!({"part": part})));
        }
        self.push("response.output_item.done", json!({"output_index": at, "item": done}));
    }

    fn calls(&mut self, first: usize, run: &[Piece]) {
        let begin = |out: &mut Out, at: usize, piece: &Piece| {
            let mut added = item(at, piece);
            added["arguments"] = json!("");
            added["status"] = json!("in_progress");
            out.push("response.output_item.added", json!({"output_index": at, "item": added}));
            out.pad();
        };
        let end = |out: &mut Out, at: usize, piece: &Piece| {
            let done = item(at, piece);
            if out.manner.told != Told::Deltas {
                let told = json!({"item_id": done["id"], "output_index": at, "arguments": done["arguments"]});
                out.push("response.function_call_arguments.done", told);
            }
            out.push("response.output_item.done", json!({"output_index": at, "item": done}));
        };
        let tell = |out: &mut Out, at: usize, piece: String| {
            let told = json!({"item_id": format!("fc_{at}"), "output_index": at, "delta": piece});
            out.push("response.function_call_arguments.delta", told);
        };
        let (manner, has_deltas) = (self.manner, self.manner.told != Told::Done);
        if manner.interleaves {
            run.iter().enumerate().for_each(|(place, piece)| begin(self, first + place, piece));
            if has_deltas {
                turns(run, manner).into_iter().for_each(|(place, piece)| tell(self, first + place, piece));
            }
            run.iter().enumerate().for_each(|(place, piece)| end(self, first + place, piece));
            return;
        }
        for (place, piece) in run.iter().enumerate() {
            begin(self, first + place, piece);
            if has_deltas {
                let own = turns(std::slice::from_ref(piece), manner);
                own.into_iter().for_each(|(_, piece)| tell(self, first + place, piece));
            }
            end(self, first + place, piece);
        }
    }
}

pub fn stream(made: &Made, manner: Manner) -> Vec<Frame> {
    let mut out = Out { frames: Vec::new(), manner };
    let mut begun = response(made, json!([]));
    begun["status"] = json!("in_progress");
    begun["usage"] = Value::Null;
    out.push("response.created", json!({"response": begun}));
    out.push("response.in_progress", json!({"response": begun}));
    let mut at = 0;
    for run in runs(made) {
        match run {
            [Piece::Call(..), ..] => out.calls(at, run),
            [piece, ..] => out.talk(at, piece),
            [] => {}
        }
        at += run.len();
    }
    let whole = whole(made);
    let last = if made.stop == "completed" { "response.completed" } else { "response.incomplete" };
    out.push(last, json!({"response": whole}));
    out.frames
}
