//! The OpenAI responses made here, so that they can be fetched and deleted by id.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Responses kept; the oldest goes first.
const RESPONSES_MAX: usize = 1024;

/// Response JSON by id.
#[derive(Debug, Default)]
pub struct ResponseStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<String, String>,
    order: VecDeque<String>,
}

impl ResponseStore {
    pub fn put(&self, id: String, json: String) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.order.len() >= RESPONSES_MAX
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.by_id.remove(&oldest);
        }
        inner.order.push_back(id.clone());
        inner.by_id.insert(id, json);
    }

    pub fn get(&self, id: &str) -> Option<String> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(id).cloned()
    }

    /// Whether there was one.
    pub fn delete(&self, id: &str) -> bool {
        // Its place in `order` stays until it is the oldest: ids are never used again.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).by_id.remove(id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_a_deleted_one_is_gone() {
        let store = ResponseStore::default();
        for number in 0..=RESPONSES_MAX {
            store.put(format!("resp_{number}"), "{}".to_owned());
        }
        assert_eq!(store.get("resp_0"), None);
        assert!(store.delete("resp_1") && !store.delete("resp_1"));
        assert!(store.get("resp_2").is_some());
    }
}
