//! T35: which models there are is answered here, at once, whatever becomes of the upstreams.

use crate::harness::{Answer, Config, Gateway, Request, Wire, free_addr};
use serde_json::Value;
use std::time::{Duration, Instant};

const NARROW: &str = "sk-narrow-key";
/// A pattern is no name: it is never listed.
const NAMES: [&str; 4] = ["claude-one", "gpt-one", "gpt-two", "team/odd-model"];

/// Models of two dialects, all of them on providers where nobody listens.
fn gateway() -> Gateway {
    let config = Config::new()
        .provider("chat", Wire::Chat, free_addr())
        .provider("messages", Wire::Messages, free_addr())
        .model("gpt-one", &["chat"])
        .model("gpt-two", &["chat=renamed"])
        .model("team/odd-model", &["chat"])
        .model("claude-one", &["messages"])
        .model("any-*", &["chat"])
        .key("narrow", NARROW)
        .set("models = [\"gpt-*\"]");
    Gateway::start(config)
}

fn list(shape: Wire) -> Request {
    let request = Request::get("/v1/models?limit=1000");
    if shape == Wire::Messages { request.header("anthropic-version", "2023-06-01") } else { request }
}

fn names(list: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

fn hold_local(gateway: &Gateway, answer: &Answer, what: &str) {
    assert!(answer.header("location").is_none(), "{what}: no redirect");
    let line = gateway.log_of(answer);
    assert_eq!(line["attempts"], 0, "{what}: {line}");
}

#[test]
fn t35_the_list_has_the_shape_the_headers_ask_for_with_all_upstreams_down() {
    let gateway = gateway();
    for shape in [Wire::Chat, Wire::Messages] {
        let began = Instant::now();
        let mut answer = gateway.send(&list(shape));
        let body = answer.json();
        let took = began.elapsed();
        assert_eq!(answer.status, 200, "{shape:?}: {body}");
        assert!(took < Duration::from_millis(500), "{shape:?}: {took:?}");
        assert_eq!(names(&body), NAMES, "{shape:?}");
        let first = &body["data"][0];
        if shape == Wire::Messages {
            assert_eq!((&body["has_more"], &first["type"]), (&false.into(), &"model".into()), "{body}");
            assert!(first["display_name"].is_string() && first["created_at"].is_string(), "{body}");
        } else {
            assert_eq!((&body["object"], &first["object"]), (&"list".into(), &"model".into()), "{body}");
            assert!(first["created"].is_u64() && first["owned_by"].is_string(), "{body}");
        }
        hold_local(&gateway, &answer, &format!("{shape:?}"));
    }
}

#[test]
fn t35_a_key_sees_only_the_models_it_may_use() {
    let gateway = gateway();
    for shape in [Wire::Chat, Wire::Messages] {
        let body = gateway.send(&list(shape).key(NARROW)).json();
        assert_eq!(names(&body), ["gpt-one", "gpt-two"], "{shape:?}");
        let refused = gateway.send(&list(shape).key("sk-nobody"));
        assert_eq!(refused.status, 401, "{shape:?}");
    }
}

#[test]
fn t35_one_model_by_id_is_found_where_the_key_may_use_it_and_404_elsewhere() {
    let gateway = gateway();
    for shape in [Wire::Chat, Wire::Messages] {
        let mut by_id = list(shape);
        for (id, name) in [("gpt-one", "gpt-one"), ("team%2Fodd-model", "team/odd-model")] {
            by_id.target = format!("/v1/models/{id}");
            let mut answer = gateway.send(&by_id);
            assert_eq!(answer.status, 200, "{shape:?} {id}");
            assert_eq!(answer.json()["id"], name, "{shape:?}");
            hold_local(&gateway, &answer, id);
        }
        for (key, id) in [(NARROW, "claude-one"), (NARROW, "nothing"), (crate::harness::KEY, "nothing")] {
            by_id.target = format!("/v1/models/{id}");
            let mut answer = gateway.send(&by_id.clone().key(key));
            let body = answer.json();
            assert_eq!(answer.status, 404, "{shape:?} {id}: {body}");
            assert!(shape.is_error_body(&body), "{shape:?} {id}: {body}");
            assert_eq!(answer.header("x-tidegate-reason"), Some("model_not_found"), "{shape:?} {id}");
        }
    }
}

#[test]
fn t35_a_name_that_is_nearly_right_is_told_but_never_one_the_key_may_not_use() {
    let gateway = gateway();
    let body = gateway.send(&Request::get("/v1/models/gpt-onee").key(NARROW)).json();
    assert!(body["error"]["message"].as_str().unwrap().contains("`gpt-one`"), "{body}");
    let body = gateway.send(&Request::get("/v1/models/claude-onee").key(NARROW)).json();
    assert!(!body["error"]["message"].as_str().unwrap().contains("`claude-one`"), "{body}");
}
