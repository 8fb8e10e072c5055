//! Anthropic Messages.

use crate::facts::{Answer, Class, Counts, Facts, list, number, raise, text};
use crate::frames::Frame;
use serde_json::Value;
use std::collections::BTreeMap;

pub fn whole(body: &Value) -> Answer {
    let mut answer = Answer { is_error: body["type"] == "error", ..Answer::default() };
    let facts = answer.choice(0);
    for block in list(&body["content"]) {
        add(facts, block);
    }
    facts.stop = class(text(&body["stop_reason"]));
    note_usage(&mut answer, &body["usage"]);
    answer
}

pub fn stream(frames: &[Frame]) -> Answer {
    let mut answer = Answer::default();
    let mut calls: BTreeMap<u64, usize> = BTreeMap::new();
    for event in frames.iter().map(Frame::json) {
        let index = number(&event["index"]);
        match text(&event["type"]) {
            "error" => answer.is_error = true,
            "message_start" => {
                answer.choice(0);
                note_usage(&mut answer, &event["message"]["usage"]);
            }
            "content_block_start" => {
                if let Some(at) = add(answer.choice(0), &event["content_block"]) {
                    calls.insert(index, at);
                }
            }
            "content_block_delta" => {
                let (facts, delta) = (answer.choice(0), &event["delta"]);
                facts.text(text(&delta["text"]));
                facts.think(text(&delta["thinking"]));
                if let (Some(at), Some(piece)) = (calls.get(&index), delta["partial_json"].as_str()) {
                    let arguments = &mut facts.calls[*at].arguments;
                    if arguments == "{}" {
                        arguments.clear();
                    }
                    arguments.push_str(piece);
                }
            }
            "message_delta" => {
                let facts = answer.choice(0);
                facts.stop = class(text(&event["delta"]["stop_reason"])).or(facts.stop);
                note_usage(&mut answer, &event["usage"]);
            }
            _ => {}
        }
    }
    answer
}

fn add(facts: &mut Facts, block: &Value) -> Option<usize> {
    match text(&block["type"]) {
        "text" => facts.text(text(&block["text"])),
        "thinking" => facts.think(text(&block["thinking"])),
        "tool_use" => {
            return Some(facts.call(text(&block["id"]), text(&block["name"]), block["input"].to_string()));
        }
        _ => {}
    }
    None
}

fn class(word: &str) -> Option<Class> {
    Some(match word {
        "" => return None,
        // The table: a pause is a stop.
        "end_turn" | "stop_sequence" | "pause_turn" => Class::Normal,
        "max_tokens" | "model_context_window_exceeded" => Class::Length,
        "tool_use" => Class::Tools,
        "refusal" => Class::Blocked,
        _ => Class::Other,
    })
}

fn note_usage(answer: &mut Answer, usage: &Value) {
    if !usage.is_object() {
        return;
    }
    let kept = &usage["cache_creation"];
    let parts = number(&kept["ephemeral_5m_input_tokens"]) + number(&kept["ephemeral_1h_input_tokens"]);
    let (read, write) =
        (number(&usage["cache_read_input_tokens"]), number(&usage["cache_creation_input_tokens"]).max(parts));
    // The parts of the input are raised one by one: the total is made of what was raised.
    let old = answer.usage.unwrap_or_default();
    let plain = number(&usage["input_tokens"]).max(old.input - old.cache_read - old.cache_write);
    let (read, write) = (read.max(old.cache_read), write.max(old.cache_write));
    raise(
        &mut answer.usage,
        Counts {
            input: plain + read + write,
            cache_read: read,
            cache_write: write,
            output: number(&usage["output_tokens"]),
            reasoning: number(&usage["output_tokens_details"]["thinking_tokens"]),
        },
    );
}

/// What SDKs need of the events.
pub fn faults(frames: &[Frame], faults: &mut Vec<String>) {
    let events: Vec<Value> = frames.iter().map(Frame::json).collect();
    for (frame, event) in frames.iter().zip(&events) {
        if frame.name.as_deref() != event["type"].as_str() {
            faults.push(format!("event {:?} is of type {}", frame.name, event["type"]));
        }
    }
    let words: Vec<&str> = events.iter().map(|event| text(&event["type"])).filter(|w| *w != "ping").collect();
    if words.first() != Some(&"message_start") {
        faults.push("message_start is not first".into());
    }
    if !words.ends_with(&["message_delta", "message_stop"]) {
        faults.push("message_delta and message_stop are not last".into());
    }
    let message = &events[0]["message"];
    if text(&message["id"]).is_empty() || message["usage"]["input_tokens"].is_null() {
        faults.push("message_start lacks id or usage".into());
    }
    let (mut next, mut open) = (0, None);
    for event in &events {
        let index = event["index"].as_u64();
        match text(&event["type"]) {
            "content_block_start" => {
                if open.is_some() || index != Some(next) {
                    faults.push(format!("block {index:?} opened while {open:?} was open, {next} is next"));
                }
                open = index;
                next += 1;
            }
            "content_block_delta" if index.is_none() || index != open => {
                faults.push(format!("a delta of {index:?} while {open:?} was open"));
            }
            "content_block_stop" => {
                if index.is_none() || index != open {
                    faults.push(format!("{index:?} stopped while {open:?} was open"));
                }
                open = None;
            }
            "message_delta" if open.is_some() => faults.push("message_delta inside a block".into()),
            _ => {}
        }
    }
}
