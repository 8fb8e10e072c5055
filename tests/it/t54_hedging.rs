//! Hedging: a stream whose first content is late is asked elsewhere too; whoever is first is the
//! answer, and the other one's provider sees the call end at once. Targets taken out by hand.

use crate::harness::{Config, Gateway, PATIENCE, Sim, Wire, until};
use serde_json::{Value, json};
use tidegate::sim::Behaviour;

fn start(a: &Sim, b: &Sim, hedge: &str) -> Gateway {
    let config = Config::new().provider("a", Wire::Chat, a.addr()).provider("b", Wire::Chat, b.addr());
    Gateway::start(config.model("m", &["a", "b"]).set(&format!("hedge = {hedge}")))
}

fn slow(millis: u64) -> Behaviour {
    Behaviour { delay_first_ms: Some(millis), ..Behaviour::default() }
}

/// Enough calls for a percentile to be known, all quick.
fn teach(gateway: &Gateway) {
    for _ in 0..40 {
        let mut answer = gateway.send(&Wire::Chat.request("m", true));
        assert_eq!(answer.status, 200);
        answer.events();
    }
}

#[test]
fn t54_a_late_first_target_loses_to_the_second_and_is_cancelled_at_once() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = start(&a, &b, "{ percentile = 95, after_min = \"100ms\", share = 50 }");
    teach(&gateway);
    assert_eq!((a.calls(), b.calls()), (40, 0), "nothing is asked twice before it is late");
    a.behave(slow(30_000));
    let mut answer = gateway.send(&Wire::Chat.request("m", true));
    assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("b")));
    assert!(answer.header("x-tidegate-route").unwrap().ends_with("; hedged"));
    assert_eq!(answer.header("x-tidegate-attempts"), Some("2"));
    let events = answer.events();
    assert!(Wire::Chat.is_terminal(events.last().unwrap()));
    until("the loser's call has ended", PATIENCE, || a.stats().in_flight == 0);
    assert_eq!((a.stats().aborted, a.calls(), b.calls()), (1, 41, 1));
    assert_eq!(gateway.metric("tidegate_hedges_total", &[("outcome", "won")]), 1.0);
}

#[test]
fn t54_the_second_may_fail_and_the_first_is_still_the_answer() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = start(&a, &b, "{ percentile = 95, after_min = \"50ms\", share = 50 }");
    teach(&gateway);
    a.behave(slow(1_500));
    b.fault("status:500");
    let mut answer = gateway.send(&Wire::Chat.request("m", true));
    assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("a")));
    assert_eq!(answer.header("x-tidegate-failures"), Some("b:status_5xx"));
    assert!(!answer.events().is_empty());
    assert_eq!((a.stats().aborted, b.calls()), (0, 1));
}

#[test]
fn t54_the_share_of_calls_asked_twice_is_bounded() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = start(&a, &b, "{ percentile = 95, after_min = \"20ms\", share = 10 }");
    teach(&gateway);
    a.behave(slow(200));
    for _ in 0..20 {
        gateway.send(&Wire::Chat.request("m", true)).events();
    }
    // A tenth of sixty.
    assert!((1..=6).contains(&b.calls()), "{}", b.calls());
}

#[test]
fn t54_a_drained_target_gets_no_calls_until_it_is_enabled() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = Config::new().provider("a", Wire::Chat, a.addr()).provider("b", Wire::Chat, b.addr());
    let token = "a-token-of-some-length";
    let config = config.env("ADMIN", token).table("admin").set("token = \"env:ADMIN\"");
    let gateway = Gateway::start(config.model("m", &["a", "b"]));
    let post = |verb: &str, target: &str| {
        let body = json!({ "target": target }).to_string();
        let request = crate::harness::Request::post(&format!("/admin/v1/targets/{verb}"), body).key(token);
        let mut connection = crate::harness::Connection::open(gateway.admin());
        connection.send(&request);
        let mut answer = connection.answer();
        (answer.status, answer.json())
    };
    let provider = || {
        let answer = gateway.send(&Wire::Chat.request("m", false));
        answer.header("x-tidegate-provider").map(str::to_owned)
    };
    assert_eq!(provider().as_deref(), Some("a"));
    let (status, shown): (u16, Value) = post("drain", "a/m");
    assert_eq!((status, &shown["state"]), (200, &json!("drained")), "{shown}");
    (0..5).for_each(|_| assert_eq!(provider().as_deref(), Some("b")));
    assert_eq!(gateway.metric("tidegate_targets", &[("state", "drained")]), 1.0);
    assert_eq!((a.calls(), post("drain", "a/other").0), (1, 404));
    assert_eq!(post("enable", "a/m").1["state"], "ready");
    assert_eq!(provider().as_deref(), Some("a"));
}
