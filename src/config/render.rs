//! The look of a report: message, place, source line, carets, help.

use super::report::{Problem, Report};
use std::fmt::Write;

const RED: &str = "\x1b[1;31m";
const BLUE: &str = "\x1b[1;34m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// The whole report; a blank line between two problems.
pub(super) fn report(report: &Report, color: bool) -> String {
    let paint = Paint { color };
    let blocks: Vec<String> = report.problems.iter().map(|p| block(&report.name, p, paint)).collect();
    let mut out = blocks.join("\n");
    if report.left_out > 0 {
        out.push_str(&format!("\n… and {} more problems\n", report.left_out));
    }
    out
}

#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn with(self, style: &str, text: &str) -> String {
        if self.color { format!("{style}{text}{PLAIN}") } else { text.to_owned() }
    }
}

/// Writing to a `String` does not fail, so the results of `writeln!` are dropped.
fn block(name: &str, problem: &Problem, paint: Paint) -> String {
    let number = problem.line.to_string();
    let pad = " ".repeat(number.len());
    let mut out = String::new();
    let message = paint.with(BOLD, &problem.message);
    let _ = writeln!(out, "{}: {message}", paint.with(RED, "error"));
    let place = match problem.line {
        0 => name.to_owned(),
        line => format!("{name}:{line}:{}", problem.column),
    };
    let path = if problem.path.is_empty() { String::new() } else { format!("   in {}", problem.path) };
    let _ = writeln!(out, "{pad}{} {place}{path}", paint.with(BLUE, "-->"));
    if let Some(shown) = &problem.shown {
        let bar = paint.with(BLUE, "|");
        let _ = writeln!(out, "{} {bar} {}", paint.with(BLUE, &number), shown.text);
        let carets = paint.with(RED, &"^".repeat(shown.width));
        let _ = writeln!(out, "{pad} {bar} {}{carets}", " ".repeat(shown.offset));
    }
    if let Some(help) = &problem.help {
        let _ = writeln!(out, "{pad} {} help: {help}", paint.with(BLUE, "="));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::report::Shown;
    use super::*;

    fn problem() -> Problem {
        Problem {
            message: "unknown field `tokens_per_minut`, did you mean `tokens_per_minute`?".to_owned(),
            span: 0..16,
            path: "models.gpt-5.limits".to_owned(),
            help: None,
            line: 14,
            column: 1,
            shown: Some(Shown { text: "tokens_per_minut = 60_000".to_owned(), offset: 0, width: 16 }),
        }
    }

    #[test]
    fn a_problem_is_shown_where_it_is() {
        let report = Report { name: "conf/tidegate.toml".to_owned(), problems: vec![problem()], left_out: 0 };
        assert_eq!(
            report.render(false),
            "\
error: unknown field `tokens_per_minut`, did you mean `tokens_per_minute`?
  --> conf/tidegate.toml:14:1   in models.gpt-5.limits
14 | tokens_per_minut = 60_000
   | ^^^^^^^^^^^^^^^^
"
        );
    }

    #[test]
    fn colour_comes_only_when_asked_for_and_changes_no_character() {
        let report = Report { name: "x".to_owned(), problems: vec![problem()], left_out: 2 };
        let mut painted = report.render(true);
        assert!(painted.contains(RED));
        for style in [RED, BLUE, BOLD, PLAIN] {
            painted = painted.replace(style, "");
        }
        assert_eq!(painted, report.render(false));
        assert!(painted.ends_with("… and 2 more problems\n"));
    }
}
