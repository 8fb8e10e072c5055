//! Bedrock Converse.

use crate::facts::{Answer, Class, Counts, Facts, list, number, raise, text};
use crate::frames::Frame;
use serde_json::Value;
use std::collections::BTreeMap;

pub fn whole(body: &Value) -> Answer {
    let mut answer = Answer::default();
    let facts = answer.choice(0);
    for block in list(&body["output"]["message"]["content"]) {
        facts.text(text(&block["text"]));
        list(&block["citationsContent"]["content"]).for_each(|piece| facts.text(text(&piece["text"])));
        facts.think(text(&block["reasoningContent"]["reasoningText"]["text"]));
        add_call(facts, &block["toolUse"], block["toolUse"]["input"].to_string());
    }
    facts.stop = class(text(&body["stopReason"]));
    note_usage(&mut answer, &body["usage"]);
    answer
}

pub fn stream(frames: &[Frame]) -> Answer {
    let mut answer = Answer::default();
    let mut calls: BTreeMap<u64, usize> = BTreeMap::new();
    for frame in frames {
        let event = frame.json();
        let facts = answer.choice(0);
        let index = number(&event["contentBlockIndex"]);
        match frame.name.as_deref().unwrap_or_default() {
            "contentBlockStart" => {
                if let Some(at) = add_call(facts, &event["start"]["toolUse"], String::new()) {
                    calls.insert(index, at);
                }
            }
            "contentBlockDelta" => {
                let delta = &event["delta"];
                facts.text(text(&delta["text"]));
                facts.think(text(&delta["reasoningContent"]["text"]));
                if let (Some(at), Some(piece)) = (calls.get(&index), delta["toolUse"]["input"].as_str()) {
                    facts.calls[*at].arguments.push_str(piece);
                }
            }
            "messageStop" => facts.stop = class(text(&event["stopReason"])),
            "metadata" => note_usage(&mut answer, &event["usage"]),
            name if name.ends_with("Exception") => answer.is_error = true,
            _ => {}
        }
    }
    answer
}

/// Calls the client is to run; tools that Bedrock runs itself have another type.
fn add_call(facts: &mut Facts, call: &Value, arguments: String) -> Option<usize> {
    let is_server = call["type"] == "server_tool_use";
    (call.is_object() && !is_server)
        .then(|| facts.call(text(&call["toolUseId"]), text(&call["name"]), arguments))
}

fn class(word: &str) -> Option<Class> {
    Some(match word {
        "" => return None,
        "end_turn" | "stop_sequence" => Class::Normal,
        "max_tokens" | "model_context_window_exceeded" => Class::Length,
        "tool_use" => Class::Tools,
        "guardrail_intervened" | "content_filtered" => Class::Blocked,
        _ => Class::Other,
    })
}

fn note_usage(answer: &mut Answer, usage: &Value) {
    if !usage.is_object() {
        return;
    }
    let (read, write) = (number(&usage["cacheReadInputTokens"]), number(&usage["cacheWriteInputTokens"]));
    raise(
        &mut answer.usage,
        Counts {
            input: number(&usage["inputTokens"]) + read + write,
            cache_read: read,
            cache_write: write,
            output: number(&usage["outputTokens"]),
            reasoning: 0,
        },
    );
}

/// What SDKs need of the events.
pub fn faults(frames: &[Frame], faults: &mut Vec<String>) {
    let names: Vec<&str> = frames.iter().map(|frame| frame.name.as_deref().unwrap_or_default()).collect();
    if names.first() != Some(&"messageStart") {
        faults.push("messageStart is not first".into());
    }
    if !names.ends_with(&["messageStop", "metadata"]) {
        faults.push("messageStop and metadata are not last".into());
    }
    let mut open: Option<u64> = None;
    let mut next = 0;
    for (frame, name) in frames.iter().zip(&names) {
        let event = frame.json();
        let index = event["contentBlockIndex"].as_u64();
        match *name {
            "contentBlockStart" | "contentBlockDelta" if open.is_none() => {
                if index != Some(next) {
                    faults.push(format!("block {index:?} where {next} is next"));
                }
                if event["delta"]["toolUse"].is_object() {
                    faults.push("a tool's delta without its start".into());
                }
                open = index;
                next += 1;
            }
            "contentBlockStart" => faults.push("a block opened inside another".into()),
            "contentBlockDelta" if index != open => faults.push("a delta of a block not open".into()),
            "contentBlockStop" => {
                if index.is_none() || index != open {
                    faults.push("another block stopped than was open".into());
                }
                open = None;
            }
            "messageStop" if open.is_some() => faults.push("messageStop inside a block".into()),
            _ => {}
        }
    }
    let usage = &frames.last().map(Frame::json).unwrap_or_default()["usage"];
    if !usage["inputTokens"].is_number() || !usage["totalTokens"].is_number() {
        faults.push("metadata has no usage".into());
    }
}
