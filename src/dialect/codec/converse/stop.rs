//! Why an answer ended.

use crate::chat::{Stop, StopReason, Text};

/// What stood in the answer, as far as it bears on the reason.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) has_call: bool,
    /// The answer came as input of the output tool.
    pub(super) has_output_tool: bool,
}

/// The reason for Bedrock's word.
pub(super) fn read<'a>(word: Option<Text<'a>>, sequence: Option<Text<'a>>, seen: Seen) -> Stop<'a> {
    let reason = match word.as_deref() {
        Some("max_tokens") => StopReason::Length,
        Some("stop_sequence") => StopReason::StopSequence,
        Some("guardrail_intervened" | "content_filtered") => StopReason::ContentFilter,
        Some("malformed_model_output" | "malformed_tool_use") => StopReason::Error,
        Some("model_context_window_exceeded") => StopReason::ContextWindow,
        Some("refusal") => StopReason::Refusal,
        Some("pause_turn") => StopReason::Pause,
        _ if seen.has_call => StopReason::ToolUse,
        Some("tool_use") if !seen.has_output_tool => StopReason::ToolUse,
        _ => StopReason::End,
    };
    Stop { reason, sequence, native: word }
}

/// Bedrock's word for the reason: its own where it gave one, and the nearest it has otherwise.
pub(super) fn word<'s>(stop: &'s Stop<'_>) -> &'s str {
    let seen = Seen { has_call: stop.reason == StopReason::ToolUse, has_output_tool: false };
    match stop.native.as_deref() {
        Some(native)
            if WORDS.contains(&native) && read(Some(native.into()), None, seen).reason == stop.reason =>
        {
            native
        }
        _ => nearest(stop.reason),
    }
}

const WORDS: [&str; 9] = [
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "guardrail_intervened",
    "content_filtered",
    "malformed_model_output",
    "malformed_tool_use",
    "model_context_window_exceeded",
];

fn nearest(reason: StopReason) -> &'static str {
    match reason {
        StopReason::End | StopReason::Pause => "end_turn",
        StopReason::StopSequence => "stop_sequence",
        StopReason::Length => "max_tokens",
        StopReason::ContextWindow => "model_context_window_exceeded",
        StopReason::ToolUse => "tool_use",
        StopReason::ContentFilter | StopReason::Refusal => "content_filtered",
        StopReason::Error => "malformed_model_output",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_as_itself() {
        for native in WORDS {
            let stop = read(Some(native.into()), None, Seen::default());
            assert_eq!(word(&stop), native);
        }
    }

    #[test]
    fn a_call_makes_an_end_a_tool_use_but_a_full_budget_stays_one() {
        let called = Seen { has_call: true, has_output_tool: false };
        assert_eq!(read(Some("end_turn".into()), None, called).reason, StopReason::ToolUse);
        assert_eq!(read(Some("max_tokens".into()), None, called).reason, StopReason::Length);
        let answered = Seen { has_call: false, has_output_tool: true };
        assert_eq!(read(Some("tool_use".into()), None, answered).reason, StopReason::End);
    }

    #[test]
    fn words_of_other_vendors_are_not_written() {
        assert_eq!(word(&Stop::native(StopReason::ContentFilter, "content_filter")), "content_filtered");
        assert_eq!(
            word(&Stop::native(StopReason::ContentFilter, "guardrail_intervened")),
            "guardrail_intervened"
        );
        assert_eq!(word(&Stop::native(StopReason::Length, "end_turn")), "max_tokens");
    }
}
