//! `[counting]`: how tokens of a prompt are counted before the call.
//!
//! Factors are relative to the o200k vocabulary: tokens of a family ≈ o200k tokens × factor.

use super::choice::choice;
use super::collector::Collector;
use super::number::{decimal, integer};
use super::reader::Reader;
use super::value::Value;

#[derive(Clone, Debug, PartialEq)]
pub struct Counting {
    pub default: CountMode,
    /// Vocabularies loaded before the first request, so that it does not wait for them.
    pub warm: Vec<Vocabulary>,
    /// Tokens an answer is taken to have whose request states no most, until it is known.
    pub expected_output: u64,
    pub families: Families,
}

/// How a prompt is counted where nothing forces an exact count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountMode {
    /// A bound that is never below the truth; next to free.
    Bound,
    /// By the vocabulary.
    Exact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    O200k,
    Cl100k,
}

/// Tokenizer families without a vocabulary here.
#[derive(Clone, Debug, PartialEq)]
pub struct Families {
    /// Claude before 4.7.
    pub claude_old: Factors,
    /// Claude from 4.7 on.
    pub claude_new: Factors,
    pub gemini: Factors,
    pub mistral: Factors,
    pub other: Factors,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// The middle of what was measured.
    pub estimate: f64,
    /// Not exceeded by anything that was measured; at least `estimate`.
    pub bound: f64,
}

impl Default for Counting {
    fn default() -> Self {
        Self {
            default: CountMode::Bound,
            warm: vec![Vocabulary::O200k],
            expected_output: 1024,
            families: Families::default(),
        }
    }
}

impl Default for Families {
    fn default() -> Self {
        let factors = |estimate, bound| Factors { estimate, bound };
        Self {
            claude_old: factors(1.15, 1.20),
            claude_new: factors(1.45, 1.65),
            gemini: factors(1.05, 1.55),
            mistral: factors(1.08, 1.35),
            other: factors(1.05, 1.10),
        }
    }
}

const VOCABULARIES: &[(&str, Vocabulary)] = &[("o200k", Vocabulary::O200k), ("cl100k", Vocabulary::Cl100k)];

/// Reads `bound` or `exact`.
pub(super) fn count_mode(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<CountMode> {
    choice(&[("bound", CountMode::Bound), ("exact", CountMode::Exact)], &[])(value, collector)
}

impl Counting {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let counting = Self {
            default: reader.or("default", d.default, count_mode),
            warm: reader
                .or("warm", d.warm, |v, c| v.list(c, "a list of vocabularies", choice(VOCABULARIES, &[]))),
            expected_output: reader.or("expected_output", d.expected_output, integer(1..=1_000_000)),
            families: reader.or("families", d.families, Families::read),
        };
        reader.done();
        Some(counting)
    }
}

impl Families {
    fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let families = Self {
            claude_old: reader.or("claude_old", d.claude_old, Factors::read(d.claude_old)),
            claude_new: reader.or("claude_new", d.claude_new, Factors::read(d.claude_new)),
            gemini: reader.or("gemini", d.gemini, Factors::read(d.gemini)),
            mistral: reader.or("mistral", d.mistral, Factors::read(d.mistral)),
            other: reader.or("other", d.other, Factors::read(d.other)),
        };
        reader.done();
        Some(families)
    }
}

impl Factors {
    fn read(default: Self) -> impl Fn(&Value<'_>, &mut Collector<'_>) -> Option<Self> {
        move |value, collector| {
            let mut reader = Reader::open(value, collector)?;
            let factors = Self {
                estimate: reader.or("estimate", default.estimate, decimal(0.1..=10.0)),
                bound: reader.or("bound", default.bound, decimal(0.1..=10.0)),
            };
            if factors.bound < factors.estimate {
                let Self { estimate, bound } = factors;
                reader.fail(format!("`bound` ({bound}) is below `estimate` ({estimate})"), None);
            }
            reader.done();
            Some(factors)
        }
    }
}
