//! OpenAI chat completions.

use crate::facts::{Answer, Class, Counts, Facts, first_number, first_text, list, number, raise, text};
use crate::frames::Frame;
use serde_json::Value;
use std::collections::BTreeMap;

pub fn whole(body: &Value) -> Answer {
    let mut answer = Answer { is_error: is_error(body), ..Answer::default() };
    for choice in list(&body["choices"]) {
        let facts = answer.choice(number(&choice["index"]) as usize);
        let message = &choice["message"];
        add(facts, message);
        for call in list(&message["tool_calls"]) {
            add_call(facts, call);
        }
        add_function_call(facts, &message["function_call"]);
        facts.stop = class(text(&choice["finish_reason"]));
    }
    note_usage(&mut answer, body);
    answer
}

pub fn stream(frames: &[Frame]) -> Answer {
    let mut answer = Answer::default();
    // (choice, index of the call) → number of the call.
    let mut open: BTreeMap<(usize, u64), usize> = BTreeMap::new();
    for chunk in frames.iter().map(Frame::json) {
        answer.is_error |= is_error(&chunk);
        for choice in list(&chunk["choices"]) {
            let place = number(&choice["index"]) as usize;
            let facts = answer.choice(place);
            let delta = &choice["delta"];
            add(facts, delta);
            for call in list(&delta["tool_calls"]) {
                let key = (place, number(&call["index"]));
                let known = open.get(&key).copied();
                let is_other = |at: usize| !text(&call["id"]).is_empty() && facts.calls[at].id != call["id"];
                match known.filter(|at| !is_other(*at)) {
                    Some(at) => facts.calls[at].arguments.push_str(&written(call)),
                    None => {
                        let at = add_call(facts, call);
                        open.insert(key, at);
                    }
                }
            }
            let function = &delta["function_call"];
            match (!text(&function["name"]).is_empty(), facts.calls.last_mut()) {
                (false, Some(call)) => call.arguments.push_str(text(&function["arguments"])),
                _ => add_function_call(facts, function),
            }
            facts.stop = class(text(&choice["finish_reason"])).or(facts.stop);
        }
        note_usage(&mut answer, &chunk);
    }
    answer
}

fn is_error(body: &Value) -> bool {
    !body["error"].is_null()
}

/// A message or delta, without its calls.
fn add(facts: &mut Facts, message: &Value) {
    let details: Vec<&Value> = list(&message["reasoning_details"]).collect();
    let mut has_details = false;
    for detail in &details {
        let piece = first_text(&[&detail["text"], &detail["summary"]]);
        has_details |= !piece.is_empty();
        facts.think(piece);
    }
    if !has_details {
        facts.think(first_text(&[&message["reasoning_content"], &message["reasoning"]]));
    }
    facts.text(text(&message["content"]));
    for part in list(&message["content"]) {
        list(&part["thinking"]).for_each(|piece| facts.think(text(&piece["text"])));
        facts.text(text(&part["text"]));
    }
    facts.refuse(text(&message["refusal"]));
}

fn written(call: &Value) -> String {
    match (&call["function"]["arguments"], &call["custom"]["input"]) {
        (Value::String(arguments), _) | (_, Value::String(arguments)) => arguments.clone(),
        (Value::Object(object), _) => Value::Object(object.clone()).to_string(),
        _ => String::new(),
    }
}

fn add_call(facts: &mut Facts, call: &Value) -> usize {
    let name = first_text(&[&call["function"]["name"], &call["custom"]["name"]]);
    let at = facts.call(text(&call["id"]), name, written(call));
    facts.calls[at].is_free = call["type"] == "custom";
    at
}

fn add_function_call(facts: &mut Facts, function: &Value) {
    // Snowflake fills what is absent with empty values.
    if !text(&function["name"]).is_empty() {
        facts.call("", text(&function["name"]), text(&function["arguments"]));
    }
}

fn class(word: &str) -> Option<Class> {
    Some(match word {
        "" => return None,
        "stop" | "eos" => Class::Normal,
        "length" | "model_length" => Class::Length,
        "tool_calls" | "function_call" => Class::Tools,
        "content_filter" | "sensitive" => Class::Blocked,
        _ => Class::Other,
    })
}

fn note_usage(answer: &mut Answer, body: &Value) {
    let places = [&body["usage"], &body["choices"][0]["usage"], &body["x_groq"]["usage"]];
    let Some(usage) = places.into_iter().find(|usage| usage["prompt_tokens"].is_number()) else { return };
    let (prompt, parts) = (number(&usage["prompt_tokens"]), &usage["prompt_tokens_details"]);
    let completion = number(&usage["completion_tokens"]);
    let reasoning = number(&usage["completion_tokens_details"]["reasoning_tokens"]);
    // xAI and Gemini leave reasoning out of `completion_tokens`, not out of the total.
    let generated = number(&usage["total_tokens"]).saturating_sub(prompt);
    let cached = [
        &parts["cached_tokens"],
        &usage["prompt_cache_hit_tokens"],
        &usage["cached_tokens"],
        &usage["num_cached_tokens"],
    ];
    raise(
        &mut answer.usage,
        Counts {
            input: prompt,
            cache_read: first_number(&cached),
            cache_write: number(&parts["cache_write_tokens"]),
            output: completion.max(generated),
            // What the total holds beyond is reasoning that was not told apart.
            reasoning: reasoning.max(generated.saturating_sub(completion)),
        },
    );
}

/// What SDKs need of the chunks.
pub fn faults(frames: &[Frame], faults: &mut Vec<String>) {
    let Some((last, chunks)) = frames.split_last() else { return faults.push("no chunks".into()) };
    if last.data != "[DONE]" {
        faults.push("[DONE] is not last".into());
    }
    let chunks: Vec<Value> = chunks.iter().map(Frame::json).collect();
    let mut seen: BTreeMap<u64, (bool, Vec<u64>)> = BTreeMap::new();
    for (number_of, chunk) in chunks.iter().enumerate() {
        let is_chunk = chunk["object"] == "chat.completion.chunk" && chunk["created"].is_number();
        if !is_chunk || text(&chunk["id"]).is_empty() || chunk["id"] != chunks[0]["id"] {
            faults.push(format!("chunk {number_of} has no head"));
        }
        if text(&chunk["model"]).is_empty() {
            faults.push(format!("chunk {number_of} names no model"));
        }
        for choice in list(&chunk["choices"]) {
            let is_first = !seen.contains_key(&number(&choice["index"]));
            let (is_stopped, calls) = seen.entry(number(&choice["index"])).or_default();
            if is_first && choice["delta"]["role"] != "assistant" {
                faults.push("the first delta has no role".into());
            }
            if *is_stopped {
                faults.push("a delta behind finish_reason".into());
            }
            *is_stopped |= choice["finish_reason"].is_string();
            for call in list(&choice["delta"]["tool_calls"]) {
                check_call(call, calls, faults);
            }
        }
        let is_usage = chunk["usage"].is_object();
        if is_usage && (number_of + 1 != chunks.len() || list(&chunk["choices"]).count() != 0) {
            faults.push("usage is not in the last chunk, alone".into());
        }
    }
    if seen.is_empty() || seen.values().any(|(is_stopped, _)| !is_stopped) {
        faults.push("a choice has no finish_reason".into());
    }
}

fn check_call(call: &Value, calls: &mut Vec<u64>, faults: &mut Vec<String>) {
    let Some(index) = call["index"].as_u64() else { return faults.push("a call has no index".into()) };
    if calls.contains(&index) {
        return;
    }
    if index != calls.len() as u64 {
        faults.push("calls are not counted up from 0".into());
    }
    calls.push(index);
    let name = first_text(&[&call["function"]["name"], &call["custom"]["name"]]);
    if text(&call["id"]).is_empty() || name.is_empty() || text(&call["type"]).is_empty() {
        faults.push("a call's first delta lacks id, type or name".into());
    }
}
