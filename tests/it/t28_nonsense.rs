//! T28: an upstream that talks nonsense, translated to clients of every other protocol: 502 with its
//! origin in the client's own error form, unknown events skipped and counted, and the gateway lives on.

use crate::facts::Counts;
use crate::harness::{Config, Gateway, Sim, lanes};
use crate::made::{self, Made, Manner, Piece};
use serde_json::{Value, json};
use std::time::Duration;
use tidegate::sim::{ScriptFraming, ScriptedReply, Split};
use tidegate::types::Protocol;

fn made(upstream: Protocol) -> Made {
    let usage = Counts { input: 3, output: 2, ..Counts::default() };
    let pieces = vec![Piece::Text("So it is."), Piece::Call("call_a", "f", "{\"a\":[1,2]}")];
    Made { name: "good", pieces, stop: made::end_word(upstream, true), usage }
}

fn of_kind(kind: &str, body: impl Into<Vec<u8>>) -> ScriptedReply {
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    ScriptedReply {
        headers,
        body: body.into(),
        framing: ScriptFraming::ContentLength,
        ..ScriptedReply::default()
    }
}

const HTML: &str = "<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>";

/// Answers to a whole call that are none.
fn whole_nonsense(upstream: Protocol) -> Vec<(&'static str, ScriptedReply)> {
    let good = made::whole(upstream, &made(upstream)).to_string();
    let json = |body: &str| ScriptedReply::json(200, body.as_bytes());
    let (half, _) = good.split_at(good.len() * 2 / 3);
    vec![
        ("a page of HTML", of_kind("text/html", HTML)),
        ("HTML that calls itself JSON", json(HTML)),
        ("nothing", json("")),
        ("JSON cut short", json(half)),
        ("JSON with something behind", json(&format!("{good}]"))),
        ("an empty object", json("{}")),
        ("null", json("null")),
        ("a number", json("42")),
        ("a string", json("\"So it is.\"")),
        ("a list", json("[1,2]")),
        (
            "not UTF-8",
            of_kind(
                "application/json",
                good.replace("So it", "S\u{1}")
                    .into_bytes()
                    .iter()
                    .map(|b| if *b == 1 { 0xFF } else { *b })
                    .collect::<Vec<u8>>(),
            ),
        ),
        ("nested for ever", json(&format!("{{\"choices\":{}{}}}", "[".repeat(9000), "]".repeat(9000)))),
        (
            "an error in a 200",
            json("{\"error\":{\"message\":\"broken\",\"type\":\"server_error\",\"code\":500}}"),
        ),
    ]
}

/// Streams that are none, before any content.
fn stream_nonsense(upstream: Protocol) -> Vec<(&'static str, ScriptedReply)> {
    let (good, kind) = made::bytes(upstream, &made::stream(upstream, &made(upstream), Manner::PLAIN));
    let odd = |data: &str| match upstream {
        Protocol::Converse => made::message("contentBlockDelta", data.as_bytes()),
        Protocol::Ollama => format!("{data}\n").into_bytes(),
        _ => format!("data: {data}\n\n").into_bytes(),
    };
    let (half, _) = good.split_at(40);
    let news = match upstream {
        Protocol::Converse => made::message("vendorNews", b"{\"a\":1}"),
        Protocol::Ollama => b"{\"vendor_news\":1}\n".to_vec(),
        _ => b"event: vendor.news\ndata: {\"type\":\"vendor.news\",\"a\":1}\n\n".to_vec(),
    };
    let mut broken = good.clone();
    broken.iter_mut().for_each(|byte| *byte = byte.wrapping_add(128));
    vec![
        ("a page of HTML", of_kind("text/html", HTML)),
        ("HTML that calls itself a stream", of_kind(kind, HTML)),
        ("nothing", of_kind(kind, "")),
        ("half an event", of_kind(kind, half)),
        ("an event that is no JSON", of_kind(kind, odd("<html>"))),
        ("an event cut short", of_kind(kind, odd("{\"type\":\"content"))),
        ("a list for an event", of_kind(kind, odd("[[1]]"))),
        ("unknown events alone", of_kind(kind, news.repeat(3))),
        ("other bytes", of_kind(kind, broken)),
    ]
}

/// A model of its own for each case, so that no failure cools another's target.
fn gateway(sim: &Sim, upstream: Protocol, cases: usize) -> Gateway {
    let mut config = Config::new();
    for case in 0..cases {
        let provider = format!("p{case}");
        config = lanes::provider(config, &provider, upstream, sim.addr());
        config = config.model(&format!("m{case}"), &[&format!("{provider}=up")]);
        config = config.set("failover = { attempts = 1 }");
    }
    Gateway::start(config)
}

fn is_refused(upstream: Protocol, is_stream: bool) {
    let sim = Sim::start();
    let cases = if is_stream { stream_nonsense(upstream) } else { whole_nonsense(upstream) };
    let clients: Vec<Protocol> = Protocol::ALL.into_iter().filter(|client| *client != upstream).collect();
    let gateway = gateway(&sim, upstream, cases.len() * clients.len());
    for (case, (name, reply)) in cases.into_iter().enumerate() {
        for (number, client) in clients.iter().enumerate() {
            let what = format!("{upstream:?} to {client:?}, stream {is_stream}: {name}");
            sim.answer_next(reply.clone());
            let model = format!("m{}", case * clients.len() + number);
            let request = lanes::call(*client, &model, is_stream, &lanes::body(*client, "Hello"));
            let mut answer = gateway.send(&request);
            let text = String::from_utf8_lossy(&answer.body()).into_owned();
            let is_told = name == "an error in a 200";
            assert!(
                answer.status == 502 || is_told && answer.status >= 500,
                "{what}: {} {text}",
                answer.status
            );
            let body: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{what}: {e}: {text}"));
            let message = lanes::error(*client, &body, &what);
            assert!(
                !message.contains("doctype") && !message.contains(&sim.addr().to_string()),
                "{what}: {message}"
            );
            let origin = answer.header("x-tidegate-origin").expect("an origin").to_owned();
            assert!(origin == "gateway" || is_told && origin == "provider", "{what}: {origin}");
            assert!(answer.header("x-tidegate-reason").is_some(), "{what}");
        }
    }
    // It lives on, and so does the connection to the upstream.
    let client = clients[0];
    sim.answer_next(ScriptedReply::json(200, made::whole(upstream, &made(upstream)).to_string()));
    let request = lanes::call(client, "m0", false, &lanes::body(client, "Hello"));
    crate::harness::until("the target is asked again", crate::harness::PATIENCE, || {
        gateway.send(&request).status == 200
    });
}

macro_rules! for_each_upstream {
    ($($whole:ident $stream:ident $upstream:ident;)*) => {$(
        #[test]
        fn $whole() {
            is_refused(Protocol::$upstream, false);
        }

        #[test]
        fn $stream() {
            is_refused(Protocol::$upstream, true);
        }
    )*};
}

for_each_upstream! {
    t28_nonsense_of_a_chat_upstream_is_502 t28_nonsense_in_a_chat_stream_is_502 Chat;
    t28_nonsense_of_a_responses_upstream_is_502 t28_nonsense_in_a_responses_stream_is_502 Responses;
    t28_nonsense_of_a_messages_upstream_is_502 t28_nonsense_in_a_messages_stream_is_502 Messages;
    t28_nonsense_of_a_gemini_upstream_is_502 t28_nonsense_in_a_gemini_stream_is_502 Generate;
    t28_nonsense_of_a_converse_upstream_is_502 t28_nonsense_in_a_converse_stream_is_502 Converse;
    t28_nonsense_of_a_cohere_upstream_is_502 t28_nonsense_in_a_cohere_stream_is_502 Cohere;
    t28_nonsense_of_an_ollama_upstream_is_502 t28_nonsense_in_an_ollama_stream_is_502 Ollama;
}

/// Every member of an answer, one after the other, of a wrong type: an answer or a 502, never more.
#[test]
fn t28_a_member_of_a_wrong_type_is_an_answer_or_a_502() {
    let (sim, gateway) = lanes::scripted();
    let mut count = 0;
    for upstream in Protocol::ALL {
        let good = made::whole(upstream, &made(upstream));
        let client = if upstream == Protocol::Chat { Protocol::Messages } else { Protocol::Chat };
        for (pointer, odd) in every_member(&good).into_iter().flat_map(|pointer| {
            [json!(null), json!("odd"), json!(-1), json!([{}]), json!({"a": []})]
                .map(|odd| (pointer.clone(), odd))
        }) {
            let mut body = good.clone();
            *body.pointer_mut(&pointer).unwrap() = odd.clone();
            sim.answer_next(ScriptedReply::json(200, body.to_string()));
            let request = lanes::call(client, &lanes::model(upstream), false, &lanes::body(client, "Hello"));
            let mut answer = gateway.send(&request);
            let what = format!("{upstream:?} {pointer} is {odd}");
            let told = answer.json();
            match answer.status {
                200 => assert_eq!(crate::walk::whole_faults(client, &told), [""; 0], "{what}: {told}"),
                // The one target cools after five in a row.
                429 | 503 => assert_eq!(answer.header("x-tidegate-origin"), Some("gateway"), "{what}"),
                status => assert_eq!(status, 502, "{what}: {told}"),
            }
            count += 1;
        }
    }
    assert!(count > 400, "{count}");
}

fn every_member(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let mut put = |step: String, inner: &Value| {
        all.push(format!("/{step}"));
        all.extend(every_member(inner).into_iter().map(|below| format!("/{step}{below}")));
    };
    match value {
        Value::Object(object) => object.iter().for_each(|(key, inner)| put(key.clone(), inner)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, inner)| put(at.to_string(), inner)),
        _ => {}
    }
    all
}

#[test]
fn t28_unknown_events_are_skipped_and_counted() {
    let (sim, gateway) = lanes::scripted();
    let mut expected = 0.0;
    for upstream in Protocol::ALL {
        let frames = made::stream(upstream, &made(upstream), Manner { pads: true, ..Manner::PLAIN });
        expected += frames.iter().filter(|frame| frame.data.contains("nobody knows this")).count() as f64;
        sim.answer_next(lanes::reply(upstream, &frames));
        let client = if upstream == Protocol::Messages { Protocol::Chat } else { Protocol::Messages };
        let request = lanes::call(client, &lanes::model(upstream), true, &lanes::body(client, "Hello"));
        let told = lanes::read(client, &mut gateway.send(&request), true, &format!("{upstream:?}"));
        assert_eq!(
            (told.choices[0].text.as_str(), told.choices[0].calls.len()),
            ("So it is.", 1),
            "{upstream:?}"
        );
    }
    assert!(expected > 7.0);
    gateway.metric_becomes("tidegate_unknown_events_total", &[], expected);
}

/// Nonsense behind content: what came is shown, then one error of the client's protocol, no proper end.
#[test]
fn t28_nonsense_behind_content_ends_the_stream_with_an_error() {
    let (sim, gateway) = lanes::scripted();
    for upstream in Protocol::ALL {
        let frames = made::stream(upstream, &made(upstream), Manner { every: 2, ..Manner::PLAIN });
        let begun = frames.iter().take(6).cloned().collect::<Vec<_>>();
        let (mut body, kind) = made::bytes(upstream, &begun);
        let content_end = body.len();
        body.extend(match upstream {
            Protocol::Converse => made::message("contentBlockDelta", b"<html>"),
            Protocol::Ollama => b"<html>\n".to_vec(),
            _ => b"data: <html>\n\n".to_vec(),
        });
        for client in Protocol::ALL.into_iter().filter(|client| *client != upstream) {
            let what = format!("{upstream:?} to {client:?}");
            // Content has left before the nonsense comes: together they would fail over.
            let (split, gap) = (Split::At(vec![content_end]), Duration::from_millis(150));
            sim.answer_next(ScriptedReply {
                split,
                gap,
                framing: ScriptFraming::Chunked,
                ..of_kind(kind, body.clone())
            });
            let request = lanes::call(client, &lanes::model(upstream), true, &lanes::body(client, "Hello"));
            let mut answer = gateway.send(&request);
            assert_eq!(answer.status, 200, "{what}");
            let bytes = answer.try_body().unwrap_or_else(|_| answer.seen().to_vec());
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(text.contains("So") || text.contains("S"), "{what}: {text}");
            for good_end in
                ["[DONE]", "message_stop", "response.completed", "messageStop", "COMPLETE", "\"done\":true"]
            {
                assert!(!text.contains(good_end), "{what}: {good_end} in {text}");
            }
            assert!(
                text.contains("not understood") || text.contains("rror") || text.contains("xception"),
                "{what}: {text}"
            );
            let line = gateway.log_of(&answer);
            assert!(line["reason"].is_string(), "{what}: {line}");
            // Five failures in a row would cool the target.
            sim.answer_next(ScriptedReply::json(200, made::whole(upstream, &made(upstream)).to_string()));
            assert_eq!(
                gateway
                    .send(&lanes::call(client, &lanes::model(upstream), false, &lanes::body(client, "Hello")))
                    .status,
                200,
                "{what}"
            );
        }
    }
}
