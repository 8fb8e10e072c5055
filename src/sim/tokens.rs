//! Prompt tokens of a request body, by a counter from outside or by a rule of thumb.

use std::sync::{Arc, Mutex, PoisonError};

use super::text::hash;

/// Counts the prompt tokens of a whole request body.
pub type PromptCounter = Arc<dyn Fn(&[u8]) -> u64 + Send + Sync>;

/// Slots of the memory of counts; load tests send the same few bodies.
const SLOTS: usize = 256;

/// A counter and what it said last.
pub struct Tokens {
    counter: Option<PromptCounter>,
    /// (body hash, count), placed by the hash.
    memory: Mutex<Vec<(u64, u64)>>,
}

impl Tokens {
    pub fn new(counter: Option<PromptCounter>) -> Self {
        Self { counter, memory: Mutex::new(vec![(0, 0); SLOTS]) }
    }

    /// Prompt tokens of `body`.
    pub fn prompt(&self, body: &[u8]) -> u64 {
        let Some(counter) = &self.counter else { return (body.len() as u64).div_ceil(4) };
        let key = hash(body).max(1);
        let slot = key as usize % SLOTS;
        let known = self.memory.lock().unwrap_or_else(PoisonError::into_inner).get(slot).copied();
        if let Some((_, count)) = known.filter(|(held, _)| *held == key) {
            return count;
        }
        // Counted outside the lock: a long body must not stop the other threads.
        let count = counter(body);
        if let Some(place) = self.memory.lock().unwrap_or_else(PoisonError::into_inner).get_mut(slot) {
            *place = (key, count);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_body_is_counted_once_and_the_rule_of_thumb_rounds_up() {
        let calls = Arc::new(AtomicU64::new(0));
        let seen = calls.clone();
        let tokens = Tokens::new(Some(Arc::new(move |body: &[u8]| {
            seen.fetch_add(1, Ordering::SeqCst);
            body.len() as u64 * 10
        })));
        assert_eq!((tokens.prompt(b"abc"), tokens.prompt(b"abc"), tokens.prompt(b"abcd")), (30, 30, 40));
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        assert_eq!(Tokens::new(None).prompt(b"12345"), 2);
    }
}
