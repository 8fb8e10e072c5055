//! Request bodies and queries, read to the letter: what nobody asked for is a mistake, told with its
//! place. A property that is silently dropped is a property somebody believes to have set.

use super::problem::Problem;
use crate::framing::json::{Duplicates, parse_bytes};
use crate::types::percent;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The body as one JSON object. Members that come twice are refused: which of them counts, readers
/// disagree on.
///
/// # Errors
/// What is wrong, and where.
pub fn object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    parse_bytes(body, Duplicates::Refuse)
        .map_err(|error| Problem::invalid("", format!("not JSON: {error}")))?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Problem::invalid("", "the body must be a JSON object")),
        Err(error) => Err(Problem::invalid("", format!("not JSON: {error}"))),
    }
}

/// Reads a value as `T`, which knows its fields.
///
/// # Errors
/// The path of the first mistake and what it is.
pub fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        Problem::invalid(path, error.into_inner().to_string())
    })
}

/// Lays `change` over `current`: members of `change` replace, null removes (RFC 7396, at the first
/// level; what lies deeper is replaced as a whole).
pub fn merge(mut current: Map<String, Value>, change: Map<String, Value>) -> Value {
    for (name, value) in change {
        if value.is_null() {
            current.remove(&name);
        } else {
            current.insert(name, value);
        }
    }
    Value::Object(current)
}

/// The parameters of a query, each at most once and all of them among `known`.
///
/// # Errors
/// The first that is not.
pub fn query(text: Option<&str>, known: &[&str]) -> Result<BTreeMap<String, String>, Problem> {
    let mut found = BTreeMap::new();
    for pair in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
            return Err(Problem::invalid("", "the query is not well encoded"));
        };
        if !known.contains(&name.as_str()) {
            let known = known.join(", ");
            return Err(Problem::invalid(name, format!("unknown parameter; known here: {known}")));
        }
        if found.insert(name.clone(), value).is_some() {
            return Err(Problem::invalid(name, "comes twice"));
        }
    }
    Ok(found)
}

/// A segment of a path, decoded; None where it is not well encoded.
pub fn segment(text: &str) -> Option<String> {
    percent::decoded(text).map(Cow::into_owned)
}

/// A name or value of a query, where `+` is a blank.
fn decoded(text: &str) -> Option<String> {
    segment(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::Policy;
    use serde_json::json;

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let policy = json!({"limits": [{"unit": "tokens", "per": "fortnight", "amount": 1}]});
        let problem = typed::<Policy>(policy).unwrap_err();
        assert_eq!(problem.errors[0].path, "limits[0].per");
        let problem = typed::<Policy>(json!({"modles": []})).unwrap_err();
        assert!(problem.detail.contains("unknown field `modles`"), "{}", problem.detail);
    }

    #[test]
    fn members_that_come_twice_and_other_values_are_refused() {
        for body in [&br#"{"a":1,"a":2}"#[..], b"[]", b"", b"{", b"null", b"\xff", b"{}x"] {
            assert_eq!(object(body).unwrap_err().status, 400, "{body:?}");
        }
        assert!(object(br#"{"a":{"b":null}}"#).is_ok());
    }

    #[test]
    fn null_removes_and_the_rest_stays() {
        let Value::Object(current) = json!({"a": 1, "b": 2}) else { panic!() };
        let Value::Object(change) = json!({"b": null, "c": {"d": null}}) else { panic!() };
        assert_eq!(merge(current, change), json!({"a": 1, "c": {"d": null}}));
    }

    #[test]
    fn queries_know_their_parameters() {
        let found = query(Some("limit=5&name=a%20b%2Bc+d"), &["limit", "name"]).unwrap();
        assert_eq!(found["name"], "a b+c d");
        for bad in ["limt=5", "limit=1&limit=2", "name=%zz", "name=%ff", "name=%2"] {
            assert_eq!(query(Some(bad), &["limit", "name"]).unwrap_err().status, 400, "{bad}");
        }
    }
}
