//! Everybody the store knows, as requests ask for them: an immutable snapshot.
//!
//! Virtual keys lie in 256 shards, so that the next snapshot shares all but the few it changes.
//! Made by [`Directory`](super::Directory).

use super::pepper::Hash;
use super::principal::{AppView, Principal};
use crate::govern::{Actor, Identity, Policy, Scope, Status, UserId};
use std::collections::HashMap;
use std::sync::Arc;

pub(super) const SHARDS: usize = 256;

/// A snapshot. Default: nobody.
#[derive(Debug, Default)]
pub struct Identities {
    pub(super) keys: Vec<Arc<Shard>>,
    pub(super) apps: Arc<HashMap<Arc<str>, Arc<AppView>>>,
    /// By names, `tenant/team/app`.
    pub(super) named: Arc<HashMap<Box<str>, Arc<str>>>,
    pub(super) users: Arc<HashMap<Box<str>, UserEntry>>,
    /// Users by who another issuer says they are: their public ids.
    pub(super) logins: Arc<HashMap<Identity, Box<str>>>,
    /// One more with each snapshot of a process: what is derived from one is good for that one only.
    pub generation: u64,
    /// Of the newest change of the store in here.
    pub sequence: u64,
}

pub(super) type Shard = HashMap<Box<str>, Arc<KeyEntry>>;

/// A virtual key by its public id: what the store has of it, as far as calls need it.
#[derive(Debug)]
pub(super) struct KeyEntry {
    pub hash: Option<Hash>,
    pub previous: Option<Box<(Hash, u64)>>,
    /// Milliseconds since 1970, UTC; `u64::MAX` for ever.
    pub expires_ms: u64,
    pub status: Status,
    pub app: Arc<str>,
    /// None where it has no rules of its own.
    pub policy: Option<Arc<Policy>>,
    /// None where the key, or something above it, is blocked or missing.
    pub principal: Option<Arc<Principal>>,
}

/// A user of the admin API, by the public id of the token.
#[derive(Clone, Debug)]
pub(super) struct UserEntry {
    pub hash: Option<Hash>,
    pub is_active: bool,
    pub actor: Arc<Actor>,
}

impl Identities {
    /// Every level of every caller that has limits or budgets; those above several callers once for
    /// each app.
    pub fn limited(&self) -> impl Iterator<Item = &Scope> {
        let apps = self.apps.values().flat_map(|app| {
            app.scopes.iter().chain(app.shop.subscribed.iter().map(|subscribed| &subscribed.scope))
        });
        let entries = self.keys.iter().flat_map(|shard| shard.values());
        let own = entries.filter_map(|entry| entry.principal.as_ref()?.own.as_deref());
        apps.chain(own).filter(|scope| scope.has_limits())
    }

    pub(super) fn key(&self, public: &str) -> Option<&Arc<KeyEntry>> {
        self.keys.get(shard_of(public)).and_then(|shard| shard.get(public))
    }

    pub(super) fn user(&self, public: &str) -> Option<&UserEntry> {
        self.users.get(public)
    }

    /// The user who signs in as `identity`.
    pub(super) fn login(&self, identity: &Identity) -> Option<&UserEntry> {
        self.logins.get(identity).and_then(|public| self.user(public))
    }

    /// Whether another user than the one of `id` signs in as `identity`.
    pub fn is_taken(&self, identity: &Identity, id: &str) -> bool {
        let own = id.strip_prefix(UserId::PREFIX).unwrap_or(id);
        self.logins.get(identity).is_some_and(|public| **public != *own)
    }

    pub fn keys_count(&self) -> usize {
        self.keys.iter().map(|shard| shard.len()).sum()
    }

    /// An app by its id.
    pub fn app(&self, id: &str) -> Option<&Arc<AppView>> {
        self.apps.get(id)
    }

    /// An app by the names of its tenant, its team and itself.
    pub fn app_named(&self, tenant: &str, team: &str, app: &str) -> Option<&Arc<AppView>> {
        self.named.get(path_of(tenant, team, app).as_str()).and_then(|id| self.apps.get(id))
    }
}

/// Names hold no NUL: the admin API lets none in.
pub(super) fn path_of(tenant: &str, team: &str, app: &str) -> String {
    format!("{tenant}\0{team}\0{app}")
}

/// FNV-1a, folded. Public ids are random already; this only has to be quick.
pub(super) fn shard_of(public: &str) -> usize {
    let hash =
        public.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    ((hash >> 16) ^ hash) as usize % SHARDS
}
