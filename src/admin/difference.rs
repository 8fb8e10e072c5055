//! What differs between two configurations, path by path. Pure, over masked JSON.

use crate::govern::mask::mask_table;
use crate::govern::{Configuration, Kind};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A value and where it comes from, by its path.
type Leaves = BTreeMap<String, (&'static str, Value)>;

/// As one list of values: the file's by their paths in it, the store's as if they stood there too.
fn leaves(configuration: &Configuration) -> Leaves {
    let mut leaves = Leaves::new();
    flatten(&mut leaves, "file", String::new(), &configuration.file);
    for object in &configuration.stored {
        let section = if object.kind == Kind::Provider { "providers" } else { "models" };
        let mut table = object.body.as_object().cloned().unwrap_or_default();
        mask_table(&mut table);
        // It differs from one that was made anew under its name.
        flatten(&mut leaves, "store", step(section, &object.name), &Value::Object(table));
    }
    leaves
}

fn flatten(leaves: &mut Leaves, origin: &'static str, path: String, value: &Value) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| flatten(leaves, origin, step(&path, name), value));
        }
        // Lists are short, and read better as a whole.
        value => {
            leaves.insert(path, (origin, value.clone()));
        }
    }
}

/// As TOML would write it.
fn step(path: &str, name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let name = if is_bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

/// Each value that is not the same in both, by its path, with what it was and what it is.
pub fn between(from: &Configuration, to: &Configuration) -> Vec<Value> {
    let (from, to) = (leaves(from), leaves(to));
    let paths: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let change = |path: &String| {
        let (before, after) = (from.get(path), to.get(path));
        if before == after {
            return None;
        }
        let mut change = Map::new();
        let (what, origin) = match (before, after) {
            (None, Some((origin, _))) => ("added", origin),
            (Some((origin, _)), None) => ("removed", origin),
            (_, Some((origin, _))) => ("changed", origin),
            (None, None) => return None,
        };
        for (name, text) in [("path", path.as_str()), ("origin", origin), ("change", what)] {
            change.insert(name.to_owned(), text.into());
        }
        change.extend(before.map(|(_, value)| ("before".to_owned(), value.clone())));
        change.extend(after.map(|(_, value)| ("after".to_owned(), value.clone())));
        Some(Value::Object(change))
    };
    paths.into_iter().filter_map(change).collect()
}

/// A configuration as it is shown.
pub fn shown(number: u64, configuration: &Configuration) -> Value {
    let of_kind = |kind: Kind| -> Vec<Value> {
        let stored = configuration.stored.iter().filter(|object| object.kind == kind);
        stored.map(super::view::shown).collect()
    };
    json!({
        "number": number,
        "at_ms": configuration.at_ms,
        "cause": configuration.cause,
        "file": configuration.file,
        "store": { "providers": of_kind(Kind::Provider), "models": of_kind(Kind::Model) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::{Cause, Object};

    fn object(kind: Kind, name: &str, body: Value) -> Object {
        Object {
            kind,
            id: format!("x_{name}"),
            tenant: None,
            parent: None,
            name: name.to_owned(),
            version: 1,
            created_ms: 0,
            updated_ms: 0,
            body,
        }
    }

    #[test]
    fn what_was_added_removed_and_changed_is_told_by_its_path_without_secrets() {
        let from = Configuration {
            at_ms: 1,
            cause: Cause::Start,
            file: json!({ "server": { "workers": 1 }, "models": { "gpt-5.2": { "count": "exact" } } }),
            stored: vec![object(
                Kind::Provider,
                "p",
                json!({ "kind": "openai", "headers": { "x": "canary" } }),
            )],
        };
        let file = json!({ "server": { "workers": 2 } });
        let stored = vec![object(Kind::Model, "m", json!({ "targets": [{ "provider": "p" }] }))];
        let to = Configuration { file, stored, ..from.clone() };
        let told = between(&from, &to);
        let lines: Vec<String> = told
            .iter()
            .map(|line| format!("{} {} {}", line["change"], line["origin"], line["path"]).replace('"', ""))
            .collect();
        assert_eq!(
            lines,
            [
                "removed file models.\\gpt-5.2\\.count",
                "added store models.m.targets",
                "removed store providers.p.headers.x",
                "removed store providers.p.kind",
                "changed file server.workers"
            ]
        );
        assert_eq!((&told[4]["before"], &told[4]["after"]), (&json!(1), &json!(2)));
        let text = format!("{told:?} {}", shown(1, &from));
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(between(&from, &from), Vec::<Value>::new());
    }
}
