//! Recorded attacks and valid tokens, and the JWS vectors of Wycheproof.

use super::jwk::KeySet;
use super::jws::{Algorithm, Jws};
use super::*;
use crate::auth::{Mapping, Origin};
use serde_json::Value;
use std::path::PathBuf;

const NOW: u64 = 1_760_000_000;

fn folder() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tells tests where the corpus is")]
    let named = std::env::var_os("TIDEGATE_CORPUS").map(PathBuf::from);
    let corpus = named.unwrap_or_else(|| PathBuf::from("../shared/corpus"));
    let folder = corpus.parent()?.join("security-corpus");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no security corpus at {}", folder.display());
    None
}

fn cases(folder: &std::path::Path, prefix: &str) -> Vec<Value> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with(prefix) {
            let text = std::fs::read_to_string(path).unwrap();
            cases.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
    }
    assert!(!cases.is_empty());
    cases
}

fn issuer() -> Issuer {
    Issuer::new(IssuerSpec {
        name: "idp".into(),
        expected: Expected {
            issuer: "https://idp.test".into(),
            audiences: vec!["llm-gateway".into()],
            skew_seconds: 60,
            required: vec!["tenant".into()],
        },
        algorithms: vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
        keys: KeySource::Url("https://idp.test/jwks".into()),
        whose: Whose::App(Mapping { tenant: None, team: None, app: Origin::Claim("sub".into()) }),
        refresh_ms: 300_000,
        keep_ms: 86_400_000,
    })
}

#[test]
fn no_recorded_attack_is_accepted_and_every_valid_token_is() {
    let Some(folder) = folder() else { return };
    let keys = KeySet::parse(&std::fs::read(folder.join("jwks.json")).unwrap(), false).unwrap();
    let issuer = issuer();
    let mut counts = [0usize; 4];
    let mut wrong = Vec::new();
    for case in cases(&folder, "jwt.") {
        let outcome = issuer.verify(&keys, case["input"].as_str().unwrap(), NOW);
        let is_contested = case["contested"].is_string();
        match (&case["expected"]["accept"], outcome) {
            (Value::Bool(true), Ok(_)) => counts[0] += 1,
            (Value::Bool(false), Err(_)) => counts[1 + usize::from(is_contested)] += 1,
            (Value::Null, outcome) => {
                println!("policy case {}: {:?}", case["name"], outcome.err());
                counts[3] += 1;
            }
            (expected, outcome) => wrong.push(format!("{} {expected} {:?}", case["name"], outcome.err())),
        }
    }
    println!(
        "{} valid accepted, {} attacks refused, {} contested ones too, {} by policy",
        counts[0], counts[1], counts[2], counts[3]
    );
    assert_eq!(wrong, Vec::<String>::new());
    assert!(counts[0] > 0 && counts[1] > 0);
}

#[test]
fn the_vectors_of_wycheproof_come_out_as_they_should() {
    let Some(folder) = folder() else { return };
    let (mut valid, mut invalid, mut wrong) = (0, 0, Vec::new());
    for case in cases(&folder, "jws_wycheproof.") {
        let set = serde_json::json!({ "keys": [case["expected"]["key"]] }).to_string();
        let keys = KeySet::parse(set.as_bytes(), true);
        let jws = Jws::parse(case["input"].as_str().unwrap(), &Algorithm::ALL);
        let is_accepted = matches!((keys, jws), (Ok(keys), Ok(jws)) if keys.verify(&jws).is_ok());
        match (case["expected"]["accept"].as_bool().unwrap(), is_accepted) {
            (true, true) => valid += 1,
            (false, false) => invalid += 1,
            _ => wrong.push(format!("{} {}", case["source"], case["expected"]["why"])),
        }
    }
    println!("{valid} valid accepted, {invalid} invalid refused");
    assert_eq!(wrong, Vec::<String>::new());
    assert!(valid > 0 && invalid > 0);
}
