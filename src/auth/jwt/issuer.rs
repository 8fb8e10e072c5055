//! One issuer of tokens: what is asked of them, the keys it publishes, and whose they are here.

use super::JwtError;
use super::cache::{Basis, Verified};
use super::claims::{Claims, Expected};
use super::jwk::{KeySet, KeySetError};
use super::jws::{Algorithm, Jws};
use crate::auth::identities::Identities;
use crate::auth::principal::{AppView, Principal, Rules};
use arc_swap::ArcSwap;
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
    pub mapping: Mapping,
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

/// Where a name comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Claim(String),
    Fixed(String),
}

/// Which app a token is of. `app` is an id, or a name in the team of that name in the tenant of that
/// name; what is named beside an id must fit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub tenant: Option<Origin>,
    pub team: Option<Origin>,
    pub app: Origin,
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
        if token.len() > super::TOKEN_BYTES_MAX {
            return Err(JwtError::TooLong);
        }
        let keys = self.keys.load();
        // Keys that nobody could confirm for so long may have been taken back.
        let is_own = matches!(self.spec.keys, KeySource::File(_));
        let is_old = !is_own && now_ms.saturating_sub(keys.at_ms) > self.spec.keep_ms;
        if keys.at_ms == 0 || is_old {
            return Err(JwtError::UnknownKey);
        }
        let now = now_ms / 1000;
        let basis = Basis { generation: identities.generation, keys: keys.serial };
        let digest = crate::auth::digest(token);
        if let Some(principal) = self.verified.get(&digest, basis, now) {
            return Ok(principal);
        }
        let claims = self.verify(&keys.set, token, now)?;
        let app = self.app(identities, &claims).filter(|app| app.is_active).ok_or(JwtError::NoApp)?;
        let principal = Arc::new(Principal {
            key_id: self.name_of(&claims).into(),
            index: None,
            app: Some(app.clone()),
            scopes: app.scopes.clone(),
            rules: Rules::Governed(None),
        });
        self.verified.put(digest, basis, claims.ends, now, principal.clone());
        Ok(principal)
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

    /// `jwt:NAME:SUBJECT`; a subject that is not plain is told by its digest.
    fn name_of(&self, claims: &Claims) -> String {
        let subject = claims.text("sub").unwrap_or_default();
        let is_plain = subject.len() <= 64 && subject.bytes().all(|byte| byte.is_ascii_graphic());
        let name = &self.spec.name;
        if is_plain {
            return format!("jwt:{name}:{subject}");
        }
        let digest = crate::auth::pepper::hex(&crate::auth::digest(subject));
        format!("jwt:{name}:sha256-{digest}")
    }

    fn app<'i>(&self, identities: &'i Identities, claims: &Claims) -> Option<&'i Arc<AppView>> {
        let mapping = &self.spec.mapping;
        let read = |origin: &Origin| match origin {
            Origin::Claim(name) => claims.text(name).map(str::to_owned),
            Origin::Fixed(text) => Some(text.clone()),
        };
        let app = read(&mapping.app)?;
        // A mapped claim that is missing does not widen what the token is good for.
        let tenant = mapping.tenant.as_ref().map(read);
        let team = mapping.team.as_ref().map(read);
        let (tenant, team) = (flat(tenant)?, flat(team)?);
        if let Some(view) = identities.app(&app) {
            let fits = |text: &Option<String>, id: &str, name: &str| {
                text.as_deref().is_none_or(|text| text == id || text == name)
            };
            let is_it =
                fits(&tenant, &view.tenant, &view.names.tenant) && fits(&team, &view.team, &view.names.team);
            return is_it.then_some(view);
        }
        identities.app_named(&tenant?, &team?, &app)
    }
}

/// Mapped and there, or not mapped; None for what is mapped and missing.
fn flat(mapped: Option<Option<String>>) -> Option<Option<String>> {
    match mapped {
        None => Some(None),
        Some(text) => text.map(Some),
    }
}
