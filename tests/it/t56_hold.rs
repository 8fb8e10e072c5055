//! The hold: the first content of a stream is kept back for a moment, so that a break within it moves on
//! to the next target unseen. Each of its bounds ends it.

use crate::harness::{Config, Connection, Gateway, PATIENCE, Sim, Wire, until};
use tidegate::sim::Behaviour;

/// Ways to break after three content events.
const FAULTS: [&str; 4] = ["error-after:3", "end-after:3", "close-after:3", "reset-after:3"];

fn start(wire: Wire, a: &Sim, b: &Sim, hold: &str) -> Gateway {
    let config = Config::new().provider("a", wire, a.addr()).provider("b", wire, b.addr());
    Gateway::start(config.model("m", &["a", "b"]).set(&format!("hold = {hold}")))
}

fn saying(words: usize, delay_ms: u64, fault: &str) -> Behaviour {
    Behaviour {
        tokens: Some(words),
        delay_token_ms: Some(delay_ms),
        fault: fault.parse().unwrap(),
        ..Behaviour::default()
    }
}

#[test]
fn t56_a_break_within_the_hold_moves_on_and_the_client_sees_one_whole_stream() {
    for wire in Wire::ALL {
        for fault in FAULTS {
            let (a, b) = (Sim::start(), Sim::start());
            let gateway = start(wire, &a, &b, "{ tokens = 8, time = \"20s\" }");
            a.behave(saying(16, 5, fault));
            b.behave(saying(16, 0, ""));
            let mut answer = gateway.send(&wire.request("m", true));
            assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("b")), "{fault}");
            let events = answer.events();
            let contents = events.iter().filter(|event| !wire.text_of(event).is_empty()).count();
            assert_eq!(contents, 16, "{wire:?} {fault}: only the second target's words");
            assert!(!events.iter().any(|event| wire.is_error(event)), "{wire:?} {fault}");
            assert_eq!((a.calls(), b.calls()), (1, 1), "{wire:?} {fault}");
            assert_eq!(gateway.metric("tidegate_stream_held_breaks_total", &[]), 1.0, "{wire:?} {fault}");
        }
    }
}

#[test]
fn t56_what_was_held_is_told_whole_where_nothing_breaks() {
    for wire in Wire::ALL {
        let a = Sim::start();
        let config = Config::new().provider("a", wire, a.addr());
        let gateway =
            Gateway::start(config.model("m", &["a"]).set("hold = { tokens = 1000, time = \"20s\" }"));
        a.behave(saying(16, 0, ""));
        let mut answer = gateway.send(&wire.request("m", true));
        let events = answer.events();
        let contents = events.iter().filter(|event| !wire.text_of(event).is_empty()).count();
        assert_eq!(contents, 16, "{wire:?}: an end within the hold is an end");
        assert!(events.iter().any(|event| wire.is_terminal(event)), "{wire:?}");
    }
}

/// A stream whose hold is over when it breaks ends with an error, and no other target is asked.
fn is_over(hold: &str, delay_ms: u64, fault: &str) {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = start(Wire::Chat, &a, &b, hold);
    a.behave(saying(16, delay_ms, fault));
    let mut answer = gateway.send(&Wire::Chat.request("m", true));
    let events = answer.events();
    assert!(Wire::Chat.is_error(events.last().unwrap()), "{hold}: {events:?}");
    assert_eq!((a.calls(), b.calls()), (1, 0), "{hold}");
    assert_eq!(gateway.log_of(&answer)["reason"], "stream_failed", "{hold}");
}

#[test]
fn t56_the_hold_ends_after_so_many_tokens() {
    is_over("{ tokens = 4, time = \"20s\" }", 20, "close-after:12");
}

#[test]
fn t56_the_hold_ends_after_so_many_bytes() {
    // Each event has some two hundred.
    is_over("{ tokens = 1000, time = \"20s\", bytes = \"1KiB\" }", 20, "close-after:12");
}

#[test]
fn t56_the_hold_ends_after_its_time_whether_anything_comes_or_not() {
    is_over("{ tokens = 1000, time = \"50ms\" }", 400, "close-after:3");
}

#[test]
fn t56_a_stream_that_falls_silent_within_its_hold_moves_on() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = Config::new().provider("a", Wire::Chat, a.addr()).provider("b", Wire::Chat, b.addr());
    let timeouts = "timeouts = { connect = \"2s\", header = \"10s\", first_token = \"10s\", idle = \"300ms\", total = \"60s\" }";
    let hold = "hold = { tokens = 8, time = \"20s\" }";
    let gateway = Gateway::start(config.model("m", &["a", "b"]).set(timeouts).set(hold));
    a.behave(saying(16, 0, "hold"));
    b.behave(saying(16, 0, ""));
    let mut answer = gateway.send(&Wire::Chat.request("m", true));
    assert_eq!(answer.header("x-tidegate-failures"), Some("a:idle_timeout"));
    let events = answer.events();
    assert!(Wire::Chat.is_terminal(events.last().unwrap()), "{events:?}");
    assert_eq!((a.calls(), b.calls()), (1, 1));
}

#[test]
fn t56_a_client_that_leaves_within_the_hold_is_drained_where_the_model_says_so() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = Config::new().provider("a", Wire::Chat, a.addr()).provider("b", Wire::Chat, b.addr());
    let config = config.model("m", &["a", "b"]).set("on_disconnect = \"drain\"");
    let config = config.set("hold = { tokens = 1000, time = \"20s\" }");
    let hedged = config.clone().set("hedge = { after_min = \"20s\" }");
    let quick = 40;
    for (config, before) in [(config, 0), (hedged, quick)] {
        let gateway = Gateway::start(config);
        a.behave(saying(1, 0, ""));
        // From so many streams on it is known what is late.
        (0..before).for_each(|_| drop(gateway.send(&Wire::Chat.request("m", true)).events()));
        a.behave(saying(30, 20, ""));
        let contents = a.stats().content_events;
        let mut leaver = Connection::open(gateway.addr());
        leaver.send(&Wire::Chat.request("m", true));
        until("content has come", PATIENCE, || a.stats().content_events >= contents + 2);
        leaver.reset();
        let line = &gateway.log_when(before + 1)[before];
        assert_eq!((&line["output_tokens"], &line["estimated"]), (&30.into(), &false.into()), "{line}");
        assert_eq!((a.stats().aborted, b.calls()), (0, 0), "it was heard out");
    }
}

#[test]
fn t56_the_hold_is_not_the_targets_time() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = Config::new().provider("a", Wire::Chat, a.addr()).provider("b", Wire::Chat, b.addr());
    let config = config.env("ADMIN", "a-token-of-some-length").table("admin").set("token = \"env:ADMIN\"");
    let config = config.model("m", &["a", "b"]).set("hold = { tokens = 1000, time = \"20s\" }");
    let gateway = Gateway::start(config);
    a.behave(saying(40, 25, ""));
    gateway.send(&Wire::Chat.request("m", true)).events();
    let (_, targets) =
        gateway.admin_call("a-token-of-some-length", "GET", "targets", &serde_json::Value::Null);
    let first = targets["items"].as_array().unwrap().iter().find_map(|t| t["first_seconds"].as_f64());
    assert!(first.unwrap() < 0.5, "a second was held back: {targets}");
}
