//! Where a byte of a document is, in words: `messages[3].content[0].image_url`.

use super::node::{Node, Value};
use super::parse::{Duplicates, parse_bytes};

/// The path of the innermost value that starts at `at`, or holds it. None where the document cannot
/// be read or `at` is in no value. Errors only: it parses the document again.
pub fn path_at(document: &[u8], at: u32) -> Option<String> {
    let root = parse_bytes(document, Duplicates::LastCounts).ok()?;
    value_at(&root, at).map(|(path, _)| path)
}

/// The same in a document that has been read, and the value itself.
pub fn value_at<'n, 'a>(root: &'n Node<'a>, at: u32) -> Option<(String, &'n Node<'a>)> {
    let mut path = String::new();
    let mut node = root;
    while node.at() != at {
        let Some((step, inner)) = step_towards(node, at) else { break };
        match step {
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
        node = inner;
    }
    (!path.is_empty()).then_some((path, node))
}

enum Step<'n> {
    Key(&'n str),
    Index(usize),
}

fn step_towards<'n, 'a>(node: &'n Node<'a>, at: u32) -> Option<(Step<'n>, &'n Node<'a>)> {
    let holds = |inner: &Node<'_>| (inner.at()..inner.at() + inner.raw().len() as u32).contains(&at);
    match node.value() {
        Value::Object(entries) => {
            entries.iter().find(|(_, inner)| holds(inner)).map(|(key, inner)| (Step::Key(key), inner))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find(|(_, inner)| holds(inner))
            .map(|(at, inner)| (Step::Index(at), inner)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_as_a_programmer_would() {
        let json = br#"{"model":"m","messages":[{"role":"user"},{"content":[{"image_url":{"url":"x"}}]}]}"#;
        let find = |needle: &str| {
            let at = std::str::from_utf8(json).unwrap().find(needle).unwrap();
            path_at(json, at as u32)
        };
        assert_eq!(find("\"x\"").unwrap(), "messages[1].content[0].image_url.url");
        assert_eq!(find("{\"url").unwrap(), "messages[1].content[0].image_url");
        assert_eq!(find("\"m\"").unwrap(), "model");
        assert_eq!(path_at(json, 0), None);
        assert_eq!(path_at(b"{", 0), None);
    }
}
