//! Tokens that were verified, so that the next request with one costs a digest and a look-up.
//!
//! Bounded. An entry is good for one set of keys and one snapshot of identities only: a key taken
//! back, or an app blocked, ends it at once.

use crate::auth::Principal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

const SHARDS: usize = 16;
/// Of each shard: 16,384 tokens in all.
const SHARD_MAX: usize = 1024;

/// What a verification was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// Of the snapshot of identities.
    pub generation: u64,
    /// Of the issuer's set of keys.
    pub keys: u64,
}

#[derive(Debug)]
struct Entry {
    principal: Arc<Principal>,
    basis: Basis,
    /// Seconds since 1970.
    ends: u64,
}

#[derive(Debug, Default)]
pub struct Verified {
    shards: [Mutex<HashMap<[u8; 32], Entry>>; SHARDS],
}

impl Verified {
    fn shard(&self, digest: &[u8; 32]) -> Option<&Mutex<HashMap<[u8; 32], Entry>>> {
        self.shards.get(usize::from(digest.first()? >> 4))
    }

    pub fn get(&self, digest: &[u8; 32], basis: Basis, now: u64) -> Option<Arc<Principal>> {
        let shard = self.shard(digest)?.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.get(digest)?;
        (entry.basis == basis && now < entry.ends).then(|| entry.principal.clone())
    }

    pub fn put(&self, digest: [u8; 32], basis: Basis, ends: u64, now: u64, principal: Arc<Principal>) {
        let Some(shard) = self.shard(&digest) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= SHARD_MAX {
            shard.retain(|_, entry| entry.basis == basis && now < entry.ends);
        }
        if shard.len() >= SHARD_MAX {
            // Any one: whose token it was verifies again.
            let any = shard.keys().next().copied();
            any.and_then(|any| shard.remove(&any));
        }
        shard.insert(digest, Entry { principal, basis, ends });
    }

    #[cfg(test)]
    pub const MAX: usize = SHARDS * SHARD_MAX;

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}
