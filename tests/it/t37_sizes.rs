//! T37: no size between nothing and the limit loses a byte, on any way in and on any attempt.

use crate::harness::{
    Answer, Broken, Ca, Config, Connection, Gateway, Http2, PATIENCE, Request, Sim, Wire, block_on, sha256,
};
use std::io::{Read, Write};
use std::net::TcpStream;
use tidegate::sim::ScriptedReply;

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;
const SIZES: [usize; 6] = [32 * KIB, 64 * KIB, 64 * KIB + 1, 2 * MIB, 10 * MIB, 32 * MIB];

/// A chat call whose body has exactly this many bytes.
fn request(bytes: usize) -> Request {
    let (before, after) = (r#"{"model":"m","messages":[{"role":"user","content":""#, r#""}]}"#);
    let mut body = String::with_capacity(bytes);
    body.push_str(before);
    let words = b"the quick brown fox 0123456789 ";
    let text = words.iter().cycle().take(bytes - before.len() - after.len());
    body.extend(text.map(|byte| *byte as char));
    body.push_str(after);
    assert_eq!(body.len(), bytes);
    Wire::Chat.request_of("m", false, body)
}

fn config(sim: &Sim) -> Config {
    let wire = Wire::Chat;
    let config = Config::new().provider("a", wire, sim.addr()).provider("b", wire, sim.addr());
    config.model("m", &["a", "b"])
}

/// What the simulator saw since the last look: length and digest of each body.
fn hold_attempts(sim: &Sim, request: &Request, attempts: usize, what: &str) {
    let seen: Vec<_> = sim.requests().into_iter().map(|sent| (sent.body_bytes, sent.body_sha256)).collect();
    assert_eq!(seen, vec![(request.body.len(), sha256(&request.body)); attempts], "{what}");
    sim.reset();
}

fn fail_next(sim: &Sim, attempts: usize) {
    for _ in 1..attempts {
        sim.answer_next(ScriptedReply::json(503, "{}"));
    }
}

#[test]
fn t37_every_size_arrives_whole_over_http1_also_on_the_second_attempt() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim));
    for size in SIZES {
        for chunk in [None, Some(61_333)] {
            for attempts in [1, 2] {
                let what = format!("{size} bytes, chunk={chunk:?}, attempt {attempts}");
                let mut request = request(size);
                if let Some(chunk) = chunk {
                    request = request.chunked(chunk);
                }
                // Each on targets that no earlier failure has set aside.
                let gateway = if attempts == 1 { &gateway } else { &Gateway::start(config(&sim)) };
                fail_next(&sim, attempts);
                let mut answer = gateway.send(&request);
                let body = answer.body();
                assert_eq!(answer.status, 200, "{what}: {}", String::from_utf8_lossy(&body));
                hold_attempts(&sim, &request, attempts, &what);
            }
        }
    }
}

#[test]
fn t37_every_size_arrives_whole_over_http2_also_on_the_second_attempt() {
    let sim = Sim::start();
    let ca = Ca::new();
    let whole = Gateway::start(config(&sim).tls(&ca));
    for size in SIZES {
        for (has_length, attempts) in [(false, 1), (true, 2)] {
            let what = format!("{size} bytes, length={has_length}, attempt {attempts}");
            let mut request = request(size);
            if has_length {
                request = request.header("content-length", &size.to_string());
            }
            let fresh = (attempts > 1).then(|| Gateway::start(config(&sim).tls(&ca)));
            let gateway = fresh.as_ref().unwrap_or(&whole);
            fail_next(&sim, attempts);
            let (status, body) = block_on(async {
                let mut client = Http2::open(gateway.tls(), &ca).await;
                let mut answer = client.send(&request).await;
                (answer.status, answer.body().await)
            });
            assert_eq!(status, 200, "{what}: {}", String::from_utf8_lossy(&body));
            hold_attempts(&sim, &request, attempts, &what);
        }
    }
}

fn hold_too_large(wire: Wire, mut answer: Answer, what: &str) {
    let body = answer.json();
    assert_eq!(answer.status, 413, "{what}: {body}");
    assert!(wire.is_error_body(&body), "{what}: {body}");
    assert_eq!(answer.header("x-tidegate-reason"), Some("body_too_large"), "{what}");
}

#[test]
fn t37_one_byte_above_the_limit_is_413_in_every_dialect() {
    const LIMIT: usize = 256 * KIB;
    for wire in Wire::ALL {
        let sim = Sim::start();
        let config = Config::new().provider("a", wire, sim.addr()).model("m", &["a"]);
        let gateway = Gateway::start(config.table("server.limits").set("body_bytes_max = \"256KiB\""));
        let head = wire.request("m", false).body;
        let fitting = [head.clone(), vec![b' '; LIMIT - head.len()]].concat();
        assert_eq!(gateway.send(&wire.request_of("m", false, fitting)).status, 200, "{wire:?}");
        let above = [head.clone(), vec![b' '; LIMIT + 1 - head.len()]].concat();
        let request = wire.request_of("m", false, above);
        hold_too_large(wire, gateway.send(&request), &format!("{wire:?} by length"));
        hold_too_large(wire, gateway.send(&request.chunked(4096)), &format!("{wire:?} chunked"));
        assert_eq!(sim.calls(), 1, "{wire:?}");
    }
}

#[test]
fn t37_one_byte_above_the_default_limit_is_413_over_http2() {
    let sim = Sim::start();
    let ca = Ca::new();
    let gateway = Gateway::start(config(&sim).tls(&ca));
    let request = request(32 * MIB + 1).header("content-length", &(32 * MIB + 1).to_string());
    let status = block_on(async {
        let mut client = Http2::open(gateway.tls(), &ca).await;
        let mut small = request.clone();
        // Only the length is announced: the refusal must not wait for the body.
        small.body.truncate(16 * KIB);
        client.send(&small).await.status
    });
    assert_eq!(status, 413);
    assert_eq!(sim.calls(), 0);
}

#[test]
fn t37_an_answer_of_50_mib_passes() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim));
    let mut body = String::from(r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0"#);
    while body.len() < 50 * MIB {
        body.push_str(",0.0123456789,-0.25,1e-7");
    }
    body.push_str(r#"]}],"model":"m","usage":{"prompt_tokens":12345,"total_tokens":12345}}"#);
    sim.answer_next(ScriptedReply::json(200, body.clone()));
    let mut answer = gateway.send(&Request::post("/v1/embeddings", r#"{"model":"m","input":"a"}"#));
    let seen = answer.body();
    assert_eq!((answer.status, seen.len()), (200, body.len()));
    assert_eq!(sha256(&seen), sha256(body.as_bytes()));
    let line = gateway.log_of(&answer);
    assert_eq!((&line["input_tokens"], &line["estimated"]), (&12345.into(), &false.into()), "{line}");
    assert!(gateway.resident_bytes() < 300 * MIB as u64, "{}", gateway.resident_bytes());
}

#[test]
fn t37_expect_100_continue_is_answered_before_the_body_is_sent() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim));
    let request = request(64 * KIB + 1).header("expect", "100-continue");
    let bytes = request.to_bytes("edge.test");
    let head = bytes.len() - request.body.len();
    let mut stream = TcpStream::connect(gateway.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&bytes[..head]).unwrap();
    // Nothing but the interim answer can come: the body has not been sent.
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut seen = vec![0; interim.len()];
    stream.read_exact(&mut seen).unwrap();
    assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(interim));
    stream.write_all(&bytes[head..]).unwrap();
    let mut status = [0; 13];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 200 ");
    hold_attempts(&sim, &request, 1, "after 100-continue");
}

#[test]
fn t37_expect_with_a_length_above_the_limit_is_refused_without_asking_for_the_body() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim));
    let mut connection = Connection::open(gateway.addr());
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        crate::harness::KEY,
        64 * MIB
    );
    connection.send_raw(head.as_bytes());
    let (seen, how) = connection.read_to_close();
    let text = String::from_utf8_lossy(&seen);
    assert!(text.starts_with("HTTP/1.1 413 "), "{text} ({how:?})");
    assert_ne!(how, Broken::Silent, "the connection stays open, waiting for a body nobody wants: {text}");
    assert_eq!(sim.calls(), 0);
}
