//! What has been given out, and until when it is good.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

/// Credentials remembered; the oldest is forgotten first.
const ISSUED_MAX: usize = 1024;
const LIFETIME_S: u64 = 3600;

/// How the token endpoints behave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenBehaviour {
    /// Of what is given out; an hour.
    pub lifetime_s: Option<u64>,
    /// They refuse with this status.
    pub status: Option<u16>,
    /// They take their time.
    pub delay_ms: Option<u64>,
}

/// Keys of AWS's as they were given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    pub id: String,
    pub secret: String,
    pub session: Option<String>,
    pub expires_s: u64,
}

/// The memory behind the token endpoints.
#[derive(Debug, Default)]
pub struct Identity {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    number: u64,
    tokens: VecDeque<(String, u64)>,
    keys: VecDeque<Keys>,
}

impl Identity {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new token, and the seconds it is good for.
    pub fn token(&self, kind: &str, behaviour: &TokenBehaviour, now_s: u64) -> (String, u64) {
        let lifetime = behaviour.lifetime_s.unwrap_or(LIFETIME_S);
        let mut state = self.state();
        state.number += 1;
        let token = format!("sim-{kind}-token-{:04}", state.number);
        push(&mut state.tokens, (token.clone(), now_s.saturating_add(lifetime)));
        (token, lifetime)
    }

    /// New temporary keys.
    pub fn new_keys(&self, behaviour: &TokenBehaviour, now_s: u64) -> Keys {
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        let keys = Keys {
            id: format!("ASIASIM{number:09}"),
            secret: format!("sim-temporary-secret-{number:04}"),
            session: Some(format!("sim-session-token-{number:04}//==")),
            expires_s: now_s.saturating_add(behaviour.lifetime_s.unwrap_or(LIFETIME_S)),
        };
        push(&mut state.keys, keys.clone());
        keys
    }

    /// Whether a token was given out and has not ended. Seconds are whole here: its last one counts.
    pub fn is_issued(&self, token: &str, now_s: u64) -> bool {
        self.state().tokens.iter().any(|(known, expires_s)| known == token && now_s <= *expires_s)
    }

    /// The keys of an id: the ones that always hold, or those given out that have not ended.
    pub fn keys(&self, id: &str, now_s: u64) -> Option<Keys> {
        if id == "AKIDSIMULATOR" {
            return Some(Keys {
                id: id.to_owned(),
                secret: "sim/secret+access/key".to_owned(),
                session: None,
                expires_s: u64::MAX,
            });
        }
        self.state().keys.iter().find(|keys| keys.id == id && now_s <= keys.expires_s).cloned()
    }
}

fn push<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() >= ISSUED_MAX {
        list.pop_front();
    }
    list.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_out_is_good_until_it_ends_and_no_more_is_remembered_than_bounded() {
        let identity = Identity::default();
        let behaviour = TokenBehaviour { lifetime_s: Some(10), ..TokenBehaviour::default() };
        let (token, seconds) = identity.token("google", &behaviour, 100);
        assert_eq!(seconds, 10);
        assert!(identity.is_issued(&token, 110) && !identity.is_issued(&token, 111));
        let keys = identity.new_keys(&behaviour, 100);
        assert_eq!(identity.keys(&keys.id, 105), Some(keys.clone()));
        assert_eq!(identity.keys(&keys.id, 111), None);
        for _ in 0..2 * ISSUED_MAX {
            identity.token("x", &behaviour, 0);
        }
        assert_eq!(identity.state().tokens.len(), ISSUED_MAX);
        assert!(identity.keys("AKIDSIMULATOR", 0).is_some());
    }
}
