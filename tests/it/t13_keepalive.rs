//! T13: a silent stream shows signs of life, only where they are legal, and they mean nothing.

use crate::harness::{Answer, Config, Event, Gateway, Sim, Wire, sse_bytes};
use std::time::Duration;
use tidegate::sim::{ScriptedReply, Split};

const EVERY: &str = "stream_keepalive = \"100ms\"";
/// Room for several keepalives.
const SILENCE: Duration = Duration::from_millis(450);

fn config(wire: Wire, targets: &[(&str, &Sim)]) -> Config {
    let mut config = Config::new().table("server").set(EVERY);
    for (name, sim) in targets {
        config = config.provider(name, wire, sim.addr());
    }
    config.model("m", &targets.iter().map(|(name, _)| *name).collect::<Vec<_>>())
}

/// A stream's bytes in blocks, each with the blank line that ends it.
fn blocks(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let mut blocks: Vec<String> = Vec::new();
    let mut block = String::new();
    for line in text.split_inclusive('\n') {
        block.push_str(line);
        if line == "\n" || line == "\r\n" {
            blocks.push(std::mem::take(&mut block));
        }
    }
    assert!(block.is_empty(), "ends inside an event: {block:?}");
    blocks
}

/// Whether a block is a sign of life in this dialect, by what its clients ignore.
fn is_keepalive(block: &str) -> bool {
    let is_blank_or_comment = block.lines().all(|line| line.is_empty() || line.starts_with(':'));
    let is_ping = block.contains("\"type\":\"ping\"") || block.contains("\"type\": \"ping\"");
    let is_empty_delta = block.contains("content_block_delta")
        && ["\"text\":\"\"", "\"thinking\":\"\"", "\"partial_json\":\"\""].iter().any(|s| block.contains(s));
    is_blank_or_comment || is_ping || is_empty_delta
}

/// Splits what the client read into the stream and the number of keepalives in it.
fn without_keepalives(answer: &Answer) -> (String, usize) {
    let (keepalives, events): (Vec<String>, Vec<String>) =
        blocks(answer.seen()).into_iter().partition(|block| is_keepalive(block));
    (events.concat(), keepalives.len())
}

#[test]
fn t13_keepalives_fall_between_events_and_without_them_the_bytes_are_the_upstreams() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let gateway = Gateway::start(config(wire, &[("a", &sim)]));
        let body = sse_bytes(&wire.stream(&["one ", "two ", "three "], 4, 3));
        let text = String::from_utf8(body.clone()).unwrap();
        // Silences: before the first content, inside an event, between two.
        let first = text.find("one ").unwrap();
        let inside = text.find("two ").unwrap() + 2;
        let between = inside + text[inside..].find("\n\n").unwrap() + 2;
        let split = Split::At(vec![first - 4, inside, between]);
        sim.answer_next(ScriptedReply { split, gap: SILENCE, ..ScriptedReply::sse(body.clone()) });
        let mut answer = gateway.send(&wire.request("m", true));
        assert_eq!(answer.status, 200);
        answer.body();
        let (events, keepalives) = without_keepalives(&answer);
        assert_eq!(events, text, "{wire:?}");
        assert!(keepalives >= 6, "{wire:?}: {keepalives}\n{}", String::from_utf8_lossy(answer.seen()));
        assert_eq!(gateway.metric("tidegate_keepalives_sent_total", &[]), keepalives as f64);
        assert_eq!(gateway.log_of(&answer)["output_tokens"], 3, "{wire:?}");
    }
}

#[test]
fn t13_a_gemini_array_stays_one_array() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(Wire::Gemini, &[("a", &sim)]));
    let mut request = Wire::Gemini.request("m", true).header("x-sim-tokens", "3");
    request = request.header("x-sim-delay-first-ms", "450").header("x-sim-delay-token-ms", "250");
    request.target = request.target.replace("?alt=sse", "");
    let mut answer = gateway.send(&request);
    let whole = answer.json();
    assert!(whole.as_array().unwrap().len() >= 3, "{whole}");
    assert!(gateway.metric("tidegate_keepalives_sent_total", &[]) >= 3.0);
}

/// A that is silent, says hello and then fails before content.
fn fails_late(wire: Wire) -> ScriptedReply {
    let mut events = wire.stream(&["never shown"], 1, 1);
    events.truncate(wire.first_content());
    let cut = sse_bytes(&events).len();
    events.push(wire.fault());
    let body = sse_bytes(&events);
    // A write of one byte of the fault event, then silence, then the rest of it.
    ScriptedReply { split: Split::At(vec![cut + 1]), gap: SILENCE, ..ScriptedReply::sse(body) }
}

#[test]
fn t13_the_next_target_can_answer_after_the_first_keepalive() {
    for wire in Wire::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        let gateway = Gateway::start(config(wire, &[("a", &a), ("b", &b)]));
        a.answer_next(fails_late(wire));
        let healthy = sse_bytes(&wire.stream(&["second ", "target"], 4, 2));
        b.answer_next(ScriptedReply::sse(healthy.clone()));
        let mut answer = gateway.send(&wire.request("m", true));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert!(answer.header("x-tidegate-request-id").is_some());
        answer.body();
        let (events, keepalives) = without_keepalives(&answer);
        assert_eq!(events, String::from_utf8_lossy(&healthy), "{wire:?}");
        assert!(keepalives >= 1, "{wire:?}");
        assert_eq!((a.calls(), b.calls()), (1, 1), "{wire:?}");
    }
}

#[test]
fn t13_a_target_that_never_answers_is_left_behind_keepalives_too() {
    let (a, b) = (Sim::with_fault("black-hole"), Sim::start());
    let config = config(Wire::Chat, &[("a", &a), ("b", &b)])
        .set("timeouts = { header = \"400ms\", first_token = \"5s\", idle = \"5s\" }");
    let gateway = Gateway::start(config);
    let mut answer = gateway.send(&Wire::Chat.request("m", true));
    let events = answer.events();
    assert_eq!(events.last().unwrap().data, "[DONE]");
    assert!(without_keepalives(&answer).1 >= 1);
    assert_eq!((a.calls(), b.calls()), (1, 1));
}

fn errors(wire: Wire, events: &[Event]) -> usize {
    events.iter().filter(|event| wire.is_error(event)).count()
}

#[test]
fn t13_if_all_fail_after_the_first_keepalive_the_error_is_told_inside_the_stream_once() {
    for wire in Wire::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        let gateway = Gateway::start(config(wire, &[("a", &a), ("b", &b)]));
        a.answer_next(fails_late(wire));
        a.fault("status:500");
        b.fault("status:500");
        let mut answer = gateway.send(&wire.request("m", true));
        assert_eq!(answer.status, 200, "{wire:?}: the keepalive promised it");
        let events = answer.events();
        assert_eq!(errors(wire, &events), 1, "{wire:?}: {events:?}");
        assert!(!events.iter().any(|event| wire.is_terminal(event)), "{wire:?}: {events:?}");
        assert!(events.iter().all(|event| event.data == "[DONE]" || wire.text_of(event).is_empty()));
        let line = gateway.log_of(&answer);
        assert!(line["reason"].is_string(), "{wire:?}: {line}");
        assert_eq!(a.calls() + b.calls(), 3, "{wire:?}");
    }
}

#[test]
fn t13_a_lively_stream_and_an_answer_in_one_piece_get_no_keepalive() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(Wire::Chat, &[("a", &sim)]));
    let steady =
        Wire::Chat.request("m", true).header("x-sim-tokens", "12").header("x-sim-delay-token-ms", "30");
    let mut answer = gateway.send(&steady);
    answer.body();
    let late = Wire::Chat.request("m", false).header("x-sim-delay-first-ms", "450");
    let mut answer = gateway.send(&late);
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-length").is_some());
    answer.json();
    assert_eq!(gateway.metric("tidegate_keepalives_sent_total", &[]), 0.0);
}
