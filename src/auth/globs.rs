//! Which models a key may name: exact names and patterns with `*`.
//!
//! Not a routing table: it says yes or no and knows no targets. Names are compared byte by byte,
//! case included, as they are when a model is resolved.

use crate::types::Glob;
use std::collections::HashSet;

/// A set of model names. `*` stands for any run of characters, the empty one included.
#[derive(Clone, Debug, Default)]
pub struct ModelGlobs {
    is_all: bool,
    exact: HashSet<Box<str>>,
    patterns: Vec<Glob>,
}

impl ModelGlobs {
    /// Matches every name: what a key without a `models` list may use.
    pub fn all() -> Self {
        Self { is_all: true, ..Self::default() }
    }

    /// Matches what any of `names` matches; an empty list matches nothing.
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut globs = Self::default();
        for name in names {
            match name.as_ref() {
                "*" => globs.is_all = true,
                pattern if pattern.contains('*') => globs.patterns.push(Glob::new(pattern)),
                exact => {
                    globs.exact.insert(exact.into());
                }
            }
        }
        globs
    }

    pub fn contains(&self, model: &str) -> bool {
        self.is_all
            || self.exact.contains(model)
            || self.patterns.iter().any(|pattern| pattern.matches(model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_name_matches_only_itself() {
        let globs = ModelGlobs::new(["gpt-5"]);
        assert!(globs.contains("gpt-5"));
        assert!(!globs.contains("gpt-5-mini") && !globs.contains("GPT-5") && !globs.contains(""));
    }

    #[test]
    fn a_star_matches_any_run_at_any_place() {
        let globs = ModelGlobs::new(["text-embedding-*", "*-mini", "claude-*-4*x"]);
        for yes in
            ["text-embedding-3", "text-embedding-", "gpt-5-mini", "-mini", "claude-opus-4x", "claude--4.5x"]
        {
            assert!(globs.contains(yes), "{yes}");
        }
        for no in ["text-embedding", "xtext-embedding-3", "gpt-5-mini2", "claude-4x", "claude-opus-5x"] {
            assert!(!globs.contains(no), "{no}");
        }
    }

    #[test]
    fn head_and_tail_of_a_pattern_may_not_share_characters() {
        assert!(!ModelGlobs::new(["ab*ba"]).contains("aba"));
        assert!(ModelGlobs::new(["ab*ba"]).contains("abba"));
    }

    #[test]
    fn an_empty_list_allows_nothing_and_a_lone_star_everything() {
        assert!(!ModelGlobs::new(Vec::<String>::new()).contains("gpt-5"));
        assert!(ModelGlobs::new(["*"]).contains("gpt-5"));
        assert!(ModelGlobs::all().contains("anything"));
    }
}
