//! The last requests, as they arrived, for tests that ask what an upstream was sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::base64;
use super::request::Head;

/// Requests kept.
const REQUESTS_MAX: usize = 256;
/// Body bytes kept of each; a longer body is known by length and digest.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// One request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names as sent, values with invalid UTF-8 replaced, in order.
    pub headers: Vec<(String, String)>,
    pub body_bytes: usize,
    /// Lowercase hex, of the whole body.
    pub body_sha256: String,
    /// The body, or nothing where it is longer than 64 KiB.
    pub body: Vec<u8>,
}

/// The ring of the last requests.
#[derive(Debug)]
pub struct Capture {
    is_on: AtomicBool,
    ring: Mutex<VecDeque<Captured>>,
}

impl Captured {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn to_json(&self) -> Value {
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) => json!({"utf8": text}),
            Err(_) => json!({"base64": base64::encode(&self.body)}),
        };
        json!({
            "method": self.method,
            "path": self.target,
            "headers": self.headers,
            "body_bytes": self.body_bytes,
            "body_sha256": self.body_sha256,
            "body": if self.body_bytes > self.body.len() { Value::Null } else { body },
        })
    }
}

impl Capture {
    pub fn new(is_on: bool) -> Self {
        Self { is_on: AtomicBool::new(is_on), ring: Mutex::new(VecDeque::new()) }
    }

    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    pub fn switch(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    /// Keeps a request, dropping the oldest.
    pub fn keep(&self, head: &Head, body: &[u8]) {
        let digest = Sha256::digest(body);
        let captured = Captured {
            method: head.method.clone(),
            target: head.target.clone(),
            headers: head.headers(),
            body_bytes: body.len(),
            body_sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            body: if body.len() <= BODY_BYTES_MAX { body.to_vec() } else { Vec::new() },
        };
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() >= REQUESTS_MAX {
            ring.pop_front();
        }
        ring.push_back(captured);
    }

    /// Oldest first.
    pub fn all(&self) -> Vec<Captured> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub fn clear(&self) {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The last `count` as `/sim/requests` shows them, oldest first.
    pub fn to_json(&self, count: usize) -> String {
        let all = self.all();
        let shown: Vec<Value> =
            all.iter().skip(all.len().saturating_sub(count)).map(Captured::to_json).collect();
        Value::Array(shown).to_string()
    }
}
