//! A request with what it refers to put in: the history before its own input, items in the place of
//! references to them.

use crate::framing::json::{JsonWriter, Node};

/// The request `root` with `history` (elements of an `input`) before its own input, and without the
/// references that the history stands for.
pub fn with_history(root: &Node<'_>, history: &[&str]) -> Vec<u8> {
    let input = root.get("input");
    let bytes = history.iter().map(|text| text.len() + 1).sum::<usize>();
    let mut out = Vec::with_capacity(root.raw().len() + bytes + 64);
    JsonWriter::new(&mut out).object(|w| {
        for (name, value) in root.entries() {
            if !matches!(name.as_ref(), "input" | "previous_response_id" | "conversation") {
                w.field_raw(name, value.raw());
            }
        }
        match input {
            // Not ours to judge: the codec says what is wrong with it.
            Some(other) if !other.is_string() && !other.is_array() => w.field_raw("input", other.raw()),
            _ => w.field_array("input", |w| {
                history.iter().for_each(|text| w.raw(text));
                own(w, input);
            }),
        }
    });
    out
}

fn own(w: &mut JsonWriter<'_>, input: Option<&Node<'_>>) {
    let Some(input) = input else { return };
    if input.is_string() {
        w.object(|w| {
            w.field_str("type", "message");
            w.field_str("role", "user");
            w.field_raw("content", input.raw());
        });
    }
    input.items().iter().for_each(|item| w.raw(item.raw()));
}

/// The request `root` with each `item_reference` that `find` knows replaced by the item. None where
/// there is none to replace.
pub fn with_items(root: &Node<'_>, find: impl Fn(&str) -> Option<String>) -> Option<Vec<u8>> {
    let input = root.get("input")?;
    let found: Vec<Option<String>> = input.items().iter().map(|item| find(&reference(item)?)).collect();
    if found.iter().all(Option::is_none) {
        return None;
    }
    let mut out = Vec::with_capacity(root.raw().len() + 256);
    JsonWriter::new(&mut out).object(|w| {
        for (name, value) in root.entries() {
            if name == "input" {
                w.field_array("input", |w| {
                    for (item, found) in input.items().iter().zip(&found) {
                        w.raw(found.as_deref().unwrap_or(item.raw()));
                    }
                });
            } else {
                w.field_raw(name, value.raw());
            }
        }
    });
    Some(out)
}

/// The id that an `item_reference` refers to.
pub fn reference(item: &Node<'_>) -> Option<String> {
    let is_reference = item.text_of("type").is_some_and(|kind| kind == "item_reference");
    item.text_of("id").filter(|_| is_reference).map(|id| id.into_owned())
}

/// The response that an item of this gateway's id was made with: `resp_{token}` of
/// `{prefix}_{token}_{number}`.
pub fn response_of_item(item: &str) -> Option<String> {
    let (_, rest) = item.split_once('_')?;
    let (token, _) = rest.rsplit_once('_')?;
    Some(format!("resp_{token}"))
}

/// A path in a body with `items` of history before its input as a path in the client's own body.
/// `has_list`: the client's input is a list. `reference` stands for the history.
pub fn client_path(path: &str, items: usize, has_list: bool, reference: &str) -> String {
    let at = path.strip_prefix("input[").and_then(|rest| rest.split_once(']'));
    let Some((number, rest)) = at.and_then(|(number, rest)| Some((number.parse::<usize>().ok()?, rest)))
    else {
        return path.to_owned();
    };
    match number.checked_sub(items) {
        None => reference.to_owned(),
        Some(own) if has_list => format!("input[{own}]{rest}"),
        Some(_) => "input".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    fn replayed(json: &str, history: &[&str]) -> String {
        String::from_utf8(with_history(&parse(json, Duplicates::Refuse).unwrap(), history)).unwrap()
    }

    #[test]
    fn history_stands_before_the_clients_own_input() {
        let history = [r#"{"a":1},{"b":2}"#, r#"{"c":3}"#];
        for (json, expected) in [
            (
                r#"{"model":"m","input":"Hi","previous_response_id":"r","temperature":1.0}"#,
                r#"{"model":"m","temperature":1.0,"input":[{"a":1},{"b":2},{"c":3},{"type":"message","role":"user","content":"Hi"}]}"#,
            ),
            (
                r#"{"input":[{"d":4},{"e":[5]}],"conversation":{"id":"c"},"model":"m"}"#,
                r#"{"model":"m","input":[{"a":1},{"b":2},{"c":3},{"d":4},{"e":[5]}]}"#,
            ),
            (r#"{"previous_response_id":"r"}"#, r#"{"input":[{"a":1},{"b":2},{"c":3}]}"#),
            (r#"{"input":7,"previous_response_id":"r"}"#, r#"{"input":7}"#),
        ] {
            assert_eq!(replayed(json, &history), expected, "{json}");
        }
        assert_eq!(replayed(r#"{"input":[],"previous_response_id":"r"}"#, &[]), r#"{"input":[]}"#);
    }

    #[test]
    fn references_that_are_known_are_replaced() {
        let json = r#"{"model":"m","input":[{"type":"item_reference","id":"i"},{"id":"i"},{"type":"item_reference","id":"j"}]}"#;
        let root = parse(json, Duplicates::Refuse).unwrap();
        let made = with_items(&root, |id| (id == "i").then(|| r#"{"x":1}"#.to_owned())).unwrap();
        let expected = r#"{"model":"m","input":[{"x":1},{"id":"i"},{"type":"item_reference","id":"j"}]}"#;
        assert_eq!(String::from_utf8(made).unwrap(), expected);
        assert!(with_items(&root, |_| None).is_none());
    }

    #[test]
    fn an_item_knows_its_response() {
        assert_eq!(response_of_item("msg_ab12_3").as_deref(), Some("resp_ab12"));
        assert_eq!(response_of_item("fco_ab12_i3").as_deref(), Some("resp_ab12"));
        assert_eq!((response_of_item("msg_ab12"), response_of_item("x")), (None, None));
    }

    #[test]
    fn paths_are_the_clients() {
        for (path, has_list, expected) in [
            ("input[3].content[0]", true, "input[0].content[0]"),
            ("input[4]", true, "input[1]"),
            ("input[2].arguments", true, "previous_response_id"),
            ("input[3].content", false, "input"),
            ("tools[1].name", true, "tools[1].name"),
            ("input", true, "input"),
        ] {
            assert_eq!(client_path(path, 3, has_list, "previous_response_id"), expected, "{path}");
        }
    }
}
