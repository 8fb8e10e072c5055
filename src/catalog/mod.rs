//! Floor 2: facts about providers and models, and what a call costs. Data, not code: a newer file of
//! facts replaces the one in the binary without a new binary.
//!
//! Not here: what the gateway is configured to do with them, and any I/O (a file comes in as bytes).
//! Invariants: a catalogue exists only whole and valid; a name finds a row only by the rules of
//! [`find`], never because it looks alike; a price that is not known is never zero.

pub mod auth;
pub mod cost;
pub mod day;
mod draft;
mod embedded;
pub mod facts;
mod file;
pub mod find;
pub mod meaning;
pub mod model;
pub mod overrides;
pub mod prefill;
pub mod price;
pub mod provider;
pub mod quirk;
mod row;
mod table;
pub mod target;
mod text;
pub mod tokenizer;

#[cfg(test)]
mod cost_tests;
#[cfg(test)]
mod embedded_tests;
#[cfg(test)]
mod find_tests;
#[cfg(test)]
mod target_tests;

pub use auth::Auth;
pub use cost::{Cost, Unpriced, cost};
pub use day::Day;
pub use facts::{Catalog, Source};
pub use file::CatalogError;
pub use find::{Found, Match};
pub use meaning::Meaning;
pub use model::{Modality, Model};
pub use overrides::{ModelOverride, OverrideError};
pub use prefill::{family, prefill};
pub use price::{Class, PriceError, Rates, Service};
pub use provider::{LimitHeaders, Provider};
pub use quirk::{Quirk, Quirks};
pub use target::target;
pub use tokenizer::Tokenizer;
