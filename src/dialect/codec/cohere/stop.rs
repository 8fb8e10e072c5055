//! Why it ended, in Cohere's words.

use crate::chat::{Stop, StopReason, Text};

/// The stop of a `finish_reason`. `has_calls`: the answer holds tool calls, whatever the word says.
pub(super) fn read(word: Option<Text<'_>>, has_calls: bool) -> Stop<'_> {
    let reason = match word.as_deref() {
        Some("STOP_SEQUENCE") => StopReason::StopSequence,
        Some("MAX_TOKENS") => StopReason::Length,
        Some("TOOL_CALL") => StopReason::ToolUse,
        Some("ERROR_TOXIC") => StopReason::ContentFilter,
        Some("ERROR_LIMIT") => StopReason::ContextWindow,
        Some(word) if is_failure(word) => StopReason::Error,
        _ if has_calls => StopReason::ToolUse,
        _ => StopReason::End,
    };
    Stop { reason, sequence: None, native: word }
}

/// Words by which Cohere says that generation broke off on its side.
pub(super) fn is_failure(word: &str) -> bool {
    matches!(word, "ERROR" | "TIMEOUT" | "USER_CANCEL")
}

/// Our word for a client.
pub(super) fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::End | StopReason::Refusal | StopReason::Pause => "COMPLETE",
        StopReason::StopSequence => "STOP_SEQUENCE",
        StopReason::Length | StopReason::ContextWindow => "MAX_TOKENS",
        StopReason::ToolUse => "TOOL_CALL",
        StopReason::ContentFilter | StopReason::Error => "ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_reasons_agree() {
        for (word, has_calls, expected) in [
            ("COMPLETE", false, StopReason::End),
            ("COMPLETE", true, StopReason::ToolUse),
            ("MAX_TOKENS", true, StopReason::Length),
            ("STOP_SEQUENCE", false, StopReason::StopSequence),
            ("TOOL_CALL", true, StopReason::ToolUse),
            ("ERROR", false, StopReason::Error),
            ("TIMEOUT", true, StopReason::Error),
            ("ERROR_TOXIC", false, StopReason::ContentFilter),
            ("never heard of", false, StopReason::End),
        ] {
            assert_eq!(read(Some(word.into()), has_calls).reason, expected, "{word}");
        }
        for reason in [
            StopReason::End,
            StopReason::StopSequence,
            StopReason::Length,
            StopReason::ToolUse,
            StopReason::Error,
        ] {
            assert_eq!(read(Some(word(reason).into()), false).reason, reason);
        }
    }
}
