//! What one level lets its callers do: a policy's lists, ready to be asked.
//!
//! Fails closed: an entry that cannot be read (the admin API lets none in) matches nothing.

use super::ModelGlobs;
use crate::govern::{Policy, Scope};
use crate::types::cidr::Cidr;
use crate::types::{Endpoint, Reason, Reject};
use std::net::IpAddr;

/// The lists of one scope; None where the policy has none.
#[derive(Debug)]
pub struct Access {
    models: Option<ModelGlobs>,
    endpoints: Option<Box<[Endpoint]>>,
    ips: Option<Box<[Cidr]>>,
}

impl Access {
    /// None where the policy lists nothing, so that there is nothing to ask.
    pub fn of(policy: &Policy) -> Option<Self> {
        let access = Self {
            models: policy.models.as_ref().map(ModelGlobs::new),
            endpoints: policy.endpoints.as_deref().map(endpoints),
            ips: policy.ips.as_deref().map(addresses),
        };
        let is_open = access.models.is_none() && access.endpoints.is_none() && access.ips.is_none();
        (!is_open).then_some(access)
    }

    pub fn allows_model(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|globs| globs.contains(model))
    }

    pub fn allows_endpoint(&self, endpoint: Endpoint) -> bool {
        self.endpoints.as_ref().is_none_or(|list| list.contains(&endpoint))
    }

    /// Whether a list is there and names it.
    pub fn lists_endpoint(&self, endpoint: Endpoint) -> bool {
        self.endpoints.as_ref().is_some_and(|list| list.contains(&endpoint))
    }

    /// An unknown address is in no list.
    pub fn allows_address(&self, address: Option<IpAddr>) -> bool {
        let holds = |list: &[Cidr]| address.is_some_and(|ip| list.iter().any(|range| range.contains(ip)));
        self.ips.as_deref().is_none_or(holds)
    }
}

fn endpoints(labels: &[String]) -> Box<[Endpoint]> {
    Endpoint::ALL
        .into_iter()
        .filter(|endpoint| labels.iter().any(|label| label == endpoint.as_str()))
        .collect()
}

fn addresses(texts: &[String]) -> Box<[Cidr]> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Refusals name the level, so that the caller knows whom to ask, and nothing of other levels.
pub(super) fn model_refused(scope: &Scope, model: &str) -> Reject {
    let (level, id) = (scope.level.as_str(), scope.id());
    let message = format!("the {level} `{id}` does not allow the model `{model}`");
    Reject::new(Reason::ModelNotAllowed, message).with_param("model")
}

pub(super) fn endpoint_refused(scope: &Scope) -> Reject {
    let (level, id) = (scope.level.as_str(), scope.id());
    Reject::new(Reason::EndpointNotAllowed, format!("the {level} `{id}` does not allow this endpoint"))
}

pub(super) fn address_refused(scope: &Scope) -> Reject {
    let (level, id) = (scope.level.as_str(), scope.id());
    let message = format!("the {level} `{id}` does not allow calls from this address");
    Reject::new(Reason::AddressNotAllowed, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn access(value: serde_json::Value) -> Option<Access> {
        Access::of(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn an_absent_list_asks_nothing_and_an_empty_one_allows_nothing() {
        assert!(access(json!({"limits": []})).is_none());
        let closed = access(json!({"models": [], "endpoints": [], "ips": []})).unwrap();
        assert!(!closed.allows_model("x") && !closed.allows_endpoint(Endpoint::Messages));
        assert!(!closed.allows_address(Some("127.0.0.1".parse().unwrap())));
    }

    #[test]
    fn lists_allow_what_they_name() {
        let some =
            access(json!({"models": ["gpt-*"], "endpoints": ["messages"], "ips": ["10.0.0.0/8"]})).unwrap();
        assert!(some.allows_model("gpt-5") && !some.allows_model("claude"));
        assert!(some.allows_endpoint(Endpoint::Messages) && !some.allows_endpoint(Endpoint::Embeddings));
        assert!(some.allows_address(Some("10.9.9.9".parse().unwrap())));
        assert!(!some.allows_address(Some("11.0.0.1".parse().unwrap())) && !some.allows_address(None));
    }

    #[test]
    fn what_cannot_be_read_matches_nothing() {
        let broken = access(json!({"endpoints": ["chat"], "ips": ["not an address"]})).unwrap();
        assert!(Endpoint::ALL.iter().all(|endpoint| !broken.allows_endpoint(*endpoint)));
        assert!(!broken.allows_address(Some("10.0.0.1".parse().unwrap())));
    }
}
