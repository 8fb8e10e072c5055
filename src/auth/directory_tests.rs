use super::*;
use crate::govern::{Identity, KeyId, Kind, Object};
use crate::types::{Endpoint, Priority, Reason, Secret};
use serde_json::{Value, json};
use std::sync::Arc;

fn object(kind: Kind, id: &str, tenant: Option<&str>, parent: Option<&str>, body: Value) -> Object {
    Object {
        kind,
        id: id.to_owned(),
        tenant: tenant.map(str::to_owned),
        parent: parent.map(str::to_owned),
        name: format!("name-of-{id}"),
        version: 1,
        created_ms: 0,
        updated_ms: 0,
        body,
    }
}

fn ring() -> KeyRing {
    KeyRing::new(vec![]).unwrap().with_peppers(Peppers::new(&[Secret::new("pepper")]))
}

struct World {
    ring: KeyRing,
    directory: Directory,
    key: String,
    public: String,
}

/// A tenant with a team, an app and a key.
fn world() -> World {
    let ring = ring();
    let made = token::mint(TokenKind::Key).unwrap();
    let mut directory = Directory::new();
    let objects = vec![
        object(Kind::Tenant, "ten_1", Some("ten_1"), None, json!({})),
        object(Kind::Team, "team_1", Some("ten_1"), Some("ten_1"), json!({})),
        object(Kind::App, "app_1", Some("ten_1"), Some("team_1"), json!({})),
        key(&ring, &made.public, made.text.expose(), json!({})),
    ];
    assert_eq!(directory.apply(objects, &[], 4), []);
    World { ring, directory, key: made.text.expose().to_owned(), public: made.public }
}

fn key(ring: &KeyRing, public: &str, text: &str, more: Value) -> Object {
    let hash = crate::types::hex(&ring.peppers().hash(text).unwrap());
    let mut body = json!({ "hash": hash });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object(Kind::Key, &format!("{}{public}", KeyId::PREFIX), Some("ten_1"), Some("app_1"), body)
}

impl World {
    fn ask(&mut self, at: u64) -> Result<Arc<Principal>, AuthError> {
        self.ring.authenticate(&self.directory.snapshot(), &self.key, at)
    }

    fn set(&mut self, kind: Kind, id: &str, parent: Option<&str>, body: Value) {
        assert_eq!(self.directory.apply(vec![object(kind, id, Some("ten_1"), parent, body)], &[], 5), []);
    }

    fn set_key(&mut self, more: Value) {
        let object = key(&self.ring, &self.public, &self.key, more);
        assert_eq!(self.directory.apply(vec![object], &[], 5), []);
    }
}

#[test]
fn a_key_of_the_store_is_let_in_with_all_above_it() {
    let mut world = world();
    let principal = world.ask(0).unwrap();
    assert_eq!(&*principal.key_id, format!("key_{}", world.public));
    let levels: Vec<_> = principal.scopes().map(|s| (s.level.as_str(), s.id().to_owned())).collect();
    assert_eq!(levels, [("tenant", "ten_1".into()), ("team", "team_1".into()), ("app", "app_1".into())]);
    world.set_key(json!({"policy": {"limits": [{"unit": "concurrent", "amount": 1}]}}));
    let principal = world.ask(0).unwrap();
    assert_eq!(principal.scopes().last().unwrap().id(), format!("key_{}", world.public));
}

#[test]
fn no_level_gives_a_priority_above_one_around_it() {
    let mut world = world();
    let policy = |priority: &str| json!({ "policy": { "priority": priority } });
    let asked = |world: &mut World| {
        let principal = world.ask(0).unwrap();
        assert_eq!(principal.share(), "ten_1");
        principal.priority()
    };
    assert_eq!(asked(&mut world), Priority::Normal);
    world.set_key(policy("high"));
    assert_eq!(asked(&mut world), Priority::High);
    world.set(Kind::Tenant, "ten_1", None, policy("low"));
    assert_eq!(asked(&mut world), Priority::Low);
    world.set(Kind::Tenant, "ten_1", None, policy("high"));
    world.set_key(policy("normal"));
    assert_eq!(asked(&mut world), Priority::Normal);
}

#[test]
fn wrong_expired_blocked_and_deleted_are_one_error() {
    let mut world = world();
    let other = token::remint(TokenKind::Key, &world.public).unwrap();
    let snapshot = world.directory.snapshot();
    assert_eq!(world.ring.authenticate(&snapshot, other.expose(), 0).err(), Some(AuthError::Invalid));
    world.set_key(json!({"expires_ms": 1000}));
    assert!(world.ask(999).is_ok());
    assert_eq!(world.ask(1000).err(), Some(AuthError::Invalid));
    world.set_key(json!({"status": "blocked"}));
    assert_eq!(world.ask(0).err(), Some(AuthError::Invalid));
    world.set_key(json!({}));
    assert!(world.ask(0).is_ok());
    let id = format!("key_{}", world.public);
    world.directory.apply(vec![], &[(Kind::Key, id)], 9);
    assert_eq!(world.ask(0).err(), Some(AuthError::Invalid));
}

#[test]
fn a_block_above_a_key_closes_it_and_opening_opens_it() {
    for (kind, id, parent) in [
        (Kind::Tenant, "ten_1", None),
        (Kind::Team, "team_1", Some("ten_1")),
        (Kind::App, "app_1", Some("team_1")),
    ] {
        let mut world = world();
        assert!(world.ask(0).is_ok());
        world.set(kind, id, parent, json!({"status": "blocked"}));
        assert_eq!(world.ask(0).err(), Some(AuthError::Invalid), "{id}");
        world.set(kind, id, parent, json!({}));
        assert!(world.ask(0).is_ok(), "{id}");
        world.directory.apply(vec![], &[(kind, id.to_owned())], 9);
        assert_eq!(world.ask(0).err(), Some(AuthError::Invalid), "{id} deleted");
    }
}

#[test]
fn a_rotated_key_is_good_until_its_grace_is_over() {
    let mut world = world();
    let old = crate::types::hex(&world.ring.peppers().hash(&world.key).unwrap());
    let fresh = token::remint(TokenKind::Key, &world.public).unwrap();
    let rotated = key(
        &world.ring,
        &world.public,
        fresh.expose(),
        json!({"previous_hash": old, "previous_until_ms": 500}),
    );
    world.directory.apply(vec![rotated], &[], 6);
    assert!(world.ask(499).is_ok());
    assert_eq!(world.ask(500).err(), Some(AuthError::Invalid));
    world.key = fresh.expose().to_owned();
    assert!(world.ask(10_000).is_ok());
}

#[test]
fn each_level_refuses_by_its_name() {
    let mut world = world();
    world.set(
        Kind::Team,
        "team_1",
        Some("ten_1"),
        json!({"policy": {"models": ["gpt-*"], "ips": ["10.0.0.0/8"]}}),
    );
    world.set_key(json!({"policy": {"models": ["gpt-5"], "endpoints": ["messages"]}}));
    let principal = world.ask(0).unwrap();
    assert!(principal.may_use("gpt-5"));
    let reject = principal.admit_model("claude").unwrap_err();
    assert_eq!((reject.status, reject.reason), (403, Reason::ModelNotAllowed));
    assert!(reject.message.contains("team `team_1`"), "{}", reject.message);
    let reject = principal.admit_model("gpt-6").unwrap_err();
    assert!(reject.message.contains("key `key_"), "{}", reject.message);
    let inside = Some("10.1.1.1".parse().unwrap());
    assert!(principal.admit_call(Endpoint::Messages, inside).is_ok());
    assert_eq!(principal.admit_call(Endpoint::Messages, None).unwrap_err().reason, Reason::AddressNotAllowed);
    let reject = principal.admit_call(Endpoint::Embeddings, inside).unwrap_err();
    assert_eq!(reject.reason, Reason::EndpointNotAllowed);
}

#[test]
fn paths_with_models_in_unread_bodies_are_closed_until_named() {
    let mut world = world();
    let refused = world.ask(0).unwrap().admit_call(Endpoint::Opaque, None).unwrap_err();
    assert_eq!(refused.reason, Reason::EndpointNotAllowed);
    world.set_key(json!({"policy": {"endpoints": ["opaque"]}}));
    assert!(world.ask(0).unwrap().admit_call(Endpoint::Opaque, None).is_ok());
}

#[test]
fn a_published_model_opens_with_the_approval_and_closes_with_the_revocation() {
    let mut world = world();
    assert!(world.ask(0).unwrap().may_use("gpt-5"));
    let plan = json!({"policy": {"models": ["gpt-*"]}, "margin_bp": 250, "needs_approval": true});
    world.set(Kind::Plan, "plan_1", Some("ten_1"), plan);
    for (state, is_open) in [("requested", false), ("approved", true), ("revoked", false), ("refused", false)]
    {
        world.set(Kind::Subscription, "sub_1", Some("app_1"), json!({"plan": "plan_1", "state": state}));
        let principal = world.ask(0).unwrap();
        assert_eq!(principal.may_use("gpt-5"), is_open, "{state}");
        assert!(principal.may_use("claude"), "{state}");
        if is_open {
            let subscribed = principal.admit_model("gpt-5").unwrap().unwrap();
            assert_eq!((subscribed.margin_bp, subscribed.scope.id()), (250, "sub_1"));
        }
    }
    world.directory.apply(vec![], &[(Kind::Plan, "plan_1".to_owned())], 9);
    assert!(world.ask(0).unwrap().may_use("gpt-5"));
}

#[test]
fn a_plan_of_another_tenant_publishes_nothing_here() {
    let mut world = world();
    let foreign =
        object(Kind::Plan, "plan_2", Some("ten_2"), Some("ten_2"), json!({"policy": {"models": ["*"]}}));
    world.directory.apply(vec![foreign], &[], 5);
    assert!(world.ask(0).unwrap().may_use("gpt-5"));
    let own = object(Kind::Plan, "plan_3", None, None, json!({"policy": {"models": ["*"]}}));
    world.directory.apply(vec![own], &[], 6);
    assert!(!world.ask(0).unwrap().may_use("gpt-5"));
}

#[test]
fn all_at_once_and_change_by_change_come_to_the_same() {
    let first = world();
    let text = first.key;
    let objects = |ring: &KeyRing| {
        vec![
            key(ring, &first.public, &text, json!({})),
            object(Kind::App, "app_1", Some("ten_1"), Some("team_1"), json!({})),
            object(Kind::Team, "team_1", Some("ten_1"), Some("ten_1"), json!({})),
            object(Kind::Tenant, "ten_1", Some("ten_1"), None, json!({})),
        ]
    };
    let mut directory = Directory::new();
    for (at, object) in objects(&first.ring).into_iter().enumerate() {
        let is_in = first.ring.authenticate(&directory.snapshot(), &text, 0).is_ok();
        assert!(!is_in, "after {at}");
        directory.apply(vec![object], &[], at as u64);
    }
    assert!(first.ring.authenticate(&directory.snapshot(), &text, 0).is_ok());
}

#[test]
fn a_damaged_row_lets_nobody_in() {
    let mut world = world();
    let id = format!("key_{}", world.public);
    let damaged = object(Kind::Key, &id, Some("ten_1"), Some("app_1"), json!({"hash": "nonsense"}));
    assert_eq!(world.directory.apply(vec![damaged], &[], 5), [Unreadable { kind: Kind::Key, id }]);
    assert_eq!(world.ask(0).err(), Some(AuthError::Invalid));
}

#[test]
fn a_users_token_proves_an_actor_until_the_user_or_the_tenant_is_blocked() {
    let mut world = world();
    let made = token::mint(TokenKind::User).unwrap();
    let hash = crate::types::hex(&world.ring.peppers().hash(made.text.expose()).unwrap());
    let id = format!("usr_{}", made.public);
    let user = |status: &str| json!({"role": "developer", "teams": ["team_1"], "token_hash": hash, "status": status});
    world.set(Kind::User, &id, Some("ten_1"), user("active"));
    let actor = world.ring.user(&world.directory.snapshot(), made.text.expose(), 0).unwrap();
    assert_eq!((actor.name.as_str(), actor.role.as_str()), (id.as_str(), "developer"));
    assert!(world.ring.user(&world.directory.snapshot(), "tga-x", 0).is_err());
    world.set(Kind::User, &id, Some("ten_1"), user("blocked"));
    assert!(world.ring.user(&world.directory.snapshot(), made.text.expose(), 0).is_err());
    world.set(Kind::User, &id, Some("ten_1"), user("active"));
    world.set(Kind::Tenant, "ten_1", None, json!({"status": "blocked"}));
    assert!(world.ring.user(&world.directory.snapshot(), made.text.expose(), 0).is_err());
}

#[test]
fn an_identity_is_the_installations_user_first_and_of_two_of_one_rank_nobodys() {
    let identity = Identity { issuer: "https://idp.test".into(), subject: "alice".into() };
    let user = |more: Value| {
        let mut body = json!({"role": "auditor", "identity": identity});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let mut world = world();
    let mut signs_in = |users: &[(&str, Option<&str>, Value)]| {
        let gone = ["usr_a", "usr_b", "usr_c"].map(|id| (Kind::User, id.to_owned()));
        world.directory.apply(vec![], &gone, 5);
        let of = |(id, tenant, body): &(&str, Option<&str>, Value)| {
            object(Kind::User, id, *tenant, None, body.clone())
        };
        assert_eq!(world.directory.apply(users.iter().map(of).collect(), &[], 5), []);
        let snapshot = world.directory.snapshot();
        let found = snapshot.login(&identity).map(|user| user.actor.name.clone());
        assert_eq!(snapshot.is_taken(&identity, "usr_z"), found.is_some());
        assert!(found.as_deref().is_none_or(|own| !snapshot.is_taken(&identity, own)));
        found
    };
    let (a, b, c) = (("usr_a", Some("ten_1")), ("usr_b", Some("ten_1")), ("usr_c", None));
    let is = |at: (&'static str, Option<&'static str>)| (at.0, at.1, user(json!({})));
    assert_eq!(signs_in(&[]), None);
    assert_eq!(signs_in(&[is(a)]).as_deref(), Some("usr_a"));
    assert_eq!(signs_in(&[is(a), is(b)]), None);
    for order in [[a, b, c], [c, a, b], [a, c, b]] {
        assert_eq!(signs_in(&order.map(is)).as_deref(), Some("usr_c"));
    }
    let service = ("usr_c", None, user(json!({"is_service": true})));
    assert_eq!(signs_in(&[service, is(a)]).as_deref(), Some("usr_a"));
}

#[test]
fn what_was_sealed_lets_the_same_keys_in() {
    let mut world = world();
    world.set(Kind::Plan, "plan_1", Some("ten_1"), json!({"policy": {"models": ["gpt-*"]}}));
    world.set_key(json!({"policy": {"models": ["claude"]}, "expires_ms": 1000}));
    let sealed = world.directory.seal(world.ring.peppers()).unwrap();
    let hash = crate::types::hex(&world.ring.peppers().hash(&world.key).unwrap());
    assert!(!String::from_utf8_lossy(&sealed).contains(&hash));
    world.directory = Directory::unseal(&sealed, world.ring.peppers()).unwrap();
    let principal = world.ask(999).unwrap();
    assert!(principal.may_use("claude") && !principal.may_use("gpt-5"));
    assert!(world.ask(1000).is_err());
    let newer = Peppers::new(&[Secret::new("newer"), Secret::new("pepper")]);
    assert!(Directory::unseal(&sealed, &newer).is_ok());
}

#[test]
fn a_changed_byte_anywhere_or_another_pepper_is_found_out() {
    let world = world();
    let sealed = world.directory.seal(world.ring.peppers()).unwrap();
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        let error = Directory::unseal(&damaged, world.ring.peppers()).err();
        assert_eq!(error, Some(if at < 12 { SavedError::Version } else { SavedError::Seal }), "{at}");
    }
    for length in 0..sealed.len() {
        assert!(Directory::unseal(&sealed[..length], world.ring.peppers()).is_err(), "{length}");
    }
    let other = Peppers::new(&[Secret::new("other")]);
    assert_eq!(Directory::unseal(&sealed, &other).err(), Some(SavedError::Seal));
}
