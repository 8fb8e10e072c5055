//! Who runs the Claude that is called.

/// The same model behind three fronts, each with its own dress of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// `api.anthropic.com`, and whoever copies it.
    Anthropic,
    /// Vertex AI `:rawPredict` and `:streamRawPredict`: the model is in the URL.
    Vertex,
    /// Bedrock `/invoke` and `/invoke-with-response-stream`: model and streaming are in the URL, betas
    /// in the body.
    BedrockInvoke,
}

impl Host {
    /// The body's `anthropic_version`; None where a header says it.
    pub fn version(self) -> Option<&'static str> {
        match self {
            Host::Anthropic => None,
            Host::Vertex => Some("vertex-2023-10-16"),
            Host::BedrockInvoke => Some("bedrock-2023-05-31"),
        }
    }

    /// Whether the body names the model.
    pub(super) fn names_model(self) -> bool {
        self == Host::Anthropic
    }

    /// Whether the body says `stream`.
    pub(super) fn says_stream(self) -> bool {
        self != Host::BedrockInvoke
    }
}
