//! What is known of targets and credentials, asked and told by the attempt loop.

use super::attempt::{Aim, Failure};
use super::downstream::Fields;
use super::gate;
use crate::proxy::context::Ctx;
use crate::routing::{Blame, CredentialPick, TargetState, blame, headroom, pick_credential};
use crate::runtime::{Edge, ModelPolicy, Provider, Runtime};
use crate::types::{Endpoint, FailureClass, Ticks};

/// Whether a target takes calls, and so does a credential of its provider. None where its provider has
/// no answer to `endpoint`. `model`: what the client asked for.
pub fn state(
    runtime: &Runtime,
    (endpoint, model): (Endpoint, &str),
    policy: &ModelPolicy,
    target: usize,
    now: Ticks,
) -> Option<TargetState> {
    let asked = policy.targets.get(target)?;
    let provider = runtime.providers.get(asked.provider)?;
    provider.lane(endpoint, asked.model.as_deref().unwrap_or(model))?;
    Some(match runtime.target_cooldowns.state(policy.first_cell + target, now) {
        TargetState::Ready => runtime.credentials_state(provider, now),
        own => own,
    })
}

/// Whether all credentials of a target's provider were refused.
pub fn has_dead_credentials(runtime: &Runtime, policy: &ModelPolicy, target: usize) -> bool {
    let provider = policy.targets.get(target).and_then(|target| runtime.providers.get(target.provider));
    provider.is_some_and(|provider| {
        let mut cells = (0..provider.accounts.len()).map(|account| provider.first_cell + account);
        cells.all(|cell| runtime.credential_cooldowns.is_failing(cell))
    })
}

/// Asks for the right to call a target now; a target coming back lets one call through. One that is
/// asked although it is `out` is not asked whether it wants to.
pub fn may_call(
    runtime: &Runtime,
    policy: &ModelPolicy,
    target: usize,
    (pinned, is_out): (Option<(usize, usize)>, bool),
    now: Ticks,
) -> bool {
    if let Some((only, _)) = pinned {
        return only == target;
    }
    let provider = policy.targets.get(target).and_then(|target| runtime.providers.get(target.provider));
    let has_credential =
        provider.is_some_and(|provider| runtime.credentials_state(provider, now) == TargetState::Ready);
    let claim = || runtime.target_cooldowns.claim(policy.first_cell + target, now) == TargetState::Ready;
    has_credential && (is_out || claim())
}

/// The credential whose turn it is.
pub fn account(runtime: &Runtime, provider: &Provider, turn: u64, now: Ticks) -> Option<usize> {
    let claim = |account| runtime.credential_cooldowns.claim(provider.first_cell + account, now);
    match pick_credential(provider.accounts.len(), turn, claim) {
        CredentialPick::Use(account) => Some(account),
        CredentialPick::Cooling { .. } | CredentialPick::Keyless => None,
    }
}

/// A call went well: for a stream, its first content came. `fields` are those of the answer.
pub fn note_success(
    aim: &Aim<'_>,
    edge: &Edge,
    fields: &Fields,
    (is_stream, begun): (bool, Ticks),
    now: Ticks,
) {
    let cell = aim.policy.first_cell + aim.target;
    aim.runtime.target_cooldowns.success(cell, now);
    aim.runtime.credential_cooldowns.success(aim.provider.first_cell + aim.account, now);
    let route = &aim.policy.route;
    let span = now.since(begun);
    if is_stream {
        route.learned.first.note(span);
    }
    let Some(live) = aim.runtime.target_live.get(cell) else { return };
    if is_stream {
        gate::note_first(aim.policy, live, span, now);
    }
    if route.has_choice() {
        live.note_success(is_stream, span, now);
        note_headroom(aim, edge, fields, now);
    }
}

/// A call that began at `started` is over, and was not asked how it went.
pub fn let_go(aim: &Aim<'_>, started: Ticks) {
    aim.runtime.target_cooldowns.let_go(aim.policy.first_cell + aim.target, started);
    aim.runtime.credential_cooldowns.let_go(aim.provider.first_cell + aim.account, started);
}

/// What the provider says is left of its limits.
fn note_headroom(aim: &Aim<'_>, edge: &Edge, fields: &Fields, now: Ticks) {
    if !aim.policy.route.uses.headroom {
        return;
    }
    let field =
        |name: &str| fields.iter().find(|(held, _)| held == name).and_then(|(_, value)| value.to_str().ok());
    let live = aim.runtime.target_live.get(aim.policy.first_cell + aim.target);
    if let (Some(live), Some((left, span))) = (live, headroom(field, edge.wall.now())) {
        live.note_headroom(left, span, now);
    }
}

/// A stream broke after it had begun well: its beginning counted as a success.
pub fn note_broken(edge: &Edge, ctx: &Ctx, cell: Option<usize>, class: FailureClass) {
    let Some(cell) = cell else { return };
    let now = edge.now();
    ctx.runtime.target_cooldowns.failure(cell, class, None, ctx.started, now);
    if let Some(live) = ctx.runtime.target_live.get(cell) {
        live.note_failure(true, now.since(ctx.started), now);
    }
}

/// A call that began at `started` failed.
pub fn note_failure(
    edge: &Edge,
    aim: &Aim<'_>,
    failed: &Failure,
    is_stream: bool,
    started: Ticks,
    now: Ticks,
) {
    let (failure, retry_after) = (failed.class, failed.retry_after);
    let_go(aim, started);
    if failed.is_stale {
        // An idle connection that its other end has closed: nobody was asked.
        return;
    }
    if let Some(live) = aim.runtime.target_live.get(aim.policy.first_cell + aim.target) {
        gate::note_failure(aim.policy, live, failed, now);
    }
    if aim.policy.route.has_choice() {
        if let Some(live) = aim.runtime.target_live.get(aim.policy.first_cell + aim.target)
            && !matches!(failure, FailureClass::Status(400..=428 | 430..=499))
        {
            live.note_failure(is_stream, now.since(started), now);
        }
        if let Some(head) = &failed.head {
            note_headroom(aim, edge, &head.fields, now);
        }
    }
    let with_credential =
        aim.provider.accounts.iter().filter(|account| !account.credential.is_none()).count();
    let (cells, cell) = match blame(failure, with_credential) {
        Blame::Target => (&aim.runtime.target_cooldowns, aim.policy.first_cell + aim.target),
        Blame::Credential => (&aim.runtime.credential_cooldowns, aim.provider.first_cell + aim.account),
    };
    match (blame(failure, with_credential), failure) {
        // Perhaps about this model, or what was asked of it: the next call may be answered.
        (Blame::Target, FailureClass::Status(403)) => cells.refused(cell, now),
        _ => cells.failure(cell, failure, retry_after, started, now),
    }
    // Revoked before its end, perhaps. How often it is fetched again is bounded by the cooling.
    if let (FailureClass::Status(401 | 403), Some(account)) =
        (failure, aim.provider.accounts.get(aim.account))
    {
        account.credential.forget();
    }
    // Any answer but a refusal of the credential shows that the credential works; a probe of it that
    // ended so must not hold it back.
    if matches!((failure, blame(failure, with_credential)), (FailureClass::Status(_), Blame::Target)) {
        aim.runtime.credential_cooldowns.success(aim.provider.first_cell + aim.account, now);
    }
    if let TargetState::Cooling { .. } = cells.state(cell, now) {
        aim.provider.metrics.cooldown(failure);
    }
}
