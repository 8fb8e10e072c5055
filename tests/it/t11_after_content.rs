//! T11 and T12: a stream that breaks after content has gone out is told as broken, in the client's
//! dialect, and no second upstream is asked.

use crate::harness::{Answer, Config, Event, Gateway, Sim, Wire, sse_bytes};
use serde_json::Value;
use std::time::Duration;
use tidegate::sim::{ScriptEnd, ScriptFraming, ScriptedReply, Split};

const CONTENTS: usize = 5;

/// Ways to break after five content events, as the simulator names them.
const FAULTS: [&str; 4] = ["error-after:5", "end-after:5", "close-after:5", "reset-after:5"];

struct Broken {
    answer: Answer,
    line: Value,
}

/// Sends a call whose first target breaks so, and holds what is true of every such call.
fn broken(wire: Wire, fault: &str) -> Broken {
    let what = format!("{wire:?} {fault}");
    let (a, b) = (Sim::start(), Sim::start());
    let config =
        Config::new().provider("a", wire, a.addr()).provider("b", wire, b.addr()).model("m", &["a", "b"]);
    let gateway = Gateway::start(config);
    let request = wire.request("m", true).fault(fault).header("x-sim-tokens", "16");
    let mut answer = gateway.send(&request);
    assert_eq!(answer.status, 200, "{what}");
    let events = answer.events();
    let contents = events.iter().filter(|event| !is_done(event) && !wire.text_of(event).is_empty()).count();
    assert_eq!(contents, CONTENTS, "{what}: what came before the break is the client's");
    hold_one_error_at_the_end(wire, &events, &what);
    assert!(!events.iter().any(|event| wire.is_terminal(event)), "{what}: {events:?}");
    assert_eq!((a.calls(), b.calls()), (1, 0), "{what}: no second upstream after content");
    let line = gateway.log_of(&answer);
    assert_eq!(line["reason"], "stream_failed", "{what}: {line}");
    assert_eq!((&line["status"], &line["attempts"]), (&200.into(), &1.into()), "{what}: {line}");
    assert_eq!(line["client_aborted"], false, "{what}: {line}");
    let output = line["output_tokens"].as_u64().unwrap();
    assert!((4..=9).contains(&output), "{what}: five words were generated: {line}");
    assert!(line["input_tokens"].as_u64().unwrap() > 0, "{what}: {line}");
    gateway.metric_becomes("tidegate_rejects_total", &[("reason", "stream_failed")], 1.0);
    let ok = gateway.metric("tidegate_upstream_attempts_total", &[("provider", "a"), ("outcome", "ok")]);
    assert_eq!(ok, 0.0, "{what}: not counted as a success");
    Broken { answer, line }
}

fn is_done(event: &Event) -> bool {
    event.data == "[DONE]"
}

/// One error, which is the last the client reads; Responses follow theirs by `response.failed`.
fn hold_one_error_at_the_end(wire: Wire, events: &[Event], what: &str) {
    let errors = events.iter().filter(|event| wire.is_error(event)).count();
    assert_eq!(errors, 1, "{what}: {events:?}");
    let mut from_the_end = events.iter().rev();
    let mut last = from_the_end.next().unwrap();
    if wire == Wire::Responses && last.name == "response.failed" {
        assert_eq!(last.json()["response"]["status"], "failed", "{what}");
        last = from_the_end.next().unwrap();
    }
    assert!(wire.is_error(last), "{what}: {last:?}");
}

#[test]
fn t11_an_error_event_after_content_ends_the_stream_with_one_error_in_every_dialect() {
    for wire in Wire::ALL {
        let Broken { answer, line } = broken(wire, "error-after:5");
        assert_eq!(line["origin"], "provider", "{wire:?}: {line}");
        let id = line["request_id"].as_str().unwrap();
        let seen = String::from_utf8_lossy(answer.seen());
        assert!(seen.contains(id), "{wire:?}: the error names the request: {seen}");
    }
}

#[test]
fn t11_finish_reason_error_after_content_ends_the_stream_as_failed() {
    let (a, b) = (Sim::start(), Sim::start());
    let wire = Wire::Chat;
    let config =
        Config::new().provider("a", wire, a.addr()).provider("b", wire, b.addr()).model("m", &["a", "b"]);
    let gateway = Gateway::start(config);
    let mut events = wire.stream(&["one ", "two "], 4, 2);
    events[3].data = events[3].data.replace("\"stop\"", "\"error\"");
    // The content is on its way to the client before the verdict comes.
    let split = Split::At(vec![sse_bytes(&events[..3]).len()]);
    let gap = Duration::from_millis(100);
    a.answer_next(ScriptedReply { split, gap, ..ScriptedReply::sse(sse_bytes(&events)) });
    let mut answer = gateway.send(&wire.request("m", true));
    let seen = answer.events();
    hold_one_error_at_the_end(wire, &seen, "finish_reason error");
    assert!(!seen.iter().any(is_done), "{seen:?}");
    assert_eq!((a.calls(), b.calls()), (1, 0));
    assert_eq!(gateway.log_of(&answer)["reason"], "stream_failed");
}

#[test]
fn t11_a_gemini_array_that_breaks_ends_as_an_array_with_the_error_in_it() {
    array_ends_with_the_error(&["close-after:5", "reset-after:5", "error-after:5"]);
}

#[test]
fn t12_a_gemini_array_that_is_closed_without_a_finish_reason_is_a_failure() {
    array_ends_with_the_error(&["end-after:5"]);
}

fn array_ends_with_the_error(faults: &[&str]) {
    for fault in faults {
        let sim = Sim::start();
        let gateway =
            Gateway::start(Config::new().provider("a", Wire::Gemini, sim.addr()).model("m", &["a"]));
        let mut request = Wire::Gemini.request("m", true).fault(fault).header("x-sim-tokens", "16");
        request.target = request.target.replace("?alt=sse", "");
        let mut answer = gateway.send(&request);
        let body = answer.json();
        let elements = body.as_array().unwrap();
        assert_eq!(elements.len(), CONTENTS + 1, "{fault}: {body}");
        assert!(Wire::Gemini.is_error_body(elements.last().unwrap()), "{fault}: {body}");
        assert_eq!(gateway.log_of(&answer)["reason"], "stream_failed", "{fault}");
    }
}

#[test]
fn t12_an_end_without_a_terminal_event_is_never_a_success() {
    for wire in Wire::ALL {
        for fault in FAULTS.iter().filter(|fault| !fault.starts_with("error")) {
            broken(wire, fault);
        }
    }
}

#[test]
fn t12_all_content_and_a_proper_end_without_the_terminal_event_is_a_failure() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let gateway = Gateway::start(Config::new().provider("a", wire, sim.addr()).model("m", &["a"]));
        let request = wire.request("m", true).fault("no-terminal").header("x-sim-tokens", "4");
        let mut answer = gateway.send(&request);
        let events = answer.events();
        hold_one_error_at_the_end(wire, &events, &format!("{wire:?}"));
        assert!(!events.iter().any(|event| wire.is_terminal(event)), "{wire:?}: {events:?}");
        assert_eq!(gateway.log_of(&answer)["reason"], "stream_failed", "{wire:?}");
    }
}

#[test]
fn t12_half_an_event_before_the_break_never_reaches_the_client() {
    for wire in Wire::ALL {
        for end in [ScriptEnd::Close, ScriptEnd::Reset] {
            let sim = Sim::start();
            let gateway = Gateway::start(Config::new().provider("a", wire, sim.addr()).model("m", &["a"]));
            let events = wire.stream(&["one ", "two ", "three "], 4, 3);
            let whole = sse_bytes(&events[..wire.first_content() + 1]);
            let half = sse_bytes(&events[wire.first_content() + 1..]);
            let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            let head =
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            let body = [head.as_slice(), &chunk(&whole), &chunk(&half[..30])].concat();
            sim.answer_next(ScriptedReply {
                body,
                framing: ScriptFraming::Raw,
                end,
                ..ScriptedReply::default()
            });
            let mut answer = gateway.send(&wire.request("m", true));
            let seen = answer.events();
            assert!(answer.seen().starts_with(&whole), "{wire:?} {end:?}");
            let text: String = seen.iter().map(|event| wire.text_of(event)).collect();
            assert_eq!(text, "one ", "{wire:?} {end:?}");
            hold_one_error_at_the_end(wire, &seen, &format!("{wire:?} {end:?}"));
        }
    }
}

#[test]
fn t12_a_body_shorter_than_its_content_length_is_a_failure() {
    let wire = Wire::Chat;
    let (a, b) = (Sim::start(), Sim::start());
    let config =
        Config::new().provider("a", wire, a.addr()).provider("b", wire, b.addr()).model("m", &["a", "b"]);
    let gateway = Gateway::start(config);
    let request = wire.request("m", false).fault("wrong-content-length:+7");
    // The fault goes to both targets with the request: no answer is whole.
    let mut answer = gateway.send(&request);
    assert!((500..600).contains(&answer.status), "{}", answer.status);
    assert!(wire.is_error_body(&answer.json()));
    assert!(a.calls() + b.calls() >= 2);
}
