//! Factors of tokenizer families.

use crate::config;
use crate::meter::{FactorTable, Factors, Family};

/// In thousandths, as the meter has them.
pub(super) fn of(families: &config::Families) -> FactorTable {
    let parts = |factor: f64| (factor * 1000.0).round() as u32;
    let of = |f: &config::Factors| Factors { estimate: parts(f.estimate), bound: parts(f.bound) };
    FactorTable::default()
        .with(Family::ClaudeOld, of(&families.claude_old))
        .with(Family::ClaudeNew, of(&families.claude_new))
        .with(Family::Gemini, of(&families.gemini))
        .with(Family::Mistral, of(&families.mistral))
        .with(Family::Other, of(&families.other))
}
