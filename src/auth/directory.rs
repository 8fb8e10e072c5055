//! Makes [`Identities`] from objects of the store, a change at a time.
//!
//! Keeps of each object what calls need and drops the rest. Invariant: what a snapshot says of a key
//! follows from the objects alone, however they arrived: all at once or change by change. An object
//! that cannot be read counts as absent, so that nobody gets in by a damaged row.

use super::identities::{Identities, KeyEntry, SHARDS, Shard, shard_of};
use super::pepper::{Hash, hash_from_hex};
use super::principal::{AppView, Principal};
use crate::govern::{
    App, Key, KeyId, Kind, Object, Plan, Policy, Status, Subscription, Team, Tenant, User, UserId,
};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What is known, and the last snapshot made of it.
#[derive(Debug, Default)]
pub struct Directory {
    pub(super) tenants: HashMap<Arc<str>, Node>,
    pub(super) teams: HashMap<Arc<str>, Node>,
    pub(super) apps: HashMap<Arc<str>, Node>,
    pub(super) plans: BTreeMap<Arc<str>, PlanNode>,
    pub(super) subscriptions: BTreeMap<Arc<str>, SubscriptionNode>,
    pub(super) users: HashMap<Box<str>, UserNode>,
    /// Providers and models, as they came: not for calls' identities, but from the same changes and
    /// onto the same copy.
    pub(super) additions: BTreeMap<(Kind, String), Object>,
    pub(super) shards: Vec<Arc<Shard>>,
    pub(super) views: HashMap<Arc<str>, Arc<AppView>>,
    pub(super) stale_apps: HashSet<Arc<str>>,
    pub(super) is_all_stale: bool,
    pub(super) users_changed: bool,
    pub(super) sequence: u64,
    pub(super) generation: u64,
    pub(super) last: Option<Arc<Identities>>,
}

/// A tenant, team or app.
#[derive(Debug)]
pub(super) struct Node {
    pub name: Box<str>,
    pub parent: Option<Arc<str>>,
    pub status: Status,
    pub policy: Arc<Policy>,
}

#[derive(Debug)]
pub(super) struct PlanNode {
    pub tenant: Option<Arc<str>>,
    pub name: Box<str>,
    pub plan: Plan,
    pub policy: Arc<Policy>,
}

#[derive(Debug)]
pub(super) struct SubscriptionNode {
    pub app: Arc<str>,
    pub subscription: Subscription,
}

#[derive(Debug)]
pub(super) struct UserNode {
    pub tenant: Option<Arc<str>>,
    pub user: User,
}

/// An object that could not be read, and why. Its content is not in here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} `{id}` cannot be read and counts as absent", .kind.as_str())]
pub struct Unreadable {
    pub kind: Kind,
    pub id: String,
}

impl Directory {
    /// Nothing known yet.
    pub fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Arc::new(Shard::new())).collect();
        Self { shards, is_all_stale: true, users_changed: true, ..Self::default() }
    }

    /// Takes objects as they are now, and those that are gone. `sequence` is the newest change's.
    pub fn apply(
        &mut self,
        objects: Vec<Object>,
        deleted: &[(Kind, String)],
        sequence: u64,
    ) -> Vec<Unreadable> {
        let mut faults = Vec::new();
        for (kind, id) in deleted {
            self.forget(*kind, id);
        }
        for object in objects {
            let (kind, id) = (object.kind, object.id.clone());
            if self.take(object).is_none() {
                self.forget(kind, &id);
                faults.push(Unreadable { kind, id });
            }
        }
        self.sequence = self.sequence.max(sequence);
        faults
    }

    /// Goes on with the numbers of another one, so that no two snapshots of a process have one.
    pub fn after(mut self, previous: &Directory) -> Self {
        self.generation = previous.generation;
        self
    }

    /// What the store adds to the configuration, by kind and id.
    pub fn additions(&self) -> Vec<Object> {
        self.additions.values().cloned().collect()
    }

    /// Of the newest change in here.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    fn take(&mut self, object: Object) -> Option<()> {
        let id: Arc<str> = object.id.as_str().into();
        let parent: Option<Arc<str>> = object.parent.as_deref().map(Arc::from);
        match object.kind {
            Kind::Tenant => {
                let Tenant { status, policy, .. } = read(object.body)?;
                self.users_changed = true;
                self.stale_below(Kind::Tenant, &id);
                self.tenants.insert(id, Node::new(object.name, None, status, policy));
            }
            Kind::Team => {
                let Team { status, policy, .. } = read(object.body)?;
                self.stale_below(Kind::Team, &id);
                self.teams.insert(id, Node::new(object.name, Some(parent?), status, policy));
            }
            Kind::App => {
                let App { status, policy, .. } = read(object.body)?;
                self.stale_apps.insert(id.clone());
                self.apps.insert(id, Node::new(object.name, Some(parent?), status, policy));
            }
            Kind::Key => self.take_key(&id, &parent?, read(object.body)?)?,
            Kind::User => {
                let public = id.strip_prefix(UserId::PREFIX)?.into();
                let tenant = object.tenant.as_deref().map(Arc::from);
                self.users.insert(public, UserNode { tenant, user: read(object.body)? });
                self.users_changed = true;
            }
            Kind::Plan => {
                let plan: Plan = read(object.body)?;
                let tenant: Option<Arc<str>> = object.tenant.as_deref().map(Arc::from);
                self.is_all_stale = true;
                let policy = Arc::new(plan.policy.clone());
                self.plans.insert(id, PlanNode { tenant, name: object.name.into(), plan, policy });
            }
            Kind::Subscription => {
                let (app, subscription) = (parent?, read(object.body)?);
                self.stale_apps.insert(app.clone());
                self.subscriptions.insert(id, SubscriptionNode { app, subscription });
            }
            Kind::Provider | Kind::Model => {
                self.additions.insert((object.kind, object.id.clone()), object);
            }
        }
        Some(())
    }

    fn take_key(&mut self, id: &str, app: &Arc<str>, key: Key) -> Option<()> {
        let public = id.strip_prefix(KeyId::PREFIX)?;
        let app = self.apps.get_key_value(app).map_or(app, |(known, _)| known).clone();
        let previous = key.previous_hash.as_deref().and_then(hash_from_hex);
        let entry = KeyEntry {
            hash: Some(hash_from_hex(&key.hash)?),
            previous: previous.zip(key.previous_until_ms).map(Box::new),
            expires_ms: key.expires_ms.unwrap_or(u64::MAX),
            status: key.status,
            app,
            policy: (key.policy != Policy::default()).then(|| Arc::new(key.policy)),
            principal: None,
        };
        let is_stale = self.is_all_stale || self.stale_apps.contains(&entry.app);
        // What is stale is made at the next snapshot, with its app's other keys.
        let principal = if is_stale { None } else { self.principal(public, &entry) };
        self.put_key(public, KeyEntry { principal, ..entry });
        Some(())
    }

    fn put_key(&mut self, public: &str, entry: KeyEntry) {
        if let Some(shard) = self.shards.get_mut(shard_of(public)) {
            Arc::make_mut(shard).insert(public.into(), Arc::new(entry));
        }
    }

    fn forget(&mut self, kind: Kind, id: &str) {
        match kind {
            Kind::Tenant | Kind::Team => {
                self.users_changed |= kind == Kind::Tenant;
                self.stale_below(kind, id);
                let nodes = if kind == Kind::Tenant { &mut self.tenants } else { &mut self.teams };
                nodes.remove(id);
            }
            Kind::App => {
                self.stale_apps.insert(id.into());
                self.apps.remove(id);
            }
            Kind::Key => {
                let Some(public) = id.strip_prefix(KeyId::PREFIX) else { return };
                let shard = self.shards.get_mut(shard_of(public));
                if let Some(shard) = shard.filter(|shard| shard.contains_key(public)) {
                    Arc::make_mut(shard).remove(public);
                }
            }
            Kind::User => {
                self.users_changed |=
                    self.users.remove(id.strip_prefix(UserId::PREFIX).unwrap_or(id)).is_some();
            }
            Kind::Plan => self.is_all_stale |= self.plans.remove(id).is_some(),
            Kind::Subscription => {
                if let Some(gone) = self.subscriptions.remove(id) {
                    self.stale_apps.insert(gone.app);
                }
            }
            Kind::Provider | Kind::Model => {
                self.additions.remove(&(kind, id.to_owned()));
            }
        }
    }

    /// Marks the apps in a tenant or team.
    fn stale_below(&mut self, kind: Kind, id: &str) {
        let teams = &self.teams;
        let lies_in = |node: &Node| match kind {
            Kind::Tenant => {
                let team = node.parent.as_ref().and_then(|team| teams.get(team));
                team.is_some_and(|team| team.parent.as_deref() == Some(id))
            }
            _ => node.parent.as_deref() == Some(id),
        };
        let inside = self.apps.iter().filter(|(_, node)| lies_in(node)).map(|(app, _)| app.clone());
        self.stale_apps.extend(inside);
    }
}

impl Node {
    fn new(name: String, parent: Option<Arc<str>>, status: Status, policy: Policy) -> Self {
        Self { name: name.into(), parent, status, policy: Arc::new(policy) }
    }
}

impl KeyEntry {
    pub(super) fn with(&self, principal: Option<Arc<Principal>>) -> Self {
        Self {
            hash: self.hash,
            previous: self.previous.clone(),
            expires_ms: self.expires_ms,
            status: self.status,
            app: self.app.clone(),
            policy: self.policy.clone(),
            principal,
        }
    }

    /// The hashes that are good now.
    pub(super) fn hashes(&self, now_ms: u64) -> [Option<&Hash>; 2] {
        let previous = self.previous.as_deref().filter(|(_, until)| now_ms < *until);
        [self.hash.as_ref(), previous.map(|(hash, _)| hash)]
    }
}

fn read<T: DeserializeOwned>(body: serde_json::Value) -> Option<T> {
    serde_json::from_value(body).ok()
}
