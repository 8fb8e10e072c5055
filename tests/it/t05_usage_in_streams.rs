//! T5: usage is read wherever an upstream puts it, never added up twice, and never a silent zero.

use crate::harness::{Config, Gateway, Scripted, Sim, Wire, sse_bytes};
use serde_json::{Value, json};
use tidegate::sim::ScriptedReply;

/// What the log must say.
#[derive(Clone, Copy)]
enum Told {
    Reported(u64, u64),
    Estimated,
}

fn hold(wire: Wire, name: &str, events: &[Scripted], told: Told) {
    let sim = Sim::start();
    let gateway = Gateway::start(Config::new().provider("a", wire, sim.addr()).model("m", &["a"]));
    let body = sse_bytes(events);
    sim.answer_next(ScriptedReply::sse(body.clone()));
    let mut answer = gateway.send(&wire.request("m", true));
    let seen = answer.body();
    assert_eq!(
        String::from_utf8_lossy(&seen),
        String::from_utf8_lossy(&body),
        "{name}: no event ends it early"
    );
    let line = gateway.log_of(&answer);
    assert_eq!(line.get("reason"), None, "{name}: {line}");
    let (input, output) = (line["input_tokens"].as_u64().unwrap(), line["output_tokens"].as_u64().unwrap());
    match told {
        Told::Reported(true_input, true_output) => {
            assert_eq!((input, output), (true_input, true_output), "{name}: {line}");
            assert_eq!(line["estimated"], false, "{name}: {line}");
        }
        Told::Estimated => {
            assert!(input > 0 && output > 0, "{name}: {line}");
            assert_eq!(line["estimated"], true, "{name}: {line}");
        }
    }
}

/// The scripted stream with each event's JSON changed. `[DONE]` stays.
fn changed(events: Vec<Scripted>, change: impl Fn(usize, &mut Value)) -> Vec<Scripted> {
    let edit = |(place, event): (usize, Scripted)| match serde_json::from_str::<Value>(&event.data) {
        Ok(mut data) => {
            change(place, &mut data);
            Scripted { name: event.name, data: data.to_string() }
        }
        Err(_) => event,
    };
    events.into_iter().enumerate().map(edit).collect()
}

const WORDS: [&str; 3] = ["alpha ", "beta ", "gamma"];

#[test]
fn t05_chat_usage_in_every_chunk_is_cumulative() {
    let events = changed(Wire::Chat.stream(&WORDS, 20, 3), |place, data| {
        let output = place.min(3);
        data["usage"] =
            json!({"prompt_tokens": 20, "completion_tokens": output, "total_tokens": 20 + output});
    });
    hold(Wire::Chat, "every chunk", &events, Told::Reported(20, 3));
}

#[test]
fn t05_chat_usage_beside_the_finish_reason_or_after_it_or_absent() {
    let only_last = Wire::Chat.stream(&WORDS, 21, 4);
    hold(Wire::Chat, "after the finish reason", &only_last, Told::Reported(21, 4));
    let mut beside = changed(Wire::Chat.stream(&WORDS, 0, 0), |place, data| {
        if place == 4 {
            data["usage"] = json!({"prompt_tokens": 22, "completion_tokens": 5, "total_tokens": 27});
        }
    });
    beside.remove(5);
    hold(Wire::Chat, "with the finish reason", &beside, Told::Reported(22, 5));
    let mut absent = Wire::Chat.stream(&WORDS, 0, 0);
    absent.remove(5);
    hold(Wire::Chat, "absent", &absent, Told::Estimated);
    let mut after_done = Wire::Chat.stream(&WORDS, 23, 6);
    let done = after_done.len() - 1;
    after_done.swap(done, done - 1);
    hold(Wire::Chat, "after [DONE]", &after_done, Told::Reported(23, 6));
}

#[test]
fn t05_messages_usage_is_split_over_start_and_delta_and_cumulative() {
    hold(Wire::Messages, "split", &Wire::Messages.stream(&WORDS, 30, 9), Told::Reported(30, 9));
    let both = changed(Wire::Messages.stream(&WORDS, 30, 9), |_, data| {
        if data["type"] == "message_delta" {
            data["usage"] = json!({"input_tokens": 30, "output_tokens": 9});
        }
    });
    hold(Wire::Messages, "input in both", &both, Told::Reported(30, 9));
    let late = changed(Wire::Messages.stream(&WORDS, 0, 0), |_, data| match data["type"].as_str() {
        Some("message_start") => data["message"]["usage"] = json!({"input_tokens": 0, "output_tokens": 0}),
        Some("message_delta") => data["usage"] = json!({"input_tokens": 31, "output_tokens": 8}),
        _ => {}
    });
    hold(Wire::Messages, "only at the end", &late, Told::Reported(31, 8));
    let cached = changed(Wire::Messages.stream(&WORDS, 5, 9), |_, data| {
        if data["type"] == "message_start" {
            data["message"]["usage"]["cache_read_input_tokens"] = json!(100);
            data["message"]["usage"]["cache_creation_input_tokens"] = json!(20);
        }
    });
    hold(Wire::Messages, "cached tokens are input too", &cached, Told::Reported(125, 9));
    let absent = changed(Wire::Messages.stream(&WORDS, 0, 0), |_, data| {
        data.as_object_mut().unwrap().remove("usage");
        if data["type"] == "message_start" {
            data["message"].as_object_mut().unwrap().remove("usage");
        }
    });
    hold(Wire::Messages, "absent", &absent, Told::Estimated);
}

#[test]
fn t05_gemini_usage_in_every_chunk_is_cumulative_and_may_be_absent() {
    let every = changed(Wire::Gemini.stream(&WORDS, 40, 3), |place, data| {
        let output = place + 1;
        data["usageMetadata"] =
            json!({"promptTokenCount": 40, "candidatesTokenCount": output, "totalTokenCount": 40 + output});
    });
    hold(Wire::Gemini, "every chunk", &every, Told::Reported(40, 3));
    hold(Wire::Gemini, "only in the last", &Wire::Gemini.stream(&WORDS, 41, 4), Told::Reported(41, 4));
    let absent = changed(Wire::Gemini.stream(&WORDS, 0, 0), |_, data| {
        data.as_object_mut().unwrap().remove("usageMetadata");
    });
    hold(Wire::Gemini, "absent", &absent, Told::Estimated);
}

#[test]
fn t05_responses_usage_comes_with_the_last_event_or_is_estimated() {
    hold(Wire::Responses, "last", &Wire::Responses.stream(&WORDS, 50, 6), Told::Reported(50, 6));
    let absent = changed(Wire::Responses.stream(&WORDS, 0, 0), |_, data| {
        if let Some(response) = data.get_mut("response") {
            response.as_object_mut().unwrap().remove("usage");
        }
    });
    hold(Wire::Responses, "absent", &absent, Told::Estimated);
}
