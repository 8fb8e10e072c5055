//! T7, T8: parallel tool calls between any two protocols, however their arguments come.

use crate::facts::{Answer, Call, Counts};
use crate::harness::{Gateway, Sim, lanes};
use crate::made::{self, Made, Manner, Piece, Told};
use serde_json::{Value, json};
use tidegate::sim::{ScriptedReply, Split};
use tidegate::types::Protocol;

const ARGUMENTS: [&str; 3] = [
    "{\"ort\":\"Köln 😀 \\\"q\\\" \\\\ \\u00e9\\n\",\"n\":1.5,\"big\":9007199254740993}",
    "{\"zone\":\"Europe/Köln\",\"l\":[true,null,{}]}",
    "{\"ort\":\"世界👩‍👩‍👧\"}",
];

fn made(upstream: Protocol, pieces: Vec<Piece>) -> Made {
    let usage = Counts { input: 30, output: 12, ..Counts::default() };
    let stop = made::end_word(upstream, true);
    Made { name: "calls", pieces, stop, usage }.fit(upstream)
}

fn three() -> Vec<Piece> {
    vec![
        Piece::Text("Let me see — é世😀."),
        Piece::Call("call_a", "get_weather", ARGUMENTS[0]),
        Piece::Call("call_b", "get_time", ARGUMENTS[1]),
        Piece::Call("call_c", "get_weather", ARGUMENTS[2]),
    ]
}

/// Places to cut: inside every escape and every character of more than one byte.
fn nasty_cuts(bytes: &[u8]) -> Split {
    let is_nasty = |at: &usize| bytes[*at - 1] == b'\\' || (bytes[*at] & 0xC0) == 0x80;
    Split::At((1..bytes.len()).filter(is_nasty).collect())
}

fn pairs() -> impl Iterator<Item = (Protocol, Protocol)> {
    let others = |upstream| Protocol::ALL.into_iter().filter(move |client| *client != upstream);
    Protocol::ALL.into_iter().flat_map(move |upstream| others(upstream).map(move |client| (upstream, client)))
}

/// One call through the gateway, its upstream answering so.
fn told(
    (sim, gateway): &(Sim, Gateway),
    (upstream, client): (Protocol, Protocol),
    is_stream: bool,
    reply: ScriptedReply,
    what: &str,
) -> Answer {
    sim.answer_next(reply);
    let request = lanes::call(client, &lanes::model(upstream), is_stream, &lanes::body(client, "Hello"));
    lanes::read(client, &mut gateway.send(&request), is_stream, what)
}

fn are(calls: &[Call], wanted: &[(&str, &str)], what: &str) {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let read: Vec<(&str, Value)> = calls.iter().map(|call| (call.name.as_str(), call.parsed())).collect();
    let wanted: Vec<(&str, Value)> = wanted.iter().map(|(name, text)| (*name, parsed(text))).collect();
    assert_eq!(read, wanted, "{what}");
}

#[test]
fn t07_three_parallel_calls_cut_anywhere_keep_index_id_name_and_arguments_for_every_pair() {
    let gate = lanes::scripted();
    for (upstream, client) in pairs() {
        let made = made(upstream, three());
        for manner in [Manner { interleaves: true, pads: true, every: 3, ..Manner::PLAIN }, Manner::PLAIN] {
            let plain = lanes::reply(upstream, &made::stream(upstream, &made, manner));
            let nasty = nasty_cuts(&plain.body);
            for split in [Split::Whole, Split::EveryByte, nasty] {
                let what = format!("{upstream:?} to {client:?}, {manner:?}");
                let reply = ScriptedReply { split, ..plain.clone() };
                let told = told(&gate, (upstream, client), true, reply, &what);
                let calls = &told.choices[0].calls;
                let names = ["get_weather", "get_time", "get_weather"];
                let wanted: Vec<_> = names.into_iter().zip(ARGUMENTS).collect();
                are(calls, &wanted, &what);
                let ids: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
                assert_eq!(ids, ["call_a", "call_b", "call_c"], "{what}");
                assert_eq!(told.choices[0].text, "Let me see — é世😀.", "{what}");
                let usage = told.usage.unwrap();
                assert_eq!((usage.input, usage.output), (30, 12), "{what}");
            }
        }
    }
    assert_eq!(gate.0.calls(), 42 * 2 * 3);
}

#[test]
fn t07_the_first_chat_chunk_has_the_role_whatever_comes_first() {
    let (sim, gateway) = lanes::scripted();
    for upstream in Protocol::ALL.into_iter().filter(|upstream| *upstream != Protocol::Chat) {
        for pieces in [three()[1..].to_vec(), vec![Piece::Text("a")], vec![Piece::Think("a")], vec![]] {
            let made = made(upstream, pieces);
            sim.answer_next(lanes::reply(upstream, &made::stream(upstream, &made, Manner::PLAIN)));
            let body = lanes::body(Protocol::Chat, "Hello");
            let request = lanes::call(Protocol::Chat, &lanes::model(upstream), true, &body);
            let first = gateway.send(&request).event().unwrap().json();
            assert_eq!(first["choices"][0]["delta"]["role"], "assistant", "{upstream:?}: {first}");
        }
    }
}

#[test]
fn t08_arguments_told_only_at_the_end_only_in_pieces_or_both_reach_the_client_once() {
    let gate = lanes::scripted();
    let upstream = Protocol::Responses;
    for client in Protocol::ALL.into_iter().filter(|client| *client != upstream) {
        for told_as in [Told::Deltas, Told::Done, Told::Both] {
            let manner = Manner { told: told_as, ..Manner::PLAIN };
            let reply = lanes::reply(upstream, &made::stream(upstream, &made(upstream, three()), manner));
            let what = format!("{client:?}, {told_as:?}");
            let told = told(&gate, (upstream, client), true, reply, &what);
            let wanted =
                [("get_weather", ARGUMENTS[0]), ("get_time", ARGUMENTS[1]), ("get_weather", ARGUMENTS[2])];
            are(&told.choices[0].calls, &wanted, &what);
        }
    }
}

#[test]
fn t08_empty_arguments_are_an_empty_object_once_streamed_and_whole_for_every_pair() {
    let gate = lanes::scripted();
    for (upstream, client) in pairs() {
        for arguments in ["", "{}"] {
            let pieces =
                vec![Piece::Call("call_a", "now", arguments), Piece::Call("call_b", "then", arguments)];
            let made = made(upstream, pieces);
            for is_stream in [true, false] {
                let what = format!("{upstream:?} to {client:?}, {arguments:?}, stream {is_stream}");
                let reply = match is_stream {
                    true => lanes::reply(upstream, &made::stream(upstream, &made, Manner::PLAIN)),
                    false => ScriptedReply::json(200, made::whole(upstream, &made).to_string()),
                };
                let told = told(&gate, (upstream, client), is_stream, reply, &what);
                are(&told.choices[0].calls, &[("now", "{}"), ("then", "{}")], &what);
            }
        }
    }
}

/// Servers that copy Anthropic or OpenAI send a call's whole input with its start.
#[test]
fn t08_arguments_that_come_with_the_start_of_a_call_are_told_once() {
    let gate = lanes::scripted();
    let input = json!({"city": "Köln"});
    let event = |kind: &str, data: Value| {
        let mut data = data;
        data["type"] = json!(kind);
        crate::frames::Frame { name: Some(kind.to_owned()), data: data.to_string() }
    };
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}});
    let block = json!({"type": "tool_use", "id": "call_a", "name": "get_weather", "input": input});
    let messages = [
        event("message_start", json!({"message": message})),
        event("content_block_start", json!({"index": 0, "content_block": block})),
        event("content_block_stop", json!({"index": 0})),
        event("message_delta", json!({"delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}})),
        event("message_stop", json!({})),
    ];
    let function = json!({"name": "get_weather", "arguments": input.to_string()});
    let call = json!({"index": 0, "id": "call_a", "type": "function", "function": function});
    let chunk = |delta: Value, finish: Value| {
        crate::frames::Frame {
        name: None,
        data: json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).to_string(),
    }
    };
    let done = crate::frames::Frame { name: None, data: "[DONE]".to_owned() };
    let chat = [
        chunk(json!({"role": "assistant", "content": null, "tool_calls": [call]}), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        done,
    ];
    for (upstream, frames) in [(Protocol::Messages, messages.to_vec()), (Protocol::Chat, chat.to_vec())] {
        for client in Protocol::ALL.into_iter().filter(|client| *client != upstream) {
            let what = format!("{upstream:?} to {client:?}");
            let told = told(&gate, (upstream, client), true, lanes::reply(upstream, &frames), &what);
            are(&told.choices[0].calls, &[("get_weather", "{\"city\":\"Köln\"}")], &what);
        }
    }
}
