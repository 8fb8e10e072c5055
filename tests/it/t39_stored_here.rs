//! T39: `previous_response_id` and stored responses, where the model's provider keeps none.

use crate::harness::{Config, Event, Gateway, Request, Sim, Wire};
use serde_json::{Value, json};
use std::time::Duration;
use tidegate::sim::{ScriptEnd, ScriptedReply, Split};

const MODEL: &str = "claude-sonnet-4-5";
const OTHER: &str = "sk-other-key";

fn start(sim: &Sim, more: impl FnOnce(Config) -> Config) -> Gateway {
    let config = Config::new().provider("a", Wire::Messages, sim.addr()).model("m", &[&format!("a={MODEL}")]);
    Gateway::start(more(config.key("other", OTHER)))
}

fn gateway(sim: &Sim) -> Gateway {
    start(sim, |config| config)
}

fn post(body: &Value) -> Request {
    Request::post("/v1/responses", body.to_string())
}

/// A stored response, made without a stream.
#[track_caller]
fn made(gateway: &Gateway, body: &Value) -> Value {
    let mut answer = gateway.send(&post(body));
    let json = answer.json();
    assert_eq!(answer.status, 200, "{json}");
    json
}

fn id(response: &Value) -> &str {
    response["id"].as_str().unwrap()
}

fn text(response: &Value) -> &str {
    let message = response["output"].as_array().unwrap().iter().find(|item| item["type"] == "message");
    message.unwrap()["content"][0]["text"].as_str().unwrap()
}

/// What the upstream was told last, as JSON.
fn asked(sim: &Sim) -> Value {
    serde_json::from_slice(&sim.last_request().body).unwrap()
}

fn roles(asked: &Value) -> Vec<&str> {
    asked["messages"].as_array().unwrap().iter().map(|turn| turn["role"].as_str().unwrap()).collect()
}

/// An answer of Anthropic's.
fn answer(content: Value) -> ScriptedReply {
    let body = json!({"id":"msg_1","type":"message","role":"assistant","model":MODEL,"content":content,
        "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":4}});
    ScriptedReply::json(200, body.to_string())
}

#[track_caller]
fn is_refused(gateway: &Gateway, request: &Request, status: u16, code: &str, param: Value) -> String {
    let mut answer = gateway.send(request);
    let error = answer.json()["error"].clone();
    assert_eq!((answer.status, error["code"].as_str()), (status, Some(code)), "{error}");
    assert_eq!(error["param"], param, "{error}");
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn t39_a_chain_goes_on_with_all_that_was_said_and_without_its_instructions() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let first = made(&gateway, &json!({"model":"m","input":"One","instructions":"Be brief."}));
    assert_eq!(asked(&sim)["system"], "Be brief.");
    assert_eq!(first["store"], true);
    let second = made(
        &gateway,
        &json!({"model":"m","input":[{"role":"user","content":"Two"}],"previous_response_id":id(&first)}),
    );
    let sent = asked(&sim);
    assert_eq!(roles(&sent), ["user", "assistant", "user"], "{sent}");
    assert!(sent.get("system").is_none(), "instructions are not carried over: {sent}");
    assert!(sent["messages"][1].to_string().contains(text(&first)), "{sent}");
    assert_eq!(second["previous_response_id"], first["id"]);
    assert_ne!(second["id"], first["id"]);
    let third = made(
        &gateway,
        &json!({"model":"m","input":"Three","instructions":"Now sing.","previous_response_id":id(&second)}),
    );
    let sent = asked(&sim);
    assert_eq!(roles(&sent), ["user", "assistant", "user", "assistant", "user"], "{sent}");
    assert_eq!((&sent["system"], &third["instructions"]), (&json!("Now sing."), &json!("Now sing.")));
    // A chain can branch: the first is still there as it was.
    made(&gateway, &json!({"model":"m","input":"Other","previous_response_id":id(&first)}));
    assert_eq!(roles(&asked(&sim)), ["user", "assistant", "user"]);
}

#[test]
fn t39_tool_calls_and_signed_thinking_are_told_again_as_the_vendor_wants_them() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let tools = json!([{"type":"function","name":"f","parameters":{"type":"object","properties":{}}}]);
    sim.answer_next(answer(json!([
        {"type":"thinking","thinking":"hm","signature":"c2lnbmVk"},
        {"type":"text","text":"Let me see."},
        {"type":"tool_use","id":"toolu_1","name":"f","input":{"n":1}},
        {"type":"tool_use","id":"toolu_2","name":"f","input":{"n":2}}])));
    let reasoning = json!({"effort":"low"});
    let first = made(&gateway, &json!({"model":"m","input":"Go","tools":tools,"reasoning":reasoning}));
    let calls: Vec<&str> = first["output"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["type"] == "function_call")
        .map(|item| item["call_id"].as_str().unwrap())
        .collect();
    assert_eq!(calls.len(), 2, "{first}");
    let output = |call: &str| json!({"type":"function_call_output","call_id":call,"output":"sunny"});
    made(
        &gateway,
        &json!({"model":"m","input":[output(calls[0]), output(calls[1])],"tools":tools,"reasoning":reasoning,
            "previous_response_id":id(&first)}),
    );
    let sent = asked(&sim);
    assert_eq!(roles(&sent), ["user", "assistant", "user"], "{sent}");
    let blocks = sent["messages"][1]["content"].as_array().unwrap();
    assert_eq!(blocks[0], json!({"type":"thinking","thinking":"hm","signature":"c2lnbmVk"}), "{sent}");
    assert_eq!(blocks[1]["text"], "Let me see.");
    assert_eq!((&blocks[2]["id"], &blocks[3]["id"]), (&json!("toolu_1"), &json!("toolu_2")), "{sent}");
    let results = sent["messages"][2]["content"].as_array().unwrap();
    assert_eq!(
        (&results[0]["tool_use_id"], &results[1]["tool_use_id"]),
        (&json!("toolu_1"), &json!("toolu_2"))
    );
}

#[test]
fn t39_what_was_not_to_be_stored_is_not_there_and_says_what_openai_says() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let first = made(&gateway, &json!({"model":"m","input":"One","store":false}));
    assert_eq!(first["store"], false);
    let next = post(&json!({"model":"m","input":"Two","previous_response_id":id(&first)}));
    let said = is_refused(&gateway, &next, 400, "previous_response_not_found", json!("previous_response_id"));
    assert_eq!(said, format!("Previous response with id '{}' not found.", id(&first)));
    let said = is_refused(
        &gateway,
        &Request::get(&format!("/v1/responses/{}", id(&first))),
        404,
        "not_found",
        Value::Null,
    );
    assert_eq!(said, format!("Response with id '{}' not found.", id(&first)));
    assert_eq!(sim.calls(), 1, "nothing was asked of the provider");
    assert_eq!(gateway.metric("tidegate_kept_entries", &[]), 0.0);
}

#[test]
fn t39_a_stored_response_is_fetched_listed_and_deleted_and_not_cancelled() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let first = made(&gateway, &json!({"model":"m","input":"One"}));
    let second = made(&gateway, &json!({"model":"m","input":"Two","previous_response_id":id(&first)}));
    let path = format!("/v1/responses/{}", id(&second));
    let mut fetched = gateway.send(&Request::get(&path));
    assert_eq!((fetched.status, fetched.json()), (200, second.clone()));
    let line = gateway.log_of(&fetched);
    assert_eq!((&line["endpoint"], line.get("output_tokens")), (&json!("response_by_id"), None), "{line}");

    let mut list = gateway.send(&Request::get(&format!("{path}/input_items?order=asc"))).json();
    let items = list["data"].as_array_mut().unwrap();
    let of = |item: &Value| (item["role"].clone(), item["content"][0]["text"].clone());
    assert_eq!(items.len(), 3);
    assert_eq!(of(&items[0]), (json!("user"), json!("One")));
    assert_eq!(items[1], first["output"][0]);
    assert_eq!(of(&items[2]), (json!("user"), json!("Two")));
    assert!(
        items.iter().all(|item| item["id"].as_str().is_some_and(|id| id.starts_with("msg_"))),
        "{items:?}"
    );
    let newest = gateway.send(&Request::get(&format!("{path}/input_items?limit=1"))).json();
    assert_eq!((&newest["data"][0], &newest["has_more"]), (&list["data"][2], &json!(true)));
    let wrong = Request::get(&format!("{path}/input_items?limit=0"));
    is_refused(&gateway, &wrong, 400, "invalid_request", json!("limit"));

    let cancel = Request::post(&format!("{path}/cancel"), "");
    is_refused(&gateway, &cancel, 400, "invalid_request", Value::Null);
    is_refused(
        &gateway,
        &Request::get(&format!("{path}?stream=true")),
        400,
        "invalid_request",
        json!("stream"),
    );

    let mut deleted = gateway.send(&Request::new("DELETE", &path).key(crate::harness::KEY));
    assert_eq!(deleted.json(), json!({"id":id(&second),"object":"response","deleted":true}));
    is_refused(&gateway, &Request::get(&path), 404, "not_found", Value::Null);
    let next = post(&json!({"model":"m","input":"Three","previous_response_id":id(&second)}));
    is_refused(&gateway, &next, 400, "previous_response_not_found", json!("previous_response_id"));
    assert_eq!(sim.calls(), 2);
}

#[test]
fn t39_another_key_is_told_that_nothing_is_there() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let first = made(&gateway, &json!({"model":"m","input":"One"}));
    for path in ["", "/input_items", "/cancel"] {
        let of = |id: &str| {
            let target = format!("/v1/responses/{id}{path}");
            let request = if path == "/cancel" { Request::post(&target, "") } else { Request::get(&target) };
            request.key(OTHER)
        };
        let theirs = is_refused(&gateway, &of(id(&first)), 404, "not_found", Value::Null);
        let nobodys = is_refused(&gateway, &of("resp_0"), 404, "not_found", Value::Null);
        assert_eq!(theirs.replace(id(&first), "X"), nobodys.replace("resp_0", "X"), "{path}");
    }
    let delete = Request::new("DELETE", &format!("/v1/responses/{}", id(&first))).key(OTHER);
    is_refused(&gateway, &delete, 404, "not_found", Value::Null);
    let next =
        |previous: &str| post(&json!({"model":"m","input":"x","previous_response_id":previous})).key(OTHER);
    let refused = "previous_response_not_found";
    let theirs = is_refused(&gateway, &next(id(&first)), 400, refused, json!("previous_response_id"));
    let nobodys = is_refused(&gateway, &next("resp_0"), 400, refused, json!("previous_response_id"));
    assert_eq!(theirs.replace(id(&first), "X"), nobodys.replace("resp_0", "X"));
    let item = first["output"][0]["id"].as_str().unwrap();
    let reference =
        json!({"model":"m","input":[{"type":"item_reference","id":item},{"role":"user","content":"x"}]});
    is_refused(&gateway, &post(&reference).key(OTHER), 404, "not_found", json!("input"));
    assert_eq!(sim.calls(), 1);
    made(&gateway, &json!({"model":"m","input":"Two","previous_response_id":id(&first)}));
}

#[test]
fn t39_a_reference_to_an_item_is_the_item() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let first = made(&gateway, &json!({"model":"m","input":"One"}));
    let input = json!([{"role":"user","content":"One"},
        {"type":"item_reference","id":first["output"][0]["id"]},{"role":"user","content":"Two"}]);
    let second = made(&gateway, &json!({"model":"m","input":input}));
    let sent = asked(&sim);
    assert_eq!(roles(&sent), ["user", "assistant", "user"], "{sent}");
    assert!(sent["messages"][1].to_string().contains(text(&first)), "{sent}");
    made(&gateway, &json!({"model":"m","input":"Three","previous_response_id":id(&second)}));
    assert_eq!(roles(&asked(&sim)), ["user", "assistant", "user", "assistant", "user"]);
}

fn stream(gateway: &Gateway, body: Value) -> Vec<Event> {
    let mut answer = gateway.send(&post(&body));
    assert_eq!(answer.status, 200);
    answer.events()
}

#[test]
fn t39_a_stream_is_stored_with_its_last_event_and_goes_on() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let events = stream(&gateway, json!({"model":"m","input":"One","stream":true}));
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.json()["sequence_number"], number as u64);
    }
    let last = events.last().unwrap().json();
    assert_eq!(last["type"], "response.completed");
    let response = &last["response"];
    assert_eq!(gateway.send(&Request::get(&format!("/v1/responses/{}", id(response)))).json(), *response);
    let events = stream(
        &gateway,
        json!({"model":"m","input":"Two","stream":true,"previous_response_id":id(response)}),
    );
    let created = events[0].json();
    assert_eq!(created["response"]["previous_response_id"], response["id"]);
    let sent = asked(&sim);
    assert_eq!(roles(&sent), ["user", "assistant", "user"], "{sent}");
    assert!(sent["messages"][1].to_string().contains(text(response)), "{sent}");
}

/// A stream of Anthropic's in two writes, whose connection stays open behind its last event.
fn held_stream() -> ScriptedReply {
    let events = [
        json!({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":MODEL,
            "content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}),
        json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}),
        json!({"type":"message_stop"}),
    ];
    let frame = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let frames: Vec<String> = events.iter().map(frame).collect();
    let begun = frames[..3].iter().map(String::len).sum();
    let split = Split::At(vec![begun]);
    let gap = Duration::from_millis(50);
    ScriptedReply { split, gap, end: ScriptEnd::Hold, ..ScriptedReply::sse(frames.concat()) }
}

#[test]
fn t39_who_has_the_last_event_can_go_on_at_once() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    sim.answer_next(held_stream());
    let mut answer = gateway.send(&post(&json!({"model":"m","input":"One","stream":true})));
    let response = loop {
        let event = answer.event().unwrap().json();
        if event["type"] == "response.completed" {
            break event["response"].clone();
        }
    };
    // The provider has not ended its answer yet, and nobody waits for that.
    made(&gateway, &json!({"model":"m","input":"Two","previous_response_id":id(&response)}));
    assert_eq!(roles(&asked(&sim)), ["user", "assistant", "user"]);
    assert_eq!(answer.event().map(|event| event.data), None);
}

#[test]
fn t39_what_was_cut_for_length_is_stored_and_what_broke_is_not() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let events = stream(&gateway, json!({"model":"m","input":"One","stream":true,"max_output_tokens":3}));
    let last = events.last().unwrap().json();
    assert_eq!(last["type"], "response.incomplete", "{last}");
    let cut = &last["response"];
    assert_eq!(gateway.send(&Request::get(&format!("/v1/responses/{}", id(cut)))).json(), *cut);
    made(&gateway, &json!({"model":"m","input":"Go on","previous_response_id":id(cut)}));

    sim.fault("close-after:5");
    let events = stream(&gateway, json!({"model":"m","input":"One","stream":true}));
    let first = events[0].json();
    assert_eq!(events.last().unwrap().json()["type"], "response.failed", "{:?}", events.last());
    let path = format!("/v1/responses/{}", id(&first["response"]));
    is_refused(&gateway, &Request::get(&path), 404, "not_found", Value::Null);
}

#[test]
fn t39_the_history_is_counted_before_the_call() {
    let sim = Sim::start();
    let gateway =
        start(&sim, |config| config.table("keys.test").set("limits = { tokens_per_minute = 3000 }"));
    let long = "word ".repeat(1000);
    let first = made(&gateway, &json!({"model":"m","input":long,"max_output_tokens":1}));
    let mut alone =
        gateway.send(&post(&json!({"model":"m","input":"Hi"})).header("x-tidegate-count", "exact"));
    alone.body();
    let mut chained = gateway.send(
        &post(&json!({"model":"m","input":"Hi","previous_response_id":id(&first)}))
            .header("x-tidegate-count", "exact"),
    );
    chained.body();
    let counted = |answer: &crate::harness::Answer| -> u64 {
        answer.header("x-tidegate-input-tokens").unwrap().parse().unwrap()
    };
    assert_eq!((alone.status, chained.status), (200, 200));
    assert!(counted(&alone) < 100 && counted(&chained) > 1000, "{} {}", counted(&alone), counted(&chained));
    let next = post(&json!({"model":"m","input":"Hi","previous_response_id":id(&first)}));
    assert_eq!(gateway.send(&next).status, 429, "the tokens of this minute are used up");
}

#[test]
fn t39_faults_are_told_at_their_place_in_the_clients_own_body() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let first = made(&gateway, &json!({"model":"m","input":"One"}));
    let body = json!({"model":"m","previous_response_id":id(&first),
        "input":[{"role":"user","content":"x"},{"role":"user","content":[{"type":"input_image"}]}]});
    is_refused(&gateway, &post(&body), 400, "invalid_request", json!("input[1].content[0]"));
    let background = json!({"model":"m","input":"x","background":true});
    is_refused(&gateway, &post(&background), 400, "invalid_request", json!("background"));
    // Lost on the way to Anthropic, and named.
    let mut answer = gateway
        .send(&post(&json!({"model":"m","input":"x","previous_response_id":id(&first),"truncation":"auto"})));
    answer.body();
    assert_eq!((answer.status, answer.header("x-tidegate-dropped")), (200, Some("truncation")));
}

#[test]
fn t39_ids_are_long_and_no_two_are_alike() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let ids: std::collections::BTreeSet<String> =
        (0..20).map(|_| id(&made(&gateway, &json!({"model":"m","input":"One"}))).to_owned()).collect();
    assert_eq!(ids.len(), 20);
    for id in ids {
        let digits = id.strip_prefix("resp_").unwrap();
        assert!(digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
}
