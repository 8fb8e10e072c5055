//! Through sockets: a provider and a model of the store, from their making to their end, and after a
//! start without the store.

use super::process::{Process, TOKEN, ask, until};
use super::world::Folder;
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_key_calls_a_model_of_the_store_until_it_is_deleted_also_after_a_start_without_the_store() {
    let upstream = tidegate::sim::start(tidegate::sim::SimOptions::default()).unwrap();
    let folder = Folder::new();
    let process = Process::start(&folder, &format!("sqlite:{}/store.db", folder.0.display()));
    let (_, id) = process.key();
    let app = process.admin("GET", &format!("keys/{id}"), Value::Null)["app"].clone();
    let key = json!({ "name": "limited", "app": app, "policy": { "models": ["edge-model"] } });
    let secret = process.admin("POST", "keys", key)["secret"].as_str().unwrap().to_owned();
    let provider = json!({
        "name": "edge", "kind": "openai-compatible", "base_url": format!("http://{}/v1", upstream.addr()),
        "api_key": "env:UPSTREAM"
    });
    process.admin("POST", "providers", provider);
    let target = |model: &str| json!([{ "provider": "edge", "model": model }]);
    process.admin("POST", "models", json!({ "name": "edge-model", "targets": target("first") }));
    let chat = |process: &Process| {
        let call = json!({ "model": "edge-model", "messages": [{ "role": "user", "content": "hello" }] });
        ask(process.edge, "POST", "/v1/chat/completions", &secret, &call.to_string()).unwrap_or_default()
    };
    until("the model answers", SOON, || chat(&process).0 == 200);
    assert!(chat(&process).1.contains("first"), "{}", chat(&process).1);
    let (_, listed) = ask(process.edge, "GET", "/v1/models", &secret, "").unwrap();
    assert!(listed.contains("edge-model") && !listed.contains("gpt-5"), "{listed}");
    process.admin("PATCH", "models/edge-model", json!({ "targets": target("second") }));
    until("its change is in force", SOON, || chat(&process).1.contains("second"));
    let copy = folder.0.join("identities.sealed");
    let has_copy = || std::fs::read(&copy).ok();
    // The copy is at most five seconds behind; it must have the change.
    let before = has_copy();
    process.admin("PATCH", "models/edge-model", json!({ "count": "exact" }));
    until("the copy is written", Duration::from_secs(20), || has_copy().is_some() && has_copy() != before);
    drop(process);

    let process = Process::start(&folder, "postgres://nobody@127.0.0.1:1/none");
    until("the model answers without the store", Duration::from_secs(20), || chat(&process).0 == 200);
    assert!(chat(&process).1.contains("second"));
    drop(process);

    let process = Process::start(&folder, &format!("sqlite:{}/store.db", folder.0.display()));
    until("the model answers after a restart", SOON, || chat(&process).0 == 200);
    let (status, _) = ask(process.admin, "DELETE", "/admin/v1/providers/edge", TOKEN, "").unwrap();
    assert_eq!(status, 409);
    for path in ["models/edge-model", "providers/edge"] {
        let (status, _) = ask(process.admin, "DELETE", &format!("/admin/v1/{path}"), TOKEN, "").unwrap();
        assert_eq!(status, 204, "{path}");
    }
    until("it is gone", SOON, || chat(&process).0 == 404);
    let history = process.admin("GET", "config/history", Value::Null);
    assert!(history["items"].as_array().unwrap().len() >= 4, "{history}");
}

#[test]
fn what_is_written_on_one_node_is_in_force_on_the_other_and_goes_there_too() {
    let upstream = tidegate::sim::start(tidegate::sim::SimOptions::default()).unwrap();
    let (folder, other_folder) = (Folder::new(), Folder::new());
    let store = format!("sqlite:{}/store.db", folder.0.display());
    let process = Process::start(&folder, &store);
    let other = Process::start(&other_folder, &store);
    let (secret, _) = process.key();
    let provider = json!({
        "name": "edge", "kind": "openai-compatible", "base_url": format!("http://{}/v1", upstream.addr()),
        "api_key": "env:UPSTREAM"
    });
    process.admin("POST", "providers", provider);
    process.admin("POST", "models", json!({ "name": "edge-model", "targets": [{ "provider": "edge" }] }));
    let call = json!({ "model": "edge-model", "messages": [{ "role": "user", "content": "hello" }] });
    let chat = || {
        ask(other.edge, "POST", "/v1/chat/completions", &secret, &call.to_string())
            .map_or(0, |(status, _)| status)
    };
    let took = until("the other node serves it", SOON, || chat() == 200);
    println!("served by the other node after {took:?}");
    other.admin("GET", "models/edge-model", Value::Null);
    let (status, _) = ask(process.admin, "DELETE", "/admin/v1/models/edge-model", TOKEN, "").unwrap();
    assert_eq!(status, 204);
    until("it is gone there too", SOON, || chat() == 404);
}
