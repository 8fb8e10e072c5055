//! From a span of bytes to a place a reader can find, and a line that can be shown.
//!
//! Invariant: characters inside a mask never get into what is shown.

use super::report::Shown;
use std::ops::Range;

/// Bytes looked at on each side of a span, so that a line of megabytes costs nothing.
const REACH_BYTES: usize = 512;
/// Characters of a line that are shown.
const WIDTH_MAX: usize = 110;
/// Characters kept before the caret when a line is cut.
const LEAD: usize = 40;

/// One character of the shown line and the bytes it stands for.
struct Cell {
    shown: char,
    bytes: Range<usize>,
}

/// Line (from 1), column (characters, from 1) and the line to show. `masks` are sorted.
pub(super) fn locate(text: &str, span: &Range<usize>, masks: &[Range<usize>]) -> (usize, usize, Shown) {
    let start = floor_boundary(text, span.start);
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let after = text.get(start..).unwrap_or_default();
    let line_end = after.find('\n').map_or(text.len(), |at| start + at);

    let from = floor_boundary(text, line_start.max(start.saturating_sub(REACH_BYTES)));
    let to = floor_boundary(text, line_end.min(start.saturating_add(REACH_BYTES)));
    let cells = cells(text, from..to, masks);
    let marked = start..span.end.max(start);
    let first = cells.iter().position(|cell| cell.bytes.end > marked.start).unwrap_or(cells.len());
    let width = cells.iter().skip(first).take_while(|cell| cell.bytes.start < marked.end).count().max(1);
    (line, column, cut(&cells, first, width, from > line_start, to < line_end))
}

fn floor_boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

/// The characters of `range`; what a mask covers becomes `***`.
fn cells(text: &str, range: Range<usize>, masks: &[Range<usize>]) -> Vec<Cell> {
    let masks: Vec<&Range<usize>> =
        masks.iter().filter(|mask| mask.start < range.end && mask.end > range.start).collect();
    let mut cells: Vec<Cell> = Vec::new();
    let mut masked_to = range.start;
    for (offset, shown) in text.get(range.clone()).unwrap_or_default().char_indices() {
        let at = range.start + offset;
        if at < masked_to {
            continue;
        }
        if let Some(mask) = masks.iter().find(|mask| mask.contains(&at)) {
            masked_to = mask.end;
            cells.extend("***".chars().map(|star| Cell { shown: star, bytes: at..mask.end }));
            continue;
        }
        let bytes = at..at + shown.len_utf8();
        match shown {
            '\r' => {}
            '\t' => cells.extend((0..4).map(|_| Cell { shown: ' ', bytes: bytes.clone() })),
            _ if shown.is_control() || is_invisible(shown) => cells.push(Cell { shown: '\u{fffd}', bytes }),
            _ => cells.push(Cell { shown, bytes }),
        }
    }
    cells
}

/// Characters that reorder or hide text in a terminal.
fn is_invisible(shown: char) -> bool {
    matches!(shown, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn cut(cells: &[Cell], first: usize, width: usize, is_cut_left: bool, is_cut_right: bool) -> Shown {
    let skip = if cells.len() <= WIDTH_MAX { 0 } else { first.saturating_sub(LEAD) };
    let mut text: String = cells.iter().skip(skip).take(WIDTH_MAX).map(|cell| cell.shown).collect();
    let has_left = is_cut_left || skip > 0;
    let has_right = is_cut_right || cells.len() > skip.saturating_add(WIDTH_MAX);
    if has_left {
        text.insert(0, '…');
    }
    if has_right {
        text.push('…');
    } else {
        text.truncate(text.trim_end().len());
    }
    let offset = (first - skip) + usize::from(has_left);
    Shown { text, offset, width: width.min(WIDTH_MAX.saturating_sub(first - skip)).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_and_column_count_characters_from_one() {
        let text = "a = 1\nü = \"ß\" # x\n";
        let at = text.find("\"ß\"").unwrap();
        let (line, column, shown) = locate(text, &(at..at + 4), &[]);
        assert_eq!((line, column), (2, 5));
        assert_eq!(shown, Shown { text: "ü = \"ß\" # x".to_owned(), offset: 4, width: 3 });
    }

    #[test]
    fn a_mask_hides_its_bytes_and_the_carets_follow() {
        let text = "k = { secret = \"canary\", x = 1 }";
        let mask = text.find("\"canary\"").unwrap();
        let at = text.find("x =").unwrap();
        let range = mask..mask + 8;
        let (_, _, shown) = locate(text, &(at..at + 1), std::slice::from_ref(&range));
        assert_eq!(shown, Shown { text: "k = { secret = ***, x = 1 }".to_owned(), offset: 20, width: 1 });
        let (_, _, on_it) = locate(text, &range, std::slice::from_ref(&range));
        assert_eq!((on_it.offset, on_it.width), (15, 3));
    }

    #[test]
    fn a_mask_over_several_lines_hides_each_of_them() {
        let text = "k = [\n \"one\",\n \"two\",\n]\n";
        let mask = 4..text.len() - 1;
        let at = text.find("two").unwrap();
        let (line, _, shown) = locate(text, &(at..at + 3), &[mask]);
        assert_eq!((line, shown.text.as_str()), (3, "***"));
    }

    #[test]
    fn a_line_of_megabytes_is_cut_around_the_caret() {
        let text = format!("{}x{}", "ab ".repeat(1_000_000), "y".repeat(1_000_000));
        let (line, column, shown) = locate(&text, &(3_000_000..3_000_001), &[]);
        assert_eq!((line, column), (1, 3_000_001));
        assert_eq!(shown.text.chars().nth(shown.offset), Some('x'));
        assert!(shown.text.chars().count() <= WIDTH_MAX + 2, "{}", shown.text.len());
    }

    #[test]
    fn spans_beyond_the_text_or_between_characters_are_survived() {
        for (text, span) in [("", 0..0), ("", 5..9), ("é", 1..1), ("a\n", 2..2), ("abc", 3..99)] {
            let (line, column, shown) = locate(text, &span, &[]);
            assert!(line >= 1 && column >= 1 && shown.width >= 1, "{text:?} {span:?}");
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let (_, _, shown) = locate("a\t\u{1b}[2J\u{202e}b", &(0..1), &[]);
        assert_eq!(shown.text, "a    \u{fffd}[2J\u{fffd}b");
    }
}
