//! The family of a model's tokenizer.

/// Whose vocabulary a model's tokens are of, as far as anybody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokenizer {
    O200k,
    Cl100k,
    /// Claude before Opus 4.7.
    ClaudeOld,
    /// Claude from Opus 4.7 on.
    ClaudeNew,
    Gemini,
    Mistral,
    Llama,
    Qwen,
    DeepSeek,
    Glm,
    Kimi,
    /// Not known.
    Other,
}

impl Tokenizer {
    pub const ALL: [Tokenizer; 12] = [
        Tokenizer::O200k,
        Tokenizer::Cl100k,
        Tokenizer::ClaudeOld,
        Tokenizer::ClaudeNew,
        Tokenizer::Gemini,
        Tokenizer::Mistral,
        Tokenizer::Llama,
        Tokenizer::Qwen,
        Tokenizer::DeepSeek,
        Tokenizer::Glm,
        Tokenizer::Kimi,
        Tokenizer::Other,
    ];

    /// The word in the file and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Tokenizer::O200k => "o200k",
            Tokenizer::Cl100k => "cl100k",
            Tokenizer::ClaudeOld => "claude_old",
            Tokenizer::ClaudeNew => "claude_new",
            Tokenizer::Gemini => "gemini",
            Tokenizer::Mistral => "mistral",
            Tokenizer::Llama => "llama",
            Tokenizer::Qwen => "qwen",
            Tokenizer::DeepSeek => "deepseek",
            Tokenizer::Glm => "glm",
            Tokenizer::Kimi => "kimi",
            Tokenizer::Other => "other",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tokenizer| tokenizer.as_str() == word)
    }
}
