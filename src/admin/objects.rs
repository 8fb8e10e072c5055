//! Creating, reading, changing and deleting things, the same way for every kind.

use super::call::{Answer, Call, IfMatch, place};
use super::check::Checks;
use super::fields::{self, KeyFields, NodeFields, PlanFields, UserFields};
use super::problem::Problem;
use super::routes::plural;
use super::{secrets, strict, subscriptions, view};
use crate::auth::token;
use crate::govern::{Denied, Key, Kind, Object, Permission, Place, Policy, Role, User};
use crate::store::{ListQuery, PAGE_MAX, Write};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Things in one page, unless asked otherwise.
const PAGE: u32 = 100;
/// Digits of a new id after its prefix.
pub const ID_DIGITS: usize = 16;

/// # Errors
/// What is wrong with the query, or the store's.
pub async fn list(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    let parent = fields::parent_field(kind);
    let known: Vec<&str> = ["limit", "cursor", "name"].into_iter().chain(parent).chain(["tenant"]).collect();
    let query = strict::query(call.query.as_deref(), &known)?;
    let (limit, after) = page(&query)?;
    let of_other =
        |own: &crate::govern::TenantId| query.get("tenant").is_some_and(|asked| asked != own.as_str());
    if call.actor.tenant.as_ref().is_some_and(of_other) {
        return Err(Problem::missing("tenant"));
    }
    let own = call.actor.tenant.as_ref().map(|tenant| tenant.as_str().to_owned());
    // What belongs to the installation is there for all, so a tenant's plans cannot be asked for alone.
    let is_shared = kind == Kind::Plan;
    let asked = query.get("tenant").filter(|_| parent != Some("tenant")).cloned();
    let wanted = ListQuery {
        kind: Some(kind),
        tenant: if is_shared { asked } else { own.or(asked) },
        parent: parent.and_then(|parent| query.get(parent).cloned()),
        name: query.get("name").cloned(),
        after,
        limit,
    };
    let found = call.store()?.list(&wanted).await?;
    let next =
        (found.len() as u32 == limit).then(|| found.last().map(|last| URL_SAFE_NO_PAD.encode(&last.id)));
    let mut items = Vec::with_capacity(found.len());
    for object in &found {
        if call.sees(object).await? {
            items.push(view::shown(object));
        }
    }
    Ok(Answer::ok(json!({ "items": items, "next_cursor": next.flatten() })))
}

/// How many are asked for, and after which.
///
/// # Errors
/// What is wrong with it.
pub fn page(query: &BTreeMap<String, String>) -> Result<(u32, Option<String>), Problem> {
    let limit = match query.get("limit").map(|text| text.parse::<u32>()) {
        None => PAGE,
        Some(Ok(limit)) if (1..=PAGE_MAX).contains(&limit) => limit,
        Some(_) => return Err(Problem::invalid("limit", format!("a number from 1 to {PAGE_MAX}"))),
    };
    let after = match query.get("cursor").map(|text| URL_SAFE_NO_PAD.decode(text)) {
        None => None,
        Some(Ok(bytes)) => Some(String::from_utf8(bytes).map_err(|_| Problem::invalid("cursor", "is none"))?),
        Some(Err(_)) => return Err(Problem::invalid("cursor", "is none")),
    };
    Ok((limit, after))
}

/// # Errors
/// 404, or the store's.
pub async fn get(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    let object = call.find(kind, &call.id).await?;
    Ok(Answer::ok(view::shown(&object)).with_version(object.version))
}

/// # Errors
/// What is wrong with the request, why not, or the store's.
pub async fn create(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    let mut fields = call.object()?;
    let parent = parent_of_new(call, kind, &mut fields).await?;
    let tenant = match (&parent, kind) {
        (Some(parent), _) if parent.kind == Kind::Tenant => Some(parent.id.clone()),
        (Some(parent), _) => parent.tenant.clone(),
        (None, _) => None,
    };
    if kind == Kind::Subscription {
        return subscriptions::request(call, parent, fields).await;
    }
    let (name, body) = new_body(call, kind, fields)?;
    let secret = secrets::for_new(call, kind)?;
    let id = match &secret {
        Some(secret) => secret.id.clone(),
        None => format!("{}{}", prefix(kind), token::digits(ID_DIGITS).map_err(|_| Problem::internal())?),
    };
    let body = match &secret {
        Some(secret) => secret.put_into(body),
        None => body,
    };
    let object = Object {
        kind,
        tenant: if kind == Kind::Tenant { Some(id.clone()) } else { tenant },
        id,
        parent: parent.map(|parent| parent.id),
        name,
        version: 1,
        created_ms: call.now_ms,
        updated_ms: call.now_ms,
        body,
    };
    let team = call.team_of(&object).await?;
    if kind == Kind::Tenant && call.actor.tenant.is_some() {
        return Err(Denied::NotTheInstallation.into());
    }
    call.actor.may_on(Permission::Create(kind), place(&object, team.as_deref()))?;
    let audit = call.audit(format!("{}.create", kind.as_str()), None, Some(&object));
    let mut answer = Answer::ok(view::shown(&object)).with_version(1);
    answer.status = StatusCode::CREATED;
    answer.location = Some(format!("/admin/v1/{}/{}", plural(kind), object.id));
    let mut answer = call.commit(Write::Create(object), audit, answer).await?;
    secrets::show_once(&mut answer, secret);
    Ok(answer)
}

/// What a new thing is to lie in, taken out of the fields. None: in the installation.
async fn parent_of_new(
    call: &Call,
    kind: Kind,
    fields: &mut Map<String, Value>,
) -> Result<Option<Object>, Problem> {
    let Some(parent_kind) = kind.parent() else { return Ok(None) };
    let name = parent_kind.as_str();
    match fields.remove(name) {
        Some(Value::String(id)) => match call.find(parent_kind, &id).await {
            Ok(parent) => Ok(Some(parent)),
            Err(problem) if problem.status == 404 => Err(Problem::invalid(name, format!("no such {name}"))),
            Err(problem) => Err(problem),
        },
        None | Some(Value::Null) if fields::may_be_global(kind) => {
            if call.actor.tenant.is_some() {
                return Err(Denied::NotTheInstallation.into());
            }
            Ok(None)
        }
        None => Err(Problem::invalid(name, "is missing")),
        Some(_) => Err(Problem::invalid(name, "must be an id")),
    }
}

/// The body of a new thing, checked.
fn new_body(call: &Call, kind: Kind, fields: Map<String, Value>) -> Result<(String, Value), Problem> {
    body(call, kind, Value::Object(fields), None)
}

/// Name and body from what is set, and from what of the thing there is cannot be set.
fn body(call: &Call, kind: Kind, set: Value, before: Option<&Object>) -> Result<(String, Value), Problem> {
    let mut checks = Checks::default();
    let (name, body) = match kind {
        Kind::Tenant | Kind::Team | Kind::App => {
            let fields: NodeFields = strict::typed(set)?;
            checks.policy(&fields.policy);
            checks.tags(&fields.tags);
            (fields.name.clone(), fields.body(kind))
        }
        Kind::Key => {
            let fields: KeyFields = strict::typed(set)?;
            checks.policy(&fields.policy);
            checks.tags(&fields.tags);
            let kept: Key = kept(before)?.unwrap_or_default();
            (fields.name.clone(), fields.body(kept))
        }
        Kind::User => {
            let fields: UserFields = strict::typed(set)?;
            let kept: Option<User> = kept(before)?;
            call.actor.may_grant(kept.as_ref().map(|user| user.role), Some(fields.role))?;
            checks.that(fields.teams.len() <= 100, "teams", "at most 100");
            let is_narrow = fields.teams.is_empty() || fields.role == Role::Developer;
            check_identity(call, &fields, kept.as_ref(), &mut checks);
            checks.that(is_narrow, "teams", "only a developer works in teams; others see the whole tenant");
            (fields.name.clone(), fields.body(kept.and_then(|user| user.token_hash)))
        }
        Kind::Plan => {
            let fields: PlanFields = strict::typed(set)?;
            checks.policy(&fields.policy);
            checks.text("description", &fields.description, 4096);
            checks.that(fields.margin_bp <= 1_000_000, "margin_bp", "at most 1000000");
            let lists = fields.policy.models.as_ref().is_some_and(|models| !models.is_empty());
            checks.that(lists, "policy.models", "a plan lists the models it opens");
            (fields.name.clone(), fields.body())
        }
        Kind::Subscription | Kind::Provider | Kind::Model => return Err(Problem::missing(kind.as_str())),
    };
    checks.name(&name);
    checks.done()?;
    Ok((name, body))
}

/// Who another issuer says a user is: it must be nobody else here.
fn check_identity(call: &Call, fields: &UserFields, before: Option<&User>, checks: &mut Checks) {
    let Some(identity) = &fields.identity else { return };
    checks.that(!fields.is_service, "identity", "a service account signs in by its token only");
    for (path, text) in [("identity.issuer", &identity.issuer), ("identity.subject", &identity.subject)] {
        checks.text(path, text, 256);
        checks.that(!text.is_empty(), path, "is empty");
    }
    let is_new = before.and_then(|user| user.identity.as_ref()) != Some(identity);
    let is_taken = is_new && call.edge.identities().is_taken(identity, &call.id);
    checks.that(!is_taken, "identity", "another user signs in with it");
}

/// The typed body of a thing that is there.
fn kept<T: serde::de::DeserializeOwned>(before: Option<&Object>) -> Result<Option<T>, Problem> {
    let Some(object) = before else { return Ok(None) };
    serde_json::from_value(object.body.clone()).map(Some).map_err(|error| {
        log::error!("{} {} cannot be read: {error}", object.kind.as_str(), object.id);
        Problem::internal()
    })
}

/// # Errors
/// 428, 412, what is wrong with the request, why not, or the store's.
pub async fn change(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    let before = call.find(kind, &call.id).await?;
    let expected = Call::expected(&before, Some(call.if_match()?));
    let set = strict::merge(fields::settable(&before), call.object()?);
    let (name, body) = body(call, kind, set, Some(&before))?;
    let after = Object { name, body, version: before.version + 1, updated_ms: call.now_ms, ..before.clone() };
    let team = call.team_of(&before).await?;
    may_change(call, &before, &after, place(&before, team.as_deref()))?;
    let audit = call.audit(format!("{}.update", kind.as_str()), Some(&before), Some(&after));
    let answer = Answer::ok(view::shown(&after)).with_version(after.version);
    call.commit(Write::Update { object: after, expected }, audit, answer).await
}

fn may_change(call: &Call, before: &Object, after: &Object, at: Place<'_>) -> Result<(), Problem> {
    let kind = before.kind;
    if call.actor.may(Permission::Update(kind)).is_err() && only_budgets(before, after) {
        return Ok(call.actor.may_on(Permission::SetBudgets, at)?);
    }
    call.actor.may_on(Permission::Update(kind), at)?;
    if matches!(kind, Kind::App | Kind::Key) {
        call.actor.may_repolicy(&policy(before), &policy(after))?;
    }
    Ok(())
}

fn policy(object: &Object) -> Policy {
    let policy = object.body.get("policy").cloned();
    policy.and_then(|policy| serde_json::from_value(policy).ok()).unwrap_or_default()
}

/// Whether nothing but the budgets of the policy differs.
fn only_budgets(before: &Object, after: &Object) -> bool {
    let without = |object: &Object| {
        let mut body = object.body.clone();
        let mut policy = policy(object);
        policy.budgets.clear();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("policy".to_owned(), fields::json(policy));
        }
        body
    };
    before.name == after.name && without(before) == without(after)
}

/// # Errors
/// 428, 412, why not, or the store's.
pub async fn delete(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    let before = call.find(kind, &call.id).await?;
    let expected = match call.if_match()? {
        IfMatch::Version(version) => Some(version),
        IfMatch::Any => None,
    };
    let team = call.team_of(&before).await?;
    call.actor.may_on(Permission::Delete(kind), place(&before, team.as_deref()))?;
    if let Some(User { role, .. }) = if kind == Kind::User { kept(Some(&before))? } else { None } {
        call.actor.may_grant(Some(role), None)?;
    }
    let audit = call.audit(format!("{}.delete", kind.as_str()), Some(&before), None);
    let write = Write::Delete { kind, id: before.id, expected };
    call.commit(write, audit, Answer::empty()).await
}

/// What ids of a kind made here begin with.
pub const fn prefix(kind: Kind) -> &'static str {
    use crate::govern::{AppId, KeyId, PlanId, SubscriptionId, TeamId, TenantId, UserId};
    match kind {
        Kind::Tenant => TenantId::PREFIX,
        Kind::Team => TeamId::PREFIX,
        Kind::App => AppId::PREFIX,
        Kind::Key => KeyId::PREFIX,
        Kind::User => UserId::PREFIX,
        Kind::Plan => PlanId::PREFIX,
        Kind::Subscription => SubscriptionId::PREFIX,
        Kind::Provider => "prov_",
        Kind::Model => "model_",
    }
}
