//! What a [`Directory`] knows, as bytes for the disk: a node that starts without its store lets the
//! keys in that it knew.
//!
//! Sealed with AES-256-GCM under a key derived from the pepper: who reads the file learns nothing,
//! and who changes it is found out. Invariant: what is not exactly what was written is not used.

use super::directory::Directory;
use super::pepper::Peppers;
use crate::govern::{App, Key, KeyId, Kind, Object, Policy, Subscription, Team, Tenant, User, UserId};
use crate::types::hex;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Begins every file; the digit is the version of what follows.
const MAGIC: &[u8; 12] = b"tidegate-id1";
/// What the key is derived for.
const PURPOSE: &str = "tidegate: identities on disk, version 1";

/// Why a file is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    #[error("written by another version")]
    Version,
    #[error("damaged, or sealed under another pepper")]
    Seal,
    #[error("not what this version writes")]
    Content,
    #[error("there is no pepper to seal with, or no random numbers")]
    NoKey,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    sequence: u64,
    objects: Vec<Row>,
}

/// An object without what calls do not need.
#[derive(Serialize, Deserialize)]
struct Row {
    k: Kind,
    i: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    n: String,
    b: serde_json::Value,
}

impl Directory {
    /// Sealed bytes of everything known.
    ///
    /// # Errors
    /// [`SavedError::NoKey`].
    pub fn seal(&self, peppers: &Peppers) -> Result<Vec<u8>, SavedError> {
        let saved = Saved { sequence: self.sequence, objects: self.rows() };
        let mut bytes = serde_json::to_vec(&saved).map_err(|_| SavedError::Content)?;
        let key = key(peppers, 0).ok_or(SavedError::NoKey)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SavedError::NoKey)?;
        let sealed = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(sealed, Aad::from(MAGIC), &mut bytes).map_err(|_| SavedError::NoKey)?;
        Ok([MAGIC.as_slice(), nonce.as_slice(), bytes.as_slice()].concat())
    }

    /// What was sealed, under any of the peppers.
    ///
    /// # Errors
    /// Why the bytes are not used.
    pub fn unseal(bytes: &[u8], peppers: &Peppers) -> Result<Self, SavedError> {
        let rest = bytes.strip_prefix(MAGIC.as_slice()).ok_or(SavedError::Version)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or(SavedError::Seal)?;
        let opened = (0..peppers.len()).find_map(|place| {
            let mut copy = sealed.to_vec();
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let length = key(peppers, place)?.open_in_place(nonce, Aad::from(MAGIC), &mut copy).ok()?.len();
            copy.truncate(length);
            Some(copy)
        });
        let saved: Saved =
            serde_json::from_slice(&opened.ok_or(SavedError::Seal)?).map_err(|_| SavedError::Content)?;
        let mut directory = Directory::new();
        let objects = saved.objects.into_iter().map(Row::object).collect();
        let faults = directory.apply(objects, &[], saved.sequence);
        if faults.is_empty() { Ok(directory) } else { Err(SavedError::Content) }
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (id, node) in &self.tenants {
            let body = Tenant { status: node.status, policy: policy(&node.policy), ..Tenant::default() };
            rows.push(row(Kind::Tenant, id, None, None, &node.name, &body));
        }
        for (id, node) in &self.teams {
            let body = Team { status: node.status, policy: policy(&node.policy), ..Team::default() };
            rows.push(row(Kind::Team, id, None, node.parent.as_ref(), &node.name, &body));
        }
        for (id, node) in &self.apps {
            let body = App { status: node.status, policy: policy(&node.policy), ..App::default() };
            rows.push(row(Kind::App, id, None, node.parent.as_ref(), &node.name, &body));
        }
        for (id, node) in &self.plans {
            rows.push(row(Kind::Plan, id, node.tenant.as_ref(), None, &node.name, &node.plan));
        }
        for (id, node) in &self.subscriptions {
            let body: &Subscription = &node.subscription;
            rows.push(row(Kind::Subscription, id, None, Some(&node.app), "", body));
        }
        for ((kind, id), object) in &self.additions {
            rows.push(row(*kind, id, None, None, &object.name, &object.body));
        }
        for (public, node) in &self.users {
            let body: &User = &node.user;
            let id = format!("{}{public}", UserId::PREFIX);
            rows.push(row(Kind::User, &id, node.tenant.as_ref(), None, "", body));
        }
        rows.extend(self.shards.iter().flat_map(|shard| shard.iter()).map(|(public, entry)| {
            let previous = entry.previous.as_deref();
            let body = Key {
                status: entry.status,
                hash: entry.hash.map(|hash| hex(&hash)).unwrap_or_default(),
                previous_hash: previous.map(|(hash, _)| hex(hash)),
                previous_until_ms: previous.map(|(_, until)| *until),
                expires_ms: (entry.expires_ms != u64::MAX).then_some(entry.expires_ms),
                policy: entry.policy.as_deref().cloned().unwrap_or_default(),
                ..Key::default()
            };
            row(Kind::Key, &format!("{}{public}", KeyId::PREFIX), None, Some(&entry.app), "", &body)
        }));
        rows
    }
}

impl Row {
    fn object(self) -> Object {
        Object {
            kind: self.k,
            id: self.i,
            tenant: self.t,
            parent: self.p,
            name: self.n,
            version: 0,
            created_ms: 0,
            updated_ms: 0,
            body: self.b,
        }
    }
}

fn row(
    kind: Kind,
    id: &str,
    tenant: Option<&Arc<str>>,
    parent: Option<&Arc<str>>,
    name: &str,
    body: &impl Serialize,
) -> Row {
    let text = |id: &Arc<str>| id.as_ref().to_owned();
    let body = serde_json::to_value(body).unwrap_or_default();
    Row { k: kind, i: id.to_owned(), t: tenant.map(text), p: parent.map(text), n: name.to_owned(), b: body }
}

fn policy(policy: &Arc<Policy>) -> Policy {
    policy.as_ref().clone()
}

fn key(peppers: &Peppers, place: usize) -> Option<LessSafeKey> {
    let derived = peppers.derive(place, PURPOSE)?;
    UnboundKey::new(&AES_256_GCM, &derived).ok().map(LessSafeKey::new)
}
