//! What chat templates add around messages.
//!
//! Not the templates themselves: only their tokens. OpenAI's were verified against recorded answers
//! (`corpus_tests`); the others are fitted to a few. Invariant: only a verified template is exact.

use super::body::BodyShape;
use super::family::{Family, base_name, is_openai_reasoning};

/// Tokens of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// Once a request.
    pub base: u64,
    /// For each message or input item.
    pub per_message: u64,
    pub is_exact: bool,
}

pub(super) fn of(shape: BodyShape, family: Family, model: &str) -> Template {
    match (shape, family) {
        (BodyShape::Completions | BodyShape::Embeddings, _) => {
            Template { base: 0, per_message: 0, is_exact: true }
        }
        (BodyShape::Chat | BodyShape::Responses, Family::O200k | Family::Cl100k) => {
            // Three to start the answer, one less for a model that thinks first.
            let base = if is_openai_reasoning(model) { 2 } else { 3 };
            let name = base_name(model);
            // gpt-oss has a system message of its own, which differs between servers.
            let is_oss = name.starts_with("gpt-oss");
            let is_exact = !is_oss && !name.starts_with("computer-use");
            Template { base: if is_oss { base + 60 } else { base }, per_message: 4, is_exact }
        }
        (BodyShape::Chat | BodyShape::Responses | BodyShape::Messages, _) => {
            Template { base: 3, per_message: 4, is_exact: false }
        }
        (BodyShape::Gemini | BodyShape::Other, _) => Template { base: 0, per_message: 0, is_exact: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reasoning_model_has_one_token_less() {
        assert_eq!(of(BodyShape::Chat, Family::O200k, "o3-mini").base, 2);
        assert_eq!(of(BodyShape::Chat, Family::O200k, "gpt-4o").base, 3);
    }

    #[test]
    fn only_openai_templates_are_exact() {
        assert!(!of(BodyShape::Chat, Family::Other, "llama3").is_exact);
        assert!(!of(BodyShape::Chat, Family::O200k, "openai/gpt-oss-20b").is_exact);
        assert!(of(BodyShape::Embeddings, Family::Cl100k, "text-embedding-3-small").is_exact);
    }
}
