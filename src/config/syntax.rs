//! Text that is no TOML. Its problems look like all others, but nothing was read yet, so nobody
//! knows which strings are secrets: lines that look like they hold one are masked by their words.

use super::collector::Collector;
use super::report::Report;
use std::ops::Range;

/// One slip makes the parser stumble on; more than this says nothing new.
const SYNTAX_PROBLEMS_MAX: usize = 20;
/// Lines looked back for the key a value belongs to.
const LOOK_BACK_LINES: usize = 200;

/// The report of what the TOML parser found.
pub(super) fn report(
    name: &str,
    text: &str,
    errors: &[toml::de::Error],
    mut collector: Collector<'_>,
) -> Report {
    let mut last_line = None;
    let mut seen = 0;
    let mut sorted: Vec<&toml::de::Error> = errors.iter().collect();
    sorted.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    for error in sorted {
        let span = error.span().unwrap_or(0..0);
        let line = line_around(text, span.start);
        if last_line.as_ref() == Some(&line) || seen == SYNTAX_PROBLEMS_MAX {
            continue;
        }
        if let Some(mask) = mask(text, &line) {
            collector.mask(mask);
        }
        let message = format!("not TOML: {}", error.message().replace('\n', " "));
        collector.add(span, "", message, None);
        last_line = Some(line);
        seen += 1;
    }
    match collector.finish(name, text, ()) {
        Err(report) => report,
        Ok(()) => Report::without_place(name, "this is not TOML".to_owned(), None),
    }
}

fn line_around(text: &str, at: usize) -> Range<usize> {
    let at = text.floor_char_boundary(at);
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let end = text.get(at..).and_then(|after| after.find('\n')).map_or(text.len(), |newline| at + newline);
    start..end
}

/// The part of the line to hide: all after the first `=` if the line speaks of secrets, all of it
/// if it goes on with a value begun on a line that does.
fn mask(text: &str, line: &Range<usize>) -> Option<Range<usize>> {
    let shown = text.get(line.clone())?;
    if let Some(at) = shown.find('=') {
        return is_sensitive(shown).then_some(line.start + at + 1..line.end);
    }
    let before = text.get(..line.start)?;
    let lines = before.lines().rev().take(LOOK_BACK_LINES);
    let mut owners = lines.filter(|line| !line.trim_start().starts_with('#') && line.contains(['=', '[']));
    let is_header = shown.trim_start().starts_with('[');
    let holds_secret =
        is_sensitive(shown) || owners.find(|line| line.contains('=')).is_some_and(is_sensitive);
    (holds_secret && !is_header).then_some(line.clone())
}

fn is_sensitive(line: &str) -> bool {
    const WORDS: [&str; 9] =
        ["key", "secret", "token", "auth", "password", "cookie", "credential", "sk-", "://"];
    let lower = line.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, line: &str) -> Option<String> {
        let start = text.find(line).unwrap();
        mask(text, &(start..start + line.len())).map(|mask| text[mask].to_owned())
    }

    #[test]
    fn lines_that_may_hold_a_secret_are_hidden() {
        assert_eq!(masked("api_key = sk-1\n", "api_key = sk-1").as_deref(), Some(" sk-1"));
        assert_eq!(masked("listen = [1 2]\n", "listen = [1 2]"), None);
        let list = "api_keys = [\n  \"one\"\n  \"two\"\n]\n";
        assert_eq!(masked(list, "  \"two\"").as_deref(), Some("  \"two\""));
        let numbers = "listen = [\n  1\n  2\n]\n";
        assert_eq!(masked(numbers, "  2"), None);
        assert_eq!(masked("api_key = \"env:A\"\n[server\n", "[server"), None);
    }
}
