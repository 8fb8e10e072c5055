//! Floor 4: what several nodes share through Redis: budgets lent out in slices, limits leased in parts.
//!
//! Not here: what to ask for (`limits::plan`), when (`jobs`). Nothing on the path of a request calls
//! this. Invariants: every command has a timeout; a request that is sent twice, or comes late, counts
//! once; what is lent and what was spent never exceed a budget together, whichever node dies.

mod connection;
mod lua;
mod redis_bank;
mod scale;

#[cfg(test)]
mod tests;

pub use redis_bank::{LEASE_MILLIS, RedisBank, RedisSettings};
