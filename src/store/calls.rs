//! Questions about single calls.

use super::{Dimension, ROWS_MAX, StoreError};
use crate::govern::{Call, Outcome};
use crate::types::RequestId;

/// Calls of a span of time, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallQuery {
    /// Milliseconds since 1970, UTC.
    pub from_ms: u64,
    /// Not included.
    pub to_ms: u64,
    /// All must hold; of several of one dimension, one.
    pub filters: Vec<(Dimension, String)>,
    pub outcome: Option<Outcome>,
    /// [`CallPage::next`] of the page before.
    pub after: Option<String>,
    /// 1 to [`ROWS_MAX`].
    pub limit: u32,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallPage {
    pub calls: Vec<Call>,
    /// To ask for the next page with; None after the last.
    pub next: Option<String>,
}

impl CallQuery {
    /// # Errors
    /// What makes the question one that is not answered.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.limit == 0 || self.limit > ROWS_MAX {
            return Err(StoreError::TooMuch("rows in one page"));
        }
        if self.filters.len() > 100 {
            return Err(StoreError::TooMuch("filters"));
        }
        if self.from_ms >= self.to_ms || self.to_ms > i64::MAX.unsigned_abs() {
            return Err(StoreError::Malformed("the span of time is empty"));
        }
        Ok(())
    }

    /// The call that the last page ended with: calls before it are asked for.
    pub(super) fn before(&self) -> Result<(u64, String), StoreError> {
        const WRONG: StoreError = StoreError::Malformed("`after` is of no page");
        let Some(after) = &self.after else { return Ok((self.to_ms, String::new())) };
        let (at, id) = after.split_once('.').ok_or(WRONG)?;
        let at_ms: u64 = at.parse().map_err(|_| WRONG)?;
        RequestId::parse(id).ok_or(WRONG)?;
        if at_ms >= self.to_ms { Err(WRONG) } else { Ok((at_ms, id.to_owned())) }
    }
}

impl CallPage {
    pub(super) fn cursor(last: &Call) -> String {
        format!("{}.{}", last.at_ms, last.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_was_never_given_out_is_refused() {
        let ask = |after: &str| {
            let query =
                CallQuery { to_ms: 100, limit: 1, after: Some(after.to_owned()), ..CallQuery::default() };
            query.before().is_ok()
        };
        assert!(ask("99.req_000000010000000000000002"));
        for wrong in [
            "",
            "99",
            "99.",
            "x.req_000000010000000000000002",
            "100.req_000000010000000000000002",
            "1.' OR 1",
        ] {
            assert!(!ask(wrong), "{wrong}");
        }
    }
}
