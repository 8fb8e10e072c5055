//! Durable state: governed objects, the ledger of calls, the audit log, and what of each budget is
//! spent or lent out.
//!
//! One trait of small verbs. Nothing on the path of a request reads it, but for a response or a
//! conversation that this process does not know (`Keep`): what else requests need lies in the `Runtime`
//! snapshot. Invariant: a commit happens as a whole or not at all, with its audit entry
//! and its change number.

mod bank;
mod calls;
mod columns;
mod cover;
mod engine;
mod error;
mod kept;
mod open;
mod options;
mod postgres;
mod private_file;
mod schema;
mod sqlite;
mod usage;

pub mod export;
pub mod ledger;

use crate::govern::{AuditEntry, AuditRecord, Call, Configuration, Kept, Kind, Object};
use async_trait::async_trait;

pub use bank::{ASKS_MAX, Account, Bank, Grant, Withdrawal};
pub use calls::{CallPage, CallQuery};
pub use error::StoreError;
pub use kept::{KEPT_CHANGES_MAX, KEPT_LINKS_MAX, Keep, KeptBounds, KeptChange, KeptEntry};
pub use open::{Opened, open};
pub use options::{Options, OptionsError, StoreUrl};
pub use usage::{Bucket, Dimension, Pruned, Retention, Sums, UsagePage, UsageQuery, UsageRow};

/// Objects in one page at most.
pub const PAGE_MAX: u32 = 500;
/// Writes in one commit at most, and audit entries.
pub const WRITES_MAX: usize = 1000;
/// Objects and deletions in one page of changes at most.
pub const CHANGES_MAX: u32 = 2000;
/// Calls in one addition at most.
pub const CALLS_MAX: usize = 20_000;
/// Rows of usage or calls in one page at most.
pub const ROWS_MAX: u32 = 1000;
/// A name in bytes at most.
pub const NAME_BYTES_MAX: usize = 256;
/// Configurations in the history at most; of more the oldest go.
pub const CONFIGURATIONS_MAX: u64 = 100;
/// A commit is remembered so long under its idempotency key.
pub const IDEMPOTENCY_MS: u64 = 24 * 60 * 60 * 1000;

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The object's `version` is taken as 1, its times as the commit's. What it lies in must be
    /// there, and of the same tenant.
    Create(Object),
    /// Replaces name and body, if the version there is `expected`; any version where None. Tenant,
    /// parent and creation stay as they are.
    Update { object: Object, expected: Option<u64> },
    /// Refused while anything lies in it.
    Delete { kind: Kind, id: String, expected: Option<u64> },
    /// Writes nothing: the commit happens only if the things of this kind are exactly these, in these
    /// versions. In the order of ids.
    Unchanged { kind: Kind, versions: Vec<(String, u64)> },
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

/// Objects that changed after a sequence number; with `since` 0 all there are. A commit can be parted
/// between two pages: what was gathered is whole once `has_more` is false.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What was known before is to be forgotten: `since` is 0, or of a history this store does not
    /// have, as after a backup was put back.
    pub is_restart: bool,
    pub objects: Vec<Object>,
    pub deleted: Vec<(Kind, String)>,
    /// Of the newest change in here.
    pub sequence: u64,
    /// Whether to ask again with `sequence`.
    pub has_more: bool,
}

/// What the store must do for the admin plane and the snapshot.
#[async_trait]
pub trait Store: Keep + Send + Sync + std::fmt::Debug {
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
    /// A change by another process on the same SQLite file is seen only then.
    async fn changed(&self, since: u64, poll: std::time::Duration);

    /// Newest first; `before` a sequence number.
    async fn audit(
        &self,
        tenant: Option<&str>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError>;

    /// Walks the whole audit log and checks its chain.
    async fn verify_audit(&self) -> Result<AuditVerdict, StoreError>;

    /// Keeps a configuration, unless the newest one kept says the same. Gives its number.
    async fn keep_configuration(&self, configuration: &Configuration) -> Result<u64, StoreError>;

    /// The history, newest first: at most [`CONFIGURATIONS_MAX`].
    async fn configurations(&self) -> Result<Vec<Kept>, StoreError>;

    async fn configuration(&self, number: u64) -> Result<Option<Configuration>, StoreError>;

    /// Adds calls, at most [`CALLS_MAX`], and their roll-ups in one transaction. A call whose id is
    /// there already is left out, of the roll-ups too.
    async fn append_calls(&self, calls: &[Call]) -> Result<(), StoreError>;

    /// Sums of calls, from the roll-ups.
    async fn usage(&self, query: &UsageQuery) -> Result<UsagePage, StoreError>;

    /// Single calls, newest first.
    async fn calls(&self, query: &CallQuery) -> Result<CallPage, StoreError>;

    /// One small step of forgetting what is older than `retention`; to be repeated while something
    /// was found.
    async fn prune(&self, retention: &Retention, now_ms: u64) -> Result<Pruned, StoreError>;
}

/// What became of checking the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditVerdict {
    /// Entries that are as they were written.
    pub entries: u64,
    /// Hash of the last of them: noted elsewhere, it shows that none was cut off the end.
    pub head: Option<String>,
    /// The first entry that is not, and what is wrong with it.
    pub broken: Option<(u64, &'static str)>,
}
