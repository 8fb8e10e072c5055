//! What a [`Directory`] knows, as bytes for the disk: a node that starts without its store lets the
//! keys in that it knew.
//!
//! Sealed with AES-256-GCM under a key derived from the pepper: who reads the file learns nothing,
//! and who changes it is found out. Invariant: what is not exactly what was written is not used.

use super::directory::Directory;
use super::identities::KeyEntry;
use super::pepper::Peppers;
use crate::govern::{App, Key, KeyId, Kind, Object, Policy, Team, Tenant, UserId};
use crate::types::hex;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
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

#[derive(Deserialize)]
struct Saved {
    sequence: u64,
    objects: Vec<Row>,
}

/// A directory as [`Saved`], written row by row.
struct Sealing<'d>(&'d Directory);

impl Serialize for Sealing<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut saved = to.serialize_struct("Saved", 2)?;
        saved.serialize_field("sequence", &self.0.sequence)?;
        saved.serialize_field("objects", &Rows(self.0))?;
        saved.end()
    }
}

struct Rows<'d>(&'d Directory);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.rows())
    }
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
        let key = key(peppers, 0).ok_or(SavedError::NoKey)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SavedError::NoKey)?;
        // One buffer for all of it: of many keys it is large.
        let mut bytes = [MAGIC.as_slice(), nonce.as_slice()].concat();
        let head = bytes.len();
        serde_json::to_writer(&mut bytes, &Sealing(self)).map_err(|_| SavedError::Content)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = bytes.get_mut(head..).unwrap_or_default();
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(MAGIC), plain);
        bytes.extend_from_slice(tag.map_err(|_| SavedError::NoKey)?.as_ref());
        Ok(bytes)
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

    fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let tenants = self.tenants.iter().map(|(id, node)| {
            let body = Tenant { status: node.status, policy: policy(&node.policy), ..Tenant::default() };
            row(Kind::Tenant, id, None, None, &node.name, &body)
        });
        let teams = self.teams.iter().map(|(id, node)| {
            let body = Team { status: node.status, policy: policy(&node.policy), ..Team::default() };
            row(Kind::Team, id, None, node.parent.as_ref(), &node.name, &body)
        });
        let apps = self.apps.iter().map(|(id, node)| {
            let body = App { status: node.status, policy: policy(&node.policy), ..App::default() };
            row(Kind::App, id, None, node.parent.as_ref(), &node.name, &body)
        });
        let plans = self
            .plans
            .iter()
            .map(|(id, node)| row(Kind::Plan, id, node.tenant.as_ref(), None, &node.name, &node.plan));
        let subscriptions = self
            .subscriptions
            .iter()
            .map(|(id, node)| row(Kind::Subscription, id, None, Some(&node.app), "", &node.subscription));
        let additions = self
            .additions
            .iter()
            .map(|((kind, id), object)| row(*kind, id, None, None, &object.name, &object.body));
        let users = self.users.iter().map(|(public, node)| {
            let id = format!("{}{public}", UserId::PREFIX);
            row(Kind::User, &id, node.tenant.as_ref(), None, "", &node.user)
        });
        let keys =
            self.shards.iter().flat_map(|shard| shard.iter()).map(|(public, entry)| key_row(public, entry));
        tenants
            .chain(teams)
            .chain(apps)
            .chain(plans)
            .chain(subscriptions)
            .chain(additions)
            .chain(users)
            .chain(keys)
    }
}

fn key_row(public: &str, entry: &KeyEntry) -> Row {
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
