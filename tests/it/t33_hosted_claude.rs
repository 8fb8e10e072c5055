//! T33 for Claude at Bedrock and Vertex: the client's own bytes but for what the host refuses, its
//! events as they are at Anthropic, betas paired with their fields, counts from the host itself.

use crate::harness::{Config, Gateway, Request, Sim, Wire};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidegate::sim::{Behaviour, Scenario};

const CLAUDE: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
/// As Claude Code sends them.
const BETAS: &str = "claude-code-20250219,interleaved-thinking-2025-05-14,fine-grained-tool-streaming-2025-05-14,\
                     context-management-2025-06-27,prompt-caching-scope-2026-01-05";
/// Odd spacing and escapes: bytes that must not change.
const BODY: &str = r#"{ "model":"m" , "max_tokens":  16, "messages":[{"role":"user","content":"Say \u00e9 é."}],
 "context_management":{"edits":[]}, "tools":[{"name":"t","input_schema":{"type":"object"},"eager_input_streaming":true}], "stream":@ }"#;

fn strict() -> Sim {
    let sim = Sim::start();
    let behaviour = Behaviour { auth: true, strict: true, ..Behaviour::default() };
    let mut scenario = Scenario::all(behaviour);
    // Anthropic itself is here only to compare with.
    scenario.models.insert("claude-sonnet-4-5".to_owned(), Behaviour::default());
    sim.set_scenario(scenario);
    sim
}

fn config(addr: SocketAddr) -> Config {
    Config::new()
        .table("providers.bedrock")
        .set("kind = \"bedrock\"")
        .set(&format!("base_url = \"http://{addr}\""))
        .set("api_key = \"env:BEDROCK\"")
        .set("count_tokens = \"upstream\"")
        .env("BEDROCK", "sim-bedrock-key")
        .table("providers.vertex")
        .set("kind = \"vertex\"")
        .set(&format!("base_url = \"http://{addr}\""))
        .set("project = \"p\"")
        .set("count_tokens = \"upstream\"")
        .set(&format!("google = {{ metadata = true, endpoint = \"http://{addr}\" }}"))
        .provider("direct", Wire::Messages, addr)
        .model("bedrock", &[&format!("bedrock={CLAUDE}")])
        .model("vertex", &["vertex=claude-sonnet-4-5@20250929"])
        .model("direct", &["direct=claude-sonnet-4-5"])
}

fn ask(model: &str, is_stream: bool) -> Request {
    let body = BODY.replace("\"m\"", &format!("\"{model}\"")).replace('@', &is_stream.to_string());
    Request::post("/v1/messages?beta=true", body)
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", BETAS)
}

/// The words of a stream, by its events.
fn words(gateway: &Gateway, model: &str) -> (Vec<String>, String) {
    let mut answer = gateway.send(&ask(model, true));
    assert_eq!(answer.status, 200, "{model}");
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
    let events = answer.events();
    let names = events.iter().map(|event| event.name.clone()).collect();
    (names, events.iter().map(|event| Wire::Messages.text_of(event)).collect())
}

#[test]
fn t33_bedrock_gets_the_clients_bytes_in_its_own_dress() {
    let sim = strict();
    let gateway = Gateway::start(config(sim.addr()));
    let mut answer = gateway.send(&ask("bedrock", false));
    let (status, said) = (answer.status, answer.json());
    assert_eq!(status, 200, "{said}");
    let dropped = answer.header("x-tidegate-dropped").unwrap().to_owned();
    for name in
        ["claude-code-20250219", "fine-grained-tool-streaming-2025-05-14", "tools[].eager_input_streaming"]
    {
        assert!(dropped.split(',').any(|part| part == name), "{dropped}");
    }
    let sent = sim.last_request();
    assert_eq!(sent.target, "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke");
    assert_eq!((sent.header("anthropic-beta"), sent.header("anthropic-version")), (None, None));
    let body = String::from_utf8(sent.body).unwrap();
    assert_eq!(
        body,
        "{\"anthropic_version\":\"bedrock-2023-05-31\",\"anthropic_beta\":[\"interleaved-thinking-2025-05-14\",\
         \"context-management-2025-06-27\"], \"max_tokens\":  16, \
         \"messages\":[{\"role\":\"user\",\"content\":\"Say \\u00e9 é.\"}],\n \"context_management\":{\"edits\":[]}, \
         \"tools\":[{\"name\":\"t\",\"input_schema\":{\"type\":\"object\"}}] }"
    );
}

#[test]
fn t33_a_stream_of_either_host_is_anthropics_own() {
    let sim = strict();
    let gateway = Gateway::start(config(sim.addr()));
    let direct = words(&gateway, "direct");
    assert_eq!(direct.0.first().map(String::as_str), Some("message_start"));
    assert_eq!(direct.0.last().map(String::as_str), Some("message_stop"));
    assert_eq!(words(&gateway, "bedrock"), direct);
    assert_eq!(words(&gateway, "vertex"), direct);
    let sent = sim.last_request();
    assert_eq!(
        sent.header("anthropic-beta"),
        Some("interleaved-thinking-2025-05-14,context-management-2025-06-27")
    );
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!((&body["anthropic_version"], body.get("model")), (&json!("vertex-2023-10-16"), None));
    let line = gateway.log_where("the call at Bedrock", |line| line["model"] == "bedrock");
    assert_eq!(line["output_tokens"], 16, "{line}");
}

#[test]
fn t33_a_broken_stream_at_bedrock_is_told_as_anthropic_tells_it() {
    let sim = strict();
    let gateway = Gateway::start(config(sim.addr()));
    let mut answer = gateway.send(&ask("bedrock", true).header("x-sim-fault", "error-after:3"));
    let events = answer.events();
    assert!(Wire::Messages.is_error(events.last().unwrap()), "{events:?}");
    let mut refused = gateway.send(&ask("bedrock", false).header("x-sim-fault", "status:400"));
    let body = refused.json();
    assert!(refused.status == 400 && Wire::Messages.is_error_body(&body), "{body}");
}

#[test]
fn t33_a_model_that_refuses_losses_names_the_beta() {
    let sim = strict();
    let config = config(sim.addr()).table("models.\"bedrock\"").set("on_unsupported = \"reject\"");
    let gateway = Gateway::start(config);
    let mut answer = gateway.send(&ask("bedrock", false));
    let body = answer.json();
    assert_eq!(answer.status, 400);
    assert!(body["error"]["message"].as_str().unwrap().contains("claude-code-20250219"), "{body}");
    assert_eq!(sim.calls(), 0);
}

#[test]
fn t33_a_beta_the_operator_vouches_for_goes_up() {
    let sim = strict();
    let config = config(sim.addr()).table("providers.vertex");
    let gateway =
        Gateway::start(config.set("anthropic_betas = [\"web-search-2025-03-05\", \"new-2026-11-01\"]"));
    sim.set_scenario(Scenario::all(Behaviour { auth: true, ..Behaviour::default() }));
    let request = Wire::Messages.request("vertex", false);
    let answer = gateway.send(&request.header("anthropic-beta", "new-2026-11-01,other-2026-11-01"));
    assert_eq!(answer.status, 200);
    assert_eq!(sim.last_request().header("anthropic-beta"), Some("new-2026-11-01"));
}

#[test]
fn t33_tokens_are_counted_by_the_host_where_it_can() {
    let sim = strict();
    let gateway = Gateway::start(config(sim.addr()));
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Say something."}]});
    for (model, path) in [
        ("bedrock", "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens"),
        ("vertex", "/v1/projects/p/locations/global/publishers/anthropic/models/count-tokens:rawPredict"),
    ] {
        body["model"] = json!(model);
        let request = Request::post("/v1/messages/count_tokens", body.to_string());
        let mut answer = gateway.send(&request.header("anthropic-version", "2023-06-01"));
        let counted = answer.json();
        assert!(answer.status == 200 && counted["input_tokens"].is_u64(), "{counted}");
        assert_eq!(sim.last_request().target, path);
    }
    // Bedrock counts for some models only.
    body["model"] = json!("bedrock");
    let request = Request::post("/v1/messages/count_tokens", body.to_string()).fault("status:400");
    let mut answer = gateway.send(&request.header("anthropic-version", "2023-06-01"));
    let counted = answer.json();
    assert!(answer.status == 200 && counted["input_tokens"].is_u64(), "{counted}");
}
