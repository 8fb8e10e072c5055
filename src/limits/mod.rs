//! How much callers may use: requests and tokens a span, calls at once, money; by key and by what the
//! key belongs to. And the first line against floods by address.
//!
//! Not here: talking to other nodes (`cluster`, `jobs`), counting tokens (`meter`), prices (`catalog`).
//! Invariant: a call that is refused uses nothing, and whatever becomes of a call that was let in, its
//! slots, its unused tokens and its unspent money come back.

pub mod alert;
pub mod ask;
mod calendar;
pub mod exceeded;
pub mod flood;
mod gauge;
mod guards;
pub mod level;
#[expect(clippy::module_inception, reason = "the folder's noun is its main type")]
pub mod limits;
mod line;
pub mod plan;
mod purse;
pub mod reservation;
pub mod scope;
pub mod shed;
mod sliding;
pub mod snapshot;
mod state;
pub mod till;

#[cfg(test)]
mod budget_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod tests;

pub use alert::Alert;
pub use ask::{Ask, Price, Settlement};
pub use calendar::{ZoneError, check_zone};
pub use exceeded::{Exceeded, Exhausted, Refusal};
pub use flood::FloodGate;
pub use level::Level;
pub use limits::{Chain, Limits};
pub use line::SLICE;
pub use reservation::Reservation;
pub use scope::{Scope, ScopeSpec};
pub use shed::{Pressure, Readings, ShedRules, Shedder, Stage};
pub use snapshot::{Allowance, GoDuration, RateSnapshot};
pub use till::{OnLoss, Sharing, Till};
