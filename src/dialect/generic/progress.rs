//! What every stream reader remembers, whatever its dialect.

use super::label::Label;
use crate::dialect::coverage::Coverage;
use crate::types::Usage;

/// Inline and fixed in size: one per open stream.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) usage: Usage,
    /// Some usage was reported (`usage` is meaningful).
    pub(crate) has_usage: bool,
    /// The reported usage covers the whole output; false while it is only a start value, as in
    /// Anthropic's `message_start`, or that of a stream which has gone on.
    pub(crate) is_usage_final: bool,
    coverage: Coverage,
    pub(crate) has_content: bool,
    /// The first reason the upstream gave for stopping, in its own words.
    pub(crate) finish: Label<32>,
}

impl Progress {
    /// Takes a cumulative report: the larger of each class.
    pub(crate) fn report(&mut self, usage: &Usage) {
        self.usage.merge_max(usage);
        self.has_usage = true;
    }

    /// Notes an event of a stream that may report again and again: its usage is final once it has said
    /// its last word, when nothing was generated after the report.
    pub(crate) fn cover(&mut self, is_report: bool, has_output: bool, is_terminated: bool) {
        self.coverage.note(is_report, has_output);
        self.is_usage_final = self.coverage.is_whole() && is_terminated;
    }
}
