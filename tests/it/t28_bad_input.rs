//! T28: bad input gets a clear error in the client's dialect, and no upstream hears of it.

use crate::harness::{Answer, Config, Gateway, Request, Sim, Wire};
use serde_json::Value;

fn start(sim: &Sim) -> Gateway {
    let config = Config::new()
        .table("server.limits")
        .set("body_bytes_max = \"64KiB\"")
        .key("narrow", "sk-narrow")
        .set("models = [\"gpt-other\"]")
        .key("slow", "sk-slow")
        .set("limits = { requests_per_minute = 3 }");
    let mut config = config
        .provider("chat", Wire::Chat, sim.addr())
        .provider("messages", Wire::Messages, sim.addr())
        .provider("gemini", Wire::Gemini, sim.addr());
    for (model, provider) in [
        ("gpt-known", "chat"),
        ("gpt-other", "chat"),
        ("claude-known", "messages"),
        ("gemini-known", "gemini"),
    ] {
        config = config.model(model, &[provider]);
    }
    Gateway::start(config)
}

fn model(wire: Wire) -> &'static str {
    match wire {
        Wire::Chat | Wire::Responses => "gpt-known",
        Wire::Messages => "claude-known",
        Wire::Gemini => "gemini-known",
    }
}

/// The message of a refusal that the gateway made itself.
#[track_caller]
fn refused(gateway: &Gateway, wire: Wire, request: &Request, status: u16, reason: &str) -> (Answer, String) {
    let mut answer = gateway.send(request);
    let body: Value = answer.json();
    assert_eq!(answer.status, status, "{wire:?}: {body}");
    assert!(wire.is_error_body(&body), "{wire:?}: {body}");
    assert_eq!(answer.header("x-tidegate-reason"), Some(reason), "{wire:?}: {body}");
    assert_eq!(answer.header("x-tidegate-origin"), Some("gateway"), "{wire:?}: {body}");
    assert!(answer.header("x-tidegate-request-id").is_some(), "{wire:?}");
    let line = gateway.log_of(&answer);
    assert_eq!((&line["status"], &line["reason"]), (&status.into(), &reason.into()), "{wire:?}: {line}");
    let message = body["error"]["message"].as_str().unwrap().to_owned();
    (answer, message)
}

#[test]
fn t28_bad_input_an_oversize_body_is_413_stated_or_chunked() {
    let sim = Sim::start();
    let gateway = start(&sim);
    for wire in Wire::ALL {
        let request = wire.request_of(model(wire), false, vec![b' '; 70_000]);
        refused(&gateway, wire, &request, 413, "body_too_large");
        refused(&gateway, wire, &request.chunked(4000), 413, "body_too_large");
    }
    assert_eq!(sim.calls(), 0);
}

#[test]
fn t28_bad_input_malformed_json_is_400_and_names_the_place() {
    let sim = Sim::start();
    let gateway = start(&sim);
    for wire in [Wire::Chat, Wire::Responses, Wire::Messages] {
        let body = format!("{{\n  \"model\": \"{}\",\n  oops\n}}", model(wire));
        let request = wire.request_of(model(wire), false, body);
        let (_, message) = refused(&gateway, wire, &request, 400, "invalid_json");
        assert!(message.contains("line 3") && message.contains("column 3"), "{message}");
    }
    assert_eq!(sim.calls(), 0);
}

#[test]
fn t28_bad_input_two_models_and_deep_nesting_are_400() {
    let sim = Sim::start();
    let gateway = start(&sim);
    for wire in [Wire::Chat, Wire::Responses, Wire::Messages] {
        let two = format!("{{\"model\":\"{}\",\"model\":\"other\"}}", model(wire));
        let (_, message) = refused(&gateway, wire, &wire.request_of("m", false, two), 400, "duplicate_field");
        assert!(message.contains("model"), "{message}");
        let deep =
            format!("{{\"model\":\"{}\",\"x\":{}{}}}", model(wire), "[".repeat(5000), "]".repeat(5000));
        let request = wire.request_of("m", false, deep);
        let mut answer = gateway.send(&request);
        let body = answer.json();
        assert_eq!(answer.status, 400, "{wire:?}: {body}");
        assert!(wire.is_error_body(&body) && body.to_string().contains("deep"), "{wire:?}: {body}");
    }
    assert_eq!(sim.calls(), 0);
}

#[test]
fn t28_bad_input_an_unknown_model_is_404_with_near_names() {
    let sim = Sim::start();
    let gateway = start(&sim);
    for wire in Wire::ALL {
        let wrong = model(wire).replace("known", "knwon");
        let request = wire.request(&wrong, true);
        let (_, message) = refused(&gateway, wire, &request, 404, "model_not_found");
        assert!(message.contains(&wrong) && message.contains(model(wire)), "{message}");
    }
    assert_eq!(sim.calls(), 0);
}

#[test]
fn t28_bad_input_a_missing_and_a_wrong_key_are_the_same_401() {
    let sim = Sim::start();
    let gateway = start(&sim);
    for wire in Wire::ALL {
        let wrong = wire.request(model(wire), false).key("sk-wrong");
        let mut missing = wrong.clone();
        missing.headers.retain(|(name, _)| name != "authorization");
        let (_, one) = refused(&gateway, wire, &wrong, 401, "invalid_api_key");
        let (_, other) = refused(&gateway, wire, &missing, 401, "invalid_api_key");
        assert_eq!(one, other, "{wire:?}");
        assert!(!one.contains("sk-wrong"), "{one}");
    }
    assert_eq!(sim.calls(), 0);
}

#[test]
fn t28_bad_input_a_key_without_the_model_is_403() {
    let sim = Sim::start();
    let gateway = start(&sim);
    for wire in Wire::ALL {
        let request = wire.request(model(wire), false).key("sk-narrow");
        refused(&gateway, wire, &request, 403, "model_not_allowed");
    }
    assert_eq!(sim.calls(), 0);
}

#[test]
fn t28_bad_input_over_the_rate_is_429_and_the_limit_headers_are_true() {
    let sim = Sim::start();
    let gateway = start(&sim);
    let request = Wire::Chat.request("gpt-known", false).key("sk-slow");
    for left in [2, 1, 0] {
        let answer = gateway.send(&request);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("3"));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(left.to_string().as_str()));
        assert!(answer.header("x-ratelimit-reset-requests").is_some());
    }
    for _ in 0..2 {
        let (answer, _) = refused(&gateway, Wire::Chat, &request, 429, "rate_limit_exceeded");
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        // A charge lasts a minute and up to the second it fell into.
        assert!((1..=61).contains(&seconds), "{seconds}");
    }
    assert_eq!(sim.calls(), 3, "what is refused goes nowhere");
    let other = gateway.send(&Wire::Chat.request("gpt-known", false));
    assert_eq!((other.status, other.header("x-ratelimit-limit-requests")), (200, None));
}

#[test]
fn t28_bad_input_an_unknown_path_is_404_and_a_wrong_method_405_in_the_clients_dialect() {
    let sim = Sim::start();
    let gateway = start(&sim);
    for (wire, path) in [
        (Wire::Chat, "/v1/nothing"),
        (Wire::Chat, "/"),
        (Wire::Messages, "/v1/messages/nothing/here"),
        (Wire::Gemini, "/v1beta/nothing"),
    ] {
        refused(&gateway, wire, &Request::post(path, "{}"), 404, "not_found");
    }
    for wire in [Wire::Chat, Wire::Responses, Wire::Messages] {
        let request = Request::new("PUT", &wire.path("m", false)).key(crate::harness::KEY);
        let (answer, message) = refused(&gateway, wire, &request, 405, "unsupported_method");
        assert_eq!(answer.header("allow"), Some("POST"), "{wire:?}");
        assert!(message.contains("POST"), "{wire:?}: {message}");
    }
    let request = Request::new("PUT", "/v1/files/file-1").key(crate::harness::KEY);
    let (answer, _) = refused(&gateway, Wire::Chat, &request, 405, "unsupported_method");
    assert_eq!(answer.header("allow"), Some("GET, DELETE"));
    assert_eq!(sim.calls(), 0);
}

#[test]
fn t28_bad_input_a_websocket_where_there_is_none_is_426_and_other_upgrades_are_not_noticed() {
    let sim = Sim::start();
    let gateway = start(&sim);
    let handshake = |path: &str| {
        let head = Request::get(path).header("connection", "Upgrade").header("upgrade", "WebSocket");
        head.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    // Codex tries the first, and goes back to HTTP at once on a 426 only.
    for path in ["/v1/responses", "/v1/chat/completions", "/v1/files", "/v1/models"] {
        let (answer, message) =
            refused(&gateway, Wire::Responses, &handshake(path), 426, "unsupported_upgrade");
        assert_eq!(answer.header("upgrade"), Some("HTTP/1.1"), "{path}");
        assert!(message.contains("WebSocket"), "{path}: {message}");
    }
    refused(&gateway, Wire::Responses, &handshake("/v1/nothing"), 404, "not_found");
    assert_eq!(sim.calls(), 0);
    for upgrade in ["h2c", "websocket"] {
        let request = Wire::Chat.request("gpt-known", false).header("connection", "Upgrade, HTTP2-Settings");
        let request = request.header("upgrade", upgrade).header("http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA");
        assert_eq!(gateway.send(&request).status, 200, "{upgrade}");
    }
    assert_eq!(sim.calls(), 2);
}
