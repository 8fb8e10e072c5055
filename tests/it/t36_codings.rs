//! T36: packed bodies, both ways. What is packed is what the label says, and a bomb stays small.

use crate::harness::{Config, Gateway, Request, Sim, Wire, events_of, sha256, sse_bytes};
use serde_json::json;
use std::io::Write;
use std::time::Duration;
use tidegate::sim::{ScriptedReply, Split};

const MIB: usize = 1024 * 1024;
const CODINGS: [&str; 4] = ["gzip", "br", "zstd", "deflate"];

fn pack(coding: &str, plain: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        "deflate" => {
            let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        "br" => {
            let mut out = Vec::new();
            brotli::CompressorWriter::new(&mut out, 4096, 1, 22).write_all(plain).unwrap();
            out
        }
        "zstd" => zstd::encode_all(plain, 1).unwrap(),
        other => panic!("{other}"),
    }
}

fn gateway(wire: Wire, sim: &Sim) -> Gateway {
    Gateway::start(Config::new().provider("a", wire, sim.addr()).model("m", &["a"]))
}

/// A body of about this many bytes that packs neither to nothing nor badly.
fn prompt(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    let mut state = 1u64;
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("w{} ", state >> 44));
    }
    text
}

fn request(wire: Wire, text: &str) -> Request {
    let more = match wire {
        Wire::Responses => json!({"input": text}),
        Wire::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        _ => json!({"messages": [{"role": "user", "content": text}]}),
    };
    wire.request_with("m", false, &more)
}

fn packed(plain: &Request, coding: &str) -> Request {
    let bytes = pack(coding, &plain.body);
    plain.clone().header("content-encoding", coding).body(bytes)
}

#[test]
fn t36_packed_bodies_are_read_metered_and_sent_on_plain() {
    for wire in [Wire::Chat, Wire::Messages] {
        let sim = Sim::start();
        let gateway = gateway(wire, &sim);
        for size in [1024, 100 * 1024, 4 * MIB] {
            let plain = request(wire, &prompt(size));
            let counted = gateway.log_of(&gateway.send(&plain))["counted_input"].clone();
            assert!(counted.as_u64().unwrap() > 100, "{wire:?} {size}: {counted}");
            for coding in CODINGS {
                for chunk in [None, Some(4099)] {
                    let what = format!("{wire:?} {coding} {size} chunk={chunk:?}");
                    let mut sent = packed(&plain, coding);
                    if let Some(size) = chunk {
                        sent = sent.chunked(size);
                    }
                    let mut answer = gateway.send(&sent);
                    let body = answer.body();
                    assert_eq!(answer.status, 200, "{what}: {}", String::from_utf8_lossy(&body));
                    let got = sim.last_request();
                    assert_eq!(got.body_sha256, sha256(&plain.body), "{what}");
                    assert_eq!(got.header("content-encoding"), None, "{what}");
                    let length = plain.body.len().to_string();
                    assert_eq!(got.header("content-length"), Some(length.as_str()), "{what}");
                    assert_eq!(gateway.log_of(&answer)["counted_input"], counted, "{what}");
                }
            }
        }
    }
}

#[test]
fn t36_a_bomb_is_413_and_takes_no_memory() {
    let wire = Wire::Chat;
    let sim = Sim::start();
    let config = Config::new().provider("a", wire, sim.addr()).model("m", &["a"]);
    let gateway = Gateway::start(config.table("server.limits").set("body_bytes_max = \"2MiB\""));
    let small = gateway.send(&wire.request("m", false)).status;
    assert_eq!(small, 200);
    let before = gateway.resident_bytes();
    for coding in CODINGS {
        let bomb = pack(coding, &vec![b' '; 512 * MIB]);
        // Small enough as it comes: only what it inflates to can be too large.
        assert!(bomb.len() < MIB, "{coding}: {}", bomb.len());
        let request = wire.request_of("m", false, bomb).header("content-encoding", coding);
        let mut answer = gateway.send(&request);
        let body = answer.json();
        assert_eq!(answer.status, 413, "{coding}: {body}");
        assert!(wire.is_error_body(&body), "{coding}: {body}");
        assert_eq!(answer.header("x-tidegate-reason"), Some("body_too_large"), "{coding}");
    }
    let grown = gateway.resident_bytes().saturating_sub(before);
    assert!(grown < 48 * MIB as u64, "{} MiB more", grown / MIB as u64);
    assert_eq!(sim.calls(), 1);
}

#[test]
fn t36_an_unknown_coding_is_415_and_a_corrupt_body_400_in_every_dialect() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let gateway = gateway(wire, &sim);
        let plain = wire.request("m", false);
        for coding in ["compress", "gzip, gzip", "gzip, br", "aes128gcm"] {
            let mut answer = gateway.send(&plain.clone().header("content-encoding", coding));
            let body = answer.json();
            assert_eq!(answer.status, 415, "{wire:?} {coding}: {body}");
            assert!(wire.is_error_body(&body), "{wire:?} {coding}: {body}");
            assert_eq!(answer.header("x-tidegate-reason"), Some("unsupported_encoding"), "{wire:?}");
        }
        for coding in CODINGS {
            let whole = pack(coding, &plain.body);
            for broken in [plain.body.clone(), whole[..whole.len() / 2].to_vec()] {
                let sent = plain.clone().header("content-encoding", coding).body(broken);
                let mut answer = gateway.send(&sent);
                let body = answer.json();
                assert_eq!(answer.status, 400, "{wire:?} {coding}: {body}");
                assert!(wire.is_error_body(&body), "{wire:?} {coding}: {body}");
            }
        }
        assert_eq!(sim.calls(), 0, "{wire:?}");
    }
}

#[test]
fn t36_a_packed_stream_reaches_the_client_as_its_label_says() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let gateway = gateway(wire, &sim);
        let plain = sse_bytes(&wire.stream(&["früh ", "日本 ", "\u{1f600}"], 37, 11));
        for coding in ["gzip", "br", "zstd"] {
            for split in [Split::Whole, Split::EveryByte] {
                let what = format!("{wire:?} {coding} {split:?}");
                let mut reply = ScriptedReply { split, ..ScriptedReply::sse(pack(coding, &plain)) };
                reply.headers.push(("content-encoding".to_owned(), coding.to_owned()));
                sim.answer_next(reply);
                let mut answer = gateway.send(&wire.request("m", true));
                let seen = answer.body();
                assert_eq!(answer.status, 200, "{what}");
                match answer.header("content-encoding") {
                    None | Some("identity") => assert_eq!(seen, plain, "{what}"),
                    Some(label) => panic!("{what}: not plain but {label}"),
                }
                assert_eq!(events_of(&seen), events_of(&plain), "{what}");
                let line = gateway.log_of(&answer);
                assert_eq!(line["input_tokens"], 37, "{what}: {line}");
                assert_eq!(line["output_tokens"], 11, "{what}: {line}");
                assert_eq!(line["estimated"], false, "{what}: {line}");
            }
        }
    }
}

#[test]
fn t36_a_packed_stream_is_not_held_back() {
    let wire = Wire::Chat;
    let sim = Sim::start();
    let gateway = gateway(wire, &sim);
    let events = wire.stream(&["one ", "two ", "three "], 4, 3);
    let (head, rest) = (sse_bytes(&events[..2]), sse_bytes(&events[2..]));
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&head).unwrap();
    packer.flush().unwrap();
    let cut = packer.get_ref().len();
    packer.write_all(&rest).unwrap();
    let body = packer.finish().unwrap();
    let gap = Duration::from_millis(1500);
    let mut reply = ScriptedReply { split: Split::At(vec![cut]), gap, ..ScriptedReply::sse(body) };
    reply.headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
    sim.answer_next(reply);
    let mut answer = gateway.send(&wire.request("m", true));
    let events = answer.events();
    assert_eq!(events.iter().map(|event| wire.text_of(event)).collect::<String>(), "one two three ");
    let waited = events.last().unwrap().at - events[1].at;
    assert!(waited > gap / 2, "the first words waited for the last: {waited:?}");
}

#[test]
fn t36_a_packed_whole_answer_is_metered_and_keeps_its_label() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let gateway = gateway(wire, &sim);
        let mut answer = gateway.send(&wire.request("m", false));
        let plain = answer.body();
        let usage = gateway.log_of(&answer);
        for coding in ["gzip", "br", "zstd"] {
            let bytes = pack(coding, &plain);
            let mut reply = ScriptedReply::json(200, bytes.clone());
            reply.headers.push(("content-encoding".to_owned(), coding.to_owned()));
            sim.answer_next(reply);
            let mut answer = gateway.send(&wire.request("m", false));
            let seen = answer.body();
            match answer.header("content-encoding") {
                Some(label) => assert_eq!((label, &seen), (coding, &bytes), "{wire:?}"),
                None => assert_eq!(seen, plain, "{wire:?} {coding}"),
            }
            let line = gateway.log_of(&answer);
            for field in ["input_tokens", "output_tokens", "estimated"] {
                assert_eq!(line[field], usage[field], "{wire:?} {coding} {field}: {line}");
            }
        }
    }
}
