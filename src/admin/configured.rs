//! Providers and models: those of the configuration file, read only, and those of the store.
//!
//! A store's one is the same table as the file's, read by the same rules. Invariant: nothing is
//! written that would not make a configuration together with the file and all the others.

use super::call::{Answer, Call, IfMatch};
use super::objects::{ID_DIGITS, page, prefix};
use super::problem::{Fault, Problem};
use super::routes::plural;
use super::{strict, view};
use crate::auth::token;
use crate::govern::{Denied, Kind, Object, Permission, Place};
use crate::runtime::{ConfigFault, Configure};
use crate::store::{ListQuery, PAGE_MAX, Write};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Providers of the store at most, and models.
pub const OBJECTS_MAX: usize = 1000;

/// A provider or model, wherever it is.
enum Found {
    OfFile(Value),
    Stored(Box<Object>),
}

/// # Errors
/// What is wrong with the query, or the store's.
pub async fn list(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    let query = strict::query(call.query.as_deref(), &["limit", "cursor", "name", "origin"])?;
    let (limit, after) = page(&query)?;
    see(call, kind)?;
    let origin = query.get("origin").map(String::as_str);
    if origin.is_some_and(|origin| !matches!(origin, "file" | "store")) {
        return Err(Problem::invalid("origin", "file or store"));
    }
    // The file's come first; each has a place that stays where it is while others come and go.
    let of_file = of_file(call, kind).into_iter().map(|item| (format!("f{}", text(&item, "id")), item));
    let mut items: Vec<(String, Value)> = of_file.filter(|_| origin != Some("store")).collect();
    if origin != Some("file") && call.edge.store().is_some() {
        let stored = all_of(call, kind).await?;
        items.extend(stored.iter().map(|object| (format!("s{}", object.id), shown(call, object))));
    }
    let fits = |item: &Value| query.get("name").is_none_or(|name| text(item, "name") == name);
    let is_after = |place: &String| after.as_ref().is_none_or(|after| place > after);
    let mut page: Vec<(String, Value)> =
        items.into_iter().filter(|(place, item)| is_after(place) && fits(item)).collect();
    let has_more = page.len() > limit as usize;
    page.truncate(limit as usize);
    let next = page.last().filter(|_| has_more).map(|(place, _)| URL_SAFE_NO_PAD.encode(place));
    let items: Vec<Value> = page.into_iter().map(|(_, item)| item).collect();
    Ok(Answer::ok(json!({ "items": items, "next_cursor": next })))
}

/// # Errors
/// 404, or the store's.
pub async fn get(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    see(call, kind)?;
    Ok(match find(call, kind).await? {
        Found::OfFile(item) => Answer::ok(item),
        Found::Stored(object) => Answer::ok(shown(call, &object)).with_version(object.version),
    })
}

/// # Errors
/// What is wrong with the request or with the configuration it would make, why not, or the store's.
pub async fn create(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    may(call, kind, Permission::Create(kind))?;
    let (name, table) = parts(call.object()?)?;
    if let Some(item) = of_file(call, kind).iter().find(|item| text(item, "id") == name) {
        return Err(owned_by_file(call, kind, text(item, "id")));
    }
    let digits = token::digits(ID_DIGITS).map_err(|_| Problem::internal())?;
    let object = Object {
        kind,
        id: format!("{}{digits}", prefix(kind)),
        tenant: None,
        parent: None,
        name,
        version: 1,
        created_ms: call.now_ms,
        updated_ms: call.now_ms,
        body: Value::Object(table),
    };
    let before = all(call).await?;
    if before.iter().filter(|other| other.kind == kind).count() >= OBJECTS_MAX {
        return Err(Problem::conflict(format!("there are {OBJECTS_MAX} in the store, which is the most")));
    }
    // A name that is taken is the store's to tell, or the same request came again.
    if !is_taken(&before, &object) {
        let mut after = before.clone();
        after.push(object.clone());
        checked(call, after, Some((kind, &object.name))).await?;
    }
    let audit = call.audit(format!("{}.create", kind.as_str()), None, Some(&object));
    let mut answer = Answer::ok(view::shown(&object)).with_version(1);
    answer.status = StatusCode::CREATED;
    answer.location = Some(format!("/admin/v1/{}/{}", plural(kind), object.id));
    let writes = guarded(&before, vec![Write::Create(object)]);
    call.commit_all(writes, vec![audit], answer).await
}

/// # Errors
/// 428, 412, 409 for what the file owns, what is wrong, why not, or the store's.
pub async fn change(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    may(call, kind, Permission::Update(kind))?;
    let before = own(call, find(call, kind).await?, kind)?;
    let expected = Call::expected(&before, Some(call.if_match()?));
    let mut current = before.body.as_object().cloned().unwrap_or_default();
    current.insert("name".to_owned(), before.name.clone().into());
    let Value::Object(fields) = strict::merge(current, call.object()?) else {
        return Err(Problem::internal());
    };
    let (name, table) = parts(fields)?;
    let version = before.version + 1;
    let body = Value::Object(table);
    let after = Object { name, body, version, updated_ms: call.now_ms, ..before.clone() };
    let all = all(call).await?;
    if !is_taken(&all, &after) {
        let candidate = all.iter().map(|other| if other.id == after.id { &after } else { other }).cloned();
        checked(call, candidate.collect(), Some((kind, &after.name))).await?;
    }
    let audit = call.audit(format!("{}.update", kind.as_str()), Some(&before), Some(&after));
    let answer = Answer::ok(view::shown(&after)).with_version(after.version);
    let writes = guarded(&all, vec![Write::Update { object: after, expected }]);
    call.commit_all(writes, vec![audit], answer).await
}

/// # Errors
/// 428, 412, 409 for what the file owns or something needs, why not, or the store's.
pub async fn delete(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    may(call, kind, Permission::Delete(kind))?;
    let before = own(call, find(call, kind).await?, kind)?;
    let expected = match call.if_match()? {
        IfMatch::Version(version) => Some(version),
        IfMatch::Any => None,
    };
    let all = all(call).await?;
    let rest = all.iter().filter(|other| other.id != before.id).cloned().collect();
    checked(call, rest, None).await?;
    let audit = call.audit(format!("{}.delete", kind.as_str()), Some(&before), None);
    let writes = guarded(&all, vec![Write::Delete { kind, id: before.id, expected }]);
    call.commit_all(writes, vec![audit], Answer::empty()).await
}

/// Every provider and model of the store, by kind and id.
///
/// # Errors
/// The store's.
pub async fn all(call: &Call) -> Result<Vec<Object>, Problem> {
    let mut all = all_of(call, Kind::Provider).await?;
    all.extend(all_of(call, Kind::Model).await?);
    Ok(all)
}

async fn all_of(call: &Call, kind: Kind) -> Result<Vec<Object>, Problem> {
    let mut all: Vec<Object> = Vec::new();
    loop {
        let after = all.last().map(|last| last.id.clone());
        let query = ListQuery { kind: Some(kind), after, limit: PAGE_MAX, ..ListQuery::default() };
        let page = call.store()?.list(&query).await?;
        let is_last = page.len() < PAGE_MAX as usize;
        all.extend(page);
        if is_last || all.len() > 2 * OBJECTS_MAX {
            return Ok(all);
        }
    }
}

/// Whether another one of its kind has its name.
fn is_taken(all: &[Object], object: &Object) -> bool {
    all.iter().any(|other| (other.kind, &other.name) == (object.kind, &object.name) && other.id != object.id)
}

/// The writes, on the condition that all is as it was when it was checked.
pub fn guarded(before: &[Object], writes: Vec<Write>) -> Vec<Write> {
    let versions = |kind: Kind| {
        let of_kind = before.iter().filter(move |object| object.kind == kind);
        of_kind.map(|object| (object.id.clone(), object.version)).collect()
    };
    let guards = [Kind::Provider, Kind::Model];
    let guards = guards.into_iter().map(|kind| Write::Unchanged { kind, versions: versions(kind) });
    guards.chain(writes).collect()
}

/// # Errors
/// What keeps these from being a configuration: 400 for the thing written, 409 for others that need it.
pub async fn checked(call: &Call, stored: Vec<Object>, about: Option<(Kind, &str)>) -> Result<(), Problem> {
    let configure = configure(call)?.clone();
    let edge = call.edge.clone();
    // Secrets are read from files, and certificates.
    let checking = tokio::task::spawn_blocking(move || configure.check(&edge, &stored));
    let Err(faults) = checking.await.map_err(|_| Problem::internal())? else { return Ok(()) };
    let is_own = |fault: &ConfigFault| {
        fault.about.as_ref().is_some_and(|(kind, name)| about == Some((*kind, name.as_str())))
    };
    let own: Vec<Fault> = faults.iter().filter(|fault| is_own(fault)).map(fault).collect();
    if !own.is_empty() {
        return Err(Problem::invalid_at(own));
    }
    let detail = "the configuration would not hold together with this";
    let others = faults.iter().map(|other| Fault { path: place(other), message: other.message.clone() });
    Err(Problem { errors: others.collect(), ..Problem::conflict(detail) })
}

fn fault(fault: &ConfigFault) -> Fault {
    Fault { path: fault.path.clone(), message: fault.message.clone() }
}

fn place(fault: &ConfigFault) -> String {
    match &fault.about {
        Some((kind, name)) if fault.path.is_empty() => format!("{}/{name}", plural(*kind)),
        Some((kind, name)) => format!("{}/{name}: {}", plural(*kind), fault.path),
        None => fault.path.clone(),
    }
}

/// Each fault in one line.
pub fn told(faults: &[ConfigFault]) -> Vec<Value> {
    faults.iter().map(|fault| json!({ "path": place(fault), "message": fault.message })).collect()
}

fn configure(call: &Call) -> Result<&Arc<dyn Configure>, Problem> {
    let missing = || Problem::unavailable("this process cannot read its configuration again");
    call.edge.configure().ok_or_else(missing)
}

/// Accounts at vendors are the installation's own business; models are there for all.
fn see(call: &Call, kind: Kind) -> Result<(), Problem> {
    let is_hidden = kind == Kind::Provider && call.actor.tenant.is_some();
    if is_hidden { Err(Problem::missing(kind.as_str())) } else { Ok(()) }
}

fn may(call: &Call, kind: Kind, permission: Permission) -> Result<(), Problem> {
    let is_new = matches!(permission, Permission::Create(_));
    if is_new && call.actor.tenant.is_some() {
        return Err(Denied::NotTheInstallation.into());
    }
    Ok(call.actor.may_on(permission, Place { kind, tenant: None, team: None })?)
}

async fn find(call: &Call, kind: Kind) -> Result<Found, Problem> {
    let asked = call.id.as_str();
    if let Some(item) = of_file(call, kind).into_iter().find(|item| text(item, "id") == asked) {
        return Ok(Found::OfFile(item));
    }
    let missing = || Problem::missing(kind.as_str());
    if call.edge.store().is_none() {
        return Err(missing());
    }
    let is_id = asked.starts_with(prefix(kind)) && asked.len() <= crate::govern::ids::ID_BYTES_MAX;
    let by_id = if is_id { call.store()?.get(kind, asked).await? } else { None };
    if let Some(object) = by_id {
        return Ok(Found::Stored(Box::new(object)));
    }
    let name = Some(asked.to_owned());
    let query = ListQuery { kind: Some(kind), name, limit: 1, ..ListQuery::default() };
    let by_name = call.store()?.list(&query).await?.into_iter().next();
    by_name.map(|object| Found::Stored(Box::new(object))).ok_or_else(missing)
}

/// The store's one.
fn own(call: &Call, found: Found, kind: Kind) -> Result<Object, Problem> {
    match found {
        Found::Stored(object) => Ok(*object),
        Found::OfFile(item) => Err(owned_by_file(call, kind, text(&item, "id"))),
    }
}

fn owned_by_file(call: &Call, kind: Kind, name: &str) -> Problem {
    let file = call.edge.configure().map(|configure| configure.state().name).unwrap_or_default();
    let (what, section) = (kind.as_str(), plural(kind));
    let detail = format!(
        "{what} `{name}` is owned by the configuration file {file}: change [{section}.\"{name}\"] there, \
        it is loaded when the file changes"
    );
    Problem::new(StatusCode::CONFLICT, "owned_by_file", detail)
}

/// Name and table of what is written.
fn parts(mut fields: Map<String, Value>) -> Result<(String, Map<String, Value>), Problem> {
    match fields.remove("name") {
        Some(Value::String(name)) if !name.is_empty() && name.len() <= crate::store::NAME_BYTES_MAX => {
            // What is shown in the place of a value is none.
            if let Some(headers) = fields.get("headers").and_then(Value::as_object)
                && headers.values().any(|value| value.as_str() == Some(crate::govern::mask::MASK))
            {
                return Err(Problem::invalid("headers", "*** stands for a value and is none"));
            }
            Ok((name, fields))
        }
        None => Err(Problem::invalid("name", "is missing")),
        Some(_) => Err(Problem::invalid("name", "must be a text of 1 to 256 bytes")),
    }
}

/// As the caller may see it: of the installation's models a tenant sees the names.
fn shown(call: &Call, object: &Object) -> Value {
    match call.actor.tenant {
        None => view::shown(object),
        Some(_) => json!({ "id": object.id, "name": object.name, "origin": "store" }),
    }
}

fn of_file(call: &Call, kind: Kind) -> Vec<Value> {
    let tables = call.edge.configure().map(|configure| configure.of_file(kind)).unwrap_or_default();
    let item = |(name, table): (String, Map<String, Value>)| {
        let mut item = if call.actor.tenant.is_some() { Map::new() } else { table };
        for (field, value) in [("id", name.clone()), ("name", name), ("origin", "file".to_owned())] {
            item.insert(field.to_owned(), value.into());
        }
        Value::Object(item)
    };
    tables.into_iter().map(item).collect()
}

fn text<'v>(item: &'v Value, field: &str) -> &'v str {
    item.get(field).and_then(Value::as_str).unwrap_or_default()
}
