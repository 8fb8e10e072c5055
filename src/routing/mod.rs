//! Where a request goes: which model a name means, which targets serve it in which order, whether a
//! failure moves on, and what is left alone for a while.
//!
//! Pure decisions: no call is made here, time and random numbers come from the caller. Invariant:
//! one request makes at most its number of attempts, over all targets together.

pub mod attempts;
mod cell;
pub mod cooldown;
pub mod credentials;
pub mod decision;
mod failure_window;
mod numbers;
pub mod pins;
pub mod plan;
pub mod policy;
mod reset_headers;
pub mod retry_after;
mod spans;
pub mod table;
pub mod target;

#[cfg(test)]
mod cooldown_tests;

pub use attempts::AttemptOrder;
pub use cell::CooldownRules;
pub use cooldown::{Blame, CooldownSet, blame};
pub use credentials::{CredentialPick, pick_credential};
pub use decision::{Decision, decide};
pub use pins::{Pin, Pins};
pub use plan::{Plan, plan};
pub use policy::{FailoverPolicy, StatusSet};
pub use retry_after::retry_after;
pub use table::ModelTable;
pub use target::{Balance, Target, TargetState};
