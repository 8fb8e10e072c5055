//! T39 with a store: what clients left here outlives the process, is found by other nodes, and stays
//! its owner's alone.

use crate::harness::{Config, Gateway, KEY, PATIENCE, Request, Sim, Wire, until};
use serde_json::{Value, json};
use std::path::Path;

const OTHER: &str = "sk-other-key";

/// A gateway whose store lies in `folder`; in its own where there is none.
fn start(sim: &Sim, folder: Option<&Path>, more: impl FnOnce(Config) -> Config) -> Gateway {
    let folder = folder.map_or("{dir}".to_owned(), |folder| folder.display().to_string());
    let config = Config::new()
        .provider("a", Wire::Messages, sim.addr())
        .model("m", &["a=claude-sonnet-4-5"])
        .key("other", OTHER)
        .table("store")
        .set(&format!("url = \"sqlite:{folder}/data/tidegate.db\""));
    Gateway::start(more(config))
}

/// Ends the process as an operator does.
fn end(gateway: &mut Gateway) {
    gateway.signal("TERM");
    assert!(gateway.ended(PATIENCE).success(), "{}", gateway.stderr());
}

fn send(gateway: &Gateway, path: &str, body: &Value) -> (u16, Value) {
    let mut answer = gateway.send(&Request::post(path, body.to_string()));
    let json = answer.json();
    (answer.status, json)
}

#[track_caller]
fn made(gateway: &Gateway, body: &Value) -> String {
    let (status, json) = send(gateway, "/v1/responses", body);
    assert_eq!(status, 200, "{json}");
    json["id"].as_str().unwrap().to_owned()
}

/// The texts the upstream was told last.
fn told(sim: &Sim) -> Vec<String> {
    let body: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
    let turns = body["messages"].as_array().unwrap().clone();
    let text = |turn: &Value| match &turn["content"] {
        Value::String(text) => text.clone(),
        parts => parts.as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect(),
    };
    turns.iter().map(text).collect()
}

#[test]
fn t39_a_chain_and_a_conversation_go_on_after_a_restart() {
    let sim = Sim::start();
    let mut first = start(&sim, None, |config| config);
    let one = made(&first, &json!({"model": "m", "input": "First \u{e9} \"words\"."}));
    let two = made(&first, &json!({"model": "m", "input": "Second.", "previous_response_id": one}));
    let (_, conversation) = send(&first, "/v1/conversations", &json!({"metadata": {"a": "b"}}));
    let conversation = conversation["id"].as_str().unwrap().to_owned();
    made(&first, &json!({"model": "m", "input": "In it.", "conversation": conversation}));
    let unstored = made(&first, &json!({"model": "m", "input": "Not kept.", "store": false}));
    let mut kept = first.send(&Request::get(&format!("/v1/responses/{two}")));
    let kept = kept.json();
    end(&mut first);

    let second = start(&sim, Some(first.dir()), |config| config);
    let mut again = second.send(&Request::get(&format!("/v1/responses/{two}")));
    assert_eq!(again.json(), kept, "byte for byte what was answered");
    let third = made(&second, &json!({"model": "m", "input": "Third.", "previous_response_id": two}));
    let said = told(&sim);
    assert_eq!(said.len(), 5, "{said:?}");
    assert_eq!(
        (said[0].as_str(), said[2].as_str(), said[4].as_str()),
        ("First \u{e9} \"words\".", "Second.", "Third.")
    );
    made(&second, &json!({"model": "m", "input": "Again in it.", "conversation": conversation}));
    assert_eq!(told(&sim).len(), 3);
    let mut shown = second.send(&Request::get(&format!("/v1/conversations/{conversation}")));
    assert_eq!(shown.json()["metadata"], json!({"a": "b"}));
    let mut items = second.send(&Request::get(&format!("/v1/responses/{third}/input_items?limit=100")));
    assert_eq!(items.json()["data"].as_array().unwrap().len(), 5);
    let missing = second.send(&Request::get(&format!("/v1/responses/{unstored}")));
    assert_eq!(missing.status, 404);
}

#[test]
fn t39_what_a_key_left_is_no_other_keys_after_a_restart_either() {
    let sim = Sim::start();
    let mut first = start(&sim, None, |config| config);
    let one = made(&first, &json!({"model": "m", "input": "Mine."}));
    let gone = made(&first, &json!({"model": "m", "input": "Deleted.", "previous_response_id": one}));
    let next = made(&first, &json!({"model": "m", "input": "After.", "previous_response_id": gone}));
    let (_, conversation) = send(&first, "/v1/conversations", &json!({}));
    let conversation = conversation["id"].as_str().unwrap().to_owned();
    let deleted = first.send(&Request::new("DELETE", &format!("/v1/responses/{gone}")).key(KEY));
    assert_eq!(deleted.status, 200);
    end(&mut first);

    let second = start(&sim, Some(first.dir()), |config| config);
    for path in [format!("/v1/responses/{one}"), format!("/v1/conversations/{conversation}")] {
        assert_eq!(second.send(&Request::get(&path).key(OTHER)).status, 404, "{path}");
        assert_eq!(second.send(&Request::get(&path)).status, 200, "{path}");
        assert_eq!(second.send(&Request::get(&path).key(OTHER)).status, 404, "{path}, in memory again");
    }
    let body = json!({"model": "m", "input": "x", "previous_response_id": one});
    let mut refused = second.send(&Request::post("/v1/responses", body.to_string()).key(OTHER));
    let refused = (refused.status, refused.json());
    assert_eq!((refused.0, &refused.1["error"]["code"]), (400, &json!("previous_response_not_found")));
    // A deleted one is gone by its id, and what goes on from it is whole.
    assert_eq!(second.send(&Request::get(&format!("/v1/responses/{gone}"))).status, 404);
    made(&second, &json!({"model": "m", "input": "Last.", "previous_response_id": next}));
    assert_eq!(told(&sim).len(), 7);
}

#[test]
fn t39_another_node_finds_it_and_without_room_in_the_store_nothing_outlives() {
    let sim = Sim::start();
    let first = start(&sim, None, |config| config);
    let one = made(&first, &json!({"model": "m", "input": "Here."}));
    let second = start(&sim, Some(first.dir()), |config| config);
    // It is written soon, not at once.
    until("the other node finds it", PATIENCE, || {
        second.send(&Request::get(&format!("/v1/responses/{one}"))).status == 200
    });
    made(&second, &json!({"model": "m", "input": "There.", "previous_response_id": one}));
    assert_eq!(told(&sim).len(), 3);

    let nothing = |config: Config| config.table("responses").set("store_bytes_max = \"0B\"");
    let mut third = start(&sim, None, nothing);
    let id = made(&third, &json!({"model": "m", "input": "Lost."}));
    assert_eq!(third.send(&Request::get(&format!("/v1/responses/{id}"))).status, 200);
    end(&mut third);
    let fourth = start(&sim, Some(third.dir()), |config| config);
    assert_eq!(fourth.send(&Request::get(&format!("/v1/responses/{id}"))).status, 404);
}
