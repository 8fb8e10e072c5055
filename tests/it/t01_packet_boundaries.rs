//! T1: wherever the network cuts a stream, the client gets its bytes and the log its tokens.

use crate::harness::{Config, Connection, Gateway, Request, Sim, Wire, sse_bytes};
use std::time::Duration;
use tidegate::sim::{ScriptFraming, ScriptedReply, Split};

/// Letters of two, three and four bytes in UTF-8.
const WORDS: [&str; 3] = ["h\u{e9}", "\u{4f60}\u{597d}", "\u{1f600}!"];
const INPUT: u64 = 11;
const OUTPUT: u64 = 7;

fn gateway(wire: Wire, sim: &Sim) -> Gateway {
    Gateway::start(
        Config::new().provider("a", wire, sim.addr()).model("m", &["a"]).table("log").set("level = \"warn\""),
    )
}

/// Replays the dialect's stream once for each of `splits`.
fn replay(wire: Wire, splits: Vec<(Split, Duration)>) {
    let stream = ScriptedReply::sse(sse_bytes(&wire.stream(&WORDS, INPUT, OUTPUT)));
    replay_of(wire, &wire.request("m", true), &stream, splits);
}

/// Holds the bytes and the recorded tokens of one answer however it is split.
fn replay_of(wire: Wire, request: &Request, reply: &ScriptedReply, splits: Vec<(Split, Duration)>) {
    let sim = Sim::start();
    let gateway = gateway(wire, &sim);
    let body = &reply.body;
    let count = splits.len();
    let mut connection = Connection::open(gateway.addr());
    for (split, gap) in splits {
        let what = format!("{wire:?} {split:?}");
        sim.answer_next(ScriptedReply { split, gap, ..reply.clone() });
        connection.send(request);
        let mut answer = connection.answer();
        assert_eq!(answer.status, 200, "{what}");
        let seen = answer.body();
        assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(body), "{what}");
        connection = answer.into_connection();
    }
    assert_eq!(sim.calls(), count as u64);
    let lines = gateway.log_when(count);
    assert_eq!(lines.len(), count);
    for line in lines {
        let tokens = (&line["input_tokens"], &line["output_tokens"], &line["estimated"]);
        assert_eq!(tokens, (&INPUT.into(), &OUTPUT.into(), &false.into()), "{line}");
    }
    let endpoint = ("endpoint", wire.endpoint(true));
    gateway.metric_becomes(
        "tidegate_tokens_total",
        &[endpoint, ("class", "output")],
        (OUTPUT * count as u64) as f64,
    );
    gateway.metric_becomes(
        "tidegate_tokens_total",
        &[endpoint, ("class", "input")],
        (INPUT * count as u64) as f64,
    );
}

fn at_every_position(wire: Wire) {
    let body = sse_bytes(&wire.stream(&WORDS, INPUT, OUTPUT));
    let pause = Duration::from_millis(1);
    replay(wire, (1..body.len()).map(|position| (Split::At(vec![position]), pause)).collect());
}

#[test]
fn t01_a_chat_stream_cut_at_any_byte_arrives_byte_for_byte() {
    at_every_position(Wire::Chat);
}

#[test]
fn t01_a_responses_stream_cut_at_any_byte_arrives_byte_for_byte() {
    at_every_position(Wire::Responses);
}

#[test]
fn t01_a_messages_stream_cut_at_any_byte_arrives_byte_for_byte() {
    at_every_position(Wire::Messages);
}

#[test]
fn t01_a_gemini_stream_cut_at_any_byte_arrives_byte_for_byte() {
    at_every_position(Wire::Gemini);
}

#[test]
fn t01_a_gemini_array_cut_at_any_byte_arrives_byte_for_byte() {
    let elements: Vec<String> =
        Wire::Gemini.stream(&WORDS, INPUT, OUTPUT).into_iter().map(|event| event.data).collect();
    let body = format!("[{}\r\n]\n", elements.join(",\r\n"));
    let mut request = Wire::Gemini.request("m", true);
    request.target = request.target.replace("?alt=sse", "");
    let pause = Duration::from_millis(1);
    let mut splits: Vec<_> = (1..body.len()).map(|position| (Split::At(vec![position]), pause)).collect();
    splits.extend([(Split::EveryByte, Duration::ZERO), (Split::Whole, Duration::ZERO)]);
    let reply = ScriptedReply { framing: ScriptFraming::Chunked, ..ScriptedReply::json(200, body) };
    replay_of(Wire::Gemini, &request, &reply, splits);
}

#[test]
fn t01_streams_written_byte_by_byte_or_at_once_arrive_byte_for_byte() {
    for wire in Wire::ALL {
        let pause = Duration::from_micros(200);
        replay(
            wire,
            vec![
                (Split::EveryByte, Duration::ZERO),
                (Split::EveryByte, pause),
                (Split::Whole, Duration::ZERO),
            ],
        );
    }
}
