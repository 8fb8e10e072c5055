//! T21: a stream lives as long as it speaks; silence over `idle` ends it with one error, and so does
//! `total`, which is a bound of its own.

use crate::harness::{Answer, Config, Event, Gateway, PATIENCE, Sim, Wire, sse_bytes, until};
use std::time::{Duration, Instant};
use tidegate::sim::{ScriptedReply, Split};

const IDLE: Duration = Duration::from_millis(800);
const TOTAL: Duration = Duration::from_millis(1500);
const SLACK: Duration = Duration::from_millis(250);
const WORDS: [&str; 6] = ["one ", "two ", "three ", "four ", "five ", "six"];

fn gateway(wire: Wire, a: &Sim, b: &Sim, idle: &str, total: &str) -> Gateway {
    let timeouts = format!(
        "timeouts = {{ connect = \"1s\", header = \"1500ms\", first_token = \"1500ms\", idle = \"{idle}\", total = \"{total}\" }}"
    );
    let config = Config::new().provider("a", wire, a.addr()).provider("b", wire, b.addr());
    Gateway::start(config.model("m", &["a", "b"]).set(&timeouts))
}

/// The stream in pieces of one event, `gap` apart.
fn spaced(wire: Wire, gap: Duration) -> ScriptedReply {
    let events = wire.stream(&WORDS, 3, 6);
    let cuts = (1..events.len()).map(|count| sse_bytes(&events[..count]).len()).collect();
    ScriptedReply { split: Split::At(cuts), gap, ..ScriptedReply::sse(sse_bytes(&events)) }
}

/// Two words at once, the rest after `gap`.
fn with_one_gap(wire: Wire, gap: Duration) -> ScriptedReply {
    let events = wire.stream(&WORDS, 3, 6);
    let cut = sse_bytes(&events[..wire.first_content() + 2]).len();
    ScriptedReply { split: Split::At(vec![cut]), gap, ..ScriptedReply::sse(sse_bytes(&events)) }
}

fn text(wire: Wire, events: &[Event]) -> String {
    events.iter().map(|event| wire.text_of(event)).collect()
}

/// The stream failed once, in words, and never said that it was complete.
fn hold_one_error(wire: Wire, answer: &Answer, events: &[Event]) {
    assert_eq!(answer.status, 200, "{wire:?}");
    assert_eq!(events.iter().filter(|event| wire.is_error(event)).count(), 1, "{wire:?}: {events:?}");
    assert!(!events.iter().any(|event| wire.is_terminal(event)), "{wire:?}: {events:?}");
}

fn hold_lives_on(wire: Wire) {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = gateway(wire, &a, &b, "800ms", "60s");
    a.answer_next(spaced(wire, IDLE / 2));
    let begun = Instant::now();
    let mut answer = gateway.send(&wire.request("m", true));
    let events = answer.events();
    assert!(begun.elapsed() > 2 * IDLE, "{wire:?}: the stream is longer than its idle time");
    assert_eq!(text(wire, &events), WORDS.concat(), "{wire:?}");
    assert!(events.iter().any(|event| wire.is_terminal(event)), "{wire:?}: {events:?}");
    assert!(!events.iter().any(|event| wire.is_error(event)), "{wire:?}: {events:?}");
    assert_eq!((a.calls(), b.calls(), a.stats().aborted), (1, 0, 0), "{wire:?}");
    assert_eq!(gateway.log_of(&answer)["output_tokens"], 6, "{wire:?}");
}

#[test]
fn t21_events_within_idle_keep_a_stream_alive_however_long_it_is() {
    std::thread::scope(|scope| {
        for wire in Wire::ALL {
            scope.spawn(move || hold_lives_on(wire));
        }
    });
}

#[test]
fn t21_a_gap_over_idle_ends_a_stream_with_one_error_and_asks_no_other_target() {
    for wire in Wire::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        let gateway = gateway(wire, &a, &b, "800ms", "60s");
        a.answer_next(with_one_gap(wire, 10 * IDLE));
        let mut answer = gateway.send(&wire.request("m", true));
        let events = answer.events();
        hold_one_error(wire, &answer, &events);
        assert_eq!(text(wire, &events), "one two ", "{wire:?}: what was said stays said");
        let last_word = events.iter().rfind(|event| !wire.text_of(event).is_empty()).unwrap().at;
        let told = events.iter().find(|event| wire.is_error(event)).unwrap().at;
        let waited = told - last_word;
        assert!(waited + SLACK >= IDLE && waited <= IDLE + SLACK, "{wire:?}: told after {waited:?}");
        until("A's call is cancelled", PATIENCE, || a.stats().aborted == 1);
        assert_eq!((a.calls(), b.calls()), (1, 0), "{wire:?}");
        let line = gateway.log_of(&answer);
        assert!(line["reason"].is_string(), "{wire:?}: {line}");
        assert_eq!(line["client_aborted"], false, "{wire:?}: {line}");
    }
}

#[test]
fn t21_the_total_time_ends_a_stream_that_never_falls_silent() {
    for wire in Wire::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        let gateway = gateway(wire, &a, &b, "1500ms", "1500ms");
        a.answer_next(spaced(wire, Duration::from_millis(400)));
        let begun = Instant::now();
        let mut answer = gateway.send(&wire.request("m", true));
        let events = answer.events();
        let took = begun.elapsed();
        hold_one_error(wire, &answer, &events);
        assert!(took + SLACK >= TOTAL && took <= TOTAL + SLACK, "{wire:?}: ended after {took:?}");
        until("A's call is cancelled", PATIENCE, || a.stats().aborted == 1);
        assert_eq!((a.calls(), b.calls()), (1, 0), "{wire:?}");
    }
}

#[test]
fn t21_the_total_time_bounds_all_attempts_together() {
    for wire in Wire::ALL {
        let (a, b) = (Sim::with_fault("black-hole"), Sim::with_fault("black-hole"));
        let timeouts = "timeouts = { connect = \"1s\", header = \"1s\", first_token = \"1s\", idle = \"1s\", total = \"1500ms\" }";
        let config = Config::new().provider("a", wire, a.addr()).provider("b", wire, b.addr());
        let gateway = Gateway::start(config.model("m", &["a", "b"]).set(timeouts));
        let begun = Instant::now();
        let mut answer = gateway.send(&wire.request("m", false));
        let took = answer.head_at - begun;
        let body = answer.json();
        assert_eq!(answer.status, 504, "{wire:?}: {body}");
        assert!(wire.is_error_body(&body), "{wire:?}: {body}");
        assert!(took + SLACK >= TOTAL && took <= TOTAL + SLACK, "{wire:?}: ended after {took:?}");
        assert_eq!((a.calls(), b.calls()), (1, 1), "{wire:?}: no attempt after the total time");
    }
}
