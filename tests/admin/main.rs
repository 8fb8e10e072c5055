//! The admin API as its callers see it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: a failure is the test's"
)]

mod alerts;
mod calls;
mod configured;
mod door;
mod history;
mod hostile;
mod keeping;
mod matrix;
mod objects;
mod process;
mod stored_models;
mod subscriptions;
mod world;
