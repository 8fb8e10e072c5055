//! Texts that mean something to databases and shells, in every field that takes text.

use super::world::{OWNER, World};
use base64::Engine;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn payloads() -> Vec<String> {
    #[expect(clippy::disallowed_methods, reason = "tells tests where the corpus is")]
    let named = std::env::var_os("TIDEGATE_CORPUS").map(PathBuf::from);
    let corpus = named.unwrap_or_else(|| PathBuf::from("../shared/corpus"));
    let folder = corpus.parent().unwrap_or(Path::new("/")).join("security-corpus");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no security corpus at {}", folder.display());
        return Vec::new();
    };
    let mut payloads = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with("web_attack.") {
            continue;
        }
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let text = case["input"].as_str().map(str::to_owned).or_else(|| {
                let bytes =
                    base64::engine::general_purpose::STANDARD.decode(case["input_b64"].as_str()?).ok()?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            });
            payloads.extend(text);
        }
    }
    assert!(payloads.len() > 100);
    payloads
}

/// For a path segment or a query: everything but letters and digits escaped.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

/// Control characters and long texts are refused as names; all others are names.
#[tokio::test]
async fn no_payload_breaks_anything_or_reaches_what_it_does_not_name() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let before = world.dump().await;
    let (mut calls, mut made) = (0, 0);
    for payload in payloads() {
        let id = escaped(&payload.chars().take(300).collect::<String>());
        let mut answers = Vec::new();
        // In ids, filters and credentials nothing can come of it.
        for path in [
            format!("keys/{id}"),
            format!("tenants?name={id}"),
            format!("keys?app={id}&tenant={id}"),
            format!("keys?cursor={id}"),
            format!("audit?tenant={id}"),
            format!("usage?tenant={id}&model={id}&key={id}"),
        ] {
            answers.push(world.get(OWNER, &path).await);
        }
        answers.push(world.patch(OWNER, &format!("keys/{id}"), json!({ "status": "blocked" })).await);
        answers.push(world.delete(OWNER, &format!("tenants/{id}")).await);
        answers.push(world.post(OWNER, &format!("keys/{id}/rotate"), Value::Null).await);
        let header: String = payload.chars().filter(|c| (' '..='~').contains(c)).collect();
        answers.push(world.get(&header, "keys").await);
        answers.push(world.post(OWNER, "apps", json!({ "name": "x", "team": payload })).await);
        calls += answers.len();
        assert!(answers.iter().all(|answer| answer.status < 500), "{payload}: {answers:?}");
    }
    assert_eq!(world.dump().await, before);
    for payload in payloads() {
        // As a name it is a name, or is refused.
        let tags = json!({ payload.as_str(): payload });
        let policy = json!({ "models": [payload] });
        let body = json!({ "name": payload, "app": tenant.app, "policy": policy, "tags": tags });
        let answer = world.post(OWNER, "keys", body).await;
        assert!(answer.status == 201 || answer.status == 400, "{payload}: {}", answer.text);
        calls += 1;
        if answer.status == 201 {
            made += 1;
            let id = answer.body["id"].as_str().unwrap();
            let read = world.get(OWNER, &format!("keys/{id}")).await;
            assert!(read.body["name"] == payload.as_str() && read.body["tags"][&payload] == payload.as_str());
            world.delete(OWNER, &format!("keys/{id}")).await.is(204);
        }
    }
    println!("{calls} calls, {made} things made and deleted, nothing changed that was not named");
    assert_eq!(world.dump().await, before);
}
