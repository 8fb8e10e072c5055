//! Which models are published, and which of them an app may call by its subscriptions.
//!
//! A model is published by every active plan that lists it, of the app's tenant or of the
//! installation. A published model is closed to an app until one of its subscriptions to such a plan
//! is approved; all other models are left to the levels' lists.

use super::ModelGlobs;
use crate::govern::{Scope, SubscriptionState};
use crate::types::{Reason, Reject};
use std::sync::Arc;

/// A plan as far as calls are concerned.
#[derive(Debug)]
pub struct Offer {
    pub plan: Arc<str>,
    pub name: Box<str>,
    pub models: ModelGlobs,
}

/// An app's use of a plan.
#[derive(Debug)]
pub struct Subscribed {
    pub state: SubscriptionState,
    /// The subscription's level: the plan's limits and budgets, for this app alone.
    pub scope: Scope,
    /// Added to the provider's price, in hundredths of a percent.
    pub margin_bp: u32,
    pub plan: Arc<str>,
    /// Whether the plan may be used at all.
    pub is_active: bool,
}

/// What an app finds published.
#[derive(Debug, Default)]
pub struct Shop {
    pub offers: Arc<[Arc<Offer>]>,
    pub subscribed: Box<[Subscribed]>,
}

impl Shop {
    /// The subscription a call of `model` goes under; None where the model is not published.
    ///
    /// # Errors
    /// The refusal, with what is missing.
    pub fn admit(&self, model: &str) -> Result<Option<&Subscribed>, Reject> {
        let mut published = None;
        let mut nearest: Option<&Subscribed> = None;
        for offer in self.offers.iter().filter(|offer| offer.models.contains(model)) {
            published = published.or(Some(offer));
            for subscribed in self.subscribed.iter().filter(|subscribed| subscribed.plan == offer.plan) {
                if subscribed.state == SubscriptionState::Approved && subscribed.is_active {
                    return Ok(Some(subscribed));
                }
                nearest = Some(subscribed);
            }
        }
        published.map_or(Ok(None), |offer| Err(refused(model, offer, nearest)))
    }
}

fn refused(model: &str, offer: &Offer, nearest: Option<&Subscribed>) -> Reject {
    let plan = &offer.name;
    let why = match nearest {
        None => format!("subscribe to the plan `{plan}`"),
        Some(Subscribed { is_active: false, .. }) => format!("the plan `{plan}` is blocked"),
        Some(subscribed) => {
            let id = subscribed.scope.id();
            match subscribed.state {
                SubscriptionState::Requested => format!("the subscription `{id}` waits for approval"),
                SubscriptionState::Refused => format!("the subscription `{id}` was refused"),
                SubscriptionState::Revoked => format!("the subscription `{id}` was revoked"),
                SubscriptionState::Approved => format!("the subscription `{id}` is not in force"),
            }
        }
    };
    let message = format!("the model `{model}` needs an approved subscription: {why}");
    Reject::new(Reason::SubscriptionRequired, message).with_param("model")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::{Level, Policy};

    fn offer(plan: &str, models: &[&str]) -> Arc<Offer> {
        Arc::new(Offer { plan: plan.into(), name: plan.into(), models: ModelGlobs::new(models) })
    }

    fn subscribed(plan: &str, state: SubscriptionState) -> Subscribed {
        let scope = Scope::new(Level::Subscription, "sub_1", Arc::new(Policy::default()));
        Subscribed { state, scope, margin_bp: 1500, plan: plan.into(), is_active: true }
    }

    fn shop(subscribed: Vec<Subscribed>) -> Shop {
        let offers = Arc::from([offer("gold", &["gpt-*"]), offer("silver", &["gpt-5"])]);
        Shop { offers, subscribed: subscribed.into() }
    }

    #[test]
    fn what_is_not_published_needs_no_subscription() {
        assert!(shop(vec![]).admit("claude").unwrap().is_none());
    }

    #[test]
    fn an_approved_subscription_to_any_plan_with_the_model_opens_it() {
        let shop = shop(vec![subscribed("silver", SubscriptionState::Approved)]);
        assert_eq!(shop.admit("gpt-5").unwrap().unwrap().margin_bp, 1500);
        assert!(shop.admit("gpt-6").is_err());
    }

    #[test]
    fn every_other_state_is_a_403_that_says_which() {
        for (state, words) in [
            (SubscriptionState::Requested, "waits for approval"),
            (SubscriptionState::Refused, "was refused"),
            (SubscriptionState::Revoked, "was revoked"),
        ] {
            let reject = shop(vec![subscribed("gold", state)]).admit("gpt-5").unwrap_err();
            assert_eq!((reject.status, reject.reason), (403, Reason::SubscriptionRequired));
            assert!(reject.message.contains(words), "{}", reject.message);
        }
        let reject = shop(vec![]).admit("gpt-5").unwrap_err();
        assert!(reject.message.contains("subscribe to the plan `gold`"), "{}", reject.message);
    }

    #[test]
    fn a_blocked_plan_opens_nothing() {
        let mut blocked = subscribed("gold", SubscriptionState::Approved);
        blocked.is_active = false;
        let reject = shop(vec![blocked]).admit("gpt-5").unwrap_err();
        assert!(reject.message.contains("is blocked"), "{}", reject.message);
    }
}
