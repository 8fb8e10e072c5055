//! Why a call went where it went, in one line: the field `x-tidegate-route` and the access log's.
//!
//! Small and copied; written out only where it is shown.

use super::group::Balance;
use super::look::{Verdict, WORDS};
use std::fmt;

/// A choice, told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub balance: Balance,
    /// Candidates, of all targets.
    pub ready: u8,
    pub all: u8,
    /// Targets by [`Verdict::index`].
    pub counts: [u8; WORDS.len()],
    /// Targets that cool are asked too.
    pub is_panic: bool,
    /// Targets believed unfit are asked, as there is no other.
    pub is_loosened: bool,
    /// Percent of the prompt that the first target is taken to have in its cache, where that decided.
    pub cached: Option<u8>,
    /// A session decided.
    pub has_session: bool,
    /// A second attempt was sent elsewhere because the first was late.
    pub is_hedged: bool,
    /// It waited until one of its targets had room.
    pub is_queued: bool,
    /// The stream broke, and a target went on with it.
    pub is_continued: bool,
    /// A failure was the client's answer because too many calls were tried again already.
    pub is_out_of_retries: bool,
}

impl Told {
    pub(super) fn count(&mut self, verdict: Verdict) {
        if let Some(count) = self.counts.get_mut(verdict.index()) {
            *count = count.saturating_add(1);
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; candidates={}/{}", self.balance.as_str(), self.ready, self.all)?;
        for (word, count) in WORDS.iter().zip(self.counts).skip(1).filter(|(_, count)| *count > 0) {
            write!(f, "; {word}={count}")?;
        }
        if let Some(cached) = self.cached {
            write!(f, "; cached={cached}")?;
        }
        let marks = [
            (self.has_session, "session"),
            (self.is_panic, "panic"),
            (self.is_loosened, "unfit-passed"),
            (self.is_queued, "queued"),
            (self.is_hedged, "hedged"),
            (self.is_continued, "continued"),
            (self.is_out_of_retries, "no-retry-left"),
        ];
        marks.iter().filter(|(is_so, _)| *is_so).try_for_each(|(_, mark)| write!(f, "; {mark}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_told_in_one_line() {
        let mut told = Told { balance: Balance::Fastest, ready: 2, all: 5, ..Told::default() };
        [Verdict::Ready, Verdict::Ready, Verdict::Cooling, Verdict::Context, Verdict::Context]
            .into_iter()
            .for_each(|verdict| told.count(verdict));
        assert_eq!(told.to_string(), "fastest; candidates=2/5; cooling=1; context=2");
        let cached = Told { balance: Balance::Prefix, ready: 1, all: 1, cached: Some(87), ..Told::default() };
        assert_eq!(cached.to_string(), "prefix; candidates=1/1; cached=87");
        let told = Told { has_session: true, is_panic: true, is_hedged: true, ..Told::default() };
        assert_eq!(told.to_string(), "weighted; candidates=0/0; session; panic; hedged");
    }
}
