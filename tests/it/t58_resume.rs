//! Resume: a stream's events have numbers, and a client that lost its connection reads on where it was,
//! while the upstream is asked once only. What is kept is bounded, and its owner's alone.

use crate::harness::{Answer, Config, Gateway, PATIENCE, Request, Sim, Wire, until};
use tidegate::sim::{Behaviour, Scenario};

const WORDS: usize = 40;

fn sim(delay_token_ms: u64, fault: &str) -> Sim {
    let sim = Sim::start();
    let behaviour = Behaviour {
        tokens: Some(WORDS),
        delay_token_ms: Some(delay_token_ms),
        fault: fault.parse().unwrap(),
        ..Behaviour::default()
    };
    sim.set_scenario(Scenario { seed: Some(5), ..Scenario::all(behaviour) });
    sim
}

fn start(wire: Wire, sim: &Sim, resume: &str) -> Gateway {
    let config = Config::new().key("other", "sk-other-key").provider("a", wire, sim.addr());
    Gateway::start(config.model("m", &["a"]).set(&format!("resume = {resume}")))
}

fn request(wire: Wire) -> Request {
    let more =
        if wire == Wire::Messages { serde_json::json!({"max_tokens": 100}) } else { serde_json::json!({}) };
    wire.request_with("m", true, &more)
}

fn again(wire: Wire, id: &str, last: u64) -> Request {
    request(wire).header("x-tidegate-resume", id).header("last-event-id", &last.to_string())
}

/// Reads events until so many have come, or all; gives text and the number of the last.
fn read(wire: Wire, answer: &mut Answer, count: usize) -> (String, u64) {
    let mut text = String::new();
    for _ in 0..count {
        let Some(event) = answer.event() else { break };
        text.push_str(&wire.text_of(&event));
    }
    // More may have come with the last chunk: it is not counted as read.
    let seen = String::from_utf8_lossy(answer.seen()).into_owned();
    let numbers = seen.lines().filter_map(|line| line.strip_prefix("id: ")?.parse::<u64>().ok());
    let numbers: Vec<u64> = numbers.take(count).collect();
    assert_eq!(numbers, (numbers[0]..numbers[0] + numbers.len() as u64).collect::<Vec<_>>());
    (text, *numbers.last().unwrap())
}

fn id_of(answer: &Answer) -> String {
    answer.header("x-tidegate-request-id").unwrap().to_owned()
}

fn whole_text(wire: Wire) -> String {
    let sim = sim(0, "");
    let gateway = Gateway::start(Config::new().provider("a", wire, sim.addr()).model("m", &["a"]));
    let mut answer = gateway.send(&request(wire));
    let text = answer.events().iter().map(|event| wire.text_of(event)).collect();
    assert!(
        !String::from_utf8_lossy(answer.seen()).contains("\nid: "),
        "without the option there are no numbers"
    );
    text
}

#[test]
fn t58_a_client_that_lost_its_stream_reads_on_where_it_was() {
    for wire in Wire::ALL {
        let sim = sim(20, "");
        let gateway = start(wire, &sim, "{ keep = \"30s\" }");
        let mut answer = gateway.send(&request(wire));
        let id = id_of(&answer);
        let (mut text, last) = read(wire, &mut answer, 8);
        assert_eq!(last, 8, "{wire:?}");
        answer.reset();
        let mut rest = gateway.send(&again(wire, &id, last));
        assert_eq!(rest.status, 200, "{wire:?}");
        let (more, last) = read(wire, &mut rest, 10);
        text.push_str(&more);
        rest.close();
        let mut rest = gateway.send(&again(wire, &id, last));
        let events = rest.events();
        events.iter().for_each(|event| text.push_str(&wire.text_of(event)));
        assert_eq!(text, whole_text(wire), "{wire:?}");
        assert!(events.iter().any(|event| wire.is_terminal(event)), "{wire:?}");
        assert_eq!((sim.calls(), sim.stats().aborted), (1, 0), "{wire:?}: it was asked once, and heard out");
        let line = gateway.log_of(&rest);
        assert_eq!((line.get("output_tokens"), &line["attempts"]), (None, &0.into()), "{wire:?}: it is free");
        let first = gateway.log_where("the first", |line| line["request_id"] == id.as_str());
        assert_eq!(first["output_tokens"], WORDS, "{wire:?}: all of it is charged once: {first}");
        gateway.metric_becomes("tidegate_stream_resumes_total", &[], 2.0);
    }
}

#[test]
fn t58_a_stream_that_has_ended_can_be_read_again_for_a_while() {
    let sim = sim(0, "");
    let gateway = start(Wire::Chat, &sim, "{}");
    let mut answer = gateway.send(&request(Wire::Chat));
    let events = answer.events();
    let mut again = gateway.send(&again(Wire::Chat, &id_of(&answer), 0));
    assert_eq!(again.events(), events);
    assert_eq!(sim.calls(), 1);
}

#[test]
fn t58_a_stream_is_nobody_elses_and_on_no_other_path() {
    let sim = sim(0, "");
    let gateway = start(Wire::Chat, &sim, "{}");
    let mut answer = gateway.send(&request(Wire::Chat));
    answer.body();
    let id = id_of(&answer);
    let status = |request: &Request| gateway.send(request).status;
    assert_eq!(status(&again(Wire::Chat, &id, 0).key("sk-other-key")), 404);
    assert_eq!(status(&again(Wire::Messages, &id, 0)), 404);
    assert_eq!(status(&again(Wire::Chat, &id.replace(|c: char| c.is_ascii_digit(), "0"), 0)), 404);
    assert_eq!(status(&again(Wire::Chat, &id, 0).key("sk-nobody")), 401);
    assert_eq!(status(&again(Wire::Chat, "not-an-id", 0)), 400);
    assert_eq!(status(&again(Wire::Chat, &id, 1_000)), 409, "an event there never was");
    assert_eq!(sim.calls(), 1, "no upstream is asked for any of it");
}

#[test]
fn t58_events_beyond_the_bound_are_gone() {
    let sim = sim(0, "");
    let gateway = start(Wire::Chat, &sim, "{ events = 4 }");
    let mut answer = gateway.send(&request(Wire::Chat));
    let count = answer.events().len() as u64;
    let id = id_of(&answer);
    assert_eq!(gateway.send(&again(Wire::Chat, &id, count - 5)).status, 409);
    assert_eq!(gateway.send(&again(Wire::Chat, &id, count - 4)).events().len(), 4);
}

#[test]
fn t58_an_upstream_is_read_on_for_an_absent_client_up_to_the_time_and_the_bound() {
    for resume in ["{ keep = \"300ms\" }", "{ events = 4, keep = \"60s\" }"] {
        let sim = sim(100, "");
        let gateway = start(Wire::Chat, &sim, resume);
        let mut answer = gateway.send(&request(Wire::Chat));
        read(Wire::Chat, &mut answer, 3);
        answer.reset();
        until("the call was cancelled", PATIENCE, || sim.stats().aborted == 1);
        assert!(sim.stats().content_events < WORDS as u64, "{resume}");
    }
}

#[test]
fn t58_a_stream_that_broke_is_told_as_broken_to_who_reads_it_again() {
    let sim = sim(20, "close-after:20");
    let gateway = start(Wire::Chat, &sim, "{}");
    let mut answer = gateway.send(&request(Wire::Chat));
    let id = id_of(&answer);
    let (_, last) = read(Wire::Chat, &mut answer, 5);
    answer.reset();
    let events = gateway.send(&again(Wire::Chat, &id, last)).events();
    assert!(Wire::Chat.is_error(events.last().unwrap()), "{events:?}");
    assert!(!events.iter().any(|event| Wire::Chat.is_terminal(event)));
}
