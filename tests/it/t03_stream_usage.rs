//! T3 and T4: usage of a chat stream is asked for where the client did not, and hidden from it.

use crate::harness::{Config, Event, Gateway, Request, Sim, Wire, sha256};
use serde_json::{Value, json};

fn gateway(wire: Wire, sim: &Sim) -> Gateway {
    Gateway::start(Config::new().provider("a", wire, sim.addr()).model("m", &["a"]))
}

fn chat(more: &str) -> Request {
    let body =
        format!(r#"{{ "messages":[{{"role":"user","content":"Hi"}}] ,"model" : "m","stream":true{more} }}"#);
    Wire::Chat.request_of("m", true, body).header("x-sim-tokens", "5")
}

fn usage_events(events: &[Event]) -> Vec<&Event> {
    let has_usage = |event: &&Event| event.data != "[DONE]" && event.json()["usage"].is_object();
    events.iter().filter(has_usage).collect()
}

#[test]
fn t03_a_client_that_did_not_ask_sees_no_usage_chunk_and_is_metered() {
    for more in [
        "",
        r#","stream_options":{"include_usage":false}"#,
        r#","stream_options":{}"#,
        r#","stream_options":null"#,
    ] {
        let sim = Sim::start();
        let gateway = gateway(Wire::Chat, &sim);
        let mut answer = gateway.send(&chat(more));
        let events = answer.events();
        assert!(usage_events(&events).is_empty(), "{more}: {events:?}");
        let is_bare =
            |event: &Event| event.data != "[DONE]" && event.json()["choices"].as_array().unwrap().is_empty();
        assert!(!events.iter().any(is_bare), "{more}");
        assert_eq!(events.last().unwrap().data, "[DONE]");
        assert_eq!(events.iter().filter(|event| !Wire::Chat.text_of(event).is_empty()).count(), 5);
        let sent: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
        assert_eq!(sent["stream_options"]["include_usage"], true, "{more}");
        let line = gateway.log_of(&answer);
        assert_eq!(
            (&line["output_tokens"], &line["estimated"]),
            (&json!(5), &json!(false)),
            "{more}: {line}"
        );
        assert!(line["input_tokens"].as_u64().unwrap() > 0);
    }
}

#[test]
fn t03_asking_for_usage_is_the_only_change_to_the_body() {
    let sim = Sim::start();
    let gateway = gateway(Wire::Chat, &sim);
    let request = chat(r#","x-unknown":1e400,"n":1.0"#);
    gateway.send(&request).body();
    let sent = sim.last_request();
    let (client, upstream) =
        (String::from_utf8(request.body).unwrap(), String::from_utf8(sent.body.clone()).unwrap());
    // Both ends of the client's body are there, with one insertion between them.
    let front = client.bytes().zip(upstream.bytes()).take_while(|(one, two)| one == two).count();
    let back = client.bytes().rev().zip(upstream.bytes().rev()).take_while(|(one, two)| one == two).count();
    assert!(front + back >= client.len(), "{client}\n{upstream}");
    let inserted = &upstream[front..upstream.len() - (client.len() - front)];
    assert!(inserted.contains("stream_options") && inserted.contains("include_usage"), "{inserted}");
    assert_eq!(sent.header("content-length"), Some(upstream.len().to_string().as_str()));
}

#[test]
fn t03_a_client_that_asked_gets_exactly_one_usage_chunk_before_the_end() {
    let sim = Sim::start();
    let gateway = gateway(Wire::Chat, &sim);
    let request = chat(r#","stream_options":{ "include_usage" : true }"#);
    let mut answer = gateway.send(&request);
    let events = answer.events();
    let usage = usage_events(&events);
    assert_eq!(usage.len(), 1);
    assert_eq!(usage[0].json()["choices"], json!([]));
    assert_eq!(&events[events.len() - 2], usage[0]);
    assert_eq!(events[events.len() - 1].data, "[DONE]");
    assert_eq!(sim.last_request().body_sha256, sha256(&request.body), "nothing is inserted");
    let line = gateway.log_of(&answer);
    assert_eq!(line["output_tokens"], usage[0].json()["usage"]["completion_tokens"]);
    assert_eq!(line["input_tokens"], usage[0].json()["usage"]["prompt_tokens"]);
}

#[test]
fn t03_legacy_completions_are_treated_as_chat_is() {
    let sim = Sim::start();
    let gateway = gateway(Wire::Chat, &sim);
    let request =
        Request::post("/v1/completions", r#"{"model":"m","prompt":"Hi","stream":true,"max_tokens":4}"#);
    let mut answer = gateway.send(&request);
    let events = answer.events();
    assert!(usage_events(&events).is_empty(), "{events:?}");
    assert_eq!(events.last().unwrap().data, "[DONE]");
    let sent: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
    assert_eq!(sent["stream_options"]["include_usage"], true);
    assert_eq!(gateway.log_of(&answer)["output_tokens"], 4);
}

#[test]
fn t03_nothing_is_inserted_where_usage_always_comes_or_nothing_streams() {
    let cases = [(Wire::Responses, true), (Wire::Messages, true), (Wire::Gemini, true), (Wire::Chat, false)];
    for (wire, is_stream) in cases {
        let sim = Sim::start();
        let gateway = gateway(wire, &sim);
        let request = wire.request("m", is_stream);
        let mut answer = gateway.send(&request);
        assert_eq!(answer.status, 200, "{wire:?}");
        answer.body();
        assert_eq!(sim.last_request().body_sha256, sha256(&request.body), "{wire:?}");
        let line = gateway.log_of(&answer);
        assert!(line["output_tokens"].as_u64().unwrap() > 0, "{wire:?}: {line}");
        assert_eq!(line["estimated"], false, "{wire:?}: {line}");
    }
}

#[test]
fn t04_a_provider_that_refuses_stream_options_is_not_sent_them_and_usage_is_estimated() {
    let sim = Sim::with_fault("reject-stream-options");
    let config =
        Config::new().provider("a", Wire::Chat, sim.addr()).set("stream_options = false").model("m", &["a"]);
    let gateway = Gateway::start(config);
    let request = chat("");
    let mut answer = gateway.send(&request);
    assert_eq!(answer.status, 200);
    let events = answer.events();
    assert_eq!(events.last().unwrap().data, "[DONE]");
    assert_eq!(sim.calls(), 1);
    assert_eq!(sim.last_request().body_sha256, sha256(&request.body));
    let line = gateway.log_of(&answer);
    assert_eq!(line["estimated"], true, "{line}");
    assert!(line["input_tokens"].as_u64().unwrap() > 0, "{line}");
    // A word of the simulator is a token.
    let output = line["output_tokens"].as_u64().unwrap();
    assert!((4..=8).contains(&output), "{line}");
    assert_eq!(gateway.metric("tidegate_estimated_usage_total", &[]), 1.0);
}

#[test]
fn t04_without_the_mark_the_refusal_reaches_the_client() {
    let sim = Sim::with_fault("reject-stream-options");
    let gateway = gateway(Wire::Chat, &sim);
    let mut answer = gateway.send(&chat(""));
    assert_eq!(answer.status, 400);
    assert!(Wire::Chat.is_error_body(&answer.json()));
    assert_eq!(sim.calls(), 1);
}
