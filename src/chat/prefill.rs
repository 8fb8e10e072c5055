//! How a target is told that its answer has begun already, and goes on where it stopped.
//!
//! The beginning is the last turn, the assistant's. Targets differ in what else they must be told; most
//! take no such turn at all, or answer it anew. Which does what is the catalogue's to say
//! (`catalog::prefill`).

/// What says that the last turn is to be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefillStyle {
    /// Nothing but the turn itself (Claude before 4.6).
    Plain,
    /// Chat: `"prefix": true` in the message (Mistral; DeepSeek below `/beta`).
    Prefix,
    /// Chat: `"partial": true` in the message (Moonshot).
    Partial,
    /// Chat: `"continue_final_message": true` beside the messages (vLLM, SGLang).
    ContinueFinalMessage,
}

impl PrefillStyle {
    pub const ALL: [PrefillStyle; 4] = [
        PrefillStyle::Plain,
        PrefillStyle::Prefix,
        PrefillStyle::Partial,
        PrefillStyle::ContinueFinalMessage,
    ];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            PrefillStyle::Plain => "plain",
            PrefillStyle::Prefix => "prefix",
            PrefillStyle::Partial => "partial",
            PrefillStyle::ContinueFinalMessage => "continue-final-message",
        }
    }
}
