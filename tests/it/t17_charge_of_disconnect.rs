//! T17: what a call is charged whose client left: an honest estimate, or the truth by draining.

use crate::harness::{Config, Connection, Gateway, PATIENCE, Sim, Wire, until};
use serde_json::Value;
use std::time::Duration;

/// Words the simulator would say in all.
const WORDS: u64 = 60;
/// Words the client waits for before it leaves.
const READ: usize = 8;

fn start(wire: Wire, sim: &Sim, policy: &str) -> Gateway {
    let mut config = Config::new().provider("a", wire, sim.addr()).model("m", &["a"]);
    for line in policy.lines() {
        config = config.set(line);
    }
    Gateway::start(config)
}

/// Leaves after some words; gives the call's log line.
fn leave_after_some(gateway: &Gateway, wire: Wire, words: u64, every_ms: u64) -> Value {
    let more = match wire {
        Wire::Chat => serde_json::json!({"max_tokens": words}),
        Wire::Responses => serde_json::json!({"max_output_tokens": words}),
        Wire::Messages => serde_json::json!({"max_tokens": words}),
        Wire::Gemini => serde_json::json!({"generationConfig": {"maxOutputTokens": words}}),
    };
    let request = wire.request_with("m", true, &more).header("x-sim-delay-token-ms", &every_ms.to_string());
    let mut answer = gateway.send(&request);
    let mut read = 0;
    while read < READ {
        read += usize::from(!wire.text_of(&answer.event().unwrap()).is_empty());
    }
    let id = answer.header("x-tidegate-request-id").unwrap().to_owned();
    answer.close();
    gateway.log_where("the line of the call", |line| line["request_id"] == id.as_str())
}

/// What the simulator counts as the prompt of the call.
fn true_input(sim: &Sim) -> u64 {
    (sim.last_request().body_bytes as u64).div_ceil(4)
}

#[test]
fn t17_abort_charges_the_prompt_and_an_estimate_of_what_was_generated() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let gateway = start(wire, &sim, "on_disconnect = \"abort\"");
        let line = leave_after_some(&gateway, wire, WORDS, 50);
        until("the upstream is cancelled", PATIENCE, || sim.stats().aborted == 1);
        assert_eq!(line["client_aborted"], true, "{wire:?}: {line}");
        assert_eq!(line["estimated"], true, "{wire:?}: {line}");
        assert!(line["input_tokens"].as_u64().unwrap() > 0, "{wire:?}: {line}");
        let output = line["output_tokens"].as_u64().unwrap();
        // A word is a token; a few may have been on their way.
        assert!((READ as u64 - 1..WORDS / 2).contains(&output), "{wire:?}: {line}");
        let written = sim.stats().content_events;
        assert!(output <= written + 2, "{wire:?}: {written} words were written: {line}");
        gateway.metric_becomes("tidegate_estimated_usage_total", &[], 1.0);
    }
}

#[test]
fn t17_leaving_before_the_first_token_is_charged_the_prompt() {
    let sim = Sim::with_fault("black-hole");
    let gateway = start(Wire::Chat, &sim, "");
    let mut connection = Connection::open(gateway.addr());
    connection.send(&Wire::Chat.request("m", true));
    until("the call is upstream", PATIENCE, || sim.stats().in_flight == 1);
    connection.close();
    let line = gateway.log_when(1).remove(0);
    assert_eq!((&line["estimated"], &line["output_tokens"]), (&true.into(), &0.into()), "{line}");
    assert!(line["input_tokens"].as_u64().unwrap() > 0, "{line}");
}

#[test]
fn t17_drain_reads_on_and_charges_what_the_upstream_reports() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let gateway = start(wire, &sim, "on_disconnect = \"drain\"\ndrain_max = \"20s\"");
        let line = leave_after_some(&gateway, wire, WORDS, 10);
        assert_eq!(line["client_aborted"], true, "{wire:?}: {line}");
        assert_eq!(line["estimated"], false, "{wire:?}: {line}");
        let told = (line["input_tokens"].as_u64().unwrap(), line["output_tokens"].as_u64().unwrap());
        assert_eq!(told, (true_input(&sim), WORDS), "{wire:?}: {line}");
        assert_eq!((sim.stats().aborted, sim.calls()), (0, 1), "{wire:?}");
    }
}

#[test]
fn t17_a_drain_has_an_end_and_then_is_an_estimate() {
    let sim = Sim::start();
    let gateway = start(Wire::Chat, &sim, "on_disconnect = \"drain\"\ndrain_max = \"300ms\"");
    let line = leave_after_some(&gateway, Wire::Chat, 4000, 20);
    until("the upstream is cancelled", Duration::from_secs(5), || sim.stats().aborted == 1);
    assert_eq!((&line["client_aborted"], &line["estimated"]), (&true.into(), &true.into()), "{line}");
    let output = line["output_tokens"].as_u64().unwrap();
    assert!((READ as u64..400).contains(&output), "{line}");
}

#[test]
fn t17_a_key_is_charged_for_what_it_left() {
    let sim = Sim::start();
    let config = Config::new()
        .table("keys.test")
        .set("limits = { tokens_per_minute = 1000 }")
        .provider("a", Wire::Chat, sim.addr())
        .model("m", &["a"]);
    let gateway = Gateway::start(config);
    let line = leave_after_some(&gateway, Wire::Chat, WORDS, 50);
    let charged = line["input_tokens"].as_u64().unwrap() + line["output_tokens"].as_u64().unwrap();
    let one = serde_json::json!({"max_tokens": 1});
    let mut answer = gateway.send(&Wire::Chat.request_with("m", false, &one));
    answer.body();
    let remaining: u64 = answer.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap();
    let counted: u64 = answer.header("x-tidegate-input-tokens").unwrap().parse().unwrap();
    // Within a token or two, by which the window may have moved on.
    let expected = 1000 - charged - counted;
    assert!(remaining.abs_diff(expected) <= 40, "{remaining} left, {expected} expected: {line}");
    assert!(remaining < 1000 - charged.min(counted), "the call that was left cost nothing");
}
