//! `status` and `incomplete_details.reason`, and the reasons they stand for.

use crate::chat::{Stop, StopReason, Text};
use crate::framing::json::Node;

/// What the output held, as far as it decides how an ended response ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    pub(super) has_call: bool,
    pub(super) has_refusal: bool,
}

/// How a response is ended towards a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Completed,
    /// With `incomplete_details.reason`.
    Incomplete(&'static str),
    Failed,
}

/// The stop of a response object. A missing `status` is a completed one.
pub(super) fn read<'a>(response: &Node<'a>, held: Held) -> Stop<'a> {
    let status = response.text_of("status").unwrap_or(Text::Borrowed("completed"));
    let reason = response.get("incomplete_details").and_then(|details| details.text_of("reason"));
    match (status.as_ref(), reason) {
        ("completed", _) => Stop::native(completed(held), status),
        ("incomplete", Some(reason)) => Stop::native(incomplete(&reason), reason),
        ("incomplete", None) => Stop::native(StopReason::Length, status),
        ("failed" | "cancelled", _) => Stop::native(StopReason::Error, status),
        // A response in the background: there will be more, but not here.
        _ => Stop::native(StopReason::Pause, status),
    }
}

fn completed(held: Held) -> StopReason {
    match held {
        Held { has_call: true, .. } => StopReason::ToolUse,
        Held { has_refusal: true, .. } => StopReason::Refusal,
        _ => StopReason::End,
    }
}

fn incomplete(reason: &str) -> StopReason {
    match reason {
        "max_output_tokens" | "max_tokens" => StopReason::Length,
        "content_filter" => StopReason::ContentFilter,
        // `max_messages`, `steered` and what may come: not the end, and no limit of tokens.
        _ => StopReason::Pause,
    }
}

/// How the client is told. `has_refusal`: the output says itself that the model declined.
pub(super) fn ended(reason: StopReason, has_refusal: bool) -> Ended {
    match reason {
        StopReason::End | StopReason::StopSequence | StopReason::ToolUse | StopReason::Pause => {
            Ended::Completed
        }
        StopReason::Refusal if has_refusal => Ended::Completed,
        StopReason::Length | StopReason::ContextWindow => Ended::Incomplete("max_output_tokens"),
        StopReason::ContentFilter | StopReason::Refusal => Ended::Incomplete("content_filter"),
        StopReason::Error => Ended::Failed,
    }
}

impl Ended {
    /// The `status`, and the last word of the stream's last event.
    pub(super) fn status(self) -> &'static str {
        match self {
            Ended::Completed => "completed",
            Ended::Incomplete(_) => "incomplete",
            Ended::Failed => "failed",
        }
    }

    /// The `status` of a message in it.
    pub(super) fn item_status(self) -> &'static str {
        match self {
            Ended::Completed => "completed",
            Ended::Incomplete(_) | Ended::Failed => "incomplete",
        }
    }
}
