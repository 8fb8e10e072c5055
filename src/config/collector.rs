//! What one reading of a file gathers: problems, places that must not be shown, listeners taken.

use super::file::SecretPolicy;
use super::locate::locate;
use super::report::{Problem, Report};
use std::net::SocketAddr;
use std::ops::Range;

/// Problems a report shows; a wrong file format would otherwise make thousands.
const PROBLEMS_MAX: usize = 100;

/// Passed to every reader. Reading goes on after a problem; [`Collector::finish`] decides.
pub(super) struct Collector<'e> {
    pub(super) policy: SecretPolicy,
    env: &'e dyn Fn(&str) -> Option<String>,
    drafts: Vec<Draft>,
    left_out: usize,
    masks: Vec<Range<usize>>,
    listeners: Vec<(SocketAddr, String)>,
    /// Every (table path, key) a reader asked for: the language itself, as tests see it.
    #[cfg(test)]
    pub(super) asked: std::collections::BTreeSet<(String, &'static str)>,
}

struct Draft {
    message: String,
    span: Range<usize>,
    path: String,
    help: Option<String>,
}

impl<'e> Collector<'e> {
    pub(super) fn new(policy: SecretPolicy, env: &'e dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            policy,
            env,
            drafts: Vec::new(),
            left_out: 0,
            masks: Vec::new(),
            listeners: Vec::new(),
            #[cfg(test)]
            asked: std::collections::BTreeSet::new(),
        }
    }

    /// The environment as the caller gave it.
    pub(super) fn env(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// Whether things outside the file (environment, secret files, certificates) are looked at.
    pub(super) fn looks_outside(&self) -> bool {
        self.policy == SecretPolicy::Resolve
    }

    pub(super) fn add(&mut self, span: Range<usize>, path: &str, message: String, help: Option<String>) {
        if self.drafts.len() >= PROBLEMS_MAX {
            self.left_out += 1;
            return;
        }
        self.drafts.push(Draft { message, span, path: path.to_owned(), help });
    }

    /// Keeps these bytes out of every report.
    pub(super) fn mask(&mut self, span: Range<usize>) {
        self.masks.push(span);
    }

    /// Takes a listening address for `path`; says who has it already, if it is not free.
    pub(super) fn claim(&mut self, address: SocketAddr, path: String) -> Result<(), String> {
        let taken = self.listeners.iter().find(|(other, _)| clashes(*other, address));
        let owner = taken.map(|(_, owner)| owner.clone());
        self.listeners.push((address, path));
        owner.map_or(Ok(()), Err)
    }

    /// The value if there was no problem, else the report.
    pub(super) fn finish<T>(mut self, name: &str, text: &str, value: T) -> Result<T, Report> {
        if self.drafts.is_empty() {
            return Ok(value);
        }
        self.masks.sort_by_key(|mask| (mask.start, mask.end));
        self.drafts.sort_by_key(|draft| draft.span.start);
        let masks = self.masks;
        let place = |draft: Draft| {
            let (line, column, shown) = locate(text, &draft.span, &masks);
            let Draft { message, span, path, help } = draft;
            Problem { message, span, path, help, line, column, shown: Some(shown) }
        };
        let problems = self.drafts.into_iter().map(place).collect();
        Err(Report { name: name.to_owned(), problems, left_out: self.left_out })
    }
}

/// Whether two addresses cannot both be listened on. Port 0 is a new port each time.
fn clashes(a: SocketAddr, b: SocketAddr) -> bool {
    let is_same_ip = a.ip() == b.ip()
        || (a.is_ipv4() == b.is_ipv4() && (a.ip().is_unspecified() || b.ip().is_unspecified()));
    a.port() != 0 && a.port() == b.port() && is_same_ip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_clash_when_they_cannot_both_be_bound() {
        let clash = |a: &str, b: &str| clashes(a.parse().unwrap(), b.parse().unwrap());
        assert!(clash("127.0.0.1:80", "127.0.0.1:80"));
        assert!(clash("0.0.0.0:80", "127.0.0.1:80"));
        assert!(clash("[::1]:80", "[::]:80"));
        assert!(!clash("0.0.0.0:80", "127.0.0.1:81"));
        assert!(!clash("127.0.0.1:0", "127.0.0.1:0"));
        assert!(!clash("10.0.0.1:80", "10.0.0.2:80"));
    }

    #[test]
    fn problems_beyond_the_bound_are_counted_not_kept() {
        let mut collector = Collector::new(SecretPolicy::Syntax, &|_| None);
        (0..PROBLEMS_MAX + 7).for_each(|at| collector.add(at..at, "", "x".to_owned(), None));
        let report = collector.finish("f", "", ()).unwrap_err();
        assert_eq!((report.problems.len(), report.left_out, report.len()), (100, 7, 107));
    }
}
