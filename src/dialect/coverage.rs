//! Whether what a stream has reported of its usage covers all that it has generated.
//!
//! Streams report once at their end, again and again, or at their beginning and never again; the rule is
//! one, whoever reads them.

/// What is known so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Coverage {
    is_covered: bool,
}

impl Coverage {
    /// Notes an event, or all of one frame: a report covers what came before it and with it.
    pub(crate) fn note(&mut self, is_report: bool, has_output: bool) {
        self.is_covered = is_report || self.is_covered && !has_output;
    }

    /// Whether no output has come since the last report.
    pub(crate) fn is_whole(self) -> bool {
        self.is_covered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_covers_what_came_until_more_comes() {
        let mut coverage = Coverage::default();
        assert!(!coverage.is_whole(), "nothing is reported");
        for (is_report, has_output, is_whole) in [
            (false, true, false),
            (true, true, true),
            (false, false, true),
            (false, true, false),
            (true, false, true),
        ] {
            coverage.note(is_report, has_output);
            assert_eq!(coverage.is_whole(), is_whole, "{is_report} {has_output}");
        }
    }
}
