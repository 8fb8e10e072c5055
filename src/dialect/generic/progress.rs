//! What every stream reader remembers, whatever its dialect.

use crate::types::Usage;

use super::label::Label;

/// Inline and fixed in size: one per open stream.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) usage: Usage,
    /// Some usage was reported (`usage` is meaningful).
    pub(crate) has_usage: bool,
    /// The reported usage covers the output generated so far; false while it is only a start
    /// value, as in Anthropic's `message_start`.
    pub(crate) is_usage_final: bool,
    pub(crate) has_content: bool,
    /// The first reason the upstream gave for stopping, in its own words.
    pub(crate) finish: Label<32>,
}

impl Progress {
    /// Takes a cumulative report: the larger of each class.
    pub(crate) fn report(&mut self, usage: &Usage) {
        self.usage.merge_max(usage);
        self.has_usage = true;
        self.is_usage_final = true;
    }
}
