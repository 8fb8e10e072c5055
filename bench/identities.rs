//! What 100,000 virtual keys cost: memory, the first snapshot, the next one after a change, a look-up.
//!
//!     cargo run --release --example identities

use std::hint::black_box;
use std::time::Duration;
use tidegate::auth::{Directory, KeyRing, Peppers, TokenKind, token};
use tidegate::govern::{KeyId, Kind, Object};
use tidegate::types::Secret;

const KEYS: usize = 100_000;
const APPS: usize = 1000;

fn object(kind: Kind, id: String, parent: Option<String>, body: serde_json::Value) -> Object {
    let tenant = Some("ten_0".to_owned());
    Object { kind, name: id.clone(), id, tenant, parent, version: 1, created_ms: 0, updated_ms: 0, body }
}

/// Time of the processor this thread has had: what others do on the machine does not count.
fn now() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn since(begun: Duration) -> Duration {
    now().saturating_sub(begun)
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement")]
fn main() {
    let peppers = Peppers::new(&[Secret::new("pepper-of-a-measurement-of-identities")]);
    let ring = KeyRing::new(Vec::new()).unwrap().with_peppers(peppers);
    let mut objects = vec![
        object(Kind::Tenant, "ten_0".into(), None, serde_json::json!({})),
        object(Kind::Team, "team_0".into(), Some("ten_0".into()), serde_json::json!({})),
    ];
    for app in 0..APPS {
        let policy =
            serde_json::json!({ "policy": { "budgets": [{ "name": "m", "usd": "10", "per": "month" }] } });
        objects.push(object(Kind::App, format!("app_{app}"), Some("team_0".into()), policy));
    }
    let mut texts = Vec::new();
    for number in 0..KEYS {
        let made = token::mint(TokenKind::Key).unwrap();
        let hash = tidegate::types::hex(&ring.peppers().hash(made.text.expose()).unwrap());
        // A tenth with rules of their own.
        let body = if number % 10 == 0 {
            serde_json::json!({ "hash": hash, "policy": { "models": ["gpt-5*"] } })
        } else {
            serde_json::json!({ "hash": hash })
        };
        let id = format!("{}{}", KeyId::PREFIX, made.public);
        objects.push(object(Kind::Key, id, Some(format!("app_{}", number % APPS)), body));
        texts.push(made.text.expose().to_owned());
    }
    let sample = objects.last().unwrap().clone();
    let app = objects[2].clone();
    let mut directory = Directory::new();
    let begun = now();
    let faults = directory.apply(objects, &[], 1);
    let applied = since(begun);
    let snapshot = directory.snapshot();
    println!("{KEYS} keys in {APPS} apps: {} faults", faults.len());
    println!("read {applied:?}, whole build {:?}", since(begun));
    println!("resident, with the texts of the keys beside ({} KiB): {} KiB", KEYS * 96 / 1024, resident());
    let begun = now();
    directory.apply(vec![sample], &[], 2);
    let next = directory.snapshot();
    println!("next snapshot after one key: {:?}", since(begun));
    let begun = now();
    directory.apply(vec![app], &[], 3);
    let next = (next, directory.snapshot());
    println!("next snapshot after one app: {:?}", since(begun));
    let begun = now();
    for text in &texts {
        black_box(ring.authenticate(&snapshot, text, 0).unwrap());
    }
    println!("a right key: {:?}", since(begun) / KEYS as u32);
    let begun = now();
    for text in &texts {
        black_box(ring.peppers().hash(text));
    }
    println!("of which HMAC: {:?}", since(begun) / KEYS as u32);
    let begun = now();
    let sealed = directory.seal(ring.peppers()).unwrap();
    println!("sealed {} MiB in {:?}", sealed.len() >> 20, since(begun));
    drop(next);
}
