use super::cache::Verified;
use super::*;
use crate::auth::{Directory, Identities, Mapping, Origin};
use crate::govern::{Kind, Object};
use crate::types::Claim;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use std::sync::Arc;

const NOW_MS: u64 = 1_760_000_000_000;
const SECRET: [u8; 32] = [7; 32];

fn spec(mapping: Mapping) -> IssuerSpec {
    IssuerSpec {
        name: "idp".into(),
        expected: Expected {
            issuer: "https://idp.test".into(),
            audiences: vec!["gateway".into()],
            skew_seconds: 60,
            required: vec![],
        },
        algorithms: vec![Algorithm::Hs256],
        keys: KeySource::File("keys.json".into()),
        whose: Whose::App(mapping),
        refresh_ms: 300_000,
        keep_ms: 3_600_000,
    }
}

fn by_id() -> Mapping {
    Mapping { tenant: None, team: None, app: Origin::Claim("azp".into()) }
}

fn set(kid: &str) -> Vec<u8> {
    let k = URL_SAFE_NO_PAD.encode(SECRET);
    json!({"keys": [{"kty": "oct", "kid": kid, "alg": "HS256", "k": k}]}).to_string().into_bytes()
}

fn issuer(mapping: Mapping) -> Issuer {
    let issuer = Issuer::new(spec(mapping));
    issuer.set_keys(&set("one"), NOW_MS).unwrap();
    issuer
}

fn token(more: Value) -> String {
    let mut claims = json!({
        "iss": "https://idp.test", "aud": "gateway", "sub": "alice", "exp": 1_760_000_100, "azp": "app_1"
    });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let header = json!({"alg": "HS256", "kid": "one"});
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// A published key and a token made with it.
fn signed() -> (Vec<u8>, String) {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}).to_string().into_bytes();
    let unsigned = token(json!({"exp": 1_760_100_000}));
    let claims = unsigned.split('.').nth(1).unwrap();
    let body = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#));
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(body.as_bytes()));
    (set, format!("{body}.{signature}"))
}

fn directory(status: &str) -> Directory {
    let object = |kind, id: &str, parent: Option<&str>, name: &str, body: Value| Object {
        kind,
        id: id.into(),
        tenant: Some("ten_1".into()),
        parent: parent.map(str::to_owned),
        name: name.into(),
        version: 1,
        created_ms: 0,
        updated_ms: 0,
        body,
    };
    let mut directory = Directory::new();
    let objects = vec![
        object(Kind::Tenant, "ten_1", None, "acme", json!({})),
        object(Kind::Team, "team_1", Some("ten_1"), "search", json!({})),
        object(Kind::App, "app_1", Some("team_1"), "bot", json!({ "status": status })),
    ];
    assert_eq!(directory.apply(objects, &[], 1), []);
    directory
}

fn identities() -> Arc<Identities> {
    directory("active").snapshot()
}

#[test]
fn a_token_is_its_apps_caller_by_id_or_by_names() {
    let caller = issuer(by_id()).authenticate(&identities(), &token(json!({})), NOW_MS).unwrap();
    assert_eq!(&*caller.key_id, "jwt:idp:alice");
    assert_eq!(caller.scopes().count(), 3);
    let names = Mapping {
        tenant: Some(Origin::Claim("org".into())),
        team: Some(Origin::Fixed("search".into())),
        app: Origin::Fixed("bot".into()),
    };
    let by_names = issuer(names);
    assert!(by_names.authenticate(&identities(), &token(json!({"org": "acme"})), NOW_MS).is_ok());
    for other in [json!({"org": "evil"}), json!({}), json!({"org": ["acme"]})] {
        let refused = by_names.authenticate(&identities(), &token(other), NOW_MS).err();
        assert_eq!(refused, Some(JwtError::NoApp));
    }
}

#[test]
fn rules_may_ask_for_what_a_token_claims() {
    let more = json!({"plan": "gold", "level": 3, "half": 0.5, "is_new": true, "groups": ["a", "b"], "mixed": [1, "a"], "deep": {"a": 1}});
    let caller = issuer(by_id()).authenticate(&identities(), &token(more), NOW_MS).unwrap();
    let claim = |name: &str| caller.claims.get(name).cloned();
    assert_eq!(claim("plan"), Some(Claim::Text("gold".into())));
    assert_eq!((claim("level"), claim("is_new")), (Some(Claim::Whole(3)), Some(Claim::Flag(true))));
    assert_eq!(claim("groups"), Some(Claim::Texts(["a".into(), "b".into()].into())));
    assert_eq!(["half", "mixed", "deep", "absent"].map(claim), [None, None, None, None]);
}

#[test]
fn what_is_mapped_beside_an_id_must_fit_it() {
    let mapping = Mapping { tenant: Some(Origin::Claim("org".into())), ..by_id() };
    let issuer = issuer(mapping);
    assert!(issuer.authenticate(&identities(), &token(json!({"org": "acme"})), NOW_MS).is_ok());
    assert!(issuer.authenticate(&identities(), &token(json!({"org": "ten_1"})), NOW_MS).is_ok());
    assert!(issuer.authenticate(&identities(), &token(json!({"org": "other"})), NOW_MS).is_err());
    assert!(issuer.authenticate(&identities(), &token(json!({})), NOW_MS).is_err());
}

#[test]
fn a_remembered_token_ends_with_its_time_its_keys_and_its_app() {
    let issuer = issuer(by_id());
    let mut directory = directory("active");
    let snapshot = directory.snapshot();
    let token = token(json!({}));
    assert!(issuer.authenticate(&snapshot, &token, NOW_MS).is_ok());
    assert!(issuer.authenticate(&snapshot, &token, NOW_MS + 159_000).is_ok());
    assert_eq!(issuer.authenticate(&snapshot, &token, NOW_MS + 160_000).err(), Some(JwtError::Time));
    issuer.set_keys(&set("two"), NOW_MS).unwrap();
    assert_eq!(issuer.authenticate(&snapshot, &token, NOW_MS).err(), Some(JwtError::UnknownKey));
    issuer.set_keys(&set("one"), NOW_MS).unwrap();
    assert!(issuer.authenticate(&snapshot, &token, NOW_MS).is_ok());
    let blocked = super::issuer_tests::directory("blocked");
    let mut blocked = blocked;
    blocked.snapshot();
    let later = blocked.snapshot();
    assert_eq!(issuer.authenticate(&later, &token, NOW_MS).err(), Some(JwtError::NoApp));
}

#[test]
fn keys_that_nobody_confirmed_for_long_are_good_no_more() {
    let far = IssuerSpec { keys: KeySource::Url("https://idp.test/k".into()), ..spec(by_id()) };
    let issuer = Issuer::new(IssuerSpec { algorithms: vec![Algorithm::EdDsa], ..far });
    let (keys, token) = signed();
    issuer.set_keys(&keys, NOW_MS).unwrap();
    let late = NOW_MS + 3_600_001;
    assert!(issuer.authenticate(&identities(), &token, late - 1).is_ok());
    assert_eq!(issuer.authenticate(&identities(), &token, late).err(), Some(JwtError::UnknownKey));
    assert!(Issuer::new(spec(by_id())).authenticate(&identities(), &token, NOW_MS).is_err());
}

#[test]
fn unknown_key_ids_cause_one_fetch_a_minute_at_most() {
    let issuer = Issuer::new(spec(by_id()));
    assert!(issuer.is_due(NOW_MS) && !issuer.is_due(NOW_MS));
    issuer.set_keys(&set("two"), NOW_MS).unwrap();
    let mut fetches = 0;
    for second in 1..=180 {
        for _ in 0..50 {
            let refused = issuer.authenticate(&identities(), &token(json!({})), NOW_MS + second * 1000);
            assert!(refused.is_err());
        }
        fetches += usize::from(issuer.is_due(NOW_MS + second * 1000));
    }
    assert_eq!(fetches, 3);
}

#[test]
fn a_bad_set_leaves_the_old_one_and_published_secrets_are_none() {
    let issuer = issuer(by_id());
    for bad in [&b"{}"[..], b"", br#"{"keys":[]}"#, br#"{"keys":[],"keys":[]}"#] {
        assert!(issuer.set_keys(bad, NOW_MS).is_err());
    }
    assert!(issuer.authenticate(&identities(), &token(json!({})), NOW_MS).is_ok());
    let published =
        Issuer::new(IssuerSpec { keys: KeySource::Url("https://idp.test/k".into()), ..spec(by_id()) });
    assert_eq!(published.set_keys(&set("one"), NOW_MS), Err(KeySetError::NoKey));
}

#[test]
fn what_is_remembered_is_bounded() {
    let cache = Verified::default();
    let caller = issuer(by_id()).authenticate(&identities(), &token(json!({})), NOW_MS).unwrap();
    let basis = super::cache::Basis { generation: 1, keys: 1 };
    for number in 0..3 * Verified::MAX as u64 {
        cache.put(crate::auth::digest(&number.to_string()), basis, 10, 1, caller.clone());
    }
    assert_eq!(cache.len(), Verified::MAX);
}
