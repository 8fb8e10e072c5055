//! Translation alone: how long it takes to read a 100 KiB chat request and to write it as a Messages
//! one, in the median of many, printed as one line of JSON for `scripts/bench`. The conversation has
//! what long ones have: turns of prose, tool calls and their results.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the machine's clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};
use tidegate::chat::{Losses, Target};
use tidegate::dialect::codec::{Called, decode_request, encode_request};
use tidegate::framing::json::{Duplicates, parse_bytes};
use tidegate::types::Protocol;

const TIMES: usize = 1_000;
const BODY_BYTES: usize = 100 * 1024;
const SENTENCE: &str = "The harbour office keeps a tide table for every berth,\\nand each entry names the \
                        \\\"hour\\\", the depth over the sill and the wind. ";

fn main() {
    let body = conversation();
    let mut spans = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        match time_one(&body) {
            Some(span) => spans.push(span),
            None => return eprintln!("the request was not translated"),
        }
    }
    spans.sort_unstable();
    let median = spans.get(TIMES / 2).copied().unwrap_or_default();
    println!("{{\"translate_100k_us\": {:.1}}}", median.as_secs_f64() * 1e6);
}

fn time_one(body: &[u8]) -> Option<Duration> {
    let target = Target::new("claude-sonnet-4-5");
    let begun = Instant::now();
    let root = parse_bytes(black_box(body), Duplicates::Refuse).ok()?;
    let request = decode_request(Protocol::Chat, &root, Called::default()).ok()?;
    let mut out = Vec::with_capacity(body.len() + 256);
    encode_request(Protocol::Messages, &request, &target, &mut Losses::default(), &mut out).ok()?;
    let span = begun.elapsed();
    (black_box(&out).len() > BODY_BYTES / 2).then_some(span)
}

fn conversation() -> Vec<u8> {
    let mut body =
        String::from(r#"{"model":"m","max_tokens":64,"messages":[{"role":"system","content":"Be brief."}"#);
    let prose = SENTENCE.repeat(8);
    for turn in 0.. {
        if body.len() >= BODY_BYTES {
            break;
        }
        body.push_str(&format!(
            r#",{{"role":"user","content":"[{turn}] {prose}"}},{{"role":"assistant","content":"{prose}","tool_calls":[{{"id":"call_{turn}","type":"function","function":{{"name":"tide","arguments":"{{\"berth\":{turn},\"from\":\"06:00\"}}"}}}}]}},{{"role":"tool","tool_call_id":"call_{turn}","content":"{prose}"}}"#
        ));
    }
    body.push_str(
        r#"],"tools":[{"type":"function","function":{"name":"tide","description":"d","parameters":{"type":"object","properties":{"berth":{"type":"integer"},"from":{"type":"string"}}}}}]}"#,
    );
    body.into_bytes()
}
