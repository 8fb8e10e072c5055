//! Whose request and answer is meant.

/// One vendor's form of an embeddings call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `/v1/embeddings`, and everybody who copies it.
    OpenAi,
    /// Gemini `:embedContent`.
    GeminiOne,
    /// Gemini `:batchEmbedContents`.
    GeminiMany,
    /// Cohere `/v2/embed`.
    Cohere,
    /// Voyage `/v1/embeddings`.
    Voyage,
    /// Ollama `/api/embed`, and the older `/api/embeddings` as it is read.
    Ollama,
    /// Bedrock `/model/{id}/invoke` of Amazon's Titan embedding models.
    BedrockTitan,
    /// Bedrock `/model/{id}/invoke` of Cohere's embedding models.
    BedrockCohere,
}

impl Shape {
    pub const ALL: [Shape; 8] = [
        Shape::OpenAi,
        Shape::GeminiOne,
        Shape::GeminiMany,
        Shape::Cohere,
        Shape::Voyage,
        Shape::Ollama,
        Shape::BedrockTitan,
        Shape::BedrockCohere,
    ];

    /// How many inputs the form has room for; vendors have limits of their own below.
    pub fn inputs_max(self) -> usize {
        match self {
            Shape::GeminiOne | Shape::BedrockTitan => 1,
            _ => usize::MAX,
        }
    }

    /// Whether a field of `other` means the same here.
    pub(super) fn is_kin(self, other: Shape) -> bool {
        let family = |shape: Shape| match shape {
            Shape::GeminiMany => Shape::GeminiOne,
            Shape::BedrockCohere => Shape::Cohere,
            other => other,
        };
        family(self) == family(other)
    }
}
