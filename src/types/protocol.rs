//! The shape of one generation call: which request, answer and stream are meant.

use super::Dialect;

/// A message protocol. A [`Dialect`] is a vendor's family of formats; OpenAI's has two of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// OpenAI `/chat/completions`, and everybody who copies it.
    Chat,
    /// OpenAI `/responses`.
    Responses,
    /// Anthropic `/v1/messages`.
    Messages,
    /// Gemini `:generateContent`, at AI Studio and Vertex.
    Generate,
    /// Bedrock `/model/{id}/converse`.
    Converse,
    /// Cohere `/v2/chat`.
    Cohere,
    /// Ollama `/api/chat`.
    Ollama,
}

impl Protocol {
    pub const ALL: [Protocol; 7] = [
        Protocol::Chat,
        Protocol::Responses,
        Protocol::Messages,
        Protocol::Generate,
        Protocol::Converse,
        Protocol::Cohere,
        Protocol::Ollama,
    ];

    /// The name in docs, labels and headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Chat => "chat",
            Protocol::Responses => "responses",
            Protocol::Messages => "messages",
            Protocol::Generate => "gemini",
            Protocol::Converse => "converse",
            Protocol::Cohere => "cohere",
            Protocol::Ollama => "ollama",
        }
    }

    /// The family its errors and lists are written in.
    pub fn dialect(self) -> Dialect {
        match self {
            Protocol::Chat | Protocol::Responses => Dialect::OpenAi,
            Protocol::Messages => Dialect::Anthropic,
            Protocol::Generate => Dialect::Gemini,
            Protocol::Converse => Dialect::Bedrock,
            Protocol::Cohere => Dialect::Cohere,
            Protocol::Ollama => Dialect::Ollama,
        }
    }
}
