//! Who may call which route: made from the table of routes, for every role of a tenant and of the
//! installation (OWASP API 1 and 5).

use super::world::{OWNER, Tenant, World};
use http::Method;
use serde_json::{Value, json};
use tidegate::admin::routes::{CONFIGURED, Needs, Route, Verb, plural, routes};
use tidegate::govern::{Kind, Role};

fn id_of(tenant: &Tenant, kind: Kind, user: &str, subscription: &str) -> String {
    match kind {
        Kind::Tenant => tenant.tenant.clone(),
        Kind::Team => tenant.team.clone(),
        Kind::App => tenant.app.clone(),
        Kind::Key => tenant.key.clone(),
        Kind::Plan => tenant.plan.clone(),
        Kind::User => user.to_owned(),
        Kind::Subscription => subscription.to_owned(),
        Kind::Provider => "p".to_owned(),
        Kind::Model => "gpt-5".to_owned(),
    }
}

fn kind_of(route: &Route) -> Option<Kind> {
    let segment = route.path.split('/').nth(3).unwrap();
    Kind::ALL.into_iter().find(|kind| plural(*kind) == segment)
}

/// A body that a caller who may would get through with, but for what it lies in being full.
fn body(route: &Route, tenant: &Tenant, serial: usize) -> Value {
    let name = format!("made-{serial}");
    match route.verb {
        Verb::Create(Kind::Tenant) => json!({ "name": name }),
        Verb::Create(Kind::Team) => json!({ "name": name, "tenant": tenant.tenant }),
        Verb::Create(Kind::App) => json!({ "name": name, "team": tenant.team }),
        Verb::Create(Kind::Key) => json!({ "name": name, "app": tenant.app }),
        Verb::Create(Kind::User) => json!({ "name": name, "tenant": tenant.tenant, "role": "auditor" }),
        Verb::Create(Kind::Plan) => {
            json!({ "name": name, "tenant": tenant.tenant, "policy": { "models": ["m"] } })
        }
        Verb::Create(Kind::Provider) => {
            json!({ "name": name, "kind": "openai-compatible", "base_url": "http://127.0.0.1:1/v1" })
        }
        Verb::Create(Kind::Model) => json!({ "name": name, "targets": [{ "provider": "p" }] }),
        Verb::Create(_) => json!({ "app": tenant.app, "plan": tenant.plan }),
        Verb::Change(_) => json!({}),
        Verb::Rollback => json!({ "to": 1 }),
        Verb::Decide(_) => json!({ "reason": "because" }),
        Verb::RotateKey => json!({}),
        _ => Value::Null,
    }
}

struct Stage {
    world: World,
    own: Tenant,
    user: String,
    subscription: String,
}

async fn stage() -> Stage {
    let world = World::new().await;
    let own = world.tenant("own").await;
    let user =
        world.make("users", json!({ "name": "victim", "tenant": own.tenant, "role": "auditor" })).await;
    let subscription = world.make("subscriptions", json!({ "app": own.app, "plan": own.plan })).await;
    world.refresh().await;
    Stage { world, own, user, subscription }
}

impl Stage {
    async fn call(&self, route: &Route, token: &str, serial: usize) -> u16 {
        let id = kind_of(route).map(|kind| id_of(&self.own, kind, &self.user, &self.subscription));
        let path = route.path.trim_start_matches("/admin/v1/").replace("{id}", &id.unwrap_or_default());
        let path = path.replace("{n}", "1").replace("{m}", "1");
        // A version that is nobody's: whoever gets as far as writing is stopped there, with 412.
        let headers: &[(&str, &str)] =
            if route.method == Method::GET { &[] } else { &[("if-match", "\"999\"")] };
        let body = body(route, &self.own, serial);
        self.world.ask(token, route.method.clone(), &path, body, headers).await.status
    }
}

/// What a role may call, by the table alone.
fn is_permitted(route: &Route, role: Role) -> bool {
    route.needs.allows(|permission| role.may(permission))
}

#[tokio::test]
async fn every_route_lets_in_the_roles_its_permission_names_and_no_other() {
    let stage = stage().await;
    let mut printed = String::new();
    for route in routes() {
        let mut marks = String::new();
        for (at, role) in Role::ALL.into_iter().enumerate() {
            let token = stage.world.user(role.as_str(), None, &[]).await;
            let status = stage.call(&route, &token, at).await;
            assert!(status < 500, "{} {} {status}", route.method, route.path);
            assert_ne!(status, 401, "{} {}", route.method, route.path);
            let expected = is_permitted(&route, role);
            // A change by somebody who may only set budgets is looked at, and is 403 or nothing.
            let is_in = status != 403;
            assert_eq!(is_in, expected, "{role:?} {} {}: {status}", route.method, route.path);
            marks.push(if is_in { "oadub".chars().nth(at).unwrap() } else { '.' });
        }
        printed.push_str(&format!("{:<7}{:<42}{marks}\n", route.method.as_str(), route.path));
    }
    println!("o owner, a admin, d developer, u auditor, b billing\n{printed}");
}

#[tokio::test]
async fn without_a_good_token_no_route_but_the_description_answers() {
    let stage = stage().await;
    for route in routes() {
        for token in ["", "wrong", "tga-0000000000000000-0", &stage.own.secret] {
            let status = stage.call(&route, token, 0).await;
            let expected = if route.needs == Needs::Nothing { 200 } else { 401 };
            assert_eq!(status, expected, "{} {} with {token:?}", route.method, route.path);
        }
    }
}

#[tokio::test]
async fn an_owner_of_one_tenant_finds_nothing_of_another() {
    let stage = stage().await;
    let other = stage.world.tenant("other").await;
    let owner = stage.world.user("owner", Some(&other.tenant), &[]).await;
    let before = stage.world.dump().await;
    for route in routes() {
        let status = stage.call(&route, &owner, 7).await;
        let is_configured = kind_of(&route).is_some_and(|kind| CONFIGURED.contains(&kind));
        let is_own = matches!(
            route.verb,
            Verb::Me | Verb::Audit | Verb::Usage | Verb::Calls | Verb::Config | Verb::Health | Verb::OpenApi
        );
        let expected: &[u16] = match route.verb {
            _ if is_own => &[200],
            // Models are there for all, providers for the installation; neither is a tenant's to write.
            _ if is_configured && route.method == Method::GET => &[200, 404],
            _ if is_configured => &[403, 404],
            Verb::List(_) => &[200],
            Verb::Create(Kind::Tenant) => &[403],
            // The parent named in the body is as if it did not exist.
            Verb::Create(_) => &[400],
            _ => &[404],
        };
        assert!(expected.contains(&status), "{} {}: {status}", route.method, route.path);
        if let Verb::List(kind) = route.verb
            && !is_configured
        {
            let path = route.path.trim_start_matches("/admin/v1/");
            let text = stage.world.get(&owner, path).await.text;
            let id = id_of(&stage.own, kind, &stage.user, &stage.subscription);
            assert!(!text.contains(&id) && !text.contains(&stage.own.tenant), "{path}: {text}");
        }
    }
    assert_eq!(stage.world.dump().await, before);
    let audit = stage.world.get(&owner, "audit").await.text;
    assert!(!audit.contains(&stage.own.tenant));
    assert!(stage.world.get(OWNER, "audit").await.text.contains(&stage.own.tenant));
}
