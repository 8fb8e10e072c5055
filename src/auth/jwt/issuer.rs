//! One issuer of tokens: what is asked of them, the keys it publishes, and whose they are here.

use super::JwtError;
use super::cache::{Basis, Verified};
use super::claims::{Claims, Expected};
use super::jwk::{KeySet, KeySetError};
use super::jws::{Algorithm, Jws};
use crate::auth::identities::Identities;
use crate::auth::mapping::{Mapping, is_word, plain_name};
use crate::auth::principal::{Principal, Rules};
use crate::govern::Identity;
use arc_swap::{ArcSwap, Guard};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Between two fetches that tokens with unknown key ids cause (threat T4).
const UNKNOWN_KEY_EVERY_MS: u64 = 60_000;
/// Between two tries while there are no keys at all.
const RETRY_EVERY_MS: u64 = 5_000;

/// A section `[auth.jwt.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSpec {
    pub name: String,
    pub expected: Expected,
    pub algorithms: Vec<Algorithm>,
    pub keys: KeySource,
    pub whose: Whose,
    /// How often published keys are fetched again.
    pub refresh_ms: u64,
    /// How long keys are good that could not be fetched again.
    pub keep_ms: u64,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    Url(String),
    /// Of the issuer's discovery document (OpenID Connect Discovery 1.0 §4).
    Discovery(String),
    File(std::path::PathBuf),
}

/// Whose credentials an issuer's tokens are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Callers', of the app this leads to.
    App(Mapping),
    /// Users' of the admin API: who has this claim's value as the subject of their identity.
    User { claim: String },
}

/// An issuer at work.
#[derive(Debug)]
pub struct Issuer {
    pub spec: IssuerSpec,
    keys: ArcSwap<Fetched>,
    verified: Verified,
    /// Milliseconds since 1970 of the last try to fetch; 0 before the first.
    tried_ms: AtomicU64,
    /// Whether a token named a key that is not here since then.
    is_wanted: std::sync::atomic::AtomicBool,
}

#[derive(Debug, Default)]
struct Fetched {
    set: KeySet,
    /// Milliseconds since 1970; 0 for none.
    at_ms: u64,
    serial: u64,
}

impl Issuer {
    pub fn new(spec: IssuerSpec) -> Self {
        Self {
            spec,
            keys: ArcSwap::default(),
            verified: Verified::default(),
            tried_ms: AtomicU64::new(0),
            is_wanted: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// Puts the keys of `bytes` in force; tokens verified with the old ones verify again.
    ///
    /// # Errors
    /// Why they are not used. The old ones stay.
    pub fn set_keys(&self, bytes: &[u8], now_ms: u64) -> Result<(), KeySetError> {
        let takes_secrets = matches!(self.spec.keys, KeySource::File(_));
        let set = KeySet::parse(bytes, takes_secrets)?;
        let serial = self.keys.load().serial + 1;
        self.keys.store(Arc::new(Fetched { set, at_ms: now_ms.max(1), serial }));
        self.is_wanted.store(false, Ordering::Relaxed);
        Ok(())
    }

    pub fn has_keys(&self) -> bool {
        !self.keys.load().set.is_empty()
    }

    /// Whether to fetch now; if so, the try is noted, so that however many ask, one fetches.
    pub fn is_due(&self, now_ms: u64) -> bool {
        let tried = self.tried_ms.load(Ordering::Relaxed);
        let fetched = self.keys.load().at_ms;
        let wait = if fetched == 0 {
            RETRY_EVERY_MS
        } else if self.is_wanted.load(Ordering::Relaxed)
            || now_ms.saturating_sub(fetched) >= self.spec.refresh_ms
        {
            UNKNOWN_KEY_EVERY_MS.min(self.spec.refresh_ms)
        } else {
            self.spec.refresh_ms
        };
        let is_due = tried == 0 || now_ms.saturating_sub(tried) >= wait;
        is_due
            && self
                .tried_ms
                .compare_exchange(tried, now_ms.max(1), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn authenticate(
        &self,
        identities: &Identities,
        token: &str,
        now_ms: u64,
    ) -> Result<Arc<Principal>, JwtError> {
        let Whose::App(mapping) = &self.spec.whose else { return Err(JwtError::NoApp) };
        let keys = self.keys_at(token, now_ms)?;
        let now = now_ms / 1000;
        let basis = Basis { generation: identities.generation, keys: keys.serial };
        let digest = crate::auth::digest(token);
        if let Some(principal) = self.verified.get(&digest, basis, now) {
            return Ok(principal);
        }
        let claims = self.verify(&keys.set, token, now)?;
        let said = |name: &str| claims.text(name).map(str::to_owned);
        let app = mapping.app(identities, said).filter(|app| app.is_active).ok_or(JwtError::NoApp)?;
        let name = format!("jwt:{}", self.spec.name);
        let principal = Arc::new(Principal {
            key_id: plain_name(&name, claims.text("sub").unwrap_or_default()).into(),
            index: None,
            app: Some(app.clone()),
            own: None,
            claims: claims.said,
            rules: Rules::Governed(None),
        });
        self.verified.put(digest, basis, claims.ends, now, principal.clone());
        Ok(principal)
    }

    /// Which user of the admin API a token is of. Never remembered: such calls are few.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn identify(&self, token: &str, now_ms: u64) -> Result<Identity, JwtError> {
        let Whose::User { claim } = &self.spec.whose else { return Err(JwtError::NoApp) };
        let keys = self.keys_at(token, now_ms)?;
        let claims = self.verify(&keys.set, token, now_ms / 1000)?;
        // Anybody can write an address of somebody else's into a profile.
        if claim == "email" && !claims.has_verified_email {
            return Err(JwtError::Claims);
        }
        let subject = claims.text(claim).filter(|text| is_word(text)).ok_or(JwtError::Claims)?;
        Ok(Identity { issuer: self.spec.expected.issuer.clone(), subject: subject.to_owned() })
    }

    /// The keys to check `token` with.
    fn keys_at(&self, token: &str, now_ms: u64) -> Result<Guard<Arc<Fetched>>, JwtError> {
        if token.len() > super::TOKEN_BYTES_MAX {
            return Err(JwtError::TooLong);
        }
        let keys = self.keys.load();
        // Keys that nobody could confirm for so long may have been taken back.
        let is_own = matches!(self.spec.keys, KeySource::File(_));
        let is_old = !is_own && now_ms.saturating_sub(keys.at_ms) > self.spec.keep_ms;
        if keys.at_ms == 0 || is_old { Err(JwtError::UnknownKey) } else { Ok(keys) }
    }

    /// Form, signature, claims: in this order, so that nothing of an unsigned token is believed.
    pub(super) fn verify(&self, keys: &KeySet, token: &str, now: u64) -> Result<Claims, JwtError> {
        let jws = Jws::parse(token, &self.spec.algorithms)?;
        let verified = keys.verify(&jws);
        if verified == Err(JwtError::UnknownKey) {
            self.is_wanted.store(true, Ordering::Relaxed);
        }
        verified?;
        Claims::read(&jws.payload, &self.spec.expected, now)
    }
}
