//! Durable state: governed objects, the ledger of calls, the audit log, and what of each budget is
//! spent or lent out.
//!
//! One trait of small verbs. Nothing on the path of a request reads it: what requests need lies in
//! the `Runtime` snapshot. Invariant: a commit happens as a whole or not at all, with its audit entry
//! and its change number.

use crate::govern::{AuditEntry, AuditRecord, Call, Kind, Object};
use async_trait::async_trait;

/// Objects in one page at most.
pub const PAGE_MAX: u32 = 500;
/// Writes in one commit at most.
pub const WRITES_MAX: usize = 1000;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A name is taken in its parent, or an id exists already.
    #[error("{kind} `{name}` exists already")]
    Exists { kind: &'static str, name: String },
    #[error("no such {kind}")]
    Missing { kind: &'static str },
    /// The version expected is not the one there is.
    #[error("changed by somebody else meanwhile: version {actual} instead of {expected}")]
    Conflict { expected: u64, actual: u64 },
    /// Something lies in it.
    #[error("{kind} is not empty")]
    NotEmpty { kind: &'static str },
    /// An idempotency key came again with another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    #[error("more than the store takes at once: {0}")]
    TooMuch(&'static str),
    /// Down, locked, full or too slow: to be tried again.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is there cannot be read: newer schema, damaged file.
    #[error("the store cannot be used: {0}")]
    Unusable(String),
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The object's `version` is taken as 1, its times as the commit's.
    Create(Object),
    /// Replaces name and body, if the version there is `expected`; any version where None.
    Update { object: Object, expected: Option<u64> },
    /// Refused while anything lies in it.
    Delete { kind: Kind, id: String, expected: Option<u64> },
}

/// Changes that belong together.
#[derive(Clone, Debug)]
pub struct Commit {
    pub at_ms: u64,
    pub writes: Vec<Write>,
    pub audit: Vec<AuditEntry>,
    pub idempotency: Option<Idempotency>,
}

/// Makes a commit happen once however often its request is sent. Kept for 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The actor's name and the key it sent.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub fingerprint: [u8; 32],
    /// What is answered again: status and body. A secret shown once is not in it.
    pub answer: (u16, Vec<u8>),
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The objects as they are now, in the order of the writes; deleted ones left out. `sequence` is
    /// the number of the change.
    Done { objects: Vec<Object>, sequence: u64 },
    /// It had happened before; this was answered then.
    Replayed { answer: (u16, Vec<u8>) },
}

/// Which objects to list. Ordered by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    pub kind: Option<Kind>,
    pub tenant: Option<String>,
    pub parent: Option<String>,
    pub name: Option<String>,
    /// Ids after this one.
    pub after: Option<String>,
    /// 1 to [`PAGE_MAX`].
    pub limit: u32,
}

/// Objects that changed after a sequence number; with `since` 0 all there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub objects: Vec<Object>,
    pub deleted: Vec<(Kind, String)>,
    /// Of the newest change in here.
    pub sequence: u64,
    /// Whether to ask again with `sequence`.
    pub has_more: bool,
}

/// What the store must do for the admin plane and the snapshot.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Unusable`]; so for every verb.
    async fn ping(&self) -> Result<(), StoreError>;

    async fn get(&self, kind: Kind, id: &str) -> Result<Option<Object>, StoreError>;

    async fn list(&self, query: &ListQuery) -> Result<Vec<Object>, StoreError>;

    /// # Errors
    /// What a write ran into; nothing has happened then.
    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError>;

    async fn changes(&self, since: u64) -> Result<Changes, StoreError>;

    /// Ends when something has changed after `since`, on any node; at the latest when `poll` is over.
    async fn changed(&self, since: u64, poll: std::time::Duration);

    /// Newest first; `before` a sequence number.
    async fn audit(
        &self,
        tenant: Option<&str>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError>;

    /// Adds calls and their roll-ups in one transaction. A call whose id is there already is left out,
    /// of the roll-ups too.
    async fn append_calls(&self, calls: &[Call]) -> Result<(), StoreError>;
}

/// A budget in one of its windows, as the bank knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// Who the budget belongs to and its name: `key/key_1/monthly`.
    pub budget: String,
    /// When the window begins, seconds since 1970, UTC; 0 for a total.
    pub window: u64,
}

/// What a node asks of the bank for one account: in pico dollars or tokens. All numbers are totals
/// since the window began, so that asking again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    pub account: Account,
    /// The whole budget.
    pub amount: u64,
    /// When the account may be forgotten, seconds since 1970, UTC.
    pub expires: u64,
    /// What this node has been granted so far, by its own reckoning.
    pub granted: u64,
    /// What this node has spent of it, settled.
    pub spent: u64,
    /// What it would like to have been granted.
    pub wanted: u64,
}

/// The bank's answer: totals again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub account: Account,
    /// What this node may spend in all in this window.
    pub granted: u64,
    /// What all nodes have spent, as far as the bank knows.
    pub spent: u64,
}

/// Lends budgets out in slices. Invariant: over all nodes, what is granted and not given back, and
/// what was spent by nodes that are gone, never exceeds the amount. A node that does not come back
/// before its lease is over loses what it had not reported as spent, by being taken to have spent
/// what it was granted, unless the ledger proves less.
#[async_trait]
pub trait Bank: Send + Sync + std::fmt::Debug {
    /// One atomic step for each account; a step sent twice counts once.
    ///
    /// # Errors
    /// When it cannot be reached in time: nothing may be taken as granted.
    async fn withdraw(&self, node: &str, asks: &[Withdrawal]) -> Result<Vec<Grant>, StoreError>;
}
