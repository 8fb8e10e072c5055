//! Model names: what clients ask for, to the index of what is configured.
//!
//! Names are compared byte by byte. An exact name wins over a prefix, a longer prefix over a
//! shorter one, and `*` matches what nothing else does.

use crate::types::bounds::MODEL_NAME_BYTES_MAX;
use std::collections::HashMap;

/// Names compared for a suggestion, at most: a wrong name must not cost more than a right one is worth.
const NEAR_CANDIDATES_MAX: usize = 512;
/// Longer names are not compared: typing mistakes are made in short ones.
const NEAR_NAME_BYTES_MAX: usize = 64;
/// How alike (0 to 1) a name must be to be suggested.
const NEAR_ENOUGH: f64 = 0.8;

/// All names of a configuration.
#[derive(Clone, Debug, Default)]
pub struct ModelTable {
    exact: HashMap<Box<str>, usize>,
    /// Longest first.
    prefixes: Vec<(Box<str>, usize)>,
    any: Option<usize>,
}

impl ModelTable {
    /// The index of a name is its place in `names`; of equal names the first counts.
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self::default();
        for (index, name) in names.into_iter().enumerate() {
            match name.as_ref().strip_suffix('*') {
                Some("") => table.any = table.any.or(Some(index)),
                Some(prefix) => table.prefixes.push((prefix.into(), index)),
                None => _ = table.exact.entry(name.as_ref().into()).or_insert(index),
            }
        }
        table.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        table
    }

    /// The index of the entry that serves `name`.
    pub fn resolve(&self, name: &str) -> Option<usize> {
        if name.is_empty() || name.len() > MODEL_NAME_BYTES_MAX {
            return None;
        }
        let prefixed = || self.prefixes.iter().find(|(prefix, _)| name.starts_with(&**prefix));
        self.exact.get(name).copied().or_else(|| prefixed().map(|(_, index)| *index)).or(self.any)
    }

    /// Up to `count` exact names like `name`, the nearest first, of those that pass `may_see`: a
    /// suggestion must not tell a key of models it may not use.
    pub fn near(&self, name: &str, count: usize, may_see: impl Fn(&str) -> bool) -> Vec<&str> {
        if name.len() > NEAR_NAME_BYTES_MAX {
            return Vec::new();
        }
        let short = self.exact.keys().filter(|known| known.len() <= NEAR_NAME_BYTES_MAX && may_see(known));
        let mut scored: Vec<(f64, &str)> = short
            .take(NEAR_CANDIDATES_MAX)
            .map(|known| (strsim::jaro_winkler(known, name), &**known))
            .filter(|(score, _)| *score >= NEAR_ENOUGH)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        scored.into_iter().take(count).map(|(_, known)| known).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_beats_the_longest_prefix_beats_a_shorter_one_beats_the_star() {
        let table = ModelTable::new(["*", "gpt-*", "gpt-5*", "gpt-5"]);
        assert_eq!(table.resolve("gpt-5"), Some(3));
        assert_eq!(table.resolve("gpt-5-mini"), Some(2));
        assert_eq!(table.resolve("gpt-4o"), Some(1));
        assert_eq!(table.resolve("claude"), Some(0));
    }

    #[test]
    fn without_a_star_unknown_names_resolve_to_nothing() {
        let table = ModelTable::new(["gpt-5", "text-*"]);
        for name in ["", "GPT-5", "gpt-5 ", "text"] {
            assert_eq!(table.resolve(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_name_over_the_bound_matches_nothing_not_even_a_star() {
        let table = ModelTable::new(["*"]);
        assert_eq!(table.resolve(&"m".repeat(MODEL_NAME_BYTES_MAX)), Some(0));
        assert_eq!(table.resolve(&"m".repeat(MODEL_NAME_BYTES_MAX + 1)), None);
    }

    #[test]
    fn suggestions_are_near_and_only_of_what_the_key_may_see() {
        let table = ModelTable::new(["gpt-5", "gpt-5-mini", "claude-opus", "gpt-5-secret"]);
        let near = table.near("gpt5", 3, |name| !name.contains("secret"));
        assert_eq!(near, ["gpt-5", "gpt-5-mini"]);
        assert!(table.near("zzz", 3, |_| true).is_empty());
        assert!(table.near(&"gpt-5".repeat(20), 3, |_| true).is_empty());
    }
}
