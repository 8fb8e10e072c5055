//! T45: money. A budget is never exceeded, on any route; what is not used comes back; a stream whose
//! money ends is ended as its dialect ends a long answer.

use crate::harness::{Answer, Config, Gateway, PATIENCE, Sim, Wire, until};
use serde_json::{Value, json};
use std::thread;

/// US dollars per token: 1 for a prompt's, 2 for an answer's, in millionths.
const PRICES: &str = "prices = { input = \"1\", output = \"2\" }";

fn config(wire: Wire, sim: &Sim, budget: &str) -> Config {
    Config::new()
        .table("keys.test")
        .set(&format!("budget = {budget}"))
        .provider("a", wire, sim.addr())
        .model("m", &["a"])
        .table("catalog.models.\"a/m\"")
        .set(PRICES)
}

/// Millionths of a dollar.
fn cost(line: &Value) -> f64 {
    let cost = &line["cost_usd"];
    let dollars = cost.as_f64().or_else(|| cost.as_str()?.parse().ok());
    dollars.unwrap_or_else(|| panic!("no cost: {line}")) * 1e6
}

fn call(gateway: &Gateway, wire: Wire, tokens: u64) -> Answer {
    let more = match wire {
        Wire::Chat => json!({"max_tokens": tokens}),
        Wire::Responses => json!({"max_output_tokens": tokens}),
        Wire::Messages => json!({"max_tokens": tokens}),
        Wire::Gemini => json!({"generationConfig": {"maxOutputTokens": tokens}}),
    };
    gateway.send(&wire.request_with("m", false, &more))
}

/// Why a stream ended, in its dialect, wherever it says so.
fn finish(wire: Wire, events: &[Value]) -> String {
    let of = |event: &Value| match wire {
        Wire::Chat => event["choices"][0]["finish_reason"].as_str().map(str::to_owned),
        Wire::Responses => event["response"]["incomplete_details"]["reason"].as_str().map(str::to_owned),
        Wire::Messages => event["delta"]["stop_reason"].as_str().map(str::to_owned),
        Wire::Gemini => event["candidates"][0]["finishReason"].as_str().map(str::to_owned),
    };
    events.iter().rev().find_map(of).unwrap_or_default()
}

fn usage(wire: Wire, events: &[Value]) -> u64 {
    let of = |event: &Value| match wire {
        Wire::Chat => event["usage"]["completion_tokens"].as_u64(),
        Wire::Responses => event["response"]["usage"]["output_tokens"].as_u64(),
        Wire::Messages => event["usage"]["output_tokens"].as_u64(),
        Wire::Gemini => event["usageMetadata"]["candidatesTokenCount"].as_u64(),
    };
    events.iter().rev().find_map(of).unwrap_or_default()
}

#[test]
fn t45_a_stream_that_reaches_the_end_of_the_money_ends_as_a_long_answer_does() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        // Some 900 tokens of output.
        let gateway = Gateway::start(config(wire, &sim, "{ usd = \"0.002\", per = \"total\" }"));
        let more = if wire == Wire::Messages { json!({"max_tokens": 8000}) } else { json!({}) };
        let request = wire
            .request_with("m", true, &more)
            .header("x-sim-tokens", "6000")
            .header("x-sim-delay-token-ms", "1");
        let mut answer = gateway.send(&request);
        assert_eq!(answer.status, 200, "{wire:?}");
        let events = answer.events();
        assert!(wire.is_terminal(events.last().unwrap()), "{wire:?}: {:?}", events.last());
        assert!(!events.iter().any(|event| wire.is_error(event)), "{wire:?}");
        let data: Vec<Value> =
            events.iter().filter(|event| event.data != "[DONE]").map(|event| event.json()).collect();
        let reason = finish(wire, &data);
        let expected = ["length", "max_output_tokens", "max_tokens", "MAX_TOKENS"];
        assert!(expected.contains(&reason.as_str()), "{wire:?}: {reason} in {:?}", data.last());
        assert!(usage(wire, &data) > 300, "{wire:?}: {:?}", &data[data.len() - 3..]);
        let log = gateway.log_of(&answer);
        assert_eq!((&log["reason"], &log["status"]), (&json!("budget_exceeded"), &json!(200)), "{wire:?}");
        let spent = cost(&log);
        assert!((1500.0..=2000.0).contains(&spent), "{wire:?}: {spent} of 2000: {log}");
        until("the upstream is cancelled", PATIENCE, || sim.stats().aborted == 1);
        assert!(String::from_utf8_lossy(answer.seen()).contains(": budget_exceeded"), "{wire:?}");
        gateway.metric_becomes("tidegate_budget_cuts_total", &[], 1.0);
        gateway.metric_becomes("tidegate_budget_calls", &[], 0.0);
        // And the next one is not let in.
        let mut refused = call(&gateway, wire, 1000);
        assert_eq!(refused.status, 429, "{wire:?}");
        assert_eq!(refused.header("x-tidegate-reason"), Some("budget_exceeded"));
        assert_eq!(refused.header("x-should-retry"), Some("false"));
        assert!(wire.is_error_body(&refused.json()), "{wire:?}");
        assert_eq!(sim.calls(), 1, "{wire:?}");
    }
}

#[test]
fn t45_a_drain_that_ends_with_the_money_says_so() {
    let sim = Sim::start();
    let config = config(Wire::Chat, &sim, "{ usd = \"0.002\", per = \"total\" }");
    let gateway = Gateway::start(config.table("models.\"m\"").set("on_disconnect = \"drain\""));
    let request = Wire::Chat.request("m", true).header("x-sim-tokens", "6000");
    let mut answer = gateway.send(&request.header("x-sim-delay-token-ms", "1"));
    assert!(answer.event().is_some());
    answer.reset();
    let line = gateway.log_where("the drain's end", |line| line["status"] == 200);
    assert_eq!(
        (&line["reason"], &line["client_aborted"]),
        (&json!("budget_exceeded"), &json!(true)),
        "{line}"
    );
    let spent = cost(&line);
    assert!((1500.0..=2000.0).contains(&spent), "{spent} of 2000: {line}");
    until("the upstream is cancelled", PATIENCE, || sim.stats().aborted == 1);
    gateway.metric_becomes("tidegate_budget_cuts_total", &[], 1.0);
    gateway.metric_becomes("tidegate_budget_calls", &[], 0.0);
}

#[test]
fn t45_a_client_that_waits_reads_a_gemini_array_to_its_bracket() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(Wire::Gemini, &sim, "{ usd = \"0.002\", per = \"total\" }"));
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "Say something."}]}]}).to_string();
    let request = crate::harness::Request::post("/v1beta/models/m:streamGenerateContent", body)
        .header("x-sim-tokens", "6000")
        .header("x-sim-delay-token-ms", "1");
    let elements = gateway.send(&request).json();
    let last = elements.as_array().unwrap().last().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert!(last["usageMetadata"]["candidatesTokenCount"].as_u64().unwrap() > 300);
}

#[test]
fn t45_parallel_calls_never_spend_more_than_there_is_and_nearly_all_of_it() {
    let sim = Sim::start();
    // About 90 millionths a call.
    let gateway = Gateway::start(config(Wire::Chat, &sim, "{ usd = \"0.003\", per = \"month\" }"));
    let outcomes: Vec<(u16, u64)> = thread::scope(|scope| {
        let work = |_| scope.spawn(|| (0..10).map(|_| tried(&gateway)).collect::<Vec<_>>());
        let threads: Vec<_> = (0..10).map(work).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(outcomes.iter().all(|(status, _)| [200, 429].contains(status)), "{outcomes:?}");
    let lines = gateway.log_when(100);
    let spent: f64 = lines.iter().filter(|line| line["status"] == 200).map(cost).sum();
    let one = cost(lines.iter().find(|line| line["status"] == 200).unwrap());
    assert!(spent <= 3000.0, "{spent}");
    // What the last call reserves, a bound of its prompt, may be more than it costs.
    assert!(spent >= 3000.0 - 5.0 * one, "{spent}, {one} a call");
    let upstream = sim.stats();
    let told = upstream.prompt_tokens as f64 + 2.0 * upstream.output_tokens as f64;
    assert!((told - spent).abs() < 1e-6, "the simulator counts {told}, the gateway {spent}");
    gateway.metric_becomes("tidegate_budget_calls", &[], 0.0);
}

fn tried(gateway: &Gateway) -> (u16, u64) {
    // The simulator counts a token for four bytes, fewer than there are in these: what is settled is
    // never more than what was counted before.
    let messages = json!([{"role": "user", "content": "1 2 3 4 5 6 7 8 9 ".repeat(10)}]);
    let more = json!({"max_tokens": 8, "messages": messages});
    let mut answer = gateway.send(&Wire::Chat.request_with("m", false, &more));
    let told = answer.json();
    (answer.status, told["usage"]["completion_tokens"].as_u64().unwrap_or_default())
}

#[test]
fn t45_what_a_call_reserves_comes_back_whatever_becomes_of_it() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(Wire::Chat, &sim, "{ usd = \"0.01\", per = \"day\" }"));
    let stream = Wire::Chat.request_with("m", true, &json!({"max_tokens": 4000}));
    for fault in ["status:400", "status:503", "reset-after:3", "error-after:3", "not-json", "no-usage"] {
        drop(gateway.send(&stream.clone().fault(fault)).try_body());
    }
    for _ in 0..5 {
        let mut answer = gateway.send(&stream.clone().header("x-sim-delay-token-ms", "5"));
        assert!(answer.event().is_some());
        answer.reset();
    }
    let lines = gateway.log_when(11);
    gateway.metric_becomes("tidegate_budget_calls", &[], 0.0);
    let spent: f64 = lines.iter().filter(|line| !line["cost_usd"].is_null()).map(cost).sum();
    assert!(spent > 0.0 && spent < 10_000.0, "{spent}");
    // All the rest is there: a call that takes it whole is let in, one that takes more is not.
    let left = ((10_000.0 - spent) / 2.0) as u64;
    assert_eq!(call(&gateway, Wire::Chat, left + 10).status, 429);
    sim.behave(tidegate::sim::Behaviour { tokens: Some(1), ..Default::default() });
    let all =
        Wire::Chat.request_with("m", false, &json!({"max_tokens": left - 60})).header("x-sim-tokens", "1");
    assert_eq!(gateway.send(&all).status, 200);
}

#[test]
fn t45_a_spent_budget_may_go_on_with_another_model() {
    let sim = Sim::start();
    let budget = "{ usd = \"0.0001\", per = \"day\", model = \"m\", on_exhausted = \"downgrade:small\" }";
    let config = config(Wire::Chat, &sim, budget).model("small", &["a=tiny"]);
    let gateway = Gateway::start(config);
    let mut seen = Vec::new();
    for _ in 0..5 {
        let mut answer = call(&gateway, Wire::Chat, 16);
        assert_eq!(answer.status, 200);
        answer.body();
        seen.push((
            answer.header("x-tidegate-upstream-model").unwrap().to_owned(),
            answer.header("x-tidegate-downgraded-to").map(str::to_owned),
        ));
    }
    assert_eq!(seen[0], ("m".to_owned(), None));
    assert_eq!(seen[4], ("tiny".to_owned(), Some("small".to_owned())));
    gateway.metric_becomes(
        "tidegate_budget_downgrades_total",
        &[],
        seen.iter().filter(|s| s.1.is_some()).count() as f64,
    );
    let body: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
    assert_eq!(body["model"], "tiny");
}

#[test]
fn t45_what_has_no_price_is_refused_under_a_budget_in_money_and_passed_on_no_route() {
    let sim = Sim::start();
    let config = config(Wire::Chat, &sim, "{ usd = \"1\", per = \"day\" }").model("unlisted", &["a"]);
    let gateway = Gateway::start(config);
    let mut refused = gateway.send(&Wire::Chat.request("unlisted", false));
    assert_eq!((refused.status, refused.header("x-tidegate-reason")), (403, Some("unpriced")));
    assert!(Wire::Chat.is_error_body(&refused.json()));
    let forwarded = gateway.send(&crate::harness::Request::get("/v1/files"));
    assert_eq!((forwarded.status, forwarded.header("x-tidegate-reason")), (403, Some("unpriced")));
    assert_eq!(sim.calls(), 0);
    assert_eq!(call(&gateway, Wire::Chat, 4).status, 200);
}

#[test]
fn t45_a_budget_in_tokens_needs_no_price_and_a_reload_keeps_what_is_spent() {
    let sim = Sim::start();
    let with = |tokens: u64| {
        Config::new()
            .table("keys.test")
            .set(&format!("budget = {{ tokens = {tokens}, per = \"total\" }}"))
            .provider("a", Wire::Chat, sim.addr())
            .model("m", &["a"])
    };
    let gateway = Gateway::start(with(150));
    let mut passed = 0;
    while call(&gateway, Wire::Chat, 8).status == 200 {
        passed += 1;
        gateway.log_when(passed);
    }
    assert!((2..8).contains(&passed), "{passed}");
    gateway.reconfigure(&with(100));
    gateway.signal("HUP");
    gateway.metric_becomes("tidegate_config_reloads_total", &[("result", "applied")], 1.0);
    assert_eq!(call(&gateway, Wire::Chat, 8).status, 429);
    gateway.reconfigure(&with(100_000));
    gateway.signal("HUP");
    gateway.metric_becomes("tidegate_config_reloads_total", &[("result", "applied")], 2.0);
    assert_eq!(call(&gateway, Wire::Chat, 8).status, 200);
}
