//! T6: events reach the client as the upstream writes them.

use crate::harness::{Config, Gateway, Sim, Wire};
use std::time::Duration;
use tidegate::sim::{Behaviour, SimClock};

const EVERY: Duration = Duration::from_millis(100);
/// Below the time to the next event: a stream that is one event late fails.
const DELAY_MAX: Duration = Duration::from_millis(60);
/// A busy machine may spoil a run, a buffer spoils all of them.
const RUNS: usize = 3;

/// The longest way of a content event from the simulator's write to the client's read.
fn longest_way(wire: Wire, gateway: &Gateway) -> Duration {
    let mut answer = gateway.send(&wire.request("m", true));
    let clock = SimClock::new();
    let mut longest = 0;
    let mut contents = 0;
    while let Some(event) = answer.event() {
        let now = clock.monotonic_ns();
        if !wire.text_of(&event).is_empty() {
            contents += 1;
            longest = longest.max(now.saturating_sub(event.json()["sim_ns"].as_u64().unwrap()));
        }
    }
    assert_eq!(contents, 6);
    Duration::from_nanos(longest)
}

fn stamped(wire: Wire) -> (Sim, Gateway) {
    let sim = Sim::start();
    let every = EVERY.as_millis() as u64;
    sim.behave(Behaviour {
        tokens: Some(6),
        delay_token_ms: Some(every),
        stamp: true,
        ..Behaviour::default()
    });
    let gateway = Gateway::start(Config::new().provider("a", wire, sim.addr()).model("m", &["a"]));
    (sim, gateway)
}

#[test]
fn t06_each_event_reaches_the_client_before_the_next_is_written() {
    for wire in Wire::ALL {
        let (_sim, gateway) = stamped(wire);
        let ways: Vec<Duration> = (0..RUNS).map(|_| longest_way(wire, &gateway)).collect();
        println!("{wire:?}: longest ways {ways:?}");
        assert!(ways.iter().any(|way| *way <= DELAY_MAX), "{wire:?}: {ways:?}");
    }
}

#[test]
fn t06_the_head_says_that_nothing_is_to_be_buffered_and_comes_with_the_first_content() {
    for wire in Wire::ALL {
        let (_sim, gateway) = stamped(wire);
        let mut answer = gateway.send(&wire.request("m", true));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{wire:?}");
        assert_eq!(answer.header("x-accel-buffering"), Some("no"), "{wire:?}");
        assert_eq!(answer.header("content-length"), None, "{wire:?}");
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"), "{wire:?}");
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("text/event-stream"), "{wire:?}: {kind}");
        let first = loop {
            let event = answer.event().unwrap();
            if !wire.text_of(&event).is_empty() {
                break event;
            }
        };
        assert!(answer.head_at <= first.at, "{wire:?}");
        // The five other words are still to come, a tenth of a second apart.
        assert!(first.at - answer.head_at < 4 * EVERY, "{wire:?}: {:?}", first.at - answer.head_at);
        answer.body();
    }
}

#[test]
fn t06_a_gemini_array_grows_element_by_element() {
    let (_sim, gateway) = stamped(Wire::Gemini);
    let mut request = Wire::Gemini.request("m", true);
    request.target = request.target.replace("?alt=sse", "");
    let mut answer = gateway.send(&request);
    assert_eq!(answer.header("content-type").map(|kind| kind.starts_with("application/json")), Some(true));
    let clock = SimClock::new();
    let mut ways = Vec::new();
    while let Some(piece) = answer.chunk().unwrap() {
        let (now, text) = (clock.monotonic_ns(), String::from_utf8(piece).unwrap());
        if let Some((_, rest)) = text.rsplit_once("\"sim_ns\":") {
            let written: u64 = rest[..rest.find(',').unwrap()].parse().unwrap();
            ways.push(Duration::from_nanos(now.saturating_sub(written)));
        }
    }
    assert!(ways.len() >= 5, "not in pieces: {ways:?}");
    ways.sort();
    assert!(ways[ways.len() / 2] <= DELAY_MAX, "{ways:?}");
    let whole: serde_json::Value = serde_json::from_slice(answer.seen()).unwrap();
    assert!(whole.as_array().unwrap().len() >= 6);
}
