//! From a plan to an open model.

use super::world::{OWNER, World};
use serde_json::{Value, json};

#[tokio::test]
async fn a_request_is_approved_and_revoked_and_each_step_is_told() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let dev = world.user("developer", Some(&tenant.tenant), &[]).await;
    let may_call = |world: &World| {
        let caller = world.edge.runtime().keys.authenticate(&world.edge.identities(), &tenant.secret, 0);
        caller.unwrap().admit_model("big-1").map(drop).map_err(|reject| reject.message.to_string())
    };
    world.refresh().await;
    assert!(may_call(&world).unwrap_err().contains("subscribe to the plan `gold`"));
    let asked = world
        .post(
            &dev,
            "subscriptions",
            json!({ "app": tenant.app, "plan": tenant.plan, "reason": "we need it" }),
        )
        .await;
    assert_eq!(asked.is(201).body["state"], "requested");
    let path = format!("subscriptions/{}", asked.body["id"].as_str().unwrap());
    world.refresh().await;
    assert!(may_call(&world).unwrap_err().contains("waits for approval"));
    world.post(&dev, &format!("{path}/approve"), Value::Null).await.is(403);
    world.post(OWNER, &format!("{path}/approve"), Value::Null).await.is(200);
    world.refresh().await;
    assert_eq!(may_call(&world), Ok(()));
    world.post(OWNER, &format!("{path}/approve"), Value::Null).await.is(409);
    world.post(OWNER, &format!("{path}/revoke"), Value::Null).await.is(400);
    let revoked = world.post(OWNER, &format!("{path}/revoke"), json!({ "reason": "too much" })).await;
    assert_eq!(
        (&revoked.is(200).body["state"], &revoked.body["reason"]),
        (&json!("revoked"), &json!("too much"))
    );
    world.refresh().await;
    assert!(may_call(&world).unwrap_err().contains("was revoked"));
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(world.edge.events.next().await.kind);
    }
    assert_eq!(told, ["subscription.requested", "subscription.approved", "subscription.revoked"]);
}

#[tokio::test]
async fn a_plan_that_needs_no_approval_opens_at_once_and_once() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let open = json!({ "name": "free", "tenant": tenant.tenant, "policy": { "models": ["small"] } });
    let plan = world.make("plans", open).await;
    let body = json!({ "app": tenant.app, "plan": plan });
    let made = world.post(OWNER, "subscriptions", body.clone()).await;
    assert_eq!(made.is(201).body["state"], "approved");
    world.post(OWNER, "subscriptions", body).await.is(409);
    let other = world.tenant("other").await;
    world.post(OWNER, "subscriptions", json!({ "app": other.app, "plan": plan })).await.is(400);
    world.post(OWNER, "plans", json!({ "name": "empty", "tenant": tenant.tenant })).await.is(400);
}

#[tokio::test]
async fn a_plan_with_subscriptions_is_not_deleted_and_says_how_many_it_has() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let path = format!("plans/{}", tenant.plan);
    let id = world.make("subscriptions", json!({ "app": tenant.app, "plan": tenant.plan })).await;
    let refused = world.delete(OWNER, &path).await;
    let detail = refused.is(409).body["detail"].as_str().unwrap();
    assert!(detail.contains("has 1 subscription") && detail.contains("block the plan"), "{detail}");
    world.delete(OWNER, &format!("subscriptions/{id}")).await.is(204);
    world.delete(OWNER, &path).await.is(204);
}
