//! Gemini `:generateContent`.

use crate::facts::{Answer, Class, Counts, Facts, list, number, text};
use crate::frames::Frame;
use serde_json::{Value, json};

pub fn whole(body: &Value) -> Answer {
    stream(&[Frame { name: None, data: body.to_string() }])
}

pub fn stream(frames: &[Frame]) -> Answer {
    let mut answer = Answer::default();
    // Of a call whose arguments come in pieces: whether more of the string at a path is to come.
    let mut is_partial = false;
    for body in frames.iter().map(Frame::json) {
        answer.is_error |= !body["error"].is_null();
        if body["promptFeedback"]["blockReason"].is_string() {
            answer.choice(0).stop = Some(Class::Blocked);
        }
        for candidate in list(&body["candidates"]) {
            let facts = answer.choice(number(&candidate["index"]) as usize);
            for part in list(&candidate["content"]["parts"]) {
                match part["thought"] == true {
                    true => facts.think(text(&part["text"])),
                    false => facts.text(text(&part["text"])),
                }
                add_call(facts, &part["functionCall"], &mut is_partial);
            }
            // Vertex wrote the enum's number once.
            let is_stop = candidate["finishReason"] == 1;
            let word = if is_stop { "STOP" } else { text(&candidate["finishReason"]) };
            facts.stop = class(word).or(facts.stop);
        }
        note_usage(&mut answer, &body["usageMetadata"]);
    }
    answer
}

fn add_call(facts: &mut Facts, call: &Value, is_partial: &mut bool) {
    if !call.is_object() {
        return;
    }
    if call["name"].is_string() {
        let arguments = if call["args"].is_null() { json!({}) } else { call["args"].clone() };
        facts.call(text(&call["id"]), text(&call["name"]), arguments.to_string());
    } else if !*is_partial {
        return;
    }
    if let Some(last) = facts.calls.last_mut() {
        let mut arguments = last.parsed();
        for piece in list(&call["partialArgs"]) {
            put(&mut arguments, piece);
        }
        last.arguments = arguments.to_string();
    }
    *is_partial = call["willContinue"] == true;
}

/// One element of `partialArgs`, at a path like `$.a.b[0].c`.
fn put(arguments: &mut Value, piece: &Value) {
    let path = text(&piece["jsonPath"]).strip_prefix("$.").expect("a path of names").replace('[', ".[");
    let mut place = arguments;
    for name in path.split('.') {
        let index = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        place = match index.map(|index| index.parse::<usize>().expect("an index")) {
            None => &mut place[name],
            Some(index) => {
                if !place.is_array() {
                    *place = json!([]);
                }
                let elements = place.as_array_mut().unwrap();
                if elements.len() <= index {
                    elements.resize(index + 1, Value::Null);
                }
                &mut elements[index]
            }
        };
    }
    let words = ["stringValue", "numberValue", "boolValue", "nullValue"];
    let Some(value) = words.iter().find_map(|word| piece.get(word)) else { return };
    *place = match (&*place, value) {
        (Value::String(before), Value::String(more)) => json!(format!("{before}{more}")),
        _ => value.clone(),
    };
}

fn class(word: &str) -> Option<Class> {
    Some(match word {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" => Class::Normal,
        "MAX_TOKENS" => Class::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "MODEL_ARMOR" => {
            Class::Blocked
        }
        _ => Class::Other,
    })
}

fn note_usage(answer: &mut Answer, usage: &Value) {
    let counts = ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"];
    if !counts.iter().any(|count| usage[count].is_number()) {
        return;
    }
    // Every chunk's is of the whole answer so far: the last counts, its prompt may even be smaller.
    let reasoning = number(&usage["thoughtsTokenCount"]);
    answer.usage = Some(Counts {
        input: number(&usage["promptTokenCount"]) + number(&usage["toolUsePromptTokenCount"]),
        cache_read: number(&usage["cachedContentTokenCount"]),
        cache_write: 0,
        output: number(&usage["candidatesTokenCount"]) + reasoning,
        reasoning,
    });
}

/// What SDKs need of the chunks.
pub fn faults(body: &[u8], frames: &[Frame], faults: &mut Vec<String>) {
    let text_of = String::from_utf8_lossy(body);
    let ends = text_of.matches("\r\n\r\n").count();
    if ends != frames.len() || text_of.replace("\r\n", "").contains('\n') || !text_of.ends_with("\r\n\r\n") {
        faults.push(format!("{ends} ends by CRLF of {} chunks", frames.len()));
    }
    let mut stopped = Vec::new();
    let mut indexes = Vec::new();
    for chunk in frames.iter().map(Frame::json) {
        if text(&chunk["modelVersion"]).is_empty() || text(&chunk["responseId"]).is_empty() {
            faults.push("a chunk without modelVersion or responseId".into());
        }
        for candidate in list(&chunk["candidates"]) {
            let index = number(&candidate["index"]);
            if stopped.contains(&index) {
                faults.push("a candidate behind its finishReason".into());
            }
            if !indexes.contains(&index) {
                indexes.push(index);
            }
            if candidate["finishReason"].is_string() {
                stopped.push(index);
            }
            for part in list(&candidate["content"]["parts"]) {
                if part["functionCall"].is_object() && !part["functionCall"]["args"].is_object() {
                    faults.push("a call without args".into());
                }
            }
        }
    }
    if indexes.is_empty() || indexes.len() != stopped.len() {
        faults.push(format!("{} candidates, {} finishReasons", indexes.len(), stopped.len()));
    }
}
