//! Ids of answers: unique in a process and between simulators, so that an id made by one account is
//! unknown to another.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use super::json::Put;
use super::text::mix;

/// Makes [`Id`]s.
#[derive(Debug)]
pub struct Ids {
    nonce: u64,
    next: AtomicU64,
}

/// Twenty-four hex digits, to be put behind a prefix such as `chatcmpl-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    nonce: u64,
    serial: u64,
}

impl Ids {
    pub fn new(nonce: u64) -> Self {
        Self { nonce: mix(nonce), next: AtomicU64::new(1) }
    }

    pub fn next(&self) -> Id {
        Id { nonce: self.nonce, serial: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Put for Id {
    fn put(&self, out: &mut String) {
        let _infallible = write!(out, "{:016x}{:08x}", self.nonce, self.serial & 0xffff_ffff);
    }
}
