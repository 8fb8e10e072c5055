//! T39: a chain goes on whichever provider answers next, and what providers keep stays theirs.

use crate::harness::{Config, Gateway, KEY, Request, Sim, Wire};
use serde_json::{Value, json};

fn post(body: &Value) -> Request {
    Request::post("/v1/responses", body.to_string())
}

#[track_caller]
fn made(gateway: &Gateway, body: &Value, provider: &str) -> Value {
    let mut answer = gateway.send(&post(body));
    let json = answer.json();
    assert_eq!(answer.status, 200, "{json}");
    assert_eq!(answer.header("x-tidegate-provider"), Some(provider));
    json
}

fn next(previous: &Value, input: &str) -> Value {
    json!({"model":"m","input":input,"previous_response_id":previous["id"]})
}

fn asked(sim: &Sim) -> Value {
    serde_json::from_slice(&sim.last_request().body).unwrap()
}

#[test]
fn t39_a_chain_goes_from_one_provider_to_the_next_and_back() {
    let (claude, gemini, own) = (Sim::start(), Sim::start(), Sim::start());
    let cool = "cooldown = { base = \"1ms\", max = \"1ms\" }";
    let gateway = Gateway::start(
        Config::new()
            .provider("claude", Wire::Messages, claude.addr())
            .set(cool)
            .provider("gemini", Wire::Gemini, gemini.addr())
            .set(cool)
            .provider("own", Wire::Responses, own.addr())
            .set("protocols = [\"responses\"]")
            .set(cool)
            .model("m", &["claude=claude-sonnet-4-5", "gemini=gemini-3-pro-preview", "own=gpt-4o"]),
    );
    let first = made(&gateway, &json!({"model":"m","input":"One"}), "claude");
    claude.fault("status:500");
    let second = made(&gateway, &next(&first, "Two"), "gemini");
    let contents = asked(&gemini)["contents"].clone();
    assert_eq!(contents.as_array().unwrap().len(), 3, "{contents}");
    gemini.fault("status:500");
    // A provider that keeps responses itself is told the whole, and not to keep it: one chain lives in
    // one place.
    let third = made(&gateway, &next(&second, "Three"), "own");
    let sent = asked(&own);
    assert_eq!((&sent["store"], sent.get("previous_response_id")), (&json!(false), None), "{sent}");
    assert_eq!(sent["input"].as_array().unwrap().len(), 5, "{sent}");
    assert_eq!(third["previous_response_id"], second["id"]);
    claude.fault("");
    let fourth = made(&gateway, &next(&third, "Four"), "claude");
    assert_eq!(asked(&claude)["messages"].as_array().unwrap().len(), 7);
    let path = format!("/v1/responses/{}", third["id"].as_str().unwrap());
    let calls = own.calls();
    assert_eq!(gateway.send(&Request::get(&path)).json(), third);
    assert_eq!(own.calls(), calls, "it is kept here");
    assert_eq!(gateway.send(&Request::new("DELETE", &path).key(KEY)).status, 200);
    made(&gateway, &next(&fourth, "Five"), "claude");
    assert_eq!(asked(&claude)["messages"].as_array().unwrap().len(), 9, "what it was built on stays");
}

#[test]
fn t39_one_call_fails_over_with_its_history() {
    let (claude, gemini) = (Sim::start(), Sim::start());
    let gateway = Gateway::start(
        Config::new()
            .provider("claude", Wire::Messages, claude.addr())
            .provider("gemini", Wire::Gemini, gemini.addr())
            .model("m", &["claude=claude-sonnet-4-5", "gemini=gemini-3-pro-preview"]),
    );
    let first = made(&gateway, &json!({"model":"m","input":"One"}), "claude");
    claude.fault("status:500");
    let mut answer = gateway.send(&post(&next(&first, "Two")));
    let second = answer.json();
    assert_eq!(answer.header("x-tidegate-attempts"), Some("2"), "{second}");
    assert_eq!(asked(&claude)["messages"].as_array().unwrap().len(), 3);
    assert_eq!(asked(&gemini)["contents"].as_array().unwrap().len(), 3);
}

#[test]
fn t39_a_provider_that_keeps_responses_is_asked_as_ever() {
    let sim = Sim::start();
    let gateway = Gateway::start(
        Config::new()
            .provider("own", Wire::Responses, sim.addr())
            .model("m", &["own=gpt-4o"])
            .key("other", "sk-other-key"),
    );
    let first = made(&gateway, &json!({"model":"m","input":"One"}), "own");
    assert_eq!(gateway.metric("tidegate_kept_entries", &[]), 0.0);
    let body = next(&first, "Two");
    made(&gateway, &body, "own");
    let sent = sim.last_request();
    let expected = body.to_string().replace("\"m\"", "\"gpt-4o\"");
    assert_eq!(String::from_utf8_lossy(&sent.body), expected, "as it came but for the model");
    let path = format!("/v1/responses/{}", first["id"].as_str().unwrap());
    let calls = sim.calls();
    assert_eq!(gateway.send(&Request::get(&path)).json()["id"], first["id"]);
    assert_eq!(sim.calls(), calls + 1);
    // The provider would go on from it for any key: it knows one account.
    let mut refused = gateway.send(&post(&next(&first, "Theirs")).key("sk-other-key"));
    let error = refused.json()["error"].clone();
    assert_eq!((refused.status, &error["code"]), (400, &json!("previous_response_not_found")), "{error}");
    assert_eq!(gateway.send(&Request::get(&path).key("sk-other-key")).status, 404);
    assert_eq!(sim.calls(), calls + 1);
}

#[test]
fn t39_a_streamed_answer_of_a_translated_call_is_not_looked_for_at_its_provider() {
    let sim = Sim::start();
    let gateway = Gateway::start(
        Config::new().provider("a", Wire::Messages, sim.addr()).model("m", &["a=claude-sonnet-4-5"]),
    );
    let mut answer = gateway.send(&post(&json!({"model":"m","input":"One","stream":true,"store":false})));
    let events = answer.events();
    let id = events[0].json()["response"]["id"].as_str().unwrap().to_owned();
    assert_eq!(gateway.send(&Request::get(&format!("/v1/responses/{id}"))).status, 404);
    assert_eq!(sim.calls(), 1);
}
