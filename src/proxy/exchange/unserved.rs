//! What is said of a body that cannot be served as it is: where it is broken, what a target cannot
//! take, what is left out.

use crate::chat::{Losses, Refused};
use crate::dialect::codec::places;
use crate::framing::json::{JsonError, JsonFault, path_at};
use crate::runtime::OnUnsupported;
use crate::types::{Reason, Reject};

/// The refusal of a body that is no JSON.
pub fn malformed(body: &[u8], error: JsonError) -> Reject {
    let reason = match error.fault {
        JsonFault::Duplicate => Reason::DuplicateField,
        _ => Reason::InvalidJson,
    };
    let place = u32::try_from(error.at).ok().and_then(|at| path_at(body, at));
    let reject = Reject::new(reason, error.to_string());
    match place {
        Some(path) if reason == Reason::DuplicateField => reject.with_param(path),
        _ => reject,
    }
}

/// 400 naming the place, which `told` makes of its path in `body`.
pub fn unserved(body: &[u8], refused: &Refused, told: impl Fn(String) -> String) -> Reject {
    match places::of_refusal(body, refused).map(told) {
        Some(place) => {
            let message = format!("`{place}`: {}", refused.message);
            Reject::new(Reason::InvalidRequest, message).with_param(place)
        }
        None => Reject::new(Reason::InvalidRequest, refused.message.clone()),
    }
}

/// The paths of what was left out, each as `told` makes it of its path in `body`; at last how many
/// more there are.
pub fn dropped(body: &[u8], losses: &Losses, told: impl Fn(String) -> String) -> Vec<String> {
    let mut paths: Vec<String> = places::of_losses(body, losses).into_iter().map(told).collect();
    paths.dedup();
    if losses.more() > 0 {
        paths.push(format!("+{}", losses.more()));
    }
    paths
}

/// What a model refuses to lose.
///
/// # Errors
/// 400 naming the first thing left out, where the policy says so.
pub fn refuse_losses(policy: OnUnsupported, dropped: &[String]) -> Result<(), Reject> {
    match dropped.first() {
        Some(first) if policy == OnUnsupported::Reject => {
            let message =
                format!("the model's provider has no `{first}`, and this model refuses to leave it out");
            Err(Reject::new(Reason::InvalidRequest, message).with_param(first.clone()))
        }
        _ => Ok(()),
    }
}
