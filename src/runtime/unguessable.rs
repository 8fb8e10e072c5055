//! Numbers that nobody may guess: ids of what a client can fetch again.
//!
//! Drawn from the system many at a time, since each time is a system call.
//! Invariant: a number is given out once, and nothing of it stays here.

use ring::rand::{SecureRandom, SystemRandom};
use std::sync::{Mutex, PoisonError};

/// Numbers drawn at a time.
const DRAWN: usize = 64;
const NUMBER: usize = size_of::<u128>();

pub struct Unguessable {
    system: SystemRandom,
    /// What was drawn and not given out yet.
    drawn: Mutex<Vec<u8>>,
}

impl Default for Unguessable {
    fn default() -> Self {
        Self { system: SystemRandom::new(), drawn: Mutex::default() }
    }
}

impl Unguessable {
    /// The next number; None where the system has no randomness to give.
    pub fn number(&self) -> Option<u128> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.len() < NUMBER {
            drawn.resize(DRAWN * NUMBER, 0);
            if self.system.fill(&mut drawn).is_err() {
                drawn.clear();
                return None;
            }
        }
        let rest = drawn.len() - NUMBER;
        let (_, last) = drawn.split_at_mut_checked(rest)?;
        let number = u128::from_be_bytes(<[u8; NUMBER]>::try_from(&*last).ok()?);
        last.fill(0);
        drawn.truncate(rest);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_number_comes_twice_and_none_is_the_one_left_behind() {
        let random = Unguessable::default();
        let numbers: HashSet<u128> = (0..10 * DRAWN + 1).map(|_| random.number().unwrap()).collect();
        assert_eq!(numbers.len(), 10 * DRAWN + 1);
        assert!(!numbers.contains(&0));
    }
}
