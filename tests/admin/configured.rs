//! Providers and models over the admin API: both origins, the file's rules, all or nothing.

use super::world::{OWNER, World};
use http::Method;
use serde_json::{Value, json};

fn provider(name: &str) -> Value {
    json!({
        "name": name, "kind": "openai-compatible", "base_url": "http://127.0.0.1:1/v1",
        "api_key": "env:UPSTREAM", "headers": { "x-org": "canary-header" }
    })
}

fn model(name: &str, provider: &str) -> Value {
    json!({ "name": name, "targets": [{ "provider": provider }] })
}

fn models(world: &World) -> Vec<String> {
    world.edge.runtime().models.iter().map(|model| model.name.clone()).collect()
}

#[tokio::test]
async fn both_origins_are_listed_page_by_page_and_the_files_are_read_only() {
    let world = World::new().await;
    let id = world.make("providers", provider("edge")).await;
    world.make("models", model("vendor/gpt", "edge")).await;
    let items = world.get(OWNER, "providers").await.is(200).body["items"].clone();
    let told: Vec<_> = items.as_array().unwrap().iter().map(|i| (&i["name"], &i["origin"])).collect();
    assert_eq!(told, [(&json!("p"), &json!("file")), (&json!("edge"), &json!("store"))]);
    assert_eq!(items[0]["base_url"], "http://127.0.0.1:1/v1");
    let page = world.get(OWNER, "providers?limit=1").await.body;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = world.get(OWNER, &format!("providers?limit=1&cursor={cursor}")).await.body;
    assert_eq!((&rest["items"][0]["id"], &rest["next_cursor"]), (&json!(id), &Value::Null));
    let of_file = world.get(OWNER, "models?origin=file").await.body;
    assert_eq!(of_file["items"].as_array().unwrap().len(), 1);
    // By id, and by name, slashes and all.
    assert_eq!(world.get(OWNER, "models/vendor%2Fgpt").await.is(200).etag(), "\"1\"");
    for (method, body) in [(Method::PATCH, json!({ "count": "exact" })), (Method::DELETE, Value::Null)] {
        let refused = world.ask(OWNER, method, "models/gpt-5", body, &[]).await;
        assert_eq!(refused.is(409).body["code"], "owned_by_file");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("tidegate.toml") && detail.contains("[models.\"gpt-5\"]"), "{detail}");
    }
    let refused = world.post(OWNER, "models", model("gpt-5", "p")).await;
    assert_eq!(refused.is(409).body["code"], "owned_by_file");
    let all = [world.get(OWNER, "providers").await.text, world.audit_text().await];
    assert!(all.iter().all(|text| !text.contains("canary")), "{all:?}");
}

#[tokio::test]
async fn what_is_made_comes_into_force_is_changed_and_goes() {
    let world = World::new().await;
    world.make("providers", provider("edge")).await;
    let id = world.make("models", model("big", "edge")).await;
    world.refresh().await;
    assert_eq!(models(&world), ["big", "gpt-5"]);
    let generation = world.edge.runtime().generation;
    // A change of something else is no new configuration.
    world.tenant("acme").await;
    world.refresh().await;
    assert_eq!(world.edge.runtime().generation, generation);
    let path = format!("models/{id}");
    let changed = world.patch(OWNER, &path, json!({ "name": "bigger", "failover": { "attempts": 1 } })).await;
    assert_eq!((changed.is(200).etag(), &changed.body["failover"]["attempts"]), ("\"2\"", &json!(1)));
    world.refresh().await;
    assert_eq!(models(&world), ["bigger", "gpt-5"]);
    assert_eq!(world.edge.runtime().models[0].attempts, 1);
    let removed = world.patch(OWNER, &path, json!({ "failover": null })).await;
    assert_eq!(removed.is(200).body.get("failover"), None);
    world.delete(OWNER, &path).await.is(204);
    world.refresh().await;
    assert_eq!(models(&world), ["gpt-5"]);
    world.get(OWNER, &path).await.is(404);
}

#[tokio::test]
async fn the_files_rules_hold_and_nothing_wrong_is_written() {
    let world = World::new().await;
    let with = |field: &str, value: Value| {
        let mut body = provider("edge");
        body[field] = value;
        body
    };
    for (body, path, words) in [
        (with("api_key", json!("sk-plain-canary")), "", "a secret must not stand in this file"),
        (with("api_key", json!("env:ABSENT")), "", "`ABSENT` is not set"),
        (with("api_key", json!("env:PEPPER")), "", "a secret of the gateway's own"),
        (with("kind", json!("openia")), "", "did you mean `openai`"),
        (with("headers", json!({ "x": "***" })), "headers", "stands for a value"),
        (with("tls", json!({ "verify": 1 })), "", "`tls` has no effect"),
        (with("pool", json!({ "idle_timeout": "5" })), "pool", "needs a unit"),
        (with("version", json!(7)), "", "unknown field `version`"),
        (with("http2", json!(null)), "", "null is no value"),
        (json!({ "name": "edge" }), "", "missing `kind`"),
        (json!({ "kind": "openai" }), "name", "is missing"),
        (with("name", json!("a b")), "", "cannot be a name"),
    ] {
        let answer = world.post(OWNER, "providers", body.clone()).await;
        assert!(answer.status == 400 || answer.status == 409, "{body}: {}", answer.text);
        let errors = answer.body["errors"].as_array().unwrap();
        let fits = |error: &Value| {
            error["message"].as_str().unwrap().contains(words)
                && error["path"].as_str().unwrap().contains(path)
        };
        assert!(errors.iter().any(fits), "{body}: {}", answer.text);
        assert!(!answer.text.contains("canary"), "{}", answer.text);
    }
    let answer = world.post(OWNER, "models", model("m", "nobody")).await;
    assert_eq!(answer.is(400).body["errors"][0]["path"], "targets[0]");
    assert_eq!(world.objects().await, []);
    assert!(!world.dump().await.contains("canary"));
}

#[tokio::test]
async fn a_provider_that_a_model_needs_is_not_deleted_and_a_name_is_there_once() {
    let world = World::new().await;
    let id = world.make("providers", provider("edge")).await;
    world.make("models", model("big", "edge")).await;
    let refused = world.delete(OWNER, &format!("providers/{id}")).await;
    assert_eq!(refused.is(409).body["errors"][0]["path"], "models/big: targets[0]");
    let renamed = world.patch(OWNER, &format!("providers/{id}"), json!({ "name": "other" })).await;
    assert_eq!(renamed.is(409).body["code"], "conflict");
    world.post(OWNER, "providers", provider("edge")).await.is(409);
    // The same request again is the same answer.
    let key = [("idempotency-key", "one")];
    let first = world.ask(OWNER, Method::POST, "models", model("m2", "edge"), &key).await;
    let again = world.ask(OWNER, Method::POST, "models", model("m2", "edge"), &key).await;
    assert_eq!(first.is(201).body, again.is(201).body);
    world.delete(OWNER, "models/m2").await.is(204);
    world.delete(OWNER, "models/big").await.is(204);
    world.delete(OWNER, &format!("providers/{id}")).await.is(204);
}

#[tokio::test]
async fn writes_that_were_checked_against_another_state_do_not_happen() {
    let world = World::new().await;
    let id = world.make("providers", provider("edge")).await;
    let path = format!("providers/{id}");
    let making = (0..8).map(|at| world.post(OWNER, "models", model(&format!("m{at}"), "edge")));
    let (gone, made) = tokio::join!(world.delete(OWNER, &path), futures_join(making.collect::<Vec<_>>()));
    // Whoever came first, the rest is told; what is there holds together.
    assert!(matches!(gone.status, 204 | 409), "{}", gone.text);
    assert!(made.iter().all(|answer| matches!(answer.status, 201 | 400 | 409)), "{made:?}");
    world.refresh().await;
    assert_eq!(world.edge.configure().unwrap().state().refused, []);
    let there = world.objects().await.len();
    let count = made.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(there, count + usize::from(gone.status == 409));
    assert!(gone.status == 409 || count == 0);
}

/// All at once.
async fn futures_join<F: Future>(all: Vec<F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, place) in all.iter_mut().zip(&mut done) {
            if place.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *place = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().map(Option::unwrap).collect()
}

#[tokio::test]
async fn a_file_that_takes_a_name_of_the_store_is_not_loaded_and_that_is_told() {
    let world = World::new().await;
    world.make("models", model("big", "p")).await;
    world.refresh().await;
    let generation = world.edge.runtime().generation;
    world.edit_file("[models.gpt-5]", "[models.big]").await;
    assert_eq!(world.edge.runtime().generation, generation);
    assert_eq!(models(&world), ["big", "gpt-5"]);
    world.delete(OWNER, "models/big").await.is(204);
    world.refresh().await;
    world.edge.configure().unwrap().reload(&world.edge);
    assert_eq!(models(&world), ["big"]);
    assert_eq!(world.get(OWNER, "models/big").await.is(200).body["origin"], "file");
}

#[tokio::test]
async fn what_another_node_wrote_and_this_one_cannot_have_leaves_the_old_in_force() {
    let world = World::new().await;
    world.make("models", model("big", "p")).await;
    world.refresh().await;
    // As a node writes it whose environment has more.
    let id = world.make("providers", provider("edge")).await;
    let mut object = world.store.get(tidegate::govern::Kind::Provider, &id).await.unwrap().unwrap();
    object.body["api_key"] = "env:ABSENT".into();
    let write = tidegate::store::Write::Update { object, expected: None };
    let commit =
        tidegate::store::Commit { at_ms: 1, writes: vec![write], audit: Vec::new(), idempotency: None };
    world.store.commit(commit).await.unwrap();
    world.refresh().await;
    assert_eq!(models(&world), ["big", "gpt-5"]);
    let config = world.get(OWNER, "config").await.is(200).body.clone();
    assert_eq!(config["refused"][0]["path"], "providers/edge");
    assert_eq!(world.get(OWNER, "health").await.body["config"]["refused"], 1);
    // The file is loaded all the same.
    world.edit_file("[models.gpt-5]", "[models.gpt-6]").await;
    assert_eq!(models(&world), ["big", "gpt-6"]);
    assert_eq!(world.get(OWNER, "health").await.body["config"]["refused"], 1);
    world.patch(OWNER, &format!("providers/{id}"), json!({ "api_key": "env:UPSTREAM" })).await.is(200);
    world.refresh().await;
    assert_eq!(world.get(OWNER, "health").await.body["config"]["refused"], 0);
}

#[tokio::test]
async fn a_tenants_users_see_the_names_of_models_and_no_provider() {
    let world = World::new().await;
    world.make("providers", provider("edge")).await;
    world.make("models", model("big", "edge")).await;
    let tenant = world.tenant("acme").await;
    let owner = world.user("owner", Some(&tenant.tenant), &[]).await;
    let seen = world.get(&owner, "models").await;
    assert_eq!(seen.is(200).body["items"].as_array().unwrap().len(), 2);
    assert!(!seen.text.contains("edge") && !seen.text.contains("targets"), "{}", seen.text);
    world.get(&owner, "providers").await.is(404);
    world.get(&owner, "providers/edge").await.is(404);
    world.post(&owner, "models", model("own", "edge")).await.is(403);
    world.delete(&owner, "models/big").await.is(403);
    world.get(&owner, "config/history").await.is(404);
    world.post(&owner, "config/rollback", json!({ "to": 1 })).await.is(404);
}

#[tokio::test]
async fn a_section_that_needs_a_restart_says_so() {
    let world = World::new().await;
    world.refresh().await;
    assert_eq!(world.get(OWNER, "config").await.body["restart_needed"], json!([]));
    world.edit_file("[ledger]", "[ledger]\nflush = \"2s\"").await;
    assert_eq!(world.get(OWNER, "config").await.body["restart_needed"], json!(["ledger"]));
    world.edit_file("flush = \"2s\"", "").await;
    assert_eq!(world.get(OWNER, "config").await.body["restart_needed"], json!([]));
}
