//! The history of configurations: what came into force, what differs, and the way back.

use super::world::{OWNER, World};
use serde_json::{Value, json};

fn model(name: &str, attempts: u32) -> Value {
    json!({ "name": name, "targets": [{ "provider": "p" }], "failover": { "attempts": attempts } })
}

fn models(world: &World) -> Vec<String> {
    world.edge.runtime().models.iter().map(|model| model.name.clone()).collect()
}

async fn numbers(world: &World) -> Vec<(u64, String)> {
    let items = world.get(OWNER, "config/history").await.is(200).body["items"].clone();
    let number =
        |item: &Value| (item["number"].as_u64().unwrap(), item["cause"].as_str().unwrap().to_owned());
    items.as_array().unwrap().iter().map(number).collect()
}

#[tokio::test]
async fn each_configuration_that_came_into_force_is_kept_compared_and_gone_back_to() {
    let world = World::new().await;
    world.refresh().await;
    world.make("models", model("one", 1)).await;
    world.refresh().await;
    let gone = world.make("models", model("two", 2)).await;
    world.refresh().await;
    world.patch(OWNER, "models/one", json!({ "failover": { "attempts": 3 } })).await.is(200);
    world.delete(OWNER, &format!("models/{gone}")).await.is(204);
    world.make("models", model("three", 1)).await;
    world.refresh().await;
    world.edit_file("[models.gpt-5]", "[models.gpt-6]").await;
    let told: Vec<_> = numbers(&world).await;
    let expected = [(5, "file"), (4, "store"), (3, "store"), (2, "store"), (1, "start")];
    assert_eq!(told, expected.map(|(number, cause)| (number, cause.to_owned())));

    let diff = world.get(OWNER, "config/history/3/diff/5").await;
    let paths: Vec<&str> = diff.is(200).body["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["path"].as_str().unwrap())
        .collect();
    let expected = [
        "models.gpt-5.targets",
        "models.gpt-6.targets",
        "models.one.failover.attempts",
        "models.three.failover.attempts",
        "models.three.targets",
        "models.two.failover.attempts",
        "models.two.targets",
    ];
    assert_eq!(paths, expected);

    let back = world.post(OWNER, "config/rollback", json!({ "to": 3 })).await;
    assert_eq!(back.is(200).body["changes"].as_array().unwrap().len(), 5);
    // The file is as it is, and that is said.
    assert_eq!(back.body["of_file"]["paths"], json!(["models.gpt-5.targets", "models.gpt-6.targets"]));
    world.refresh().await;
    assert_eq!(models(&world), ["gpt-6", "one", "two"]);
    assert_eq!(world.edge.runtime().models[1].attempts, 1);
    assert_eq!(world.get(OWNER, "models/two").await.is(200).body["id"], gone);
    assert_eq!(numbers(&world).await[0], (6, "store".to_owned()));
    assert!(world.audit_text().await.contains("config.rollback"));
    // Nothing left to do is nothing done.
    let again = world.post(OWNER, "config/rollback", json!({ "to": 3 })).await;
    assert_eq!(again.is(200).body["changes"], json!([]));
}

#[tokio::test]
async fn what_does_not_go_with_the_file_that_is_now_is_not_gone_back_to() {
    let world = World::new().await;
    world.refresh().await;
    world.make("models", model("one", 1)).await;
    world.refresh().await;
    world.delete(OWNER, "models/one").await.is(204);
    world.refresh().await;
    world.edit_file("[models.gpt-5]", "[models.one]").await;
    let refused = world.post(OWNER, "config/rollback", json!({ "to": 2 })).await;
    assert!(refused.is(409).text.contains("in the configuration file too"), "{}", refused.text);
    assert_eq!(world.objects().await, []);
    world.post(OWNER, "config/rollback", json!({ "to": 99 })).await.is(404);
    world.post(OWNER, "config/rollback", json!({ "to": 1, "by": "x" })).await.is(400);
    world.get(OWNER, "config/history/x").await.is(404);
    world.get(OWNER, "config/history/1/diff/99").await.is(404);
}

#[tokio::test]
async fn a_history_holds_names_of_secrets_and_no_secrets() {
    let world = World::new().await;
    let body = json!({
        "name": "edge", "kind": "openai-compatible", "base_url": "http://127.0.0.1:1/v1",
        "api_key": "env:UPSTREAM", "headers": { "x-org": "canary-header" }
    });
    world.make("providers", body).await;
    world.refresh().await;
    let entry = world.get(OWNER, "config/history/1").await;
    assert_eq!(entry.is(200).body["store"]["providers"][0]["headers"]["x-org"], "***");
    assert_eq!(entry.body["file"]["admin"]["token"], "env:ADMIN");
    let texts = [entry.text, world.get(OWNER, "config/history/1/diff/1").await.text];
    assert!(texts.iter().all(|text| !text.contains("canary")), "{texts:?}");
}
