//! T14, scaled down: clients that do not read cost neither memory nor the time of those who do, and
//! are cut at the write timeout together with their upstream calls.

use crate::harness::{
    Answer, Broken, Config, Connection, Gateway, PATIENCE, Request, Scripted, Sim, Wire, sse_bytes, until,
};
use std::thread;
use std::time::{Duration, Instant};
use tidegate::sim::{Behaviour, ScriptEnd, ScriptFraming, ScriptedReply, Split};

const CLIENTS: usize = 20;
const WRITE_TIMEOUT: Duration = Duration::from_secs(6);
/// Allowed for each stalled stream.
const STALLED_BYTES_MAX: u64 = 256 * 1024;
/// What an allocator may hold on to, whatever the number of streams.
const SLACK_BYTES: u64 = 6 * 1024 * 1024;
/// Events of a stalled stream: 7 MiB, where the system keeps some 3 for a connection.
const EVENTS: usize = 450;
const WORDS: usize = 60;
const EVERY: Duration = Duration::from_millis(20);

struct Stand {
    gateway: Gateway,
    steady: Sim,
    flood: Sim,
}

fn stand() -> Stand {
    let (steady, flood) = (Sim::start(), Sim::start());
    steady.behave(Behaviour {
        tokens: Some(WORDS),
        delay_token_ms: Some(EVERY.as_millis() as u64),
        ..Behaviour::default()
    });
    let config = Config::new()
        .table("server.limits")
        .set(&format!("downstream_write_timeout = \"{}ms\"", WRITE_TIMEOUT.as_millis()))
        .table("log")
        .set("level = \"warn\"")
        .provider("steady", Wire::Chat, steady.addr())
        .provider("flood", Wire::Chat, flood.addr())
        .model("steady", &["steady"])
        .model("flood", &["flood"]);
    Stand { gateway: Gateway::start(config), steady, flood }
}

/// More than all buffers between two ends hold, in events of 16 KiB; then the upstream goes silent.
/// The padding is where OpenAI puts its own: beside the text, which is a word.
fn endless() -> ScriptedReply {
    let choice = serde_json::json!({"index": 0, "delta": {"content": "word "}});
    let data = serde_json::json!({"choices": [choice], "obfuscation": "x".repeat(16_000)});
    let event = sse_bytes(&[Scripted { name: "", data: data.to_string() }]);
    let cuts = (1..EVENTS).map(|number| number * event.len()).collect();
    let headers = ScriptedReply::sse("").headers;
    let (split, framing, end) = (Split::At(cuts), ScriptFraming::Chunked, ScriptEnd::Hold);
    ScriptedReply { headers, body: event.repeat(EVENTS), split, framing, end, ..ScriptedReply::default() }
}

/// The 99th percentile of the time between two events, over this many streams at once.
fn readers(gateway: &Gateway) -> Duration {
    let request = Wire::Chat.request("steady", true);
    let mut gaps: Vec<Duration> = thread::scope(|scope| {
        let reader = || gaps_of(gateway.send(&request));
        let readers: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(reader)).collect();
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    gaps.sort();
    gaps[gaps.len() * 99 / 100]
}

fn gaps_of(mut answer: Answer) -> Vec<Duration> {
    let events = answer.events();
    assert_eq!(events.last().unwrap().data, "[DONE]");
    let contents: Vec<Instant> =
        events.iter().filter(|event| !Wire::Chat.text_of(event).is_empty()).map(|event| event.at).collect();
    assert_eq!(contents.len(), WORDS);
    contents.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn stall(gateway: &Gateway, request: &Request) -> Connection {
    let mut connection = Connection::open_narrow(gateway.addr());
    connection.send(request);
    connection
}

/// Waits until every buffer is full and the stalled streams stand still.
fn until_nothing_moves(flood: &Sim) {
    let mut last = (0, Instant::now());
    until("the stalled streams stand still", PATIENCE, || {
        let written = flood.stats().bytes_out;
        if written != last.0 {
            last = (written, Instant::now());
        }
        last.1.elapsed() > Duration::from_millis(300)
    });
}

#[test]
fn t14_stalled_clients_cost_no_memory_slow_no_reader_and_are_cut_with_their_upstreams() {
    let Stand { gateway, steady, flood } = stand();
    let alone = readers(&gateway);
    let resident = gateway.resident_bytes();
    flood.script((0..CLIENTS).map(|_| endless()).collect());
    let request = Wire::Chat.request("flood", true);
    let stalled: Vec<Connection> = (0..CLIENTS).map(|_| stall(&gateway, &request)).collect();
    until("all stalled calls are upstream", PATIENCE, || flood.stats().in_flight == CLIENTS as u64);
    let begun = Instant::now();
    until_nothing_moves(&flood);
    let risen = gateway.resident_bytes().saturating_sub(resident);
    assert!(risen <= CLIENTS as u64 * STALLED_BYTES_MAX + SLACK_BYTES, "{risen} bytes more");
    // A busy machine may spoil a run, a gateway that waits for the stalled spoils both.
    let allowed = alone.mul_f64(1.2).max(alone + Duration::from_millis(25));
    let beside = readers(&gateway);
    let beside = if beside <= allowed { beside } else { beside.min(readers(&gateway)) };
    println!(
        "p99 between events: {alone:?} alone, {beside:?} beside {CLIENTS} stalled; {} KiB more",
        risen / 1024
    );
    assert!(beside <= allowed, "readers wait {beside:?} beside stalled clients, {alone:?} without");
    assert_eq!(flood.stats().in_flight, CLIENTS as u64, "they were stalled all the time");
    until("stalled calls are cut upstream", 2 * WRITE_TIMEOUT + PATIENCE, || flood.stats().in_flight == 0);
    assert!(begun.elapsed() >= WRITE_TIMEOUT, "cut after {:?}", begun.elapsed());
    assert_eq!((flood.stats().aborted, flood.calls()), (CLIENTS as u64, CLIENTS as u64));
    assert_eq!(steady.stats().aborted, 0);
    for connection in stalled {
        let ended = connection.answer().try_body();
        assert!(matches!(ended, Err(Broken::Closed | Broken::Reset)), "{ended:?}");
    }
    gateway.metric_becomes("tidegate_open_streams", &[], 0.0);
    gateway.metric_becomes("tidegate_client_aborts_total", &[], CLIENTS as f64);
}

#[test]
fn t14_a_client_that_reads_again_before_the_write_timeout_gets_everything() {
    let Stand { gateway, flood, .. } = stand();
    let terminal = sse_bytes(&[Scripted { name: "", data: "[DONE]".to_owned() }]);
    let body = [endless().body, terminal].concat();
    flood.answer_next(ScriptedReply::sse(body.clone()));
    let connection = stall(&gateway, &Wire::Chat.request("flood", true));
    let mut answer = connection.answer();
    // A pause in which the gateway has to wait for this client; part of the scenario.
    thread::sleep(WRITE_TIMEOUT / 12);
    assert_eq!(answer.body().len(), body.len());
    assert_eq!(flood.stats().aborted, 0);
}
