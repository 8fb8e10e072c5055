//! Cohere's `/v2/chat`.

use crate::facts::{Answer, Class, Counts, Facts, list, number, raise, text};
use crate::frames::Frame;
use serde_json::Value;

pub fn whole(body: &Value) -> Answer {
    let mut answer = Answer::default();
    let facts = answer.choice(0);
    let message = &body["message"];
    facts.text(text(&message["content"]));
    list(&message["content"]).for_each(|part| add_part(facts, part));
    facts.think(text(&message["tool_plan"]));
    for call in list(&message["tool_calls"]) {
        add_call(facts, call);
    }
    facts.stop = class(text(&body["finish_reason"]));
    note_usage(&mut answer, &body["usage"]);
    answer
}

pub fn stream(frames: &[Frame]) -> Answer {
    let mut answer = Answer::default();
    for event in frames.iter().map(Frame::json) {
        let facts = answer.choice(0);
        let message = &event["delta"]["message"];
        match text(&event["type"]) {
            "content-start" | "content-delta" => add_part(facts, &message["content"]),
            "tool-plan-delta" => facts.think(text(&message["tool_plan"])),
            "tool-call-start" => add_call(facts, &message["tool_calls"]),
            "tool-call-delta" => {
                let piece = text(&message["tool_calls"]["function"]["arguments"]);
                if let Some(call) = facts.calls.last_mut() {
                    call.arguments.push_str(piece);
                }
            }
            "message-end" => {
                facts.stop = class(text(&event["delta"]["finish_reason"]));
                note_usage(&mut answer, &event["delta"]["usage"]);
            }
            _ => {}
        }
    }
    answer
}

fn add_part(facts: &mut Facts, part: &Value) {
    facts.think(text(&part["thinking"]));
    facts.text(text(&part["text"]));
}

fn add_call(facts: &mut Facts, call: &Value) {
    let function = &call["function"];
    facts.call(text(&call["id"]), text(&function["name"]), text(&function["arguments"]));
}

fn class(word: &str) -> Option<Class> {
    Some(match word {
        "" => return None,
        "COMPLETE" | "STOP_SEQUENCE" => Class::Normal,
        "MAX_TOKENS" => Class::Length,
        "TOOL_CALL" => Class::Tools,
        _ => Class::Other,
    })
}

fn note_usage(answer: &mut Answer, usage: &Value) {
    let tokens = if usage["tokens"].is_object() { &usage["tokens"] } else { &usage["billed_units"] };
    if !tokens.is_object() {
        return;
    }
    raise(
        &mut answer.usage,
        Counts {
            input: number(&tokens["input_tokens"]),
            cache_read: number(&usage["cached_tokens"]),
            output: number(&tokens["output_tokens"]),
            ..Counts::default()
        },
    );
}

/// What SDKs need of the events.
pub fn faults(frames: &[Frame], faults: &mut Vec<String>) {
    let events: Vec<Value> = frames.iter().map(Frame::json).collect();
    let words: Vec<&str> = events.iter().map(|event| text(&event["type"])).collect();
    if words.first() != Some(&"message-start") || text(&events[0]["id"]).is_empty() {
        faults.push("message-start with an id is not first".into());
    }
    if words.last() != Some(&"message-end") {
        faults.push("message-end is not last".into());
    }
    for (frame, word) in frames.iter().zip(&words) {
        if frame.name.as_deref() != Some(*word) {
            faults.push(format!("event {:?} is of type {word}", frame.name));
        }
    }
    let mut open: Vec<(&str, u64)> = Vec::new();
    for event in &events {
        let Some((kind, step)) = text(&event["type"]).rsplit_once('-') else { continue };
        if kind != "content" && kind != "tool-call" {
            continue;
        }
        let block = (if kind == "content" { "content" } else { "tool-call" }, number(&event["index"]));
        let place = open.iter().position(|known| *known == block);
        match (step, place) {
            ("start", None) => open.push(block),
            ("delta", Some(_)) => {}
            ("end", Some(place)) => {
                open.remove(place);
            }
            _ => faults.push(format!("{kind}-{step} of {} out of place", block.1)),
        }
        if (kind, step) == ("tool-call", "start") {
            let call = &event["delta"]["message"]["tool_calls"];
            if text(&call["id"]).is_empty() || text(&call["function"]["name"]).is_empty() {
                faults.push("tool-call-start lacks id or name".into());
            }
        }
    }
    if !open.is_empty() {
        faults.push(format!("never ended: {open:?}"));
    }
}
