//! Who is let in, by a configuration: keys, issuers of tokens, certificates, and users of the admin API.

use super::{AssembleError, Builder, globs, pepper};
use crate::auth::jwt::{Issuer, IssuerSpec, KeySource};
use crate::auth::{Hosts, KeyRing, KeySpec, Peppers};
use crate::runtime::AdminPolicy;
use crate::store::StoreUrl;
use crate::telemetry::WallClock;
use std::sync::Arc;

impl Builder<'_> {
    pub(super) fn keys(&self) -> Result<KeyRing, AssembleError> {
        let specs = self.config.keys.iter().map(|(id, key)| KeySpec {
            id: id.clone(),
            digest: key.secret_sha256,
            models: globs(&key.models),
            priority: key.priority,
        });
        let ring = KeyRing::new(specs.collect()).map_err(|error| AssembleError::Keys(error.to_string()))?;
        let auth = &self.config.auth;
        Ok(ring
            .with_peppers(self.peppers()?)
            .with_issuers(self.issuers(&auth.issuers, KeyRing::issuers)?)
            .with_logins(self.issuers(&self.config.admin.issuers, KeyRing::logins)?)
            .with_certificates(auth.certificates.clone()))
    }

    /// A node with a database of its own and no pepper in its file has one beside the database.
    fn peppers(&self) -> Result<Peppers, AssembleError> {
        let given = &self.config.auth.peppers;
        let url = self.config.store.as_ref().filter(|_| given.is_empty());
        match url.map(|store| StoreUrl::parse(store.url.expose())) {
            Some(Ok(StoreUrl::Sqlite(path))) => {
                let fault = |error| AssembleError::Keys(format!("{}.pepper {error}", path.display()));
                pepper::beside(&path).map(|made| Peppers::new(&[made])).map_err(fault)
            }
            _ => Ok(Peppers::new(given)),
        }
    }

    /// With the same section an issuer stays, and with it the keys it has fetched.
    fn issuers(
        &self,
        specs: &[IssuerSpec],
        known: fn(&KeyRing) -> &[Arc<Issuer>],
    ) -> Result<Vec<Arc<Issuer>>, AssembleError> {
        let old = self.previous.map_or(&[] as &[Arc<Issuer>], |previous| known(&previous.keys));
        let issuer = |spec: &IssuerSpec| match old.iter().find(|old| old.spec == *spec) {
            Some(old) if !matches!(spec.keys, KeySource::File(_)) => Ok(old.clone()),
            _ => issuer_of(spec),
        };
        specs.iter().map(issuer).collect()
    }

    pub(super) fn admin_policy(&self) -> AdminPolicy {
        let admin = &self.config.admin;
        let mut hosts = admin.hosts.clone();
        if !admin.listen.ip().is_unspecified() {
            hosts.push(admin.listen.ip().to_string());
        }
        let token = admin.token.as_ref().map(|token| crate::auth::digest(token.expose()));
        AdminPolicy { token, hosts: Hosts::new(hosts) }
    }
}

/// An issuer with keys of a file has them from the start.
fn issuer_of(spec: &IssuerSpec) -> Result<Arc<Issuer>, AssembleError> {
    let issuer = Issuer::new(spec.clone());
    if let KeySource::File(path) = &spec.keys {
        let fault = |what: String| AssembleError::Issuer { issuer: spec.name.clone(), what };
        let bytes = std::fs::read(path).map_err(|error| fault(format!("{}: {error}", path.display())))?;
        let used = issuer.set_keys(&bytes, WallClock.unix_ms());
        used.map_err(|error| fault(format!("{} {error}", path.display())))?;
    }
    Ok(Arc::new(issuer))
}
