//! Through sockets: a budget passes a threshold, and a listener is told, once, signed.

use super::process::{Process, ask, free, until};
use super::world::Folder;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Head and body of each request; the first one is answered 500.
fn receiver(listener: TcpListener, told: Sender<(String, String)>) {
    for (at, stream) in listener.incoming().enumerate() {
        let mut stream = stream.unwrap();
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        let text = loop {
            let count = stream.read(&mut piece).unwrap();
            bytes.extend_from_slice(&piece[..count]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(|n| n.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        };
        let status = if at == 0 { "500 Internal Server Error" } else { "204 No Content" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        if told.send(text).is_err() {
            return;
        }
    }
}

fn is_signed(head: &str, body: &str) -> bool {
    let field = head.lines().find_map(|line| line.strip_prefix("x-tidegate-signature: ")).unwrap();
    let (seconds, tag) = field.trim().strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"key-of-the-upstream");
    let expected = ring::hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    expected.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>() == tag
}

fn next(told: &Receiver<(String, String)>) -> (String, Value) {
    let (head, body) = told.recv_timeout(SOON).unwrap();
    assert!(is_signed(&head, &body), "{head}\n{body}");
    (head, serde_json::from_str(&body).unwrap())
}

#[test]
fn a_threshold_that_is_passed_is_told_to_a_webhook_until_it_is_taken_and_is_counted() {
    let upstream = tidegate::sim::start(tidegate::sim::SimOptions::default()).unwrap();
    let address = free();
    let listener = TcpListener::bind(address).unwrap();
    let (sender, told) = channel();
    std::thread::spawn(move || receiver(listener, sender));
    let folder = Folder::new();
    let more = format!(
        "[providers.s]\nkind = \"openai-compatible\"\nbase_url = \"http://{}/v1\"\n\
         [models.sim]\ntargets = [{{ provider = \"s\" }}]\n\
         [[admin.webhooks]]\nurl = \"http://{address}/hook\"\nsecret = \"env:UPSTREAM\"\n\
         events = [\"budget.*\"]\nallow_private = true\n",
        upstream.addr()
    );
    let store = format!("sqlite:{}/store.db", folder.0.display());
    let process = Process::start_with(&folder, &store, &more);
    let (_, id) = process.key();
    let app = process.admin("GET", &format!("keys/{id}"), Value::Null)["app"].clone();
    let budget = json!({ "name": "b", "tokens": 1_000_000, "per": "total", "alerts": [1, 100] });
    let key = json!({ "name": "small", "app": app, "policy": { "budgets": [budget] } });
    let made = process.admin("POST", "keys", key);
    let secret = made["secret"].as_str().unwrap().to_owned();
    let words = "word ".repeat(9_000);
    let call = json!({ "model": "sim", "max_tokens": 9, "messages": [{ "role": "user", "content": words }] });
    let chat = || {
        ask(process.edge, "POST", "/v1/chat/completions", &secret, &call.to_string())
            .map_or(0, |(status, _)| status)
    };
    until("a call is paid for", SOON, || chat() == 200);
    until("one percent is spent", SOON, || chat() == 200 && metric(&process) == Some(1.0));
    let (head, first) = next(&told);
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n") && head.contains("x-tidegate-event: budget.alert"));
    let (_, again) = next(&told);
    assert_eq!((&first["id"], &first["subject"]), (&again["id"], &again["subject"]));
    let subject = &again["subject"];
    assert_eq!((&subject["percent"], &subject["amount"]), (&json!(1), &json!(1_000_000)));
    assert_eq!(subject["budget"], format!("key/{}/b/tokens/total", made["id"].as_str().unwrap()));
    assert!(subject["spent"].as_u64().unwrap() >= 10_000, "{subject}");
    // Once for a threshold, however many calls follow.
    assert_eq!(chat(), 200);
    assert_eq!(metric(&process), Some(1.0));
    assert!(told.try_recv().is_err());
}

fn metric(process: &Process) -> Option<f64> {
    let (_, text) = ask(process.admin, "GET", "/metrics", "", "")?;
    text.lines().find_map(|line| line.strip_prefix("tidegate_budget_alerts_total "))?.parse().ok()
}
