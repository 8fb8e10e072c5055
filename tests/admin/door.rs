//! What is refused before anything of a request is looked at.

use super::world::{OWNER, World};
use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

fn request(host: Option<&str>, token: &str) -> Request<Body> {
    let mut request =
        Request::builder().uri("/admin/v1/me").header("authorization", format!("Bearer {token}"));
    if let Some(host) = host {
        request = request.header("host", host);
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_page_that_rebinds_its_name_gets_nothing() {
    let world = World::new().await;
    for host in [Some("evil.example"), Some("127.0.0.1.evil.example:9090"), Some(""), None] {
        let answer = world.send(request(host, OWNER)).await;
        assert_eq!(answer.is(421).body["code"], "unknown_host", "{host:?}");
    }
    for host in ["127.0.0.1:9090", "localhost:9090", "[::1]:9090"] {
        world.send(request(Some(host), OWNER)).await.is(200);
    }
}

#[tokio::test]
async fn there_is_no_cors_and_nothing_is_cached() {
    let world = World::new().await;
    let mut preflight = request(Some("localhost"), OWNER);
    *preflight.method_mut() = Method::OPTIONS;
    preflight.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    let answer = world.send(preflight).await;
    answer.is(405);
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    world.get(OWNER, "nothing/here").await.is(404);
}

#[tokio::test]
async fn two_credentials_are_none() {
    let world = World::new().await;
    let mut twice = request(Some("localhost"), OWNER);
    twice.headers_mut().append("authorization", "Bearer other".parse().unwrap());
    world.send(twice).await.is(401);
}

#[tokio::test]
async fn bodies_are_bounded_json_with_known_members_only() {
    let world = World::new().await;
    let long = "x".repeat(1024 * 1024);
    world.post(OWNER, "tenants", json!({ "name": long })).await.is(413);
    let text = |body: &'static str, kind: &str| {
        Request::builder()
            .method("POST")
            .uri("/admin/v1/tenants")
            .header("host", "localhost")
            .header("authorization", format!("Bearer {OWNER}"))
            .header("content-type", kind)
            .body(Body::from(body))
            .unwrap()
    };
    world.send(text("{\"name\":\"a\"}", "text/plain")).await.is(415);
    world.send(text("{\"name\":\"a\",\"name\":\"b\"}", "application/json")).await.is(400);
    world.send(text("[1]", "application/json")).await.is(400);
    let answer =
        world.post(OWNER, "tenants", json!({ "name": "a", "policy": { "limits": [{ "unit": "x" }] } })).await;
    assert_eq!(answer.is(400).body["errors"][0]["path"], "policy.limits[0].unit");
    assert_eq!(world.objects().await, []);
}

#[tokio::test]
async fn without_a_store_or_while_it_is_away_the_answer_is_503() {
    let world = World::away().await;
    world.get(OWNER, "tenants").await.is(503);
    world.post(OWNER, "tenants", json!({ "name": "a" })).await.is(503);
    assert_eq!(world.get(OWNER, "health").await.is(200).body["store"], "unavailable");
}

#[tokio::test]
async fn reads_of_the_configuration_hold_no_secret() {
    let world = World::new().await;
    for path in
        ["config", "providers", "providers/p", "models", "models/gpt-5", "health", "me", "openapi.json"]
    {
        let answer = world.get(OWNER, path).await;
        assert!(!answer.is(200).text.contains("canary"), "{path}");
    }
    let answer = world.patch(OWNER, "providers/p", json!({})).await;
    assert_eq!(answer.is(409).body["code"], "owned_by_file");
    world.delete(OWNER, "models/gpt-5").await.is(409);
    world.get(OWNER, "config/history").await.is(200);
    world.ask(OWNER, Method::DELETE, "models/none", Value::Null, &[]).await.is(404);
}
