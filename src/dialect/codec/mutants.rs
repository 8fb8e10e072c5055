//! For tests: documents that are wrong in one place.

use crate::framing::json::{Duplicates, Node, Value, parse};
use std::ops::Range;

/// What any value may be replaced by. `1e400` is JSON, and no number to most.
const STRANGERS: [&str; 13] = [
    "null",
    "-7",
    "-1.5e300",
    "1e400",
    "true",
    r#""""#,
    r#""\u0000é""#,
    "[]",
    r#"[[{"type":7}]]"#,
    r#"[{"type":"text"}]"#,
    "{}",
    r#"{"type":"x"}"#,
    r#"{"type":7}"#,
];

/// Every document that differs from `json` in one value or in the name of one field.
pub fn mutants(json: &str) -> Vec<String> {
    let document = parse(json, Duplicates::Refuse).unwrap();
    let mut places = Vec::new();
    walk(&document, json, &mut places);
    let mutate = |place: Place| match place {
        Place::Value(span) => STRANGERS.map(|stranger| splice(json, span.clone(), stranger)).to_vec(),
        Place::Name(span) => vec![splice(json, span, "\"gone\"")],
    };
    places.into_iter().flat_map(mutate).collect()
}

enum Place {
    Value(Range<usize>),
    Name(Range<usize>),
}

fn splice(json: &str, span: Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &json[..span.start], &json[span.end..])
}

fn walk(node: &Node<'_>, json: &str, places: &mut Vec<Place>) {
    let at = node.at() as usize;
    places.push(Place::Value(at..at + node.raw().len()));
    match node.value() {
        Value::Object(fields) => {
            for (_, inner) in fields.iter() {
                places.push(Place::Name(name_before(json, inner.at() as usize)));
                walk(inner, json, places);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, json, places)),
        _ => {}
    }
}

/// The name of the field whose value begins at `at`, with its quotes. No name in a sample holds one.
fn name_before(json: &str, at: usize) -> Range<usize> {
    let end = json[..at].rfind('"').unwrap();
    json[..end].rfind('"').unwrap()..end + 1
}

#[test]
fn every_value_is_replaced_and_every_field_renamed_once() {
    let all = mutants(r#"{"a":[1],"b":2}"#);
    assert_eq!(all.len(), 4 * STRANGERS.len() + 2);
    for one in [r#"{"a":[1e400],"b":2}"#, r#"{"a":[1],"gone":2}"#, r#"{"a":null,"b":2}"#, "[]"] {
        assert!(all.iter().any(|json| json == one), "{one}");
    }
}
