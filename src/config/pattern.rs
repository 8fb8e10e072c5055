//! Which models a name stands for: one (`gpt-5`), those with a prefix (`gpt-*`), or all (`*`).

/// A model name, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelPattern {
    Exact(String),
    /// `prefix*`; the empty prefix is `*`.
    Prefix(String),
}

impl ModelPattern {
    /// The pattern that matches every model.
    pub fn any() -> Self {
        Self::Prefix(String::new())
    }

    /// The pattern written as `text`; a star counts only at the end.
    pub fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    pub fn matches(&self, model: &str) -> bool {
        match self {
            Self::Exact(name) => name == model,
            Self::Prefix(prefix) => model.starts_with(prefix.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_it_is_written_for() {
        assert!(ModelPattern::new("gpt-5").matches("gpt-5"));
        assert!(!ModelPattern::new("gpt-5").matches("gpt-5-mini"));
        assert!(ModelPattern::new("gpt-*").matches("gpt-5-mini"));
        assert!(!ModelPattern::new("gpt-*").matches("claude"));
        assert!(ModelPattern::new("*").matches("anything"));
        assert_eq!(ModelPattern::new("*"), ModelPattern::any());
    }
}
