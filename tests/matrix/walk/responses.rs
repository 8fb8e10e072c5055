//! OpenAI Responses.

use crate::facts::{Answer, Class, Counts, Facts, list, number, raise, text};
use crate::frames::Frame;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub fn whole(body: &Value) -> Answer {
    let mut answer = Answer::default();
    let facts = answer.choice(0);
    for item in list(&body["output"]) {
        add_item(facts, item);
    }
    end(&mut answer, body);
    answer
}

fn add_item(facts: &mut Facts, item: &Value) {
    match text(&item["type"]) {
        "message" => {
            for part in list(&item["content"]) {
                add_part(facts, part);
            }
        }
        "reasoning" => {
            list(&item["summary"]).for_each(|part| facts.think(text(&part["text"])));
            list(&item["content"]).for_each(|part| facts.think(text(&part["text"])));
        }
        "function_call" | "custom_tool_call" => {
            add_call(facts, item);
        }
        _ => {}
    }
}

fn add_part(facts: &mut Facts, part: &Value) {
    match text(&part["type"]) {
        "refusal" => facts.refuse(text(&part["refusal"])),
        _ => facts.text(text(&part["text"])),
    }
}

fn add_call(facts: &mut Facts, item: &Value) -> Option<usize> {
    let is_free = item["type"] == "custom_tool_call";
    if !is_free && item["type"] != "function_call" {
        return None;
    }
    let arguments = text(&item[if is_free { "input" } else { "arguments" }]);
    let at = facts.call(text(&item["call_id"]), text(&item["name"]), arguments);
    facts.calls[at].is_free = is_free;
    Some(at)
}

fn end(answer: &mut Answer, body: &Value) {
    answer.is_error |= body["status"] == "failed" || !body["error"].is_null();
    answer.choice(0).stop = match (text(&body["status"]), text(&body["incomplete_details"]["reason"])) {
        ("completed", _) => Some(Class::Normal),
        ("incomplete", "max_output_tokens") => Some(Class::Length),
        ("incomplete", "content_filter") => Some(Class::Blocked),
        ("incomplete" | "failed" | "cancelled", _) => Some(Class::Other),
        _ => None,
    };
    let usage = &body["usage"];
    if usage["input_tokens"].is_number() {
        raise(
            &mut answer.usage,
            Counts {
                input: number(&usage["input_tokens"]),
                cache_read: number(&usage["input_tokens_details"]["cached_tokens"]),
                cache_write: number(&usage["input_tokens_details"]["cache_write_tokens"]),
                output: number(&usage["output_tokens"]),
                reasoning: number(&usage["output_tokens_details"]["reasoning_tokens"]),
            },
        );
    }
}

/// Reads the deltas; a `done` only where no delta came for what it ends.
pub fn stream(frames: &[Frame]) -> Answer {
    let mut answer = Answer::default();
    let mut calls: BTreeMap<u64, usize> = BTreeMap::new();
    let mut told: BTreeSet<u64> = BTreeSet::new();
    for event in frames.iter().map(Frame::json) {
        let output = number(&event["output_index"]);
        let facts = answer.choice(0);
        let kind = text(&event["type"]);
        match kind {
            "error" => answer.is_error = true,
            "response.output_item.added" => {
                if let Some(at) = add_call(facts, &event["item"]) {
                    calls.insert(output, at);
                }
            }
            "response.output_item.done" => end_item(facts, &event["item"], output, &calls, &told),
            "response.completed" | "response.incomplete" | "response.failed" => {
                end(&mut answer, &event["response"]);
                // Fixtures hold the streams of several turns behind each other.
                break;
            }
            _ => {
                let Some(what) = kind.strip_prefix("response.").and_then(|kind| kind.strip_suffix(".delta"))
                else {
                    continue;
                };
                told.insert(output);
                add_delta(facts, what, text(&event["delta"]), calls.get(&output).copied());
            }
        }
    }
    answer
}

fn add_delta(facts: &mut Facts, what: &str, piece: &str, call: Option<usize>) {
    match (what, call) {
        ("output_text", _) => facts.text(piece),
        ("refusal", _) => facts.refuse(piece),
        ("reasoning_summary_text" | "reasoning_text", _) => facts.think(piece),
        ("function_call_arguments" | "custom_tool_call_input", Some(at)) => {
            facts.calls[at].arguments.push_str(piece);
        }
        _ => {}
    }
}

fn end_item(
    facts: &mut Facts,
    item: &Value,
    output: u64,
    calls: &BTreeMap<u64, usize>,
    told: &BTreeSet<u64>,
) {
    match calls.get(&output) {
        Some(at) if !told.contains(&output) => {
            let key = if facts.calls[*at].is_free { "input" } else { "arguments" };
            facts.calls[*at].arguments = text(&item[key]).to_owned();
        }
        None if !told.contains(&output) => add_item(facts, item),
        _ => {}
    }
}

/// What SDKs need of the events.
pub fn faults(frames: &[Frame], faults: &mut Vec<String>) {
    let events: Vec<Value> = frames.iter().map(Frame::json).collect();
    let words: Vec<&str> = events.iter().map(|event| text(&event["type"])).collect();
    for (number_of, (frame, event)) in frames.iter().zip(&events).enumerate() {
        if frame.name.as_deref() != event["type"].as_str() {
            faults.push(format!("event {:?} is of type {}", frame.name, event["type"]));
        }
        if event["sequence_number"].as_u64() != Some(number_of as u64) {
            faults.push(format!("event {number_of} is numbered {}", event["sequence_number"]));
        }
    }
    if !words.starts_with(&["response.created", "response.in_progress"]) {
        faults.push("response.created and response.in_progress are not first".into());
    }
    let Some(last) = events.last() else { return };
    if !["response.completed", "response.incomplete", "response.failed"].contains(&text(&last["type"])) {
        faults.push(format!("{} is last", last["type"]));
    }
    if text(&last["response"]["id"]).is_empty() || last["response"]["id"] != events[0]["response"]["id"] {
        faults.push("the last event's id is not the first's".into());
    }
    items(&events, &last["response"]["output"], faults);
}

/// Every item is added and done, in order, and stands in the end as it was done.
fn items(events: &[Value], output: &Value, faults: &mut Vec<String>) {
    let mut added: Vec<Value> = Vec::new();
    let mut done: BTreeMap<u64, Value> = BTreeMap::new();
    let mut texts: BTreeMap<(u64, u64, &str), String> = BTreeMap::new();
    for event in events {
        let index = number(&event["output_index"]);
        match text(&event["type"]) {
            "response.output_item.added" => {
                if index != added.len() as u64 {
                    faults.push(format!("item {index} added where {} is next", added.len()));
                }
                added.push(event["item"]["id"].clone());
            }
            "response.output_item.done" => {
                done.insert(index, event["item"].clone());
            }
            kind => {
                if event["item_id"].is_string() && added.get(index as usize) != Some(&event["item_id"]) {
                    faults.push(format!("{kind} of an item that was not added"));
                }
                joined(kind, event, &mut texts, faults);
            }
        }
    }
    if added.len() != done.len() || done.len() != list(output).count() {
        faults.push(format!("{} items added, {} done", added.len(), done.len()));
    }
    for (index, item) in &done {
        if Some(item) != output.get(*index as usize) || added.get(*index as usize) != Some(&item["id"]) {
            faults.push(format!("item {index} is another in the end"));
        }
    }
}

/// The deltas of one part are what its `done` says.
fn joined<'e>(
    kind: &'e str,
    event: &'e Value,
    texts: &mut BTreeMap<(u64, u64, &'e str), String>,
    faults: &mut Vec<String>,
) {
    let Some((what, step)) = kind.rsplit_once('.') else { return };
    let part = number(&event["content_index"]) + number(&event["summary_index"]);
    let key = (number(&event["output_index"]), part, what);
    match step {
        "delta" => texts.entry(key).or_default().push_str(text(&event["delta"])),
        "done" => {
            let whole = ["text", "arguments", "refusal", "input"];
            let Some(whole) = whole.iter().find_map(|name| event[name].as_str()) else { return };
            if texts.get(&key).map_or("", String::as_str) != whole {
                faults.push(format!("{kind} says other than its deltas"));
            }
        }
        _ => {}
    }
}
