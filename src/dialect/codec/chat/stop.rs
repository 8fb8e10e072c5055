//! Why it ended, in all vendors' words.

use crate::chat::{Stop, StopReason, Text};
use crate::framing::json::{JsonWriter, Node};

/// The reason of a `finish_reason`. None for words that say nothing.
fn reason(word: &str) -> Option<StopReason> {
    Some(match word.to_ascii_lowercase().as_str() {
        "stop" | "end_turn" | "eos" | "eos_token" | "completed" | "done" => StopReason::End,
        "stop_sequence" => StopReason::StopSequence,
        "length" | "max_tokens" | "max_output_tokens" => StopReason::Length,
        "model_length" | "model_context_window_exceeded" => StopReason::ContextWindow,
        "tool_calls" | "tool_call" | "function_call" | "tool_use" => StopReason::ToolUse,
        "content_filter" | "content_filtered" | "sensitive" | "safety" | "recitation" | "blocklist"
        | "prohibited_content" => StopReason::ContentFilter,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::Pause,
        _ if is_failure(word) => StopReason::Error,
        _ => return None,
    })
}

/// Words by which a provider says that generation broke off on its side: OpenRouter and Mistral,
/// Z.ai, DeepSeek.
pub(super) fn is_failure(word: &str) -> bool {
    matches!(word, "error" | "network_error" | "insufficient_system_resource")
}

/// What the choice held, as far as it decides what a plain stop means.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    pub(super) has_calls: bool,
    pub(super) has_refusal: bool,
}

/// Reads the stop of a choice that held `held`, whatever the word says.
pub(super) fn read<'a>(choice: &Node<'a>, held: Held) -> Stop<'a> {
    let word = choice.text_of("finish_reason").filter(|word| !word.is_empty());
    let native = choice.text_of("native_finish_reason").filter(|word| !word.is_empty());
    // vLLM: the stop string that was met; a number is a token of the model's own.
    let sequence = choice.text_of("stop_reason");
    let reason = of_word(word.as_deref(), sequence.is_some(), held);
    Stop {
        reason,
        sequence: sequence.filter(|_| reason == StopReason::StopSequence),
        native: native.or(word),
    }
}

/// The reason of a word, or of what the choice holds where there is none.
pub(super) fn of_word(word: Option<&str>, has_sequence: bool, held: Held) -> StopReason {
    match word.and_then(reason).unwrap_or(StopReason::End) {
        StopReason::End if held.has_calls => StopReason::ToolUse,
        // OpenAI says `stop` when the model has declined.
        StopReason::End if held.has_refusal => StopReason::Refusal,
        StopReason::End if has_sequence => StopReason::StopSequence,
        known => known,
    }
}

/// Our word for a client.
pub(super) fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::End | StopReason::StopSequence | StopReason::Pause => "stop",
        StopReason::Length | StopReason::ContextWindow => "length",
        StopReason::ToolUse => "tool_calls",
        StopReason::ContentFilter | StopReason::Refusal => "content_filter",
        StopReason::Error => "error",
    }
}

/// Writes `finish_reason` and, where it says more, the provider's own word and the sequence met.
/// `has_refusal`: the message says itself that the model declined, and ends as OpenAI's do then: at
/// `content_filter` SDKs raise an error before the refusal is read.
pub(super) fn write(stop: &Stop<'_>, has_refusal: bool, w: &mut JsonWriter<'_>) {
    let word = match stop.reason {
        StopReason::Refusal if has_refusal => "stop",
        reason => word(reason),
    };
    w.field_str("finish_reason", word);
    let native = stop.native.as_deref().filter(|native| *native != word);
    w.field_opt_str("native_finish_reason", native);
    let sequence = stop.sequence.as_ref().filter(|_| stop.reason == StopReason::StopSequence);
    w.field_opt_str("stop_reason", sequence.map(Text::as_ref));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_all_vendors_have_a_reason() {
        for (words, expected) in [
            (&["stop", "eos", "eos_token", "end_turn"][..], StopReason::End),
            (&["length", "max_tokens"], StopReason::Length),
            (&["model_length"], StopReason::ContextWindow),
            (&["tool_calls", "function_call", "tool_use"], StopReason::ToolUse),
            (&["content_filter", "sensitive", "SAFETY"], StopReason::ContentFilter),
            (&["error", "network_error", "insufficient_system_resource"], StopReason::Error),
            (&["", "never heard of"], StopReason::End),
        ] {
            for word in words {
                assert_eq!(of_word(Some(word), false, Held::default()), expected, "{word}");
            }
        }
        assert_eq!(of_word(None, false, Held::default()), StopReason::End);
    }

    #[test]
    fn tool_calls_outweigh_a_plain_stop_but_not_a_limit() {
        let calls = Held { has_calls: true, has_refusal: false };
        assert_eq!(of_word(Some("stop"), false, calls), StopReason::ToolUse);
        assert_eq!(of_word(None, false, calls), StopReason::ToolUse);
        assert_eq!(of_word(Some("length"), false, calls), StopReason::Length);
        assert_eq!(of_word(Some("content_filter"), false, calls), StopReason::ContentFilter);
    }

    #[test]
    fn every_reason_has_a_word_the_sdks_know() {
        const KNOWN: [&str; 5] = ["stop", "length", "tool_calls", "content_filter", "error"];
        for reason in StopReason::ALL {
            assert!(KNOWN.contains(&word(reason)), "{reason:?}");
        }
    }
}
