//! The store's conformance: one suite, run on SQLite and on PostgreSQL, and what both do when they are
//! killed, locked, full, cut off or away.
//!
//! PostgreSQL is found by `TIDEGATE_TEST_POSTGRES`, the address of a cluster that databases may be made
//! in; without it those tests say so and pass. `scripts/test` starts one.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests and their helpers fail by panicking"
)]
#![expect(clippy::disallowed_methods, reason = "tests read their environment and measure from outside")]

mod harness;

mod audit;
mod bank;
mod bank_drill;
mod clickhouse;
mod configurations;
mod crash;
mod damage;
mod export;
mod kept;
mod ledger;
mod objects;
mod outage;
mod schema;
mod two_nodes;
mod usage;
mod write_behind;
