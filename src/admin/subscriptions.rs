//! Subscriptions: asked for by an app, decided by an admin.

use super::call::{Answer, Call, place};
use super::check::Checks;
use super::fields::{DecisionFields, SubscriptionFields, json};
use super::problem::Problem;
use super::routes::Decision;
use super::{strict, view};
use crate::auth::token;
use crate::govern::{
    Kind, Object, Permission, Plan, Status, Subscription, SubscriptionId, SubscriptionState,
};
use crate::store::Write;
use crate::telemetry::Event;
use http::StatusCode;
use serde_json::{Map, Value};

/// # Errors
/// What is wrong with the request, why not, or the store's.
pub async fn request(
    call: &Call,
    app: Option<Object>,
    fields: Map<String, Value>,
) -> Result<Answer, Problem> {
    let app = app.ok_or_else(|| Problem::invalid("app", "is missing"))?;
    let fields: SubscriptionFields = strict::typed(Value::Object(fields))?;
    let mut checks = Checks::default();
    checks.text("reason", fields.reason.as_deref().unwrap_or_default(), 1024);
    checks.done()?;
    let no_plan = || Problem::invalid("plan", "no such plan");
    let plan = match call.find(Kind::Plan, fields.plan.as_str()).await {
        Ok(plan) if plan.tenant.is_none() || plan.tenant == app.tenant => plan,
        Ok(_) => return Err(no_plan()),
        Err(problem) if problem.status == 404 => return Err(no_plan()),
        Err(problem) => return Err(problem),
    };
    let terms: Plan = serde_json::from_value(plan.body.clone()).map_err(|_| Problem::internal())?;
    if terms.status != Status::Active {
        return Err(Problem::conflict("the plan is blocked"));
    }
    let state = if terms.needs_approval { SubscriptionState::Requested } else { SubscriptionState::Approved };
    let decided_by = (!terms.needs_approval).then(|| "plan".to_owned());
    let digits = token::digits(16).map_err(|_| Problem::internal())?;
    let object = Object {
        kind: Kind::Subscription,
        id: format!("{}{digits}", SubscriptionId::PREFIX),
        tenant: app.tenant.clone(),
        parent: Some(app.id),
        // Unique in the app: it subscribes to a plan once.
        name: plan.id,
        version: 1,
        created_ms: call.now_ms,
        updated_ms: call.now_ms,
        body: json(Subscription { plan: fields.plan, state, reason: fields.reason, decided_by }),
    };
    let team = call.team_of(&object).await?;
    call.actor.may_on(Permission::Create(Kind::Subscription), place(&object, team.as_deref()))?;
    let audit = call.audit("subscription.create".to_owned(), None, Some(&object));
    let mut answer = Answer::ok(view::shown(&object)).with_version(1);
    answer.status = StatusCode::CREATED;
    answer.location = Some(format!("/admin/v1/subscriptions/{}", object.id));
    let event =
        if state == SubscriptionState::Approved { "subscription.approved" } else { "subscription.requested" };
    let told = view::shown(&object);
    let answer = call.commit(Write::Create(object), audit, answer).await?;
    tell(call, event, told, &answer);
    Ok(answer)
}

/// # Errors
/// 404, 409 from a state that does not lead there, 412, why not, or the store's.
pub async fn decide(call: &Call, decision: Decision) -> Result<Answer, Problem> {
    let before = call.find(Kind::Subscription, &call.id).await?;
    let fields: DecisionFields = strict::typed(Value::Object(call.object()?))?;
    let mut checks = Checks::default();
    match decision {
        Decision::Approve => checks.text("reason", fields.reason.as_deref().unwrap_or_default(), 1024),
        Decision::Refuse | Decision::Revoke => checks.reason(fields.reason.as_deref()),
    }
    checks.done()?;
    let team = call.team_of(&before).await?;
    call.actor.may_on(Permission::DecideSubscription, place(&before, team.as_deref()))?;
    let was: Subscription = serde_json::from_value(before.body.clone()).map_err(|_| Problem::internal())?;
    let (state, action) = step(was.state, decision)
        .ok_or_else(|| Problem::conflict(format!("the subscription is {}", word(was.state))))?;
    let body = json(Subscription {
        state,
        reason: fields.reason.or(was.reason),
        decided_by: Some(call.actor.name.clone()),
        plan: was.plan,
    });
    let expected = Call::expected(&before, call.if_match_or_none()?);
    let after = Object { body, version: before.version + 1, updated_ms: call.now_ms, ..before.clone() };
    let audit = call.audit(action.0.to_owned(), Some(&before), Some(&after));
    let answer = Answer::ok(view::shown(&after)).with_version(after.version);
    let told = view::shown(&after);
    let write = Write::Update { object: after, expected };
    let answer = call.commit(write, audit, answer).await?;
    tell(call, action.1, told, &answer);
    Ok(answer)
}

/// Where a decision leads, with the names of the action and of the event.
fn step(
    from: SubscriptionState,
    decision: Decision,
) -> Option<(SubscriptionState, (&'static str, &'static str))> {
    use SubscriptionState::{Approved, Refused, Requested, Revoked};
    match (from, decision) {
        (Requested | Refused | Revoked, Decision::Approve) => {
            Some((Approved, ("subscription.approve", "subscription.approved")))
        }
        (Requested, Decision::Refuse) => Some((Refused, ("subscription.refuse", "subscription.refused"))),
        (Approved, Decision::Revoke) => Some((Revoked, ("subscription.revoke", "subscription.revoked"))),
        (Approved, Decision::Approve)
        | (Approved | Refused | Revoked, Decision::Refuse)
        | (Requested | Refused | Revoked, Decision::Revoke) => None,
    }
}

const fn word(state: SubscriptionState) -> &'static str {
    match state {
        SubscriptionState::Requested => "waiting for a decision",
        SubscriptionState::Approved => "approved already",
        SubscriptionState::Refused => "refused",
        SubscriptionState::Revoked => "revoked",
    }
}

/// Each step is told to who listens; a step answered again was told the first time.
fn tell(call: &Call, kind: &'static str, subject: Value, answer: &Answer) {
    if !answer.is_replayed {
        call.edge.events.push(Event { kind, at_ms: call.now_ms, subject });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_these_steps_are_steps() {
        use SubscriptionState::{Approved, Refused, Requested, Revoked};
        let states = [Requested, Approved, Refused, Revoked];
        let decisions = [Decision::Approve, Decision::Refuse, Decision::Revoke];
        let all = states.into_iter().flat_map(|state| decisions.map(|decision| (state, decision)));
        let possible: Vec<_> =
            all.filter_map(|(from, decision)| Some((from, step(from, decision)?.0))).collect();
        let expected = [
            (Requested, Approved),
            (Requested, Refused),
            (Approved, Revoked),
            (Refused, Approved),
            (Revoked, Approved),
        ];
        assert_eq!(possible, expected);
    }
}
