//! T23: `attempts` is the number of calls upstream, over all targets together; the one that just
//! failed is asked again only when there is no other; the answer tells what was tried.

use crate::harness::{Config, Gateway, Sim, Wire, free_addr};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Instant;
use tidegate::sim::ScriptedReply;

fn gateway(wire: Wire, a: SocketAddr, b: SocketAddr, attempts: u32) -> Gateway {
    let config = Config::new().provider("a", wire, a).provider("b", wire, b);
    Gateway::start(config.model("m", &["a", "b"]).set(&format!("failover = {{ attempts = {attempts} }}")))
}

/// The providers that were tried, in order, as header and log tell them alike.
#[track_caller]
fn tried(gateway: &Gateway, answer: &crate::harness::Answer) -> Vec<String> {
    let told = answer.header("x-tidegate-failures").expect("the failures are told");
    let told: Vec<String> = told.split(',').map(|one| one.split(':').next().unwrap().to_owned()).collect();
    let line = gateway.log_of(answer);
    let logged: Vec<&Value> =
        line["failures"].as_array().unwrap().iter().map(|one| &one["provider"]).collect();
    assert_eq!(told.iter().map(String::as_str).collect::<Vec<_>>(), logged, "{line}");
    told
}

#[test]
fn t23_three_attempts_over_two_failing_targets_are_three_calls_in_turn() {
    for wire in Wire::ALL {
        for (fault, class) in
            [("status:503", "status_5xx"), ("status:500", "status_5xx"), ("not-json", "bad_body")]
        {
            for is_stream in [false, true] {
                let what = format!("{wire:?} {fault} stream {is_stream}");
                let (a, b) = (Sim::with_fault(fault), Sim::with_fault(fault));
                let gateway = gateway(wire, a.addr(), b.addr(), 3);
                let mut answer = gateway.send(&wire.request("m", is_stream));
                let body = answer.json();
                assert!(wire.is_error_body(&body), "{what}: {body}");
                assert!(answer.status >= 500, "{what}: {}", answer.status);
                assert_eq!((a.calls(), b.calls()), (2, 1), "{what}");
                assert_eq!(answer.header("x-tidegate-attempts"), Some("3"), "{what}");
                let all = format!("a:{class},b:{class},a:{class}");
                assert_eq!(answer.header("x-tidegate-failures"), Some(all.as_str()), "{what}");
                assert_eq!(tried(&gateway, &answer), ["a", "b", "a"], "{what}");
                assert_eq!(gateway.log_of(&answer)["attempts"], 3, "{what}");
                let counted = gateway.metric("tidegate_upstream_attempts_total", &[("outcome", class)]);
                assert_eq!(counted, 3.0, "{what}");
            }
        }
    }
}

#[test]
fn t23_the_number_of_calls_is_the_configured_number() {
    for attempts in 1..=5 {
        let (a, b) = (Sim::with_fault("status:500"), Sim::with_fault("status:500"));
        let gateway = gateway(Wire::Chat, a.addr(), b.addr(), attempts);
        let answer = gateway.send(&Wire::Chat.request("m", true));
        assert_eq!(answer.status, 500);
        assert_eq!(a.calls() + b.calls(), u64::from(attempts));
        assert_eq!(answer.header("x-tidegate-attempts"), Some(attempts.to_string().as_str()));
        let tried = tried(&gateway, &answer);
        assert!(tried.windows(2).all(|pair| pair[0] != pair[1]), "never twice in a row: {tried:?}");
    }
}

#[test]
fn t23_weights_and_turns_do_not_ask_the_failed_one_twice_in_a_row_either() {
    for balance in ["weighted", "round-robin"] {
        let (a, b) = (Sim::with_fault("status:500"), Sim::with_fault("status:500"));
        let mut config =
            Config::new().provider("a", Wire::Chat, a.addr()).provider("b", Wire::Chat, b.addr());
        for model in 0..8 {
            // Names of their own upstream: the failures of one model must not cool the next.
            let targets = format!(
                "targets = [{{ provider = \"a\", model = \"u{model}\", weight = 9 }}, {{ provider = \"b\", model = \"u{model}\" }}]"
            );
            let balance = format!("balance = \"{balance}\"");
            config = config.model(&format!("m{model}"), &["a"]).set(&targets).set(&balance);
        }
        let gateway = Gateway::start(config);
        for model in 0..8 {
            let answer = gateway.send(&Wire::Chat.request(&format!("m{model}"), false));
            let tried = tried(&gateway, &answer);
            assert_eq!(tried.len(), 3, "{balance}: {tried:?}");
            assert!(tried[0] != tried[1] && tried[1] != tried[2], "{balance}: {tried:?}");
        }
        assert_eq!(a.calls() + b.calls(), 24, "{balance}");
    }
}

#[test]
fn t23_a_single_target_is_asked_again_after_a_pause_and_no_more_often_than_allowed() {
    let a = Sim::with_fault("status:503");
    let config = Config::new().provider("a", Wire::Messages, a.addr()).model("m", &["a"]);
    let gateway = Gateway::start(config);
    let begun = Instant::now();
    let answer = gateway.send(&Wire::Messages.request("m", false));
    assert_eq!((answer.status, a.calls()), (503, 3));
    assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
    assert_eq!(tried(&gateway, &answer), ["a", "a", "a"]);
}

#[test]
fn t23_an_attempt_that_reached_nobody_counts_too() {
    let b = Sim::with_fault("status:502");
    let gateway = gateway(Wire::Chat, free_addr(), b.addr(), 3);
    let answer = gateway.send(&Wire::Chat.request("m", true));
    assert_eq!(answer.header("x-tidegate-failures"), Some("a:connect,b:status_5xx,a:connect"));
    assert_eq!(answer.header("x-tidegate-attempts"), Some("3"));
    assert_eq!(b.calls(), 1);
}

#[test]
fn t23_each_kind_of_failure_is_told_by_its_own_name() {
    let (a, b) = (Sim::start(), Sim::start());
    for (sim, reply) in [
        (&a, ScriptedReply::json(500, "{}")),
        (&b, ScriptedReply::json(529, "{}")),
        (&a, ScriptedReply::json(200, "<html>")),
    ] {
        sim.answer_next(reply);
    }
    let gateway = gateway(Wire::Messages, a.addr(), b.addr(), 4);
    let mut answer = gateway.send(&Wire::Messages.request("m", false));
    assert_eq!(answer.status, 200);
    assert!(!Wire::Messages.text_of_body(&answer.json()).is_empty());
    assert_eq!(answer.header("x-tidegate-failures"), Some("a:status_5xx,b:status_529,a:bad_body"));
    assert_eq!(answer.header("x-tidegate-attempts"), Some("4"));
    assert_eq!((a.calls(), b.calls()), (2, 2));
    assert_eq!(answer.header("x-tidegate-provider"), Some("b"));
}

#[test]
fn t23_a_call_that_went_well_at_once_tells_one_attempt_and_no_failure() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = gateway(Wire::Chat, a.addr(), b.addr(), 3);
    let answer = gateway.send(&Wire::Chat.request("m", true));
    assert_eq!(answer.header("x-tidegate-attempts"), Some("1"));
    assert_eq!(answer.header("x-tidegate-failures"), None);
    assert_eq!((a.calls(), b.calls()), (1, 0));
}
