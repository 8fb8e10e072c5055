//! Why an answer ended, in Anthropic's words.

use crate::chat::{Stop, StopReason, Text};

/// The reason of a word. `has_calls`: the answer holds tool calls for the client.
pub(super) fn read<'a>(word: Option<Text<'a>>, sequence: Option<Text<'a>>, has_calls: bool) -> Stop<'a> {
    let reason = match word.as_deref() {
        Some("max_tokens") => StopReason::Length,
        Some("stop_sequence") => StopReason::StopSequence,
        Some("refusal") => StopReason::Refusal,
        Some("model_context_window_exceeded") => StopReason::ContextWindow,
        // `compaction`: the conversation was summed up; sent back, it goes on.
        Some("pause_turn" | "compaction") => StopReason::Pause,
        // `end_turn`, `tool_use`, none, and words of tomorrow: what the answer holds decides. A call of
        // the tool that stands for a schema is none.
        _ if has_calls => StopReason::ToolUse,
        _ => StopReason::End,
    };
    Stop { reason, sequence, native: word }
}

/// The word of a reason.
pub(super) fn word(stop: &Stop<'_>) -> &'static str {
    match stop.reason {
        StopReason::End | StopReason::Error => "end_turn",
        StopReason::StopSequence => "stop_sequence",
        StopReason::Length => "max_tokens",
        StopReason::ContextWindow => "model_context_window_exceeded",
        StopReason::ToolUse => "tool_use",
        StopReason::ContentFilter | StopReason::Refusal => "refusal",
        StopReason::Pause if stop.native.as_deref() == Some("compaction") => "compaction",
        StopReason::Pause => "pause_turn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_reasons_holds() {
        for (native, has_calls, reason) in [
            ("end_turn", false, StopReason::End),
            ("end_turn", true, StopReason::ToolUse),
            ("tool_use", true, StopReason::ToolUse),
            ("tool_use", false, StopReason::End),
            ("max_tokens", true, StopReason::Length),
            ("stop_sequence", false, StopReason::StopSequence),
            ("pause_turn", false, StopReason::Pause),
            ("compaction", false, StopReason::Pause),
            ("refusal", false, StopReason::Refusal),
            ("model_context_window_exceeded", true, StopReason::ContextWindow),
            ("of_tomorrow", false, StopReason::End),
        ] {
            let stop = read(Some(native.into()), None, has_calls);
            assert_eq!((stop.reason, stop.native.as_deref()), (reason, Some(native)));
            let is_same = !matches!(native, "end_turn" | "tool_use" | "of_tomorrow");
            assert!(!is_same || word(&stop) == native, "{native}");
        }
        assert_eq!(read(None, None, true).reason, StopReason::ToolUse);
        let words: Vec<&str> = StopReason::ALL.iter().map(|reason| word(&Stop::new(*reason))).collect();
        assert_eq!(
            words,
            [
                "end_turn",
                "stop_sequence",
                "max_tokens",
                "model_context_window_exceeded",
                "tool_use",
                "refusal",
                "refusal",
                "pause_turn",
                "end_turn"
            ]
        );
    }
}
