//! Things: made, read, changed, deleted; versions, pages, keys sent twice; secrets.

use super::world::{OWNER, World};
use http::Method;
use serde_json::{Value, json};
use tidegate::auth::AuthError;

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_nowhere() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    assert!(tenant.secret.starts_with("tg-"));
    let (public, secret) = tenant.secret[3..].split_once('-').unwrap();
    assert_eq!(tenant.key, format!("key_{public}"));
    let again = world.get(OWNER, &format!("keys/{}", tenant.key)).await;
    assert_eq!(again.is(200).body.get("secret"), None);
    for text in
        [world.dump().await, world.audit_text().await, again.text, world.get(OWNER, "keys").await.text]
    {
        assert!(!text.contains(secret));
    }
    assert!(
        !world.audit_text().await.contains("\"hash\": String(\"") || world.audit_text().await.contains("***")
    );
    world.refresh().await;
    let caller = world.edge.runtime().keys.authenticate(&world.edge.identities(), &tenant.secret, 0);
    assert_eq!(&*caller.unwrap().key_id, tenant.key);
}

#[tokio::test]
async fn rotation_gives_a_new_secret_and_the_old_one_its_grace() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let path = format!("keys/{}/rotate", tenant.key);
    let answer = world.post(OWNER, &path, json!({ "grace_seconds": 60 })).await;
    let fresh = answer.is(200).body["secret"].as_str().unwrap().to_owned();
    assert_ne!(fresh, tenant.secret);
    let until = answer.body["previous_until_ms"].as_u64().unwrap();
    world.refresh().await;
    let good = |secret: &str, at: u64| {
        world.edge.runtime().keys.authenticate(&world.edge.identities(), secret, at).map(drop)
    };
    assert_eq!(good(&fresh, until + 1), Ok(()));
    assert_eq!(
        (good(&tenant.secret, until - 1), good(&tenant.secret, until)),
        (Ok(()), Err(AuthError::Invalid))
    );
    world.post(OWNER, &path, json!({ "grace_seconds": 2_592_001 })).await.is(400);
    world.post(OWNER, &path, Value::Null).await.is(200);
    world.refresh().await;
    let good =
        |secret: &str| world.edge.runtime().keys.authenticate(&world.edge.identities(), secret, 0).is_ok();
    assert!(!good(&fresh) && !good(&tenant.secret));
}

#[tokio::test]
async fn a_write_names_the_version_it_means() {
    let world = World::new().await;
    let id = world.make("tenants", json!({ "name": "acme" })).await;
    let path = format!("tenants/{id}");
    let first = world.get(OWNER, &path).await;
    assert_eq!(first.etag(), "\"1\"");
    let change = json!({ "tags": { "a": "b" } });
    let send = |etag: Option<&'static str>| {
        let (world, path, change) = (&world, path.clone(), change.clone());
        async move {
            let headers: Vec<(&str, &str)> = etag.map(|etag| ("if-match", etag)).into_iter().collect();
            world.ask(OWNER, Method::PATCH, &path, change, &headers).await
        }
    };
    assert_eq!(send(None).await.is(428).body["code"], "if_match_required");
    assert_eq!(send(Some("\"1\"")).await.is(200).etag(), "\"2\"");
    for stale in ["\"1\"", "\"3\"", "W/\"2\"", "2", "\"x\""] {
        assert_eq!(send(Some(stale)).await.is(412).body["code"], "changed_meanwhile", "{stale}");
    }
    world.ask(OWNER, Method::DELETE, &path, Value::Null, &[]).await.is(428);
    world.ask(OWNER, Method::DELETE, &path, Value::Null, &[("if-match", "\"1\"")]).await.is(412);
    world.ask(OWNER, Method::DELETE, &path, Value::Null, &[("if-match", "\"2\"")]).await.is(204);
    world.get(OWNER, &path).await.is(404);
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_null_takes_away() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let path = format!("keys/{}", tenant.key);
    let set = json!({ "expires_ms": 5, "policy": { "models": ["gpt-5"] }, "tags": { "a": "b" } });
    world.patch(OWNER, &path, set).await.is(200);
    let blocked = world.patch(OWNER, &path, json!({ "status": "blocked", "expires_ms": null })).await;
    assert_eq!(blocked.is(200).body["policy"], json!({ "models": ["gpt-5"] }));
    assert_eq!((&blocked.body["status"], blocked.body.get("expires_ms")), (&json!("blocked"), None));
    assert_eq!(blocked.body, world.get(OWNER, &path).await.body);
}

#[tokio::test]
async fn what_is_not_a_field_cannot_be_set() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let before = world.dump().await;
    for (path, member) in [
        (format!("keys/{}", tenant.key), json!({ "hash": "0".repeat(64) })),
        (format!("keys/{}", tenant.key), json!({ "previous_hash": "0".repeat(64) })),
        (format!("keys/{}", tenant.key), json!({ "app": "app_other" })),
        (format!("keys/{}", tenant.key), json!({ "id": "key_x" })),
        (format!("keys/{}", tenant.key), json!({ "version": 9 })),
        (format!("teams/{}", tenant.team), json!({ "tenant": "ten_other" })),
        (format!("plans/{}", tenant.plan), json!({ "policy": { "models": [] } })),
    ] {
        let answer = world.patch(OWNER, &path, member.clone()).await;
        assert_eq!(answer.is(400).body["code"], "invalid", "{member}");
    }
    for member in ["state", "decided_by", "id", "version", "tenant"] {
        let mut body = json!({ "app": tenant.app, "plan": tenant.plan });
        body[member] = json!("approved");
        world.post(OWNER, "subscriptions", body).await.is(400);
    }
    let user =
        json!({ "name": "u", "role": "developer", "tenant": tenant.tenant, "token_hash": "0".repeat(64) });
    world.post(OWNER, "users", user).await.is(400);
    assert_eq!(world.dump().await, before);
}

#[tokio::test]
async fn a_request_sent_twice_with_one_key_happens_once() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let key = [("idempotency-key", "one")];
    let body = json!({ "name": "again", "app": tenant.app });
    let first = world.ask(OWNER, Method::POST, "keys", body.clone(), &key).await;
    let count = world.objects().await.len();
    let second = world.ask(OWNER, Method::POST, "keys", body.clone(), &key).await;
    assert_eq!(
        (second.is(201).body["id"].clone(), world.objects().await.len()),
        (first.is(201).body["id"].clone(), count)
    );
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert!(first.body["secret"].is_string() && second.body.get("secret").is_none());
    let other = json!({ "name": "other", "app": tenant.app });
    let reused = world.ask(OWNER, Method::POST, "keys", other, &key).await;
    assert_eq!(reused.is(422).body["code"], "idempotency_key_reused");
    let long = "x".repeat(129);
    world.ask(OWNER, Method::POST, "keys", body, &[("idempotency-key", &long)]).await.is(400);
}

#[tokio::test]
async fn a_change_sent_twice_with_one_key_is_answered_twice_and_made_once() {
    let world = World::new().await;
    let id = world.make("tenants", json!({ "name": "acme" })).await;
    let headers = [("idempotency-key", "one"), ("if-match", "\"1\"")];
    let path = format!("tenants/{id}");
    let send = || world.ask(OWNER, Method::PATCH, &path, json!({ "name": "other" }), &headers);
    assert_eq!(send().await.is(200).body["version"], 2);
    let again = send().await;
    assert_eq!(
        (again.is(200).body["version"].clone(), &again.headers["idempotency-replayed"]),
        (json!(2), &"true".parse().unwrap())
    );
    assert_eq!(world.get(OWNER, &path).await.body["version"], 2);
}

#[tokio::test]
async fn pages_come_to_the_whole_without_repeats() {
    let world = World::new().await;
    for number in 0..7 {
        world.make("tenants", json!({ "name": format!("t{number}") })).await;
    }
    let (mut seen, mut path) = (Vec::new(), "tenants?limit=3".to_owned());
    loop {
        let page = world.get(OWNER, &path).await;
        let items = page.is(200).body["items"].as_array().unwrap().clone();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        path = format!("tenants?limit=3&cursor={next}");
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((seen.len(), &seen), (7, &sorted));
    for bad in ["limit=0", "limit=501", "limit=x", "cursor=!", "cursor=_w", "what=1", "limit=1&limit=2"] {
        world.get(OWNER, &format!("tenants?{bad}")).await.is(400);
    }
}

#[tokio::test]
async fn names_are_unique_where_they_lie_and_full_things_stay() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    world.post(OWNER, "tenants", json!({ "name": "acme" })).await.is(409);
    world.delete(OWNER, &format!("tenants/{}", tenant.tenant)).await.is(409);
    world.delete(OWNER, &format!("apps/{}", tenant.app)).await.is(409);
    world.delete(OWNER, &format!("keys/{}", tenant.key)).await.is(204);
    world.post(OWNER, "apps", json!({ "name": "x", "team": "team_none" })).await.is(400);
    world.post(OWNER, "apps", json!({ "name": "x" })).await.is(400);
}

#[tokio::test]
async fn a_developer_works_in_its_teams_and_only_tightens() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let other_team = world.make("teams", json!({ "name": "ops", "tenant": tenant.tenant })).await;
    let other_app = world.make("apps", json!({ "name": "bot", "team": other_team })).await;
    let budget = json!([{ "name": "monthly", "usd": "10", "per": "month" }]);
    let app = format!("apps/{}", tenant.app);
    world.patch(OWNER, &app, json!({ "policy": { "budgets": budget } })).await.is(200);
    let dev = world.user("developer", Some(&tenant.tenant), &[&tenant.team]).await;
    world.get(&dev, &app).await.is(200);
    world.get(&dev, &format!("apps/{other_app}")).await.is(404);
    world.post(&dev, "keys", json!({ "name": "mine", "app": other_app })).await.is(400);
    world.post(&dev, "keys", json!({ "name": "mine", "app": tenant.app })).await.is(201);
    let listed = world.get(&dev, "apps").await;
    assert!(!listed.text.contains(&other_app) && listed.text.contains(&tenant.app));
    let more = json!([{ "name": "monthly", "usd": "1000", "per": "month" }]);
    world.patch(&dev, &app, json!({ "policy": { "budgets": more } })).await.is(403);
    world.patch(&dev, &app, json!({ "policy": {} })).await.is(403);
    let less = json!([{ "name": "monthly", "usd": "5", "per": "month" }]);
    world.patch(&dev, &app, json!({ "policy": { "budgets": less } })).await.is(200);
}

#[tokio::test]
async fn billing_sets_budgets_and_nothing_else() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let billing = world.user("billing", Some(&tenant.tenant), &[]).await;
    let team = format!("teams/{}", tenant.team);
    let budget = json!([{ "name": "monthly", "usd": "10", "per": "month" }]);
    world.patch(&billing, &team, json!({ "policy": { "budgets": budget } })).await.is(200);
    for more in [
        json!({ "policy": { "budgets": budget, "models": ["x"] } }),
        json!({ "status": "blocked" }),
        json!({ "name": "other" }),
    ] {
        world.patch(&billing, &team, more).await.is(403);
    }
}

#[tokio::test]
async fn nobody_gives_a_role_above_their_own() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let admin = world.user("admin", Some(&tenant.tenant), &[]).await;
    let new = |role: &str| json!({ "name": format!("new-{role}"), "role": role, "tenant": tenant.tenant });
    world.post(&admin, "users", new("owner")).await.is(403);
    let made = world.post(&admin, "users", new("admin")).await;
    let id = made.is(201).body["id"].as_str().unwrap();
    world.patch(&admin, &format!("users/{id}"), json!({ "role": "owner" })).await.is(403);
    // Of the installation: above every tenant.
    world.post(&admin, "users", json!({ "name": "x", "role": "auditor", "tenant": null })).await.is(403);
    let owner = world.post(OWNER, "users", new("owner")).await;
    let owner = owner.is(201).body["id"].as_str().unwrap().to_owned();
    world.post(&admin, &format!("users/{owner}/rotate-token"), Value::Null).await.is(403);
    world.patch(&admin, &format!("users/{owner}"), json!({ "status": "blocked" })).await.is(403);
    world.delete(&admin, &format!("users/{owner}")).await.is(403);
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_with_who_and_what() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    world.patch(OWNER, &format!("keys/{}", tenant.key), json!({ "status": "blocked" })).await.is(200);
    let audit = world.get(OWNER, "audit?limit=1").await;
    let entry = &audit.is(200).body["items"][0];
    assert_eq!((&entry["action"], &entry["actor"]), (&json!("key.update"), &json!("token")));
    assert_eq!(
        (&entry["before"]["status"], &entry["after"]["status"]),
        (&json!("active"), &json!("blocked"))
    );
    assert_eq!(entry["after"]["hash"], "***");
    let page =
        world.get(OWNER, &format!("audit?cursor={}", audit.body["next_cursor"].as_str().unwrap())).await;
    assert_eq!(page.is(200).body["items"].as_array().unwrap().len(), 5);
}
