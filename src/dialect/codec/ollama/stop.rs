//! Why it ended, in Ollama's words.

use crate::chat::{Stop, StopReason, Text};

/// The stop of a `done_reason`. `has_calls`: the answer holds tool calls; Ollama says `stop` then too.
pub(super) fn read(word: Option<Text<'_>>, has_calls: bool) -> Stop<'_> {
    let reason = match word.as_deref() {
        Some("length") => StopReason::Length,
        Some("content_filter") => StopReason::ContentFilter,
        Some("error") => StopReason::Error,
        // `load` and `unload`: nothing was asked, the model was fetched or dropped.
        _ if has_calls => StopReason::ToolUse,
        _ => StopReason::End,
    };
    Stop { reason, sequence: None, native: word }
}

/// Our word for a client. Ollama has none for what is blocked or broken; to say `stop` would be wrong.
pub(super) fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::End | StopReason::StopSequence | StopReason::ToolUse | StopReason::Pause => "stop",
        StopReason::Length | StopReason::ContextWindow => "length",
        StopReason::ContentFilter | StopReason::Refusal => "content_filter",
        StopReason::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_reasons_agree() {
        for (word, has_calls, expected) in [
            ("stop", false, StopReason::End),
            ("stop", true, StopReason::ToolUse),
            ("length", true, StopReason::Length),
            ("load", false, StopReason::End),
            ("unload", false, StopReason::End),
        ] {
            assert_eq!(read(Some(word.into()), has_calls).reason, expected, "{word}");
        }
        for reason in [StopReason::End, StopReason::Length, StopReason::ContentFilter, StopReason::Error] {
            assert_eq!(read(Some(word(reason).into()), false).reason, reason);
        }
    }
}
