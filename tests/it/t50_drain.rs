//! T50, the end of a process: readiness first, then the listeners, then the streams, and all in time.

use crate::harness::{Answer, Config, Connection, Gateway, Sim, Wire, sse_bytes, until};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tidegate::sim::{ScriptedReply, Split};

fn config(wire: Wire, sim: &Sim, ready_grace: &str, streams_max: &str) -> Config {
    Config::new()
        .provider("a", wire, sim.addr())
        .model("m", &["a"])
        .table("server.drain")
        .set(&format!("ready_grace = \"{ready_grace}\""))
        .set(&format!("streams_max = \"{streams_max}\""))
}

const WORDS: [&str; 6] = ["one ", "two ", "three ", "four ", "five ", "six "];

/// A stream of these words, one each `gap`.
fn slow_stream(wire: Wire, gap: Duration) -> ScriptedReply {
    let events = wire.stream(&WORDS, 9, 6);
    let first = wire.first_content();
    let cuts = (1..=WORDS.len()).map(|word| sse_bytes(&events[..first + word]).len()).collect();
    ScriptedReply { split: Split::At(cuts), gap, ..ScriptedReply::sse(sse_bytes(&events)) }
}

/// Opens a stream and reads its first word: it is under way.
fn begun(wire: Wire, gateway: &Gateway) -> Answer {
    let mut answer = gateway.send(&wire.request("m", true));
    assert_eq!(answer.status, 200);
    while answer.event().map(|event| wire.text_of(&event)).expect("a first word").is_empty() {}
    answer
}

fn is_ready(gateway: &Gateway) -> bool {
    gateway.admin_get("/readyz").0 == 200
}

#[test]
fn t50_readiness_goes_first_new_calls_are_served_meanwhile_and_the_stream_under_way_ends_well() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let mut gateway = Gateway::start(config(wire, &sim, "700ms", "20s"));
        assert!(is_ready(&gateway), "{wire:?}");
        let gap = Duration::from_millis(300);
        sim.answer_next(slow_stream(wire, gap));
        let mut stream = begun(wire, &gateway);
        gateway.signal("TERM");
        let signalled = Instant::now();
        until("readiness is false", Duration::from_millis(600), || !is_ready(&gateway));
        assert_eq!(gateway.admin_get("/livez").0, 200, "{wire:?}: alive all the while");
        let mut late = gateway.send(&wire.request("m", false));
        assert_eq!(late.status, 200, "{wire:?}: served during the grace");
        late.body();
        assert!(signalled.elapsed() < Duration::from_millis(700), "{wire:?}: that was during the grace");
        let events = stream.events();
        let text: String = events.iter().map(|event| wire.text_of(event)).collect();
        assert_eq!(text, WORDS[1..].concat(), "{wire:?}");
        assert!(events.iter().any(|event| wire.is_terminal(event)), "{wire:?}: {events:?}");
        assert!(!events.iter().any(|event| wire.is_error(event)), "{wire:?}: {events:?}");
        assert!(stream.head_at.elapsed() > 4 * gap, "{wire:?}: the stream outlived the grace");
        let ended = Instant::now();
        let status = gateway.ended(Duration::from_secs(10));
        assert_eq!(status.code(), Some(0), "{wire:?}: {status:?}");
        assert!(ended.elapsed() < Duration::from_secs(2), "{wire:?}: nothing is left to wait for");
        // The log was flushed: both calls, with all their tokens.
        let lines = gateway.log_lines();
        assert_eq!(lines.len(), 2, "{wire:?}: {lines:?}");
        let spent: Vec<u64> = lines.iter().filter_map(|line| line["output_tokens"].as_u64()).collect();
        assert!(spent.contains(&6) && spent.len() == 2, "{wire:?}: {lines:?}");
    }
}

#[test]
fn t50_after_the_grace_no_connection_is_accepted() {
    let wire = Wire::Chat;
    let sim = Sim::start();
    let mut gateway = Gateway::start(config(wire, &sim, "100ms", "20s"));
    sim.answer_next(slow_stream(wire, Duration::from_millis(600)));
    let mut stream = begun(wire, &gateway);
    gateway.signal("TERM");
    let addr = gateway.addr();
    until("the listener is closed", Duration::from_secs(2), || TcpStream::connect(addr).is_err());
    assert!(stream.events().iter().any(|event| wire.is_terminal(event)), "the stream goes on");
    assert_eq!(gateway.ended(Duration::from_secs(10)).code(), Some(0));
}

#[test]
fn t50_an_idle_process_ends_right_after_the_grace() {
    let wire = Wire::Chat;
    let sim = Sim::start();
    let mut gateway = Gateway::start(config(wire, &sim, "200ms", "10m"));
    // A connection that is kept alive holds nobody up.
    let mut idle = Connection::open(gateway.addr());
    idle.send(&wire.request("m", false));
    let mut answer = idle.answer();
    answer.body();
    let _kept = answer.into_connection();
    gateway.signal("TERM");
    let began = Instant::now();
    assert_eq!(gateway.ended(Duration::from_secs(10)).code(), Some(0));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(3), "{took:?}");
}

/// What a stream gets that is cut: its words so far, then one error as its dialect tells it.
fn hold_cut(wire: Wire, mut stream: Answer, gateway: &Gateway) {
    let events = stream.events();
    let errors = events.iter().filter(|event| wire.is_error(event)).count();
    assert_eq!(errors, 1, "{wire:?}: {events:?}");
    let has_ended_well = events.iter().any(|event| !wire.is_error(event) && wire.is_terminal(event));
    assert!(!has_ended_well, "{wire:?}: {events:?}");
    let last_two = events.iter().rev().take(2);
    assert!(last_two.clone().any(|event| wire.is_error(event)), "{wire:?}: {events:?}");
    let line = gateway.log_of(&stream);
    assert_eq!(line["reason"], "draining", "{wire:?}: {line}");
}

#[test]
fn t50_a_stream_longer_than_streams_max_is_told_so_in_its_dialect() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let mut gateway = Gateway::start(config(wire, &sim, "100ms", "600ms"));
        sim.answer_next(slow_stream(wire, Duration::from_secs(8)));
        let stream = begun(wire, &gateway);
        gateway.signal("TERM");
        let began = Instant::now();
        hold_cut(wire, stream, &gateway);
        let told = began.elapsed();
        assert!(told > Duration::from_millis(600) && told < Duration::from_secs(4), "{wire:?}: {told:?}");
        assert_eq!(gateway.ended(Duration::from_secs(10)).code(), Some(0), "{wire:?}");
        assert!(began.elapsed() < Duration::from_secs(6), "{wire:?}: {:?}", began.elapsed());
        until("the upstream is let go", Duration::from_secs(2), || sim.stats().in_flight == 0);
    }
}

#[test]
fn t50_a_second_sigterm_cuts_at_once() {
    let wire = Wire::Messages;
    let sim = Sim::start();
    let mut gateway = Gateway::start(config(wire, &sim, "300ms", "10m"));
    sim.answer_next(slow_stream(wire, Duration::from_secs(20)));
    let stream = begun(wire, &gateway);
    gateway.signal("TERM");
    until("readiness is false", Duration::from_secs(2), || !is_ready(&gateway));
    gateway.signal("TERM");
    let began = Instant::now();
    hold_cut(wire, stream, &gateway);
    assert_eq!(gateway.ended(Duration::from_secs(10)).code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
