//! Who a credential proved to be.

use super::ModelGlobs;
use super::access::{self, Access};
use super::shop::{Shop, Subscribed};
use crate::govern::Scope;
use crate::types::{Claims, Endpoint, Priority, Reason, Reject};
use std::net::IpAddr;
use std::sync::Arc;

/// The holder of a credential. Immutable; shared by every request it makes.
#[derive(Debug)]
pub struct Principal {
    /// The key's name in the configuration, a virtual key's id, or what a token says. Safe to log;
    /// no secret is in here.
    pub key_id: Box<str>,
    /// Place of a static key in the list the ring was made from: the index `limits` knows it by.
    pub index: Option<usize>,
    /// Where it belongs; None for static keys, which belong to the configuration.
    pub app: Option<Arc<AppView>>,
    /// Rules of the key's own, below those of its app.
    pub own: Option<Box<Scope>>,
    /// What its token says; nothing for keys and certificates.
    pub claims: Claims,
    pub(super) rules: Rules,
}

/// An app with all above it, as its callers need it.
#[derive(Debug)]
pub struct AppView {
    pub tenant: Arc<str>,
    pub team: Arc<str>,
    pub app: Arc<str>,
    /// Tenant, team and app.
    pub scopes: Arc<[Scope]>,
    /// Beside `scopes`, one each.
    pub(super) access: Box<[Option<Access>]>,
    pub(super) shop: Shop,
    pub names: Names,
    /// Whether nothing of it is blocked.
    pub is_active: bool,
}

/// As people name them.
#[derive(Debug)]
pub struct Names {
    pub tenant: Box<str>,
    pub team: Box<str>,
    pub app: Box<str>,
}

/// What the credential itself allows.
#[derive(Debug)]
pub(super) enum Rules {
    /// A static key's list of models, and its priority.
    Static(ModelGlobs, Priority),
    /// A virtual key's own lists, beside the last of `scopes`; None where it has none.
    Governed(Option<Box<Access>>),
}

impl Principal {
    /// Whether the caller may name `model`, as it wrote it.
    pub fn may_use(&self, model: &str) -> bool {
        self.admit_model(model).is_ok()
    }

    /// The subscription that a call of `model` goes under, if it takes one.
    ///
    /// # Errors
    /// The refusal, naming the level that does not allow it.
    pub fn admit_model(&self, model: &str) -> Result<Option<&Subscribed>, Reject> {
        self.each(|access| access.allows_model(model), |scope| access::model_refused(scope, model))?;
        match (&self.rules, &self.app) {
            (Rules::Static(globs, _), _) if !globs.contains(model) => {
                let message = format!("this key may not use the model `{model}`");
                Err(Reject::new(Reason::ModelNotAllowed, message).with_param("model"))
            }
            (_, Some(app)) => app.shop.admit(model),
            (_, None) => Ok(None),
        }
    }

    /// Levels with rules, the outermost first: tenant, team, app, key. None for static keys. A
    /// subscription's level comes with the model, see [`admit_model`](Self::admit_model).
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        let above = self.app.iter().flat_map(|app| app.scopes.iter());
        above.chain(self.own.as_deref())
    }

    fn innermost(&self) -> Option<&Scope> {
        self.own.as_deref().or_else(|| self.app.as_ref()?.scopes.last())
    }

    /// The highest priority its calls may have. No level gives more than one around it says.
    pub fn priority(&self) -> Priority {
        let stated = self.scopes().filter_map(|scope| scope.policy.priority);
        match &self.rules {
            Rules::Static(_, priority) => *priority,
            Rules::Governed(_) => stated.max().unwrap_or_default(),
        }
    }

    /// Whose share of a line its calls stand in: its tenant's, or its own.
    pub fn share(&self) -> &str {
        self.app.as_ref().map_or(&self.key_id, |app| &*app.tenant)
    }

    /// # Errors
    /// The refusal, naming the level that does not allow the endpoint or the client's address.
    pub fn admit_call(&self, endpoint: Endpoint, address: Option<IpAddr>) -> Result<(), Reject> {
        self.each(|access| access.allows_address(address), access::address_refused)?;
        self.each(|access| access.allows_endpoint(endpoint), access::endpoint_refused)?;
        match (endpoint, self.innermost()) {
            (Endpoint::Opaque, Some(scope)) if !self.names_opaque() => Err(access::endpoint_refused(scope)),
            _ => Ok(()),
        }
    }

    /// Files and batches name models in bodies that are passed on unread, past every list of models:
    /// some level must have let them through by name.
    fn names_opaque(&self) -> bool {
        let own = match &self.rules {
            Rules::Governed(own) => own.as_deref(),
            Rules::Static(..) => None,
        };
        let above = self.app.iter().flat_map(|app| &app.access).filter_map(Option::as_ref);
        above.chain(own).any(|access| access.lists_endpoint(Endpoint::Opaque))
    }

    /// Asks every level that has lists, the outermost first.
    fn each(
        &self,
        allows: impl Fn(&Access) -> bool,
        refused: impl Fn(&Scope) -> Reject,
    ) -> Result<(), Reject> {
        let Some(app) = &self.app else { return Ok(()) };
        for (scope, access) in app.scopes.iter().zip(&app.access) {
            if access.as_ref().is_some_and(|access| !allows(access)) {
                return Err(refused(scope));
            }
        }
        match (&self.rules, self.innermost()) {
            (Rules::Governed(Some(own)), Some(scope)) if !allows(own) => Err(refused(scope)),
            _ => Ok(()),
        }
    }
}
