//! Where a request goes: which model a name means, which targets serve it in which order, whether a
//! failure moves on, and what is left alone for a while.
//!
//! Pure decisions: no call is made here, time and random numbers come from the caller. Invariant:
//! one request makes at most its number of attempts, over all targets together.

mod adaptive;
pub mod affinity;
pub mod attempts;
mod balance;
mod cell;
pub mod condition;
pub mod cooldown;
pub mod credentials;
mod decayed;
pub mod decision;
mod failure_window;
mod fair;
pub mod gate;
pub mod group;
pub mod headroom;
mod hedge_share;
pub mod live;
pub mod lobby;
pub mod look;
pub mod needs;
mod numbers;
pub mod percentile;
pub mod pins;
pub mod plan;
pub mod policy;
pub mod prefix;
pub mod prefix_index;
pub mod price;
pub mod record;
mod reset_headers;
pub mod retry_after;
pub mod retry_budget;
pub mod scraped;
mod sense;
mod spans;
pub mod table;
pub mod target;
pub mod told;
pub mod vital;

#[cfg(test)]
mod adaptive_tests;
#[cfg(test)]
mod balance_tests;
#[cfg(test)]
mod cooldown_tests;
#[cfg(test)]
mod fair_tests;
#[cfg(test)]
mod lobby_tests;
#[cfg(test)]
mod plan_tests;

pub use affinity::SessionKey;
pub use attempts::AttemptOrder;
pub use cell::CooldownRules;
pub use condition::{Condition, ConditionError, Facts};
pub use cooldown::{Blame, CooldownSet, blame};
pub use credentials::{CredentialPick, pick_credential};
pub use decision::{Decision, decide};
pub use fair::Place as Standing;
pub use gate::{Concurrency, PACE, Slot};
pub use group::{Balance, Group, Member, Place, Tree};
pub use headroom::headroom;
pub use hedge_share::HedgeShare;
pub use live::{LiveSet, Measured, TargetLive};
pub use lobby::{Called, Crowded, Grant, Lobby, Ticket, Wanted};
pub use look::{Look, Verdict};
pub use needs::{Abilities, DataRules, Needs};
pub use percentile::Percentiles;
pub use pins::{Pin, Pins};
pub use plan::{Ask, Panic, Plan, plan};
pub use policy::{FailoverPolicy, StatusSet};
pub use prefix::Prompt;
pub use prefix_index::{Matched, PrefixIndex};
pub use price::PriceTag;
pub use record::{Recorded, Seen};
pub use retry_after::retry_after;
pub use retry_budget::{RetryBudget, RetryRules};
pub use scraped::{Gauges, ScrapeKind};
pub use table::ModelTable;
pub use target::{Target, TargetState};
pub use told::Told;
pub use vital::{Load, Vital, VitalRules, VitalTurn};
