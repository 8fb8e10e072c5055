//! From what a client presents to who it is: static keys of the configuration by digest, virtual
//! keys of the store by public id and keyed hash.
//!
//! A plain SHA-256 is enough for static keys because they are long and random, not passwords.
//! Invariant: no secret is kept, and neither text nor time of an answer tells an unknown credential
//! from a wrong, expired or blocked one.

use super::certificate::{Certificate, CertificateRules};
use super::identities::Identities;
use super::jwt::Issuer;
use super::pepper::Peppers;
use super::principal::Rules;
use super::token::{self, TokenKind};
use super::{AuthError, ModelGlobs, Principal};
use crate::govern::Actor;
use crate::types::{Claims, Priority};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// A longer credential is refused unread: hashing a whole header section would be work for nothing.
pub const PRESENTED_BYTES_MAX: usize = 1024;

/// One `[keys.*]` section.
#[derive(Clone, Debug)]
pub struct KeySpec {
    /// Its name in the configuration.
    pub id: String,
    /// SHA-256 of the secret, see [`digest`].
    pub digest: [u8; 32],
    pub models: ModelGlobs,
    pub priority: Priority,
}

/// Two keys have one secret, so a request could not be told to be one or the other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("keys `{first}` and `{second}` have the same secret")]
pub struct SharedSecret {
    pub first: String,
    pub second: String,
}

/// What of the configuration decides who is let in. The virtual keys lie in [`Identities`], which
/// change with the store and not with the file.
#[derive(Debug, Default)]
pub struct KeyRing {
    by_digest: HashMap<[u8; 32], Arc<Principal>>,
    peppers: Peppers,
    issuers: Vec<Arc<Issuer>>,
    logins: Vec<Arc<Issuer>>,
    certificates: Option<CertificateRules>,
}

/// SHA-256 of a secret, as stored.
pub fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl KeyRing {
    /// # Errors
    /// When two keys share a secret.
    pub fn new(keys: Vec<KeySpec>) -> Result<Self, SharedSecret> {
        let mut by_digest: HashMap<[u8; 32], Arc<Principal>> = HashMap::with_capacity(keys.len());
        for (index, key) in keys.into_iter().enumerate() {
            if let Some(first) = by_digest.get(&key.digest) {
                return Err(SharedSecret { first: first.key_id.to_string(), second: key.id });
            }
            let principal = Principal {
                key_id: key.id.into(),
                index: Some(index),
                app: None,
                own: None,
                claims: Claims::default(),
                rules: Rules::Static(key.models, key.priority),
            };
            by_digest.insert(key.digest, Arc::new(principal));
        }
        Ok(Self { by_digest, ..Self::default() })
    }

    pub fn with_peppers(mut self, peppers: Peppers) -> Self {
        self.peppers = peppers;
        self
    }

    pub fn with_issuers(mut self, issuers: Vec<Arc<Issuer>>) -> Self {
        self.issuers = issuers;
        self
    }

    /// Issuers whose tokens are credentials of users of the admin API.
    pub fn with_logins(mut self, logins: Vec<Arc<Issuer>>) -> Self {
        self.logins = logins;
        self
    }

    pub fn with_certificates(mut self, rules: Option<CertificateRules>) -> Self {
        self.certificates = rules;
        self
    }

    pub fn logins(&self) -> &[Arc<Issuer>] {
        &self.logins
    }

    pub fn issuers(&self) -> &[Arc<Issuer>] {
        &self.issuers
    }

    pub fn peppers(&self) -> &Peppers {
        &self.peppers
    }

    /// The holder of `presented` at `now_ms`, milliseconds since 1970. A request without a credential
    /// passes `""`, which takes the same time and never succeeds.
    ///
    /// # Errors
    /// [`AuthError::Invalid`], the same for every cause.
    pub fn authenticate(
        &self,
        identities: &Identities,
        presented: &str,
        now_ms: u64,
    ) -> Result<Arc<Principal>, AuthError> {
        if !self.issuers.is_empty() && is_jwt(presented) {
            return self.token(identities, presented, now_ms);
        }
        if presented.len() > PRESENTED_BYTES_MAX {
            return Err(AuthError::Invalid);
        }
        match token::public_id(TokenKind::Key, presented) {
            Some(public) => self.virtual_key(identities, public, presented, now_ms),
            None => self.static_key(presented),
        }
    }

    /// The holder of the certificate a request came with; None where the key sent beside it decides, or
    /// where certificates are no credentials.
    ///
    /// # Errors
    /// [`AuthError::Invalid`], the same for every cause.
    pub fn certified(
        &self,
        identities: &Identities,
        certificate: Option<&Certificate>,
        presented: &str,
        now_ms: u64,
    ) -> Option<Result<Arc<Principal>, AuthError>> {
        let certificate = certificate?;
        let is_good = certificate.is_good(now_ms);
        if certificate.is_required && !is_good {
            return Some(Err(AuthError::Invalid));
        }
        let rules = self.certificates.as_ref().filter(|_| is_good)?;
        let decides = presented.is_empty() || rules.over_keys;
        decides.then(|| rules.authenticate(identities, certificate, now_ms))
    }

    /// Every issuer looks at it: what a token says of itself chooses nothing before it is proved.
    fn token(
        &self,
        identities: &Identities,
        presented: &str,
        now_ms: u64,
    ) -> Result<Arc<Principal>, AuthError> {
        let proofs = self.issuers.iter().map(|issuer| issuer.authenticate(identities, presented, now_ms));
        proofs.into_iter().find_map(Result::ok).ok_or(AuthError::Invalid)
    }

    fn static_key(&self, presented: &str) -> Result<Arc<Principal>, AuthError> {
        let digest = digest(presented);
        // The map compares digests, which tell a guesser nothing about secrets. The compare that
        // decides is constant in time all the same, and is made for an unknown digest too.
        let found = self.by_digest.get_key_value(&digest);
        let stored = found.map_or(&[0; 32], |(stored, _)| stored);
        let is_equal = bool::from(stored.ct_eq(&digest));
        match found {
            Some((_, principal)) if is_equal && !presented.is_empty() => Ok(principal.clone()),
            _ => Err(AuthError::Invalid),
        }
    }

    /// A key of the form made here may still be a static one: somebody's own choice of a secret.
    fn virtual_key(
        &self,
        identities: &Identities,
        public: &str,
        presented: &str,
        now_ms: u64,
    ) -> Result<Arc<Principal>, AuthError> {
        let entry = identities.key(public);
        let kept = entry.map_or([None, None], |entry| entry.hashes(now_ms));
        // Also where there is nothing to compare with: an unknown key takes as long as a wrong one.
        let is_right = self.peppers.verify(presented, &kept);
        match entry {
            Some(entry) if is_right && now_ms < entry.expires_ms => {
                entry.principal.clone().ok_or(AuthError::Invalid)
            }
            Some(_) => Err(AuthError::Invalid),
            None => self.static_key(presented),
        }
    }

    /// The user of the admin API whose token this is.
    ///
    /// # Errors
    /// [`AuthError::Invalid`], the same for every cause.
    pub fn user(
        &self,
        identities: &Identities,
        presented: &str,
        now_ms: u64,
    ) -> Result<Arc<Actor>, AuthError> {
        if !self.logins.is_empty() && is_jwt(presented) {
            let proofs = self.logins.iter().filter_map(|issuer| issuer.identify(presented, now_ms).ok());
            let users = proofs.filter_map(|identity| identities.login(&identity));
            let actor = users.filter(|user| user.is_active).map(|user| user.actor.clone()).next();
            return actor.ok_or(AuthError::Invalid);
        }
        let public = token::public_id(TokenKind::User, presented).unwrap_or_default();
        let entry = identities.user(public);
        let kept = entry.and_then(|entry| entry.hash.as_ref());
        let is_right = self.peppers.verify(presented, &[kept]);
        match entry {
            Some(entry) if is_right && entry.is_active => Ok(entry.actor.clone()),
            _ => Err(AuthError::Invalid),
        }
    }
}

/// The form of a compact JWS, whose header is a JSON object.
fn is_jwt(presented: &str) -> bool {
    presented.starts_with("ey") && presented.bytes().filter(|byte| *byte == b'.').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, secret: &str) -> KeySpec {
        let models = ModelGlobs::new(["gpt-5", "text-*"]);
        KeySpec { id: id.into(), digest: digest(secret), models, priority: Priority::Normal }
    }

    fn ask(ring: &KeyRing, presented: &str) -> Result<Arc<Principal>, AuthError> {
        ring.authenticate(&Identities::default(), presented, 0)
    }

    #[test]
    fn the_right_secret_finds_its_holder_with_models_and_index() {
        let ring = KeyRing::new(vec![key("ci", "tg-one"), key("dev", "tg-two")]).unwrap();
        let dev = ask(&ring, "tg-two").unwrap();
        assert_eq!((&*dev.key_id, dev.index), ("dev", Some(1)));
        assert!(dev.may_use("text-embedding-3") && !dev.may_use("claude"));
    }

    #[test]
    fn missing_wrong_and_overlong_are_one_error() {
        let ring = KeyRing::new(vec![key("ci", "tg-one")]).unwrap();
        let long = "x".repeat(PRESENTED_BYTES_MAX + 1);
        for wrong in ["", "tg-on", "tg-one ", "tg-onE", &long] {
            assert_eq!(ask(&ring, wrong).err(), Some(AuthError::Invalid), "{wrong}");
        }
    }

    #[test]
    fn an_empty_secret_in_the_configuration_does_not_open_the_door() {
        let ring = KeyRing::new(vec![key("oops", "")]).unwrap();
        assert_eq!(ask(&ring, "").err(), Some(AuthError::Invalid));
    }

    #[test]
    fn a_static_key_may_have_the_form_of_a_virtual_one() {
        let made = token::mint(TokenKind::Key).unwrap();
        let ring = KeyRing::new(vec![key("own", made.text.expose())]).unwrap();
        assert!(ask(&ring, made.text.expose()).is_ok());
    }

    #[test]
    fn two_keys_with_one_secret_are_refused_by_name() {
        let error = KeyRing::new(vec![key("a", "same"), key("b", "same")]).unwrap_err();
        assert_eq!(error.to_string(), "keys `a` and `b` have the same secret");
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let ring = KeyRing::new(vec![key("ci", "tg-canary")]).unwrap();
        assert!(!format!("{ring:?}").contains("canary"));
    }

    #[test]
    fn a_digest_is_plain_sha256() {
        let hex: String = digest("abc").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
