//! What is read and not kept as objects: the caller, the audit log, the configuration in force,
//! health.

use super::call::{Answer, Call};
use super::problem::Problem;
use super::strict;
use crate::govern::{Kind, Permission};
use crate::store::PAGE_MAX;
use http::StatusCode;
use serde_json::{Value, json};

pub fn me(call: &Call) -> Answer {
    let actor = &call.actor;
    let may = Permission::all().into_iter().filter(|permission| actor.role.may(*permission));
    let permissions: Vec<String> = may.map(|permission| permission.to_string()).collect();
    let teams: Vec<&str> = actor.teams.iter().map(|team| team.as_str()).collect();
    Answer::ok(json!({
        "name": actor.name,
        "role": actor.role,
        "tenant": actor.tenant.as_ref().map(|tenant| tenant.as_str()),
        "teams": teams,
        "permissions": permissions,
    }))
}

/// # Errors
/// What is wrong with the query, or the store's.
pub async fn audit(call: &Call) -> Result<Answer, Problem> {
    let query = strict::query(call.query.as_deref(), &["limit", "cursor", "tenant"])?;
    let number = |name: &'static str, default: u64, max: u64| match query.get(name).map(|text| text.parse()) {
        None => Ok(default),
        Some(Ok(number)) if (1..=max).contains(&number) => Ok(number),
        Some(_) => Err(Problem::invalid(name, format!("a number from 1 to {max}"))),
    };
    let limit = number("limit", 100, u64::from(PAGE_MAX))? as u32;
    let before = query.contains_key("cursor").then(|| number("cursor", 1, i64::MAX as u64)).transpose()?;
    let own = call.actor.tenant.as_ref().map(|tenant| tenant.as_str());
    let asked = query.get("tenant").map(String::as_str);
    if own.is_some() && asked.is_some_and(|asked| Some(asked) != own) {
        return Err(Problem::missing("tenant"));
    }
    let records = call.store()?.audit(own.or(asked), before, limit).await?;
    let next = (records.len() as u32 == limit).then(|| records.last().map(|last| last.sequence.to_string()));
    let items: Vec<Value> = records.iter().map(record).collect();
    Ok(Answer::ok(json!({ "items": items, "next_cursor": next.flatten() })))
}

fn record(record: &crate::govern::AuditRecord) -> Value {
    let mut view = serde_json::to_value(&record.entry).unwrap_or_default();
    if let Some(fields) = view.as_object_mut() {
        fields.insert("sequence".to_owned(), record.sequence.into());
        fields.insert("hash".to_owned(), record.hash.clone().into());
    }
    view
}

/// The configuration in force, without its secrets.
pub fn config(call: &Call) -> Answer {
    let runtime = call.edge.runtime();
    let names =
        |kind| of_file(call, kind).into_iter().filter_map(|item| item.get("id").cloned()).collect::<Vec<_>>();
    Answer::ok(json!({
        "generation": runtime.generation,
        "owner": "file",
        "providers": names(Kind::Provider),
        "models": names(Kind::Model),
    }))
}

pub async fn health(call: &Call) -> Answer {
    let identities = call.edge.identities().clone();
    let store = match call.edge.store() {
        None => "absent",
        Some(store) if store.ping().await.is_ok() => "available",
        Some(_) => "unavailable",
    };
    let installation = call.actor.tenant.is_none();
    let mut body = json!({
        "generation": call.edge.runtime().generation,
        "version": env!("CARGO_PKG_VERSION"),
        "store": store,
        "snapshot": { "sequence": identities.sequence, "source": call.edge.identity_source().as_str() },
    });
    if let Some(body) = body.as_object_mut().filter(|_| installation) {
        body.insert("keys".to_owned(), identities.keys_count().into());
    }
    Answer::ok(body)
}

/// # Errors
/// What is wrong with the query.
pub fn list_of_file(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    strict::query(call.query.as_deref(), &[])?;
    see_installation(call, kind)?;
    Ok(Answer::ok(json!({ "items": of_file(call, kind), "next_cursor": null })))
}

/// # Errors
/// 404.
pub fn one_of_file(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    see_installation(call, kind)?;
    let mut items = of_file(call, kind).into_iter();
    let found = items.find(|item| item.get("id").and_then(Value::as_str) == Some(call.id.as_str()));
    found.map(Answer::ok).ok_or_else(|| Problem::missing(kind.as_str()))
}

/// # Errors
/// Always: 404 for what is not there, 409 for what the file owns.
pub fn write_of_file(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    one_of_file(call, kind)?;
    let what = kind.as_str();
    let detail = format!("this {what} is owned by the configuration file: change it there");
    Err(Problem::new(StatusCode::CONFLICT, "owned_by_file", detail))
}

/// Accounts at vendors are the installation's own business; models are there for all.
fn see_installation(call: &Call, kind: Kind) -> Result<(), Problem> {
    let is_hidden = kind == Kind::Provider && call.actor.tenant.is_some();
    if is_hidden { Err(Problem::missing(kind.as_str())) } else { Ok(()) }
}

fn of_file(call: &Call, kind: Kind) -> Vec<Value> {
    let runtime = call.edge.runtime();
    match kind {
        Kind::Provider if call.actor.tenant.is_some() => Vec::new(),
        Kind::Provider => {
            let view = |provider: &crate::runtime::Provider| {
                json!({
                    "id": provider.name,
                    "owner": "file",
                    "credentials": provider.accounts.len(),
                    "is_opaque": provider.is_opaque,
                })
            };
            runtime.providers.iter().map(view).collect()
        }
        _ => {
            let view = |model: &crate::runtime::ModelPolicy| {
                let mut view = json!({ "id": model.name, "owner": "file" });
                let names = model.targets.iter().filter_map(|target| runtime.providers.get(target.provider));
                let providers: Vec<&str> = names.map(|provider| provider.name.as_str()).collect();
                if let Some(view) = view.as_object_mut().filter(|_| call.actor.tenant.is_none()) {
                    view.insert("providers".to_owned(), providers.into());
                }
                view
            };
            runtime.models.iter().map(view).collect()
        }
    }
}
