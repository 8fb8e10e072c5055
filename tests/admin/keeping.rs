//! Through sockets: keys of the store at the edge, their revocation, and a start without the store.

use super::process::{JWT_SECRET, Process, TOKEN, ask, until};
use super::world::Folder;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn jwt(app: &str) -> String {
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": "https://idp.test", "aud": "gateway", "sub": "alice", "azp": app, "exp": 4_000_000_000_u64
    });
    let signed = format!("{}.{}", encode(json!({ "alg": "HS256", "kid": "a" })), encode(claims));
    let tag =
        ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &JWT_SECRET), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// T48: in force within two seconds; a little more for the machine the tests run on.
const REVOKED: Duration = Duration::from_secs(3);

#[test]
fn a_key_works_is_blocked_within_two_seconds_and_survives_a_start_without_the_store() {
    let folder = Folder::new();
    let process = Process::start(&folder, &format!("sqlite:{}/store.db", folder.0.display()));
    let (secret, id) = process.key();
    until("the key is in force", REVOKED, || process.status(&secret) == 200);
    until("so is a token", REVOKED, || process.status(&jwt("bot")) == 200);
    assert_eq!((process.status(&jwt("other")), process.status("tg-x")), (401, 401));
    process.admin("PATCH", &format!("keys/{id}"), json!({ "status": "blocked" }));
    let took = until("the key is blocked", REVOKED, || process.status(&secret) == 401);
    println!("blocked after {took:?}");
    process.admin("PATCH", &format!("keys/{id}"), json!({ "status": "active" }));
    until("the key is open again", REVOKED, || process.status(&secret) == 200);
    // The copy on disk is at most five seconds behind; it must have the open key, not the blocked one.
    let copy = folder.0.join("identities.sealed");
    let first = std::fs::read(&copy).ok();
    until("the copy is written", Duration::from_secs(20), || {
        let now = std::fs::read(&copy).ok();
        now.is_some() && now != first
    });
    drop(process);
    let away = "postgres://nobody@127.0.0.1:1/none";
    let process = Process::start(&folder, away);
    until("the copy is in force", Duration::from_secs(20), || process.status(&secret) == 200);
    assert_eq!(process.status(&jwt("bot")), 200);
    let (status, text) = process.readiness().unwrap();
    assert!(status == 200 && text.contains("degraded"), "{status} {text}");
    drop(process);
    let mut bytes = std::fs::read(&copy).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&copy, bytes).unwrap();
    let process = Process::start(&folder, away);
    until("it is told", Duration::from_secs(20), || {
        std::fs::read_to_string(folder.0.join("log")).unwrap().contains("is not used")
    });
    until("it is no 401", Duration::from_secs(20), || process.status(&secret) == 503);
    assert_eq!(process.readiness().unwrap().0, 503);
}

#[test]
fn a_head_that_cannot_be_read_leaves_no_credential_in_the_log() {
    let folder = Folder::new();
    let process = Process::start(&folder, &format!("sqlite:{}/store.db", folder.0.display()));
    for field in ["x-bad: \0", "x bad: 1", "content-length: x"] {
        let mut stream = TcpStream::connect(process.admin).unwrap();
        let head = format!(
            "GET /admin/v1/me HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n{field}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains(TOKEN));
    }
    let (status, _) = ask(process.admin, "GET", "/admin/v1/me", TOKEN, "").unwrap();
    assert_eq!(status, 200);
    let log = std::fs::read_to_string(folder.0.join("log")).unwrap();
    assert!(!log.contains(TOKEN), "{log}");
}

#[test]
fn a_limit_of_a_team_holds_for_all_its_keys_together_and_goes_on_when_the_team_changes() {
    let folder = Folder::new();
    let process = Process::start(&folder, &format!("sqlite:{}/store.db", folder.0.display()));
    let text = |value: &Value, field: &str| value[field].as_str().unwrap().to_owned();
    let id = |path: &str, body: Value| text(&process.admin("POST", path, body), "id");
    let tenant = id("tenants", json!({ "name": "acme" }));
    let limits = |amount: u64| json!({ "limits": [{ "unit": "requests", "per": "hour", "amount": amount }] });
    let team = id("teams", json!({ "name": "core", "tenant": tenant, "policy": limits(3) }));
    let app = id("apps", json!({ "name": "bot", "team": team }));
    let key =
        |name: &str| text(&process.admin("POST", "keys", json!({ "name": name, "app": app })), "secret");
    let (one, two) = (key("one"), key("two"));
    // A refused credential is no call of anybody's; the first answer is the first of three.
    until("the keys, made one after the other, are in force", REVOKED, || process.status(&two) == 200);
    assert_eq!((process.status(&one), process.status(&one)), (200, 200));
    let (status, body) = ask(process.edge, "GET", "/v1/models", &two, "").unwrap();
    assert!(status == 429 && body.contains("team"), "{status} {body}");
    process.admin("PATCH", &format!("teams/{team}"), json!({ "policy": limits(4) }));
    until("one more call is allowed", REVOKED, || process.status(&two) == 200);
    assert_eq!((process.status(&one), process.status(&two)), (429, 429));
}

#[test]
fn a_budget_of_a_key_is_lent_by_the_store_and_refuses_what_it_cannot_pay() {
    let folder = Folder::new();
    let process = Process::start(&folder, &format!("sqlite:{}/store.db", folder.0.display()));
    let (_, id) = process.key();
    let app = process.admin("GET", &format!("keys/{id}"), Value::Null)["app"].as_str().unwrap().to_owned();
    let key = |name: &str, tokens: u64| {
        let policy = json!({ "budgets": [{ "name": "b", "tokens": tokens, "per": "day" }] });
        let made = process.admin("POST", "keys", json!({ "name": name, "app": app, "policy": policy }));
        made["secret"].as_str().unwrap().to_owned()
    };
    let (small, large) = (key("small", 5), key("large", 1_000_000));
    let call = json!({
        "model": "gpt-5", "max_tokens": 50, "messages": [{ "role": "user", "content": "how are you today?" }]
    });
    let chat = |key: &str| ask(process.edge, "POST", "/v1/chat/completions", key, &call.to_string()).unwrap();
    until("the keys are in force", REVOKED, || {
        process.status(&large) == 200 && process.status(&small) == 200
    });
    let (status, body) = chat(&small);
    assert!(status == 429 && body.contains("budget_exceeded"), "{status} {body}");
    // Paid for, and then there is nobody at the provider's address.
    let (status, body) = chat(&large);
    assert!(status >= 500 && body.contains("upstream_connect"), "{status} {body}");
}
