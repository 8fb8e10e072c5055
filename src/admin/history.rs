//! The history of configurations: read, compared, and gone back to.

use super::call::{Answer, Call};
use super::problem::Problem;
use super::{configured, difference, strict};
use crate::govern::{Cause, Configuration, Kind, Object, Permission};
use crate::store::Write;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is asked of a rollback.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RollbackFields {
    /// The number of a configuration.
    to: u64,
}

/// # Errors
/// The store's.
pub async fn list(call: &Call) -> Result<Answer, Problem> {
    strict::query(call.query.as_deref(), &[])?;
    of_installation(call)?;
    let kept = call.store()?.configurations().await?;
    let item = |kept: &crate::govern::Kept| json!({ "number": kept.number, "at_ms": kept.at_ms, "cause": kept.cause, "digest": kept.digest });
    let items: Vec<Value> = kept.iter().map(item).collect();
    Ok(Answer::ok(json!({ "items": items, "next_cursor": null })))
}

/// # Errors
/// 404, or the store's.
pub async fn entry(call: &Call) -> Result<Answer, Problem> {
    of_installation(call)?;
    let (number, configuration) = named(call, 5).await?;
    Ok(Answer::ok(difference::shown(number, &configuration)))
}

/// # Errors
/// 404, or the store's.
pub async fn diff(call: &Call) -> Result<Answer, Problem> {
    of_installation(call)?;
    let (n, from) = named(call, 5).await?;
    let (m, to) = named(call, 7).await?;
    Ok(Answer::ok(json!({ "from": n, "to": m, "changes": difference::between(&from, &to) })))
}

/// # Errors
/// 404, 409 where what was then does not go with the file that is now, why not, or the store's.
pub async fn rollback(call: &Call) -> Result<Answer, Problem> {
    of_installation(call)?;
    let fields: RollbackFields = strict::typed(Value::Object(call.object()?))?;
    let target = kept(call, fields.to).await?;
    let now = configured::all(call).await?;
    let writes = steps(&now, &target.stored);
    for write in &writes {
        let permission = match write {
            Write::Create(object) => Permission::Create(object.kind),
            Write::Update { object, .. } => Permission::Update(object.kind),
            Write::Delete { kind, .. } => Permission::Delete(*kind),
            Write::Unchanged { .. } => continue,
        };
        call.actor.may(permission)?;
    }
    let state = call.edge.configure().map(|configure| configure.state()).unwrap_or_default();
    let was =
        Configuration { at_ms: call.now_ms, cause: Cause::Store, file: state.file, stored: now.clone() };
    // What the file owns differs now and after: that is not gone back to.
    let (changes, kept): (Vec<Value>, Vec<Value>) = difference::between(&was, &target)
        .into_iter()
        .partition(|change| change.get("origin").and_then(Value::as_str) == Some("store"));
    let of_file: Vec<&Value> = kept.iter().filter_map(|change| change.get("path")).collect();
    let note = "what the configuration file owns is as it was before: change it there";
    let mut body = json!({ "to": fields.to, "changes": changes });
    if let Some(body) = body.as_object_mut().filter(|_| !of_file.is_empty()) {
        body.insert("of_file".to_owned(), json!({ "note": note, "paths": of_file }));
    }
    let answer = Answer::ok(body);
    if writes.is_empty() {
        return Ok(answer);
    }
    configured::checked(call, target.stored, None).await?;
    let mut audit = call.audit("config.rollback".to_owned(), None, None);
    audit.before = None;
    audit.after = answer.body.clone();
    let writes = configured::guarded(&now, writes);
    call.commit_all(writes, vec![audit], answer).await
}

/// The writes that lead from `now` to `then`: first what goes, so that its name is free.
fn steps(now: &[Object], then: &[Object]) -> Vec<Write> {
    let by_id = |objects: &[Object]| -> BTreeMap<(Kind, String), Object> {
        objects.iter().map(|object| ((object.kind, object.id.clone()), object.clone())).collect()
    };
    let (there, wanted) = (by_id(now), by_id(then));
    let gone = there.values().filter(|object| !wanted.contains_key(&(object.kind, object.id.clone())));
    let gone = gone.map(|object| Write::Delete { kind: object.kind, id: object.id.clone(), expected: None });
    let mut writes: Vec<Write> = gone.collect();
    for (place, object) in wanted {
        match there.get(&place) {
            None => writes.push(Write::Create(object)),
            Some(now) if (&now.name, &now.body) != (&object.name, &object.body) => {
                let object = Object { version: now.version + 1, ..object };
                writes.push(Write::Update { object, expected: Some(now.version) });
            }
            Some(_) => {}
        }
    }
    writes
}

/// The configuration that a segment of the path names.
async fn named(call: &Call, segment: usize) -> Result<(u64, Configuration), Problem> {
    let number = call.path.split('/').nth(segment).and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| Problem::missing("configuration"))?;
    Ok((number, kept(call, number).await?))
}

async fn kept(call: &Call, number: u64) -> Result<Configuration, Problem> {
    let found = call.store()?.configuration(number).await?;
    found.ok_or_else(|| Problem::missing("configuration: the history has the last 100"))
}

/// For a tenant's users there is no such thing.
fn of_installation(call: &Call) -> Result<(), Problem> {
    if call.actor.tenant.is_some() { Err(Problem::missing("path")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(id: &str, name: &str, version: u64, body: Value) -> Object {
        Object {
            kind: Kind::Provider,
            id: id.to_owned(),
            tenant: None,
            parent: None,
            name: name.to_owned(),
            version,
            created_ms: 0,
            updated_ms: 0,
            body,
        }
    }

    #[test]
    fn going_back_deletes_what_is_new_then_changes_then_makes_what_is_gone() {
        let now = [provider("a", "a", 5, json!({ "x": 2 })), provider("n", "gone", 1, json!({}))];
        let then = [
            provider("a", "a", 1, json!({ "x": 1 })),
            provider("b", "gone", 3, json!({})),
            provider("c", "same", 1, json!({})),
        ];
        let now = [now.to_vec(), vec![provider("c", "same", 9, json!({}))]].concat();
        let told: Vec<String> = steps(&now, &then)
            .iter()
            .map(|write| match write {
                Write::Delete { id, .. } => format!("delete {id}"),
                Write::Update { object, expected } => format!("update {} {expected:?}", object.id),
                Write::Create(object) => format!("create {}", object.id),
                Write::Unchanged { .. } => String::new(),
            })
            .collect();
        assert_eq!(told, ["delete n", "update a Some(5)", "create b"]);
        assert!(steps(&then, &then).is_empty());
    }
}
