//! `finishReason` and the canonical reasons.

use crate::chat::{Stop, StopReason};
use crate::framing::json::Node;
use crate::types::Protocol;

/// The reasons by number: some Vertex answers give the enum's numbers (aiplatform v1
/// `Candidate.FinishReason`).
const BY_NUMBER: [&str; 11] = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
];

/// The vendor's word of a `finishReason`; None while it is unset.
pub(super) fn word(node: &Node<'_>) -> Option<String> {
    let word = match node.text() {
        Some(word) => word.into_owned(),
        None => {
            let number = node.as_u64()?;
            let known = usize::try_from(number).ok().and_then(|at| BY_NUMBER.get(at));
            known.map_or_else(|| format!("FINISH_REASON_{number}"), |word| (*word).to_owned())
        }
    };
    (!word.is_empty() && !word.ends_with("_UNSPECIFIED")).then_some(word)
}

/// What a word means. `has_calls`: the candidate asks for tools, which Gemini calls `STOP`.
pub(super) fn stop(word: String, has_calls: bool) -> Stop<'static> {
    Stop::native(reason(&word, has_calls), word)
}

fn reason(word: &str, has_calls: bool) -> StopReason {
    match word {
        "STOP" if has_calls => StopReason::ToolUse,
        "STOP" => StopReason::End,
        "MAX_TOKENS" => StopReason::Length,
        // More is to be had by sending the answer back.
        "CONTINUATION" => StopReason::Pause,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "ESCALATION"
        | "PUP_LIMITED_DISABLED"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "JAILBREAK" => StopReason::ContentFilter,
        _ => StopReason::Error,
    }
}

/// Whether `word` is one of Gemini's that stands for `reason` alone.
pub(super) fn means(word: &str, reason: StopReason) -> bool {
    let is_known = self::reason(word, reason == StopReason::ToolUse) == reason;
    is_known
        && reason != StopReason::Error
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// The reason in Gemini's words.
pub(super) fn native<'s>(stop: &'s Stop<'_>, from: Protocol) -> &'s str {
    if let (Protocol::Generate, Some(word)) = (from, &stop.native) {
        return word;
    }
    match stop.reason {
        // A pause is a stop: Gemini's own word for one (`CONTINUATION`) is in no released client. The
        // vendor's word stands beside it.
        StopReason::End | StopReason::StopSequence | StopReason::ToolUse | StopReason::Pause => "STOP",
        StopReason::Length | StopReason::ContextWindow => "MAX_TOKENS",
        StopReason::ContentFilter => "SAFETY",
        StopReason::Refusal => "PROHIBITED_CONTENT",
        StopReason::Error => "OTHER",
    }
}

/// Another vendor's word, where the reason alone does not say it.
pub(super) fn message<'s>(stop: &'s Stop<'_>, from: Protocol) -> Option<&'s str> {
    let is_plain = matches!(
        stop.reason,
        StopReason::End | StopReason::StopSequence | StopReason::ToolUse | StopReason::Length
    );
    if is_plain || from == Protocol::Generate { None } else { stop.native.as_deref() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    #[test]
    fn the_reasons_follow_the_table() {
        for (word, has_calls, expected) in [
            ("STOP", false, StopReason::End),
            ("STOP", true, StopReason::ToolUse),
            ("MAX_TOKENS", true, StopReason::Length),
            ("SAFETY", true, StopReason::ContentFilter),
            ("MODEL_ARMOR", false, StopReason::ContentFilter),
            ("MALFORMED_FUNCTION_CALL", false, StopReason::Error),
            ("SOMETHING_NEW", false, StopReason::Error),
        ] {
            assert_eq!(reason(word, has_calls), expected, "{word}");
        }
    }

    #[test]
    fn numbers_are_words_and_unset_is_none() {
        let of = |json: &str| word(&parse(json, Duplicates::Refuse).unwrap());
        assert_eq!(of("1").as_deref(), Some("STOP"));
        assert_eq!(of("2").as_deref(), Some("MAX_TOKENS"));
        assert_eq!(of("99").as_deref(), Some("FINISH_REASON_99"));
        for unset in ["0", "\"\"", "\"FINISH_REASON_UNSPECIFIED\"", "{}", "-1"] {
            assert_eq!(of(unset), None, "{unset}");
        }
    }
}
