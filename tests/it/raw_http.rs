//! Raw bytes at the listener: what is ambiguous is refused, and never becomes a request that nobody
//! authorised.
//!
//! The cases lie outside of the repository: `TIDEGATE_SECURITY_CORPUS` names their folder, the
//! default is `../shared/security-corpus`. Where they are absent the test says so.

use crate::harness::{Config, Connection, Gateway, KEY, PATIENCE, Sim, Wire, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a case may be silent before it counts as unanswered.
const SILENCE: Duration = Duration::from_millis(1500);
const THREADS: usize = 24;
/// In the target of every request that a case hides in another one.
const SMUGGLED: &str = "smuggled";

struct Case {
    id: String,
    label: String,
    action: String,
    is_contested: bool,
    bytes: Vec<u8>,
    source: String,
}

/// How one case went.
struct Outcome {
    /// Statuses of the answers, in order.
    statuses: Vec<u16>,
    is_closed: bool,
}

fn cases() -> Option<Vec<Case>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/security-corpus");
    let root = std::env::var_os("TIDEGATE_SECURITY_CORPUS").map_or(beside, PathBuf::from);
    let mut files: Vec<PathBuf> = fs::read_dir(&root)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("http_raw.") && name.ends_with(".jsonl")
    });
    if files.is_empty() {
        println!("SKIPPED: no http_raw.*.jsonl at {}", root.display());
        return None;
    }
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        for line in fs::read_to_string(file).unwrap().lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let depends = case["expected"].get("depends_on_config").is_some();
            let bytes = match case["input_b64"].as_str() {
                Some(packed) => base64(packed),
                None => text(&case["input"]).into_bytes(),
            };
            cases.push(Case {
                id: text(&case["id"]),
                label: text(&case["label"]),
                action: text(&case["expected"]["action"]),
                is_contested: depends || case.get("contested").is_some_and(|contested| !contested.is_null()),
                bytes,
                source: text(&case["source"]),
            });
        }
    }
    Some(cases)
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("{other} is no base64"),
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(digit).collect();
    let mut out = Vec::with_capacity(text.len());
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0u32, |bits, digit| (bits << 6) | u32::from(*digit));
        let bits = bits << (6 * (4 - group.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    out
}

/// The case with the test key after its request line; None where it has no well-formed one.
fn with_key(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&bytes[..end]).ok()?;
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts[..] else { return None };
    let is_token = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_plain = !target.is_empty() && target.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if !is_token || !is_plain {
        return None;
    }
    let key = format!("\r\nauthorization: Bearer {KEY}");
    Some([&bytes[..end], key.as_bytes(), &bytes[end..]].concat())
}

fn play(addr: SocketAddr, bytes: &[u8]) -> Outcome {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_write_timeout(Some(SILENCE)).unwrap();
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    // A refusal may come, and the connection go, before all of it is written.
    let _refused_early = stream.write_all(bytes);
    let mut seen = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let end = Instant::now() + 2 * SILENCE;
    let is_closed = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break true,
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
            Err(e) => break e.kind() == std::io::ErrorKind::ConnectionReset,
        }
        if Instant::now() > end {
            break false;
        }
    };
    Outcome { statuses: statuses(&seen), is_closed }
}

/// Statuses of the answers in what came. Bodies here are small JSON without a line like these.
fn statuses(seen: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(seen);
    let starts = text.match_indices("HTTP/1.1 ").chain(text.match_indices("HTTP/1.0 "));
    let mut found: Vec<(usize, u16)> =
        starts.filter_map(|(at, _)| Some((at, text.get(at + 9..at + 12)?.parse().ok()?))).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, status)| status).collect()
}

fn play_all(addr: SocketAddr, inputs: &[Vec<u8>]) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let mut outcomes: Vec<(usize, Outcome)> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(input) = inputs.get(place) else { return done };
                done.push((place, play(addr, input)));
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// What is wrong with how a case went.
fn fault(case: &Case, outcome: &Outcome) -> Option<String> {
    let finals: Vec<u16> = outcome.statuses.iter().copied().filter(|status| *status >= 200).collect();
    let first_success = finals.first().is_some_and(|status| *status < 400);
    match case.action.as_str() {
        "reject" if first_success => Some(format!("answered {finals:?}")),
        "reject" if finals.is_empty() && !outcome.is_closed => Some("neither refused nor closed".to_owned()),
        _ => None,
    }
}

fn gateway(sim: &Sim) -> Gateway {
    let config = Config::new().provider("a", Wire::Chat, sim.addr()).model("m", &["a"]);
    // Half a request must end within the test.
    let config = config.table("server.limits").set("header_timeout = \"1s\"").set("body_timeout = \"1s\"");
    Gateway::start(config)
}

/// Plays cases, holds what must hold of all of them, and gives the tally.
fn hold(what: &str, cases: &[Case], inputs: &[Vec<u8>]) {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let outcomes = play_all(gateway.addr(), inputs);
    let mut tally: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    let mut faults = Vec::new();
    for (case, outcome) in cases.iter().zip(&outcomes) {
        let contested = if case.is_contested { " (contested)" } else { "" };
        let counts = tally.entry(format!("{} {}{contested}", case.label, case.action)).or_default();
        let column = match outcome.statuses.iter().find(|status| **status >= 200) {
            Some(400..) => 0,
            Some(_) => 1,
            None if outcome.is_closed => 2,
            None => 3,
        };
        counts[column] += 1;
        if let Some(fault) = fault(case, outcome)
            && !case.is_contested
        {
            let shown = String::from_utf8_lossy(&case.bytes);
            let shown: String = shown.chars().take(300).collect();
            faults.push(format!("{} ({}): {fault}\n    {shown:?}", case.id, case.source));
        }
    }
    println!("raw http, {what}: {} cases", cases.len());
    for (kind, [refused, answered, closed, silent]) in &tally {
        println!("  {kind}: {refused} refused, {answered} answered, {closed} closed, {silent} silent");
    }
    let smuggled: Vec<String> =
        sim.requests().into_iter().map(|seen| seen.target).filter(|t| t.contains(SMUGGLED)).collect();
    assert!(smuggled.is_empty(), "{what}: the upstream saw {smuggled:?}");
    // Each call the upstream saw is one that the gateway authorised and logged as its own.
    let calls = sim.calls();
    let logged = || -> u64 {
        gateway.log_lines().iter().map(|line| line["attempts"].as_u64().unwrap_or_default()).sum()
    };
    until(&format!("{what}: {calls} calls upstream are logged"), PATIENCE, || calls <= logged());
    assert!(faults.is_empty(), "{what}: {} cases not refused:\n{}", faults.len(), faults.join("\n"));
    // It is still there, and in step, for those who ask properly.
    let mut connection = Connection::open(gateway.addr());
    for _ in 0..2 {
        connection.send(&Wire::Chat.request("m", false));
        let mut answer = connection.answer();
        answer.body();
        assert_eq!(answer.status, 200, "{what}");
        connection = answer.into_connection();
    }
    if !what.contains("key") {
        assert_eq!(calls, 0, "{what}: nobody was authorised");
    }
}

#[test]
fn raw_http_without_a_key_nothing_reaches_an_upstream_and_what_is_malformed_is_refused() {
    let Some(cases) = cases() else { return };
    assert!(cases.len() > 200, "only {} cases", cases.len());
    let inputs: Vec<Vec<u8>> = cases.iter().map(|case| case.bytes.clone()).collect();
    hold("as they are", &cases, &inputs);
}

#[test]
fn raw_http_with_a_key_nothing_is_smuggled_and_what_is_malformed_is_refused() {
    let Some(cases) = cases() else { return };
    let (mut keyed, mut inputs) = (Vec::new(), Vec::new());
    for case in cases {
        if let Some(input) = with_key(&case.bytes) {
            keyed.push(case);
            inputs.push(input);
        }
    }
    assert!(keyed.len() > 120, "only {} cases have a request line", keyed.len());
    hold("with the key", &keyed, &inputs);
}

#[test]
fn raw_http_a_second_request_behind_an_ambiguous_one_is_never_forwarded() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hidden"}]}"#;
    // A whole, authorised call hides in the body of another.
    let hidden = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\nx-smuggled: 1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let length = hidden.len() + 5;
    let framings = [
        format!("content-length: {length}\r\ntransfer-encoding: chunked"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}"),
        format!("content-length: {length}\r\ntransfer-encoding: xchunked"),
        format!("content-length: {length}\r\ntransfer-encoding : chunked"),
        format!("content-length: {length}\r\n transfer-encoding: chunked"),
        format!("content-length: {length}\r\ncontent-length: 5"),
        format!("content-length: {length}, 5"),
        "transfer-encoding: chunked\r\ntransfer-encoding: identity".to_owned(),
        "transfer-encoding: chunked, identity".to_owned(),
        "transfer-encoding: gzip, chunked".to_owned(),
        "transfer-encoding: \x0bchunked".to_owned(),
        "transfer-encoding:\tchunked\x00".to_owned(),
    ];
    for framing in framings {
        let bytes = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}"
        );
        let outcome = play(gateway.addr(), bytes.as_bytes());
        let is_refused = outcome.statuses.first().is_some_and(|status| *status >= 400);
        assert!(is_refused && outcome.is_closed, "{framing:?}: {:?}", outcome.statuses);
        assert_eq!(outcome.statuses.len(), 1, "{framing:?}: {:?}", outcome.statuses);
        assert_eq!(sim.calls(), 0, "{framing:?}");
    }
}
