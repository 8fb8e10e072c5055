//! How much a key may use: requests and tokens a minute, calls at once; and the first line against
//! floods by address.
//!
//! Not here: budgets in money, limits shared between nodes. Invariant: a call that is refused uses
//! nothing, and whatever becomes of a call that was let in, its slot and its unused tokens come back.

pub mod exceeded;
pub mod flood;
pub mod keys;
pub mod reservation;
pub mod snapshot;
mod state;
mod window;

#[cfg(test)]
mod model_tests;

pub use exceeded::{Limit, LimitExceeded};
pub use flood::FloodGate;
pub use keys::{KeyLimits, Limits};
pub use reservation::Reservation;
pub use snapshot::{Allowance, GoDuration, RateSnapshot};
