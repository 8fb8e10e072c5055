//! T10: a 200 that fails before any content has gone to the client is a failed attempt like any
//! other, and the next target answers.

use crate::harness::{Answer, Config, Gateway, Scripted, Sim, Wire, free_addr, sse_bytes};
use serde_json::Value;
use tidegate::sim::{ScriptEnd, ScriptedReply};

const WORDS: [&str; 2] = ["second ", "target"];

/// What A does before it has said anything.
struct Fault {
    name: &'static str,
    reply: ScriptedReply,
}

fn fault(name: &'static str, events: &[Scripted]) -> Fault {
    Fault { name, reply: ScriptedReply::sse(sse_bytes(events)) }
}

fn faults(wire: Wire) -> Vec<Fault> {
    let healthy = wire.stream(&["never shown"], 5, 5);
    let preamble = &healthy[..wire.first_content()];
    let broken = |end| ScriptedReply { end, ..ScriptedReply::sse(sse_bytes(preamble)) };
    let mut faults = vec![
        fault("an error event first", &[wire.fault()]),
        fault("an error event after the preamble", &[preamble, &[wire.fault()]].concat()),
        fault("a proper end after the preamble", preamble),
        fault("an empty body", &[]),
        Fault { name: "a reset after the preamble", reply: broken(ScriptEnd::Reset) },
        Fault {
            name: "an empty answer of no length",
            reply: ScriptedReply { headers: ScriptedReply::sse("").headers, ..ScriptedReply::default() },
        },
        Fault { name: "a page of HTML", reply: html() },
        Fault { name: "an error as JSON in a 200", reply: ScriptedReply::json(200, wire.fault().data) },
    ];
    if wire == Wire::Chat {
        faults.push(fault("finish_reason error", &[chat_finish("error")]));
    }
    faults
}

fn html() -> ScriptedReply {
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    ScriptedReply { headers, body: b"<!DOCTYPE html><h1>Busy</h1>".to_vec(), ..ScriptedReply::default() }
}

fn chat_finish(reason: &str) -> Scripted {
    let data = serde_json::json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {}, "finish_reason": reason}],
    });
    Scripted { name: "", data: data.to_string() }
}

/// A gateway where each case has a model of its own: what one case does must not cool the next.
fn gateway(wire: Wire, a: &Sim, b: &Sim, cases: usize) -> Gateway {
    let mut config = Config::new().provider("a", wire, a.addr()).provider("b", wire, b.addr());
    for case in 0..cases {
        config = config.model(&format!("m{case}"), &["a", "b"]);
    }
    Gateway::start(config)
}

fn falls_back(wire: Wire) {
    let (a, b) = (Sim::start(), Sim::start());
    let cases = faults(wire);
    let gateway = gateway(wire, &a, &b, cases.len());
    let healthy = sse_bytes(&wire.stream(&WORDS, 3, 2));
    for (case, fault) in cases.into_iter().enumerate() {
        let what = format!("{wire:?}: {}", fault.name);
        a.reset();
        b.reset();
        a.answer_next(fault.reply);
        b.answer_next(ScriptedReply::sse(healthy.clone()));
        let mut answer = gateway.send(&wire.request(&format!("m{case}"), true));
        let seen = answer.body();
        assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(&healthy), "{what}");
        assert_eq!(answer.status, 200, "{what}");
        assert_eq!((a.calls(), b.calls()), (1, 1), "{what}");
        assert_eq!(answer.header("x-tidegate-provider"), Some("b"), "{what}");
        assert_eq!(answer.header("x-tidegate-attempts"), Some("2"), "{what}");
        let line = gateway.log_of(&answer);
        assert_eq!((&line["provider"], &line["attempts"]), (&"b".into(), &2.into()), "{what}: {line}");
        assert_eq!(line["failures"][0]["provider"], "a", "{what}: {line}");
        assert_eq!(line["output_tokens"], 2, "{what}: A's tokens are not counted: {line}");
    }
}

fn must_be_an_error(wire: Wire, answer: &mut Answer, what: &str) -> Value {
    assert!((400..600).contains(&answer.status), "{what}: {}", answer.status);
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/json"), "{what}: {kind}");
    assert!(answer.header("x-tidegate-reason").is_some(), "{what}");
    let body = answer.json();
    assert!(wire.is_error_body(&body), "{what}: {body}");
    body
}

fn all_fail(wire: Wire) {
    let (a, b) = (Sim::start(), Sim::start());
    let count = faults(wire).len();
    let gateway = gateway(wire, &a, &b, count);
    for (case, (one, other)) in faults(wire).into_iter().zip(faults(wire)).enumerate() {
        let what = format!("{wire:?}: {} twice", one.name);
        a.reset();
        b.reset();
        a.answer_next(one.reply);
        b.answer_next(other.reply);
        // Attempts beyond the scripted ones fail too.
        a.fault("status:503");
        b.fault("status:503");
        let mut answer = gateway.send(&wire.request(&format!("m{case}"), true));
        must_be_an_error(wire, &mut answer, &what);
        assert!(a.calls() >= 1 && b.calls() >= 1 && a.calls() + b.calls() <= 3, "{what}");
        let line = gateway.log_of(&answer);
        assert_eq!(line["status"], answer.status, "{what}: {line}");
        assert!(line["reason"].is_string(), "{what}: {line}");
    }
}

#[test]
fn t10_a_chat_stream_that_fails_before_content_is_answered_by_the_next_target() {
    falls_back(Wire::Chat);
}

#[test]
fn t10_a_responses_stream_that_fails_before_content_is_answered_by_the_next_target() {
    falls_back(Wire::Responses);
}

#[test]
fn t10_a_messages_stream_that_fails_before_content_is_answered_by_the_next_target() {
    falls_back(Wire::Messages);
}

#[test]
fn t10_a_gemini_stream_that_fails_before_content_is_answered_by_the_next_target() {
    falls_back(Wire::Gemini);
}

#[test]
fn t10_when_all_targets_fail_before_content_the_client_gets_a_real_error() {
    for wire in Wire::ALL {
        all_fail(wire);
    }
}

#[test]
fn t10_the_only_targets_failure_is_told_in_words_whatever_it_was() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let cases = faults(wire);
        let mut config = Config::new().provider("a", wire, sim.addr());
        for case in 0..cases.len() {
            config = config.model(&format!("m{case}"), &["a"]).set("failover = { attempts = 1 }");
        }
        let gateway = Gateway::start(config);
        for (case, fault) in cases.into_iter().enumerate() {
            sim.answer_next(fault.reply);
            let what = format!("{wire:?}: {}", fault.name);
            let mut answer = gateway.send(&wire.request(&format!("m{case}"), true));
            must_be_an_error(wire, &mut answer, &what);
            assert_eq!(sim.calls(), case as u64 + 1, "{what}");
        }
    }
}

#[test]
fn t10_an_answer_in_one_piece_that_is_none_is_answered_by_the_next_target() {
    for wire in Wire::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        let replies = [
            ("an error as JSON in a 200", ScriptedReply::json(200, wire.fault().data)),
            ("a page of HTML", html()),
            ("nothing", ScriptedReply::json(200, "")),
            ("JSON cut short", ScriptedReply::json(200, "{\"id\":\"x\",")),
        ];
        let gateway = gateway(wire, &a, &b, replies.len());
        for (case, (name, reply)) in replies.into_iter().enumerate() {
            a.reset();
            b.reset();
            a.answer_next(reply);
            let mut answer = gateway.send(&wire.request(&format!("m{case}"), false));
            let body = answer.json();
            assert_eq!(answer.status, 200, "{wire:?}: {name}: {body}");
            assert!(!wire.text_of_body(&body).is_empty(), "{wire:?}: {name}: {body}");
            assert_eq!((a.calls(), b.calls()), (1, 1), "{wire:?}: {name}");
            assert_eq!(gateway.log_of(&answer)["failures"][0]["provider"], "a", "{wire:?}: {name}");
        }
    }
}

#[test]
fn t10_an_error_status_or_a_refused_connection_before_a_stream_is_answered_by_the_next_target() {
    for wire in Wire::ALL {
        let b = Sim::start();
        let config = Config::new()
            .provider("dead", wire, free_addr())
            .provider("b", wire, b.addr())
            .model("m", &["dead", "b"]);
        let gateway = Gateway::start(config);
        b.answer_next(ScriptedReply::sse(sse_bytes(&wire.stream(&WORDS, 3, 2))));
        let mut answer = gateway.send(&wire.request("m", true));
        let text: String = answer.events().iter().map(|event| wire.text_of(event)).collect();
        assert_eq!((answer.status, text.as_str()), (200, "second target"), "{wire:?}");
        assert_eq!(b.calls(), 1);
        assert_eq!(gateway.log_of(&answer)["failures"][0]["class"], "connect");
    }
}
