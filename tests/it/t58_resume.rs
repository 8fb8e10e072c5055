//! Resume: a stream's events have numbers, and a client that lost its connection reads on where it was,
//! while the upstream is asked once only. What is kept is bounded, and its owner's alone.

use crate::harness::{
    Answer, Config, Connection, Gateway, PATIENCE, Request, Scripted, Sim, Wire, sse_bytes, until,
};
use std::time::Duration;
use tidegate::sim::{Behaviour, Scenario, ScriptEnd, ScriptFraming, ScriptedReply, Split};

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

/// `a` before `b`, each taking the beginning of its answer.
fn going_on(a: &Sim, b: &Sim) -> Config {
    let config = Config::new()
        .provider("a", Wire::Chat, a.addr())
        .set("protocols = [\"chat\"]")
        .provider("b", Wire::Chat, b.addr())
        .set("protocols = [\"chat\"]");
    config
        .model("m", &["a", "b"])
        .set("targets = [{ provider = \"a\", prefill = \"prefix\" }, { provider = \"b\", prefill = \"prefix\", priority = 2 }]")
        .set("recovery = \"continue\"")
        .set("resume = { keep = \"60s\" }")
}

#[test]
fn t58_a_stream_that_breaks_while_its_client_is_away_is_gone_on_with() {
    let (a, b) = (sim(40, "close-after:12"), sim(0, ""));
    let gateway = Gateway::start(going_on(&a, &b));
    let mut answer = gateway.send(&request(Wire::Chat));
    let id = id_of(&answer);
    let (mut text, last) = read(Wire::Chat, &mut answer, 3);
    answer.reset();
    gateway.metric_becomes("tidegate_stream_recoveries_total", &[("outcome", "continued")], 1.0);
    let events = gateway.send(&again(Wire::Chat, &id, last)).events();
    events.iter().for_each(|event| text.push_str(&Wire::Chat.text_of(event)));
    assert_eq!(text, whole_text(Wire::Chat));
    assert!(Wire::Chat.is_terminal(events.last().unwrap()), "{events:?}");
    let line = gateway.log_where("the first", |line| line["request_id"] == id.as_str());
    assert_eq!((&line["continued"], &line["failures"][0]["provider"]), (&1.into(), &"a".into()), "{line}");
}

#[test]
fn t58_a_stream_that_broke_while_its_client_was_away_is_a_failure_and_told_once() {
    let (a, b) = (sim(40, "close-after:12"), Sim::with_fault("status:500"));
    let gateway = Gateway::start(going_on(&a, &b).set("failover = { attempts = 2 }"));
    let mut answer = gateway.send(&request(Wire::Chat));
    let id = id_of(&answer);
    let (_, last) = read(Wire::Chat, &mut answer, 3);
    answer.reset();
    let line = gateway.log_where("the first", |line| line["request_id"] == id.as_str());
    assert_eq!((&line["reason"], &line["provider"]), (&"stream_failed".into(), &"a".into()), "{line}");
    let failed: Vec<&str> =
        line["failures"].as_array().unwrap().iter().map(|f| f["provider"].as_str().unwrap()).collect();
    assert_eq!(failed, ["b", "a"], "{line}");
    let events = gateway.send(&again(Wire::Chat, &id, last)).events();
    let errors = events.iter().filter(|event| Wire::Chat.is_error(event)).count();
    assert_eq!((errors, Wire::Chat.is_error(events.last().unwrap())), (1, true), "{events:?}");
}

#[test]
fn t58_a_stream_whose_money_ended_has_its_proper_end_for_who_reads_it_again() {
    let sim = Sim::start();
    let config = Config::new()
        .table("keys.test")
        .set("budget = { usd = \"0.002\", per = \"total\" }")
        .provider("a", Wire::Chat, sim.addr())
        .model("m", &["a"])
        .set("resume = { bytes = \"4MiB\" }")
        .table("catalog.models.\"a/m\"")
        .set("prices = { input = \"1\", output = \"2\" }");
    let gateway = Gateway::start(config);
    let long = request(Wire::Chat).header("x-sim-tokens", "6000").header("x-sim-delay-token-ms", "1");
    let mut answer = gateway.send(&long);
    let id = id_of(&answer);
    let (_, last) = read(Wire::Chat, &mut answer, 3);
    answer.reset();
    let line = gateway.log_where("the first", |line| line["request_id"] == id.as_str());
    assert_eq!(line["reason"], "budget_exceeded", "{line}");
    let events = gateway.send(&again(Wire::Chat, &id, last)).events();
    assert!(Wire::Chat.is_terminal(events.last().unwrap()), "{:?}", events.last());
    assert!(!events.iter().any(|event| Wire::Chat.is_error(event)));
    let finish = events.iter().rev().find(|event| event.data.contains("finish_reason\":\"")).unwrap();
    assert_eq!(finish.json()["choices"][0]["finish_reason"], "length");
}

/// Events of so many bytes, one each few milliseconds, and then silence.
fn paced(events: usize, bytes: usize) -> ScriptedReply {
    let choice = serde_json::json!({"index": 0, "delta": {"content": "word "}});
    let data = serde_json::json!({"choices": [choice], "obfuscation": "x".repeat(bytes)});
    let event = sse_bytes(&[Scripted { name: "", data: data.to_string() }]);
    let cuts = (1..events).map(|number| number * event.len()).collect();
    let headers = ScriptedReply::sse("").headers;
    let (split, framing, end) = (Split::At(cuts), ScriptFraming::Chunked, ScriptEnd::Hold);
    let gap = Duration::from_millis(5);
    ScriptedReply {
        headers,
        body: event.repeat(events),
        split,
        gap,
        framing,
        end,
        ..ScriptedReply::default()
    }
}

#[test]
fn t58_a_stream_of_events_too_large_to_be_kept_is_not_read_on_for_nobody() {
    let sim = Sim::start();
    let gateway = start(Wire::Chat, &sim, "{ bytes = \"2KiB\", keep = \"60s\" }");
    sim.answer_next(paced(2_000, 4_000));
    let mut answer = gateway.send(&request(Wire::Chat));
    read(Wire::Chat, &mut answer, 3);
    answer.reset();
    until("the call was cancelled", PATIENCE, || sim.stats().aborted == 1);
    gateway.metric_becomes("tidegate_requests_in_flight", &[], 0.0);
}

#[test]
fn t58_who_reads_again_too_slowly_is_told_that_the_stream_ran_ahead_and_it_is_not_read_on_for_nobody() {
    let sim = Sim::start();
    let gateway = start(Wire::Chat, &sim, "{ bytes = \"2MiB\", keep = \"60s\" }");
    sim.answer_next(paced(900, 16_000));
    let mut answer = gateway.send(&request(Wire::Chat));
    let id = id_of(&answer);
    let (_, last) = read(Wire::Chat, &mut answer, 3);
    answer.reset();
    let mut slow = Connection::open_narrow(gateway.addr());
    slow.send(&again(Wire::Chat, &id, last));
    until("the call was cancelled", PATIENCE, || sim.stats().aborted == 1);
    let events = slow.answer().events();
    let told = events.last().unwrap();
    assert!(Wire::Chat.is_error(told) && told.data.contains("ran ahead"), "{}", told.data.len());
}

#[test]
fn t58_reading_on_takes_no_place_of_the_key_while_its_own_call_has_it() {
    let sim = sim(20, "");
    let config = Config::new().table("keys.test.limits").set("concurrent = 1").set("requests_per_minute = 3");
    let config = config.provider("a", Wire::Chat, sim.addr()).model("m", &["a"]).set("resume = {}");
    let gateway = Gateway::start(config.table("server.shed").set("calls_max = 1"));
    let mut answer = gateway.send(&request(Wire::Chat).fault("hold"));
    let id = id_of(&answer);
    let (_, last) = read(Wire::Chat, &mut answer, 1);
    let reader = gateway.send(&again(Wire::Chat, &id, last));
    assert_eq!(
        reader.status, 200,
        "its own call holds the only place, and there are as many calls as may be"
    );
    assert_eq!(gateway.send(&request(Wire::Chat)).status, 503, "a new call is one too many");
    let unknown = id.replace(|c: char| c.is_ascii_digit(), "0");
    assert_eq!(gateway.send(&again(Wire::Chat, &unknown, 0)).status, 503, "and so is what is not kept");
    assert_eq!(gateway.send(&again(Wire::Chat, &id, last)).status, 200);
    let mut third = gateway.send(&again(Wire::Chat, &id, last));
    assert_eq!((third.status, third.header("x-tidegate-reason")), (429, Some("rate_limit_exceeded")));
    third.body();
    drop((reader, answer));
}

#[test]
fn t58_an_id_that_is_no_text_is_told_as_wrong() {
    let sim = sim(0, "");
    let gateway = start(Wire::Chat, &sim, "{}");
    assert_eq!(gateway.send(&again(Wire::Chat, "\u{e9}", 0)).status, 400);
    let mut answer = gateway.send(&request(Wire::Chat));
    answer.body();
    let odd =
        request(Wire::Chat).header("x-tidegate-resume", &id_of(&answer)).header("last-event-id", "\u{e9}");
    assert_eq!(gateway.send(&odd).status, 400);
    assert_eq!(sim.calls(), 1);
}
