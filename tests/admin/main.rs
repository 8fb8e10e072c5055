//! The admin API as its callers see it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: a failure is the test's"
)]

mod door;
mod hostile;
mod keeping;
mod matrix;
mod objects;
mod subscriptions;
mod world;
