//! The JSON and stream shape a client is owed, or an upstream speaks.

/// A family of wire formats. Which message shape of the family is meant (chat or Responses, say)
/// follows from the [`Endpoint`](super::Endpoint).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    OpenAi,
    Anthropic,
    Gemini,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// Cohere v2.
    Cohere,
    /// Ollama's native API.
    Ollama,
}

impl Dialect {
    pub const ALL: [Dialect; 6] = [
        Dialect::OpenAi,
        Dialect::Anthropic,
        Dialect::Gemini,
        Dialect::Bedrock,
        Dialect::Cohere,
        Dialect::Ollama,
    ];

    /// The name in metrics labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::OpenAi => "openai",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "gemini",
            Dialect::Bedrock => "bedrock",
            Dialect::Cohere => "cohere",
            Dialect::Ollama => "ollama",
        }
    }
}
