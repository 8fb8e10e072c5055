//! What is wrong with a file, complete in itself: a report needs neither the file nor its text to
//! be shown, and holds no secret that stood in it.

use super::render;
use std::fmt;
use std::ops::Range;

/// All problems of one file, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file as it was named by the caller.
    pub name: String,
    pub problems: Vec<Problem>,
    /// Problems beyond the number a report holds.
    pub left_out: usize,
}

/// One problem, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Lowercase, without a full stop.
    pub message: String,
    /// Bytes of the file the problem is about.
    pub span: Range<usize>,
    /// The table it is in (`models.gpt-5.limits`); empty at the top.
    pub path: String,
    /// What to write instead, where that can be said.
    pub help: Option<String>,
    /// From 1; 0 where the problem has no place (the file cannot be read).
    pub line: usize,
    /// Characters from 1.
    pub column: usize,
    /// The source line, where it can be shown.
    pub shown: Option<Shown>,
}

/// A source line made fit for a terminal: secrets masked, control characters replaced, cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub text: String,
    /// Characters before the first caret.
    pub offset: usize,
    /// Carets; at least one.
    pub width: usize,
}

impl Report {
    /// A report of one problem that has no place in a text.
    pub(super) fn without_place(name: &str, message: String, help: Option<&str>) -> Self {
        let problem = Problem {
            message,
            span: 0..0,
            path: String::new(),
            help: help.map(str::to_owned),
            line: 0,
            column: 0,
            shown: None,
        };
        Self { name: name.to_owned(), problems: vec![problem], left_out: 0 }
    }

    /// Problems found, the ones left out included.
    pub fn len(&self) -> usize {
        self.problems.len() + self.left_out
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The report as text for a terminal or a log; `color` adds ANSI colours.
    pub fn render(&self, color: bool) -> String {
        render::report(self, color)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Report {}
