//! Ollama's `/api/chat`.

use crate::facts::{Answer, Class, Counts, list, number, raise, text};
use crate::frames::Frame;
use serde_json::Value;

pub fn whole(body: &Value) -> Answer {
    let mut answer = Answer::default();
    add(&mut answer, body);
    answer
}

pub fn stream(frames: &[Frame]) -> Answer {
    let mut answer = Answer::default();
    for line in frames.iter().map(Frame::json) {
        add(&mut answer, &line);
    }
    answer
}

fn add(answer: &mut Answer, body: &Value) {
    answer.is_error |= !body["error"].is_null();
    let facts = answer.choice(0);
    let message = &body["message"];
    facts.think(text(&message["thinking"]));
    facts.text(text(&message["content"]));
    for call in list(&message["tool_calls"]) {
        let function = &call["function"];
        facts.call(text(&call["id"]), text(&function["name"]), function["arguments"].to_string());
    }
    facts.stop = match text(&body["done_reason"]) {
        "" => facts.stop,
        "stop" => Some(Class::Normal),
        "length" => Some(Class::Length),
        _ => Some(Class::Other),
    };
    if body["prompt_eval_count"].is_number() || body["eval_count"].is_number() {
        raise(
            &mut answer.usage,
            Counts {
                input: number(&body["prompt_eval_count"]),
                output: number(&body["eval_count"]),
                ..Counts::default()
            },
        );
    }
}

/// What SDKs need of the lines.
pub fn faults(frames: &[Frame], faults: &mut Vec<String>) {
    for (number_of, line) in frames.iter().map(Frame::json).enumerate() {
        let is_last = number_of + 1 == frames.len();
        if line["done"] != is_last {
            faults.push(format!("line {number_of} of {} is done: {}", frames.len(), line["done"]));
        }
        let has_head = line["model"].is_string() && line["created_at"].is_string();
        if !has_head || line["message"]["role"] != "assistant" || !line["message"]["content"].is_string() {
            faults.push(format!("line {number_of} lacks model, created_at or message"));
        }
        for call in list(&line["message"]["tool_calls"]) {
            if !call["function"]["arguments"].is_object() {
                faults.push("arguments are no object".into());
            }
        }
    }
}
