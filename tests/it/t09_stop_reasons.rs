//! T9: why an answer ended, for every pair of protocols, streamed and whole, by one fixed table.

use crate::facts::Counts;
use crate::harness::lanes;
use crate::made::{self, Made, Manner, Piece};
use serde_json::Value;
use tidegate::sim::ScriptedReply;
use tidegate::types::Protocol::{self, Chat, Cohere, Converse, Generate, Messages, Ollama, Responses};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    End,
    Sequence,
    Length,
    Window,
    Tools,
    Filter,
    Refusal,
    Pause,
}

/// What upstreams say, and mean.
const SAID: &[(Protocol, &str, Why)] = &[
    (Chat, "stop", Why::End),
    (Chat, "length", Why::Length),
    (Chat, "tool_calls", Why::Tools),
    (Chat, "stop", Why::Tools),
    (Chat, "content_filter", Why::Filter),
    (Responses, "completed", Why::End),
    (Responses, "max_output_tokens", Why::Length),
    (Responses, "completed", Why::Tools),
    (Responses, "content_filter", Why::Filter),
    (Messages, "end_turn", Why::End),
    (Messages, "stop_sequence", Why::Sequence),
    (Messages, "max_tokens", Why::Length),
    (Messages, "model_context_window_exceeded", Why::Window),
    (Messages, "tool_use", Why::Tools),
    (Messages, "refusal", Why::Refusal),
    (Messages, "pause_turn", Why::Pause),
    (Generate, "STOP", Why::End),
    (Generate, "MAX_TOKENS", Why::Length),
    (Generate, "STOP", Why::Tools),
    (Generate, "SAFETY", Why::Filter),
    (Generate, "RECITATION", Why::Filter),
    (Generate, "BLOCKLIST", Why::Filter),
    (Generate, "PROHIBITED_CONTENT", Why::Filter),
    (Generate, "SPII", Why::Filter),
    (Generate, "MODEL_ARMOR", Why::Filter),
    (Converse, "end_turn", Why::End),
    (Converse, "stop_sequence", Why::Sequence),
    (Converse, "max_tokens", Why::Length),
    (Converse, "model_context_window_exceeded", Why::Window),
    (Converse, "tool_use", Why::Tools),
    (Converse, "guardrail_intervened", Why::Filter),
    (Converse, "content_filtered", Why::Filter),
    (Cohere, "COMPLETE", Why::End),
    (Cohere, "STOP_SEQUENCE", Why::Sequence),
    (Cohere, "MAX_TOKENS", Why::Length),
    (Cohere, "TOOL_CALL", Why::Tools),
    (Ollama, "stop", Why::End),
    (Ollama, "length", Why::Length),
    (Ollama, "stop", Why::Tools),
];

/// What clients are told.
fn word(client: Protocol, why: Why) -> &'static str {
    use Why::{End, Filter, Length, Pause, Refusal, Sequence, Tools, Window};
    match (client, why) {
        (Chat, End | Sequence | Pause) => "stop",
        (Chat, Length | Window) => "length",
        (Chat, Tools) => "tool_calls",
        (Chat, Filter | Refusal) => "content_filter",
        (Responses, End | Sequence | Tools | Pause) => "completed",
        (Responses, Length | Window) => "incomplete: max_output_tokens",
        (Responses, Filter | Refusal) => "incomplete: content_filter",
        (Messages | Converse, End) => "end_turn",
        (Messages | Converse, Sequence) => "stop_sequence",
        (Messages | Converse, Length) => "max_tokens",
        (Messages | Converse, Window) => "model_context_window_exceeded",
        (Messages | Converse, Tools) => "tool_use",
        (Messages, Filter | Refusal) => "refusal",
        (Messages, Pause) => "pause_turn",
        (Converse, Filter | Refusal) => "content_filtered",
        (Converse, Pause) => "end_turn",
        (Generate, End | Sequence | Tools | Pause) => "STOP",
        (Generate, Length | Window) => "MAX_TOKENS",
        (Generate, Filter) => "SAFETY",
        (Generate, Refusal) => "PROHIBITED_CONTENT",
        (Cohere, End | Refusal | Pause) => "COMPLETE",
        (Cohere, Sequence) => "STOP_SEQUENCE",
        (Cohere, Length | Window) => "MAX_TOKENS",
        (Cohere, Tools) => "TOOL_CALL",
        (Cohere, Filter) => "ERROR",
        (Ollama, End | Sequence | Tools | Pause) => "stop",
        (Ollama, Length | Window) => "length",
        (Ollama, Filter | Refusal) => "content_filter",
    }
}

/// The word in a whole answer.
fn word_of(client: Protocol, body: &Value) -> String {
    let word = match client {
        Chat => &body["choices"][0]["finish_reason"],
        Responses => {
            let status = body["status"].as_str().unwrap_or_default();
            return match body["incomplete_details"]["reason"].as_str() {
                Some(reason) => format!("{status}: {reason}"),
                None => status.to_owned(),
            };
        }
        Messages => &body["stop_reason"],
        Generate => &body["candidates"][0]["finishReason"],
        Converse => &body["stopReason"],
        Cohere => &body["finish_reason"],
        Ollama => &body["done_reason"],
    };
    word.as_str().unwrap_or_default().to_owned()
}

/// The words in a stream's frames; one is right.
fn words_of(client: Protocol, bytes: &[u8]) -> Vec<String> {
    let frames = crate::walk::cut(client, bytes);
    let word = |frame: &crate::frames::Frame| {
        let data = frame.json();
        let body = match client {
            Responses if frame.name.as_deref() == Some("response.created") => return None,
            Responses if frame.name.as_deref() == Some("response.in_progress") => return None,
            Responses => &data["response"],
            Messages | Cohere => &data["delta"],
            _ => &data,
        };
        Some(word_of(client, body)).filter(|word| !word.is_empty())
    };
    frames.iter().filter_map(word).collect()
}

fn answer_of(upstream: Protocol, said: &'static str, has_call: bool) -> Made {
    let pieces = match has_call {
        true => vec![Piece::Text("So"), Piece::Call("call_a", "f", "{\"a\":1}")],
        false => vec![Piece::Text("So")],
    };
    let usage = Counts { input: 3, output: 2, ..Counts::default() };
    Made { name: said, pieces, stop: said, usage }.fit(upstream)
}

fn check(cases: impl Iterator<Item = (Protocol, &'static str, Why, bool)>) -> usize {
    let (sim, gateway) = lanes::scripted();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (upstream, said, why, has_call) in cases {
        let made = answer_of(upstream, said, has_call);
        for client in Protocol::ALL.into_iter().filter(|client| *client != upstream) {
            for is_stream in [true, false] {
                sim.answer_next(match is_stream {
                    true => lanes::reply(upstream, &made::stream(upstream, &made, Manner::PLAIN)),
                    false => ScriptedReply::json(200, made::whole(upstream, &made).to_string()),
                });
                let body = lanes::body(client, "Hello");
                let mut answer =
                    gateway.send(&lanes::call(client, &lanes::model(upstream), is_stream, &body));
                let bytes = answer.body();
                let words = match is_stream {
                    true => words_of(client, &bytes),
                    false => vec![word_of(client, &serde_json::from_slice(&bytes).unwrap())],
                };
                count += 1;
                if words != [word(client, why)] {
                    let what = format!("{upstream:?} `{said}` ({why:?}) to {client:?}, stream {is_stream}");
                    wrong.push(format!("{what}: {words:?}, not {:?}", word(client, why)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    count
}

#[test]
fn t09_every_stop_reason_is_told_by_the_table_to_clients_of_every_other_protocol() {
    let cases = SAID.iter().map(|(upstream, said, why)| (*upstream, *said, *why, *why == Why::Tools));
    assert_eq!(check(cases), SAID.len() * 12);
}

#[test]
fn t09_cut_for_length_in_the_middle_of_a_tool_call_stays_that() {
    let cut = SAID.iter().filter(|(_, _, why)| matches!(why, Why::Length | Why::Window));
    assert_eq!(check(cut.map(|(upstream, said, why)| (*upstream, *said, *why, true))), 9 * 12);
}
