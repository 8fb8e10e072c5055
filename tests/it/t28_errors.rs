//! T28: every failure upstream is an error of the client's dialect, with its status, its origin and
//! the request's id, and with nothing of the upstream's address or credentials.

use crate::harness::{Config, Gateway, KEY, Sim, Wire};
use tidegate::sim::ScriptedReply;

const CANARY: &str = "sk-upstream-canary-7f3a";

/// What the upstream does, and what the client is told: status, origin.
const FAULTS: [(&str, u16, &str); 22] = [
    ("status:400", 400, "provider"),
    ("status:401", 401, "provider"),
    ("status:402", 402, "provider"),
    ("status:403", 403, "provider"),
    ("status:404", 404, "provider"),
    ("status:408", 408, "provider"),
    ("status:409", 409, "provider"),
    ("status:413", 413, "provider"),
    ("status:422", 422, "provider"),
    ("status:429", 429, "provider"),
    ("status:500", 500, "provider"),
    ("status:502", 502, "provider"),
    ("status:503", 503, "provider"),
    ("status:504", 504, "provider"),
    ("status:529", 529, "provider"),
    ("status:400,echo-headers", 400, "provider"),
    ("status:401,echo-headers", 401, "provider"),
    ("status:500,echo-headers", 500, "provider"),
    ("black-hole", 504, "gateway"),
    ("not-json", 502, "gateway"),
    ("empty", 502, "gateway"),
    ("wrong-content-length:+9", 502, "gateway"),
];

/// A model and a provider for each fault, so that none cools the next; a credential not to be seen.
fn gateway(wire: Wire, sim: &Sim, models: usize) -> Gateway {
    let mut config = Config::new().env("UP_KEY", CANARY);
    for model in 0..models {
        let provider = format!("a{model}");
        config = config.provider(&provider, wire, sim.addr()).set("api_key = \"env:UP_KEY\"");
        config = config.model(&format!("m{model}"), &[&provider]).set("failover = { attempts = 1 }").set(
            "timeouts = { connect = \"2s\", header = \"400ms\", first_token = \"400ms\", idle = \"1s\", total = \"9s\" }",
        );
    }
    Gateway::start(config)
}

#[track_caller]
fn hold_clean(text: &str, sim: &Sim, what: &str) {
    let addr = sim.addr().to_string();
    for secret in [CANARY, KEY, addr.as_str(), &sim.addr().ip().to_string()] {
        assert!(!text.contains(secret), "{what}: {secret} is seen in {text}");
    }
}

fn hold_every_fault(wire: Wire, is_stream: bool) {
    let sim = Sim::start();
    let gateway = gateway(wire, &sim, FAULTS.len());
    for (place, (fault, status, origin)) in FAULTS.into_iter().enumerate() {
        let what = format!("{wire:?} stream {is_stream}: {fault}");
        sim.reset();
        sim.fault(fault);
        let mut answer = gateway.send(&wire.request(&format!("m{place}"), is_stream));
        let body = answer.json();
        assert_eq!(answer.status, status, "{what}: {body}");
        assert!(wire.is_error_body(&body), "{what}: {body}");
        assert_eq!(answer.header("x-tidegate-origin"), Some(origin), "{what}: {body}");
        assert!(answer.header("x-tidegate-reason").is_some(), "{what}");
        assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{what}");
        let id = answer.header("x-tidegate-request-id").expect("a request id").to_owned();
        let line = gateway.log_of(&answer);
        assert_eq!((&line["status"], &line["origin"]), (&status.into(), &origin.into()), "{what}: {line}");
        assert!(id.len() > 8, "{what}: {id}");
        hold_clean(&format!("{body} {:?}", answer.headers), &sim, &what);
        hold_clean(&line.to_string(), &sim, &what);
        assert_eq!(sim.calls(), 1, "{what}: {}", answer.status);
    }
    hold_clean(&gateway.admin_get("/metrics").1.replace(&gateway.admin().to_string(), ""), &sim, "metrics");
}

#[test]
fn t28_every_upstream_fault_is_a_clean_error_for_a_chat_client() {
    hold_every_fault(Wire::Chat, false);
    hold_every_fault(Wire::Chat, true);
}

#[test]
fn t28_every_upstream_fault_is_a_clean_error_for_a_responses_client() {
    hold_every_fault(Wire::Responses, true);
}

#[test]
fn t28_every_upstream_fault_is_a_clean_error_for_a_messages_client() {
    hold_every_fault(Wire::Messages, false);
    hold_every_fault(Wire::Messages, true);
}

#[test]
fn t28_every_upstream_fault_is_a_clean_error_for_a_gemini_client() {
    hold_every_fault(Wire::Gemini, false);
    hold_every_fault(Wire::Gemini, true);
}

#[test]
fn t28_an_error_that_holds_the_bare_upstream_key_is_not_passed_on() {
    for wire in Wire::ALL {
        for status in [400, 404, 422, 500] {
            let sim = Sim::start();
            let gateway = gateway(wire, &sim, 1);
            let message = format!("the key {CANARY} has no access to this");
            let body = wire.fault().data;
            let body = body.replace("overloaded", &message).replace("Overloaded", &message);
            let body = body.replace("failed", &message);
            assert!(body.contains(CANARY));
            sim.answer_next(ScriptedReply::json(status, body));
            let mut answer = gateway.send(&wire.request("m0", false));
            let body = answer.json();
            let what = format!("{wire:?} {status}");
            assert_eq!(answer.status, status, "{what}: {body}");
            assert!(wire.is_error_body(&body), "{what}: {body}");
            hold_clean(&format!("{body} {:?}", answer.headers), &sim, &what);
            hold_clean(&gateway.log_of(&answer).to_string(), &sim, &what);
            assert_eq!(sim.calls(), 1, "{what}");
        }
    }
}

#[test]
fn t28_a_credential_among_the_providers_own_headers_is_not_passed_on_either() {
    let sim = Sim::start();
    let config = Config::new()
        .file("lab-authorization", &format!("Bearer {CANARY}"))
        .provider("a", Wire::Chat, sim.addr())
        .set("headers = { authorization = \"file:{dir}/lab-authorization\" }");
    let gateway = Gateway::start(config.model("m", &["a"]).set("failover = { attempts = 1 }"));
    let body = format!(r#"{{"error":{{"message":"bad token Bearer {CANARY}","type":"x","code":null}}}}"#);
    sim.answer_next(ScriptedReply::json(400, body));
    let mut answer = gateway.send(&Wire::Chat.request("m", false));
    let body = answer.json();
    assert_eq!(sim.last_request().header("authorization"), Some(format!("Bearer {CANARY}").as_str()));
    assert_eq!(answer.status, 400, "{body}");
    hold_clean(&body.to_string(), &sim, "a header's credential");
}
