//! Members taken out of, and put into, JSON objects as they are written.

use crate::framing::json::Node;
use std::ops::Range;

/// One replacement of a range of the body; an insertion where the range is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub range: Range<usize>,
    pub replacement: String,
}

impl Change {
    pub(super) fn replace(node: &Node<'_>, by: &str) -> Self {
        Self { range: start(node)..end(node), replacement: by.to_owned() }
    }

    fn cut(range: Range<usize>) -> Self {
        Self { range, replacement: String::new() }
    }
}

fn start(node: &Node<'_>) -> usize {
    node.at() as usize
}

fn end(node: &Node<'_>) -> usize {
    start(node) + node.raw().len()
}

/// `body` with the changes made, which are in order and do not overlap.
pub fn apply(body: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + changes.iter().map(|c| c.replacement.len()).sum::<usize>());
    let mut done = 0;
    for change in changes {
        out.extend_from_slice(body.get(done..change.range.start).unwrap_or_default());
        out.extend_from_slice(change.replacement.as_bytes());
        done = change.range.end;
    }
    out.extend_from_slice(body.get(done..).unwrap_or_default());
    out
}

/// The same for a document that is all of its body but white space around it.
pub(super) fn apply_all(root: &Node<'_>, changes: &[Change]) -> Vec<u8> {
    let from = start(root);
    let moved: Vec<Change> = changes
        .iter()
        .map(|change| Change {
            range: change.range.start.saturating_sub(from)..change.range.end.saturating_sub(from),
            replacement: change.replacement.clone(),
        })
        .collect();
    apply(root.raw().as_bytes(), &moved)
}

/// Cuts the members whose key `is_cut`, each with the comma that belongs to it.
pub(super) fn remove_members(object: &Node<'_>, is_cut: impl Fn(&str) -> bool) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    // Where the last member that stays ends; before the first one, behind the brace.
    let mut kept_end = None;
    let mut run_end = None;
    for (key, value) in object.entries() {
        if is_cut(key) {
            run_end = Some(end(value));
            continue;
        }
        if let Some(cut_end) = run_end.take() {
            // A comma is left behind by the run: the one before it where something stands before it.
            let range = match kept_end {
                Some(from) => from..cut_end,
                None => start(object) + 1..cut_end + comma(object, cut_end),
            };
            changes.push(Change::cut(range));
        }
        kept_end = Some(end(value));
    }
    if let Some(cut_end) = run_end {
        changes.push(Change::cut(kept_end.unwrap_or(start(object) + 1)..cut_end));
    }
    changes
}

/// Bytes from `at` over the next comma.
fn comma(object: &Node<'_>, at: usize) -> usize {
    let behind = object.raw().get(at - start(object)..).unwrap_or_default();
    behind.find(',').map_or(0, |place| place + 1)
}

/// Puts `members` first; `has_more`: others follow.
pub(super) fn insert_front(object: &Node<'_>, members: &[String], has_more: bool) -> Option<Change> {
    let place = start(object) + 1;
    let mut replacement = members.join(",");
    if has_more {
        replacement.push(',');
    }
    (!members.is_empty()).then_some(Change { range: place..place, replacement })
}
