//! T33, T34, T35: what Claude Code sends, at Anthropic and at other targets; its token counts and its list
//! of models.

use crate::harness::{Gateway, Request, Sim, lanes};
use serde_json::{Value, json};
use tidegate::types::Protocol;

const BETAS: &str =
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24";

/// A body of the shape of Claude Code 2.1.
fn body(model: &str) -> Value {
    let hint = json!({"type": "ephemeral", "ttl": "1h"});
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": false,
        "properties": {
            "file_path": {"type": "string", "description": "Where."},
            "limit": {"type": "number", "exclusiveMinimum": 0},
            "mode": {"anyOf": [{"const": "a"}, {"type": "null"}]},
            "todos": {"type": "array", "items": {"type": "object", "properties": {"s": {"enum": ["x", "y"]}}, "required": ["s"]}},
        },
        "required": ["file_path"],
    });
    json!({
        "model": model, "max_tokens": 32000, "stream": true,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1"},
            {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral", "ttl": "1h", "scope": "global"}},
            {"type": "text", "text": "Rules.", "cache_control": hint},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "<system-reminder>é</system-reminder>"}, {"type": "text", "text": "Read it."}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2lnbmF0dXJl"},
                {"type": "text", "text": "Reading."},
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "/a"}},
                {"type": "tool_use", "id": "toolu_2", "name": "Read", "input": {"file_path": "/b"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": "no such file"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "text", "text": "see"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                ]},
                {"type": "text", "text": "Go on.", "cache_control": hint},
            ]},
        ],
        "tools": [{"name": "Read", "description": "Reads.", "input_schema": schema}, {"name": "Now", "input_schema": {"type": "object", "properties": {}}}],
        "thinking": {"type": "enabled", "budget_tokens": 4000},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "metadata": {"user_id": format!("user_{}_account_{}_session_{}", "a".repeat(64), "b".repeat(36), "c".repeat(36))},
    })
}

fn call(model: &str) -> Request {
    Request::post("/v1/messages?beta=true", body(model).to_string())
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", BETAS)
        .header("user-agent", "claude-cli/2.1.329 (external, cli)")
        .header("x-app", "cli")
}

#[test]
fn t33_claude_codes_request_reaches_anthropic_as_it_is() {
    let (sim, gateway) = lanes::strict();
    let model = lanes::model(Protocol::Messages);
    let request = call(&model);
    let mut answer = gateway.send(&request);
    let bytes = answer.body();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&bytes));
    let sent = sim.last_request();
    assert_eq!(sent.header("anthropic-beta"), Some(BETAS));
    assert_eq!(sent.header("anthropic-version"), Some("2023-06-01"));
    assert!(sent.target.ends_with("?beta=true"), "{}", sent.target);
    let own = String::from_utf8(request.body).unwrap();
    let renamed =
        own.replace(&format!("\"{model}\""), &format!("\"{}\"", lanes::upstream_model(Protocol::Messages)));
    assert_eq!(String::from_utf8(sent.body).unwrap(), renamed);
}

#[test]
fn t33_claude_codes_request_is_served_by_strict_targets_of_every_other_protocol() {
    let (sim, gateway) = lanes::strict();
    for upstream in Protocol::ALL.into_iter().filter(|upstream| *upstream != Protocol::Messages) {
        let mut answer = gateway.send(&call(&lanes::model(upstream)));
        let dropped = answer.header("x-tidegate-dropped").unwrap_or_default().to_owned();
        let bytes = answer.body();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(answer.status, 200, "{upstream:?}: {text}");
        assert!(text.contains("event: message_stop"), "{upstream:?}: {text}");
        // Header and paired field go together.
        let sent = sim.last_request();
        assert_eq!(sent.header("anthropic-beta"), None, "{upstream:?}");
        assert_eq!(sent.header("anthropic-version"), None, "{upstream:?}");
        let up = String::from_utf8(sent.body).unwrap();
        assert!(!up.contains("context_management") && !up.contains("\"scope\""), "{upstream:?}: {up}");
        assert!(dropped.contains("context_management"), "{upstream:?}: {dropped}");
        assert!(
            up.contains("Rules.") && up.contains("no such file") && up.contains("iVBORw0KGgo="),
            "{upstream:?}: {up}"
        );
    }
    let up: Value = {
        gateway.send(&call(&lanes::model(Protocol::Converse)));
        serde_json::from_slice(&sim.last_request().body).unwrap()
    };
    assert!(
        up["system"].to_string().contains("cachePoint"),
        "Claude at Bedrock keeps its cache points: {up}"
    );
}

fn count(gateway: &Gateway, upstream: Protocol, body: &Value) -> u64 {
    let mut body = body.clone();
    body["model"] = json!(lanes::model(upstream));
    for field in ["stream", "max_tokens", "metadata"] {
        body.as_object_mut().unwrap().remove(field);
    }
    let request = Request::post("/v1/messages/count_tokens?beta=true", body.to_string())
        .header("anthropic-version", "2023-06-01");
    let mut answer = gateway.send(&request);
    let told = answer.json();
    assert_eq!(answer.status, 200, "{upstream:?}: {told}");
    told["input_tokens"].as_u64().unwrap_or_else(|| panic!("{upstream:?}: {told}"))
}

#[test]
fn t34_tokens_are_counted_for_a_target_of_any_protocol_and_nothing_is_generated() {
    let (sim, gateway) = lanes::scripted();
    for upstream in Protocol::ALL {
        let whole = body("m");
        let all = count(&gateway, upstream, &whole);
        let without = |cut: &dyn Fn(&mut Value)| {
            let mut body = whole.clone();
            cut(&mut body);
            count(&gateway, upstream, &body)
        };
        let no_tools = without(&|body| drop(body.as_object_mut().unwrap().remove("tools")));
        let no_image =
            without(&|body| drop(body["messages"][2]["content"][1]["content"].as_array_mut().unwrap().pop()));
        let no_result = without(&|body| body["messages"][2]["content"][0]["content"] = json!(""));
        let no_call = without(&|body| body["messages"][1]["content"][2]["input"] = json!({}));
        assert!(no_tools < all, "{upstream:?}: tools {no_tools} {all}");
        assert!(no_image < all, "{upstream:?}: an image {no_image} {all}");
        assert!(no_result < all, "{upstream:?}: a result {no_result} {all}");
        assert!(no_call < all, "{upstream:?}: a call {no_call} {all}");
    }
    let generations = sim.requests().iter().filter(|r| !r.target.contains("count")).count();
    assert_eq!(generations, 0, "a count costs no generation");
}

#[test]
fn t34_a_count_for_a_model_nobody_has_is_an_anthropic_404() {
    let (_sim, gateway) = lanes::scripted();
    let body = json!({"model": "nobody", "messages": [{"role": "user", "content": "x"}]});
    let request = Request::post("/v1/messages/count_tokens", body.to_string())
        .header("anthropic-version", "2023-06-01");
    let mut answer = gateway.send(&request);
    let told = answer.json();
    assert_eq!(
        (answer.status, &told["type"], &told["error"]["type"]),
        (404, &json!("error"), &json!("not_found_error")),
        "{told}"
    );
}

#[test]
fn t35_models_of_every_protocol_are_listed_in_either_shape_with_all_upstreams_down() {
    let sim = Sim::start();
    sim.fault("refuse");
    let gateway = Gateway::start(lanes::config(&sim));
    for anthropic in [false, true] {
        let request = Request::get("/v1/models?limit=1000");
        let request = if anthropic { request.header("anthropic-version", "2023-06-01") } else { request };
        let mut answer = gateway.send(&request);
        let told = answer.json();
        let names: Vec<&str> =
            told["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
        for upstream in Protocol::ALL {
            assert!(names.contains(&lanes::model(upstream).as_str()), "{upstream:?}: {names:?}");
        }
        assert_eq!(told["data"][0]["type"].is_string(), anthropic, "{told}");
        assert_eq!(answer.header("location"), None);
    }
}
