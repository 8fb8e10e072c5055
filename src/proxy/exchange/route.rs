//! The plan of a call: what is known of the request and of each target, handed to `routing`.
//!
//! Not here: the choice itself. What a model's balances do not look at is not found out.

use super::affine::{self, Known as KnownPrompt};
use super::count;
use super::gate;
use super::health;
use super::prepare::Prepared;
use super::queue;
use super::race::Track;
use crate::dialect::wants::{Wants, wants};
use crate::proxy::context::Ctx;
use crate::routing::affinity::{Known, session};
use crate::routing::condition::FACTS_MAX;
use crate::routing::record::cut;
use crate::routing::{
    Ask, DataRules, Facts, Look, Needs, Plan, Recorded, Seen, TargetState, Verdict, plan as order,
};
use crate::runtime::{Edge, ProviderHealth, TargetFacts};
use crate::types::{Reason, Reject, Ticks};
use std::time::Duration;

/// What `Retry-After` says at least of a queue at a provider.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// What the plan of one call goes by.
pub struct Going {
    pub plan: Plan,
    /// Which of a provider's credentials: always the same for what is cached with one of them.
    pub turn: Option<u64>,
    /// The prompt, where it matters who has it in a cache.
    pub prompt: Option<Box<KnownPrompt>>,
}

/// Plans a call, and notes why it goes where it goes. `held`: the target at which it has a place.
pub async fn plan(
    edge: &Edge,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    track: &Track<'_>,
    held: Option<usize>,
    now: Ticks,
) -> Going {
    let route = &track.policy.route;
    if let Some((only, _)) = track.pinned {
        return Going { plan: Plan::only(only), turn: None, prompt: None };
    }
    let needs = needs(ctx, prepared, track).await;
    let session = if route.uses.session { session_of(ctx, prepared, track) } else { None };
    let ask = Ask {
        turn: if route.has_choice() { route.learned.turn() } else { 0 },
        random: edge.dice.roll(),
        session,
        panic: route.panic,
        passes_unfit: route.passes_unfit,
    };
    let holds = holding(edge, ctx, prepared, track, needs);
    let prompt = if route.uses.prefix { affine::look_up(prepared, route) } else { None };
    let rules = rules(prepared, track);
    let seeing = Seeing { prepared, track, needs, rules, prompt: prompt.as_deref(), held, now };
    let plan =
        order(&route.tree, &ask, |target| seeing.look(target), |condition| holds & bit(condition) != 0);
    if route.has_choice() {
        let mut told = plan.told();
        told.has_session = session.is_some() && plan.is_balanced() && plan.balance().is_by_session();
        told.cached = affine::cached_percent(prompt.as_deref(), route, &plan);
        ctx.record.route = Some(told);
        if ctx.runtime.edge.records_routes {
            ctx.record.decision = recorded(edge, ctx, &seeing, &ask, &plan).line();
        }
    }
    let turn = match (session, route.uses.credentials) {
        (None, true) => affine::credential_turn(prepared, route, caller_of(ctx)),
        (session, _) => session,
    };
    Going { plan, turn, prompt }
}

/// How the only target of a policy is now, for a call that is routed already: what it needs is not asked.
pub fn only(prepared: &Prepared<'_>, track: &Track<'_>, now: Ticks) -> Verdict {
    let Some(facts) = track.policy.route.facts.first() else { return Verdict::Unserved };
    let (needs, rules) = (Needs::default(), rules(prepared, track));
    Seeing { prepared, track, needs, rules, prompt: None, held: None, now }.verdict(0, facts).0
}

/// The refusal of a call that no target can be asked for. Where all have only said that they had enough,
/// it says so too: 429, as they did.
pub fn nobody(plan: &Plan, track: &Track<'_>, now: Ticks) -> Reject {
    // Where it is not empty, others took what room there was a moment ago.
    if plan.has_full() || (track.policy.route.is_gated && !plan.is_empty()) {
        return queue::all_full(plan, now);
    }
    let is_crowded = |verdict: &Verdict| !verdict.is_away() || *verdict == Verdict::Crowded;
    if let Some(at) = plan.soonest_recovery().filter(|_| plan.verdicts().iter().all(is_crowded)) {
        let message = "too many calls wait at all targets of this model already";
        return Reject::new(Reason::AllFull, message).with_retry_after(at.since(now).max(RETRY_AFTER_MIN));
    }
    if let Some(at) = plan.soonest_recovery() {
        let has_enough = |(target, verdict): (usize, &Verdict)| match verdict {
            Verdict::Limited => !health::has_dead_credentials(track.runtime, track.policy, target),
            verdict => *verdict != Verdict::Cooling,
        };
        let status = if plan.verdicts().iter().enumerate().all(has_enough) { 429 } else { 503 };
        return Reject::new(Reason::AllCooling, "all targets of this model are cooling down")
            .with_status(status)
            .with_retry_after(at.since(now).max(Duration::from_millis(1)));
    }
    let is_ruled_out =
        |verdict: &Verdict| !matches!(verdict, Verdict::Unserved | Verdict::Drained | Verdict::Pinned);
    if !plan.verdicts().iter().any(is_ruled_out) {
        return Reject::new(Reason::NoTarget, "this model has no target that takes calls");
    }
    let mut words: Vec<&str> = plan.verdicts().iter().map(|verdict| verdict.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    let message = format!("no target of this model may serve this request: {}", words.join(", "));
    Reject::new(Reason::NoTarget, message).with_status(400)
}

async fn needs(ctx: &Ctx, prepared: &Prepared<'_>, track: &Track<'_>) -> Needs {
    let route = &track.policy.route;
    if !prepared.endpoint.generates() {
        return Needs::default();
    }
    let output = prepared.head.as_ref().and_then(|head| head.max_output).unwrap_or_default();
    let bound = ctx.record.counted_input.unwrap_or(prepared.body.len() as u64 / 3 + 1);
    let mut needs = Needs { input: bound, output, wants: Wants::default() };
    if !route.uses.wants.is_empty() {
        needs.wants = wants(&prepared.body, route.uses.wants);
    }
    // The bound may be far above the truth: a target is passed over only for what was counted.
    let is_short = |facts: &TargetFacts| {
        facts.abilities.context.is_some_and(|context| bound.saturating_add(output) > context)
    };
    if (route.uses.contexts && route.facts.iter().any(is_short)) || asks_for_length(track) {
        needs.input = Box::pin(count::prompt(track.runtime, track.policy, prepared)).await;
    }
    needs
}

/// Whether a condition goes by the number of tokens: then it is counted, not bounded.
fn asks_for_length(track: &Track<'_>) -> bool {
    track.policy.route.conditions.iter().any(|condition| condition.source().contains("input_tokens"))
}

fn session_of(ctx: &Ctx, prepared: &Prepared<'_>, track: &Track<'_>) -> Option<u64> {
    let known = Known {
        header: |name: &str| field(prepared, name),
        prompt_cache_key: prepared.head.as_ref().and_then(|head| head.prompt_cache_key.as_deref()),
        caller: caller_of(ctx),
    };
    session(&track.policy.route.session_by, &known)
}

fn caller_of(ctx: &Ctx) -> Option<&str> {
    ctx.caller.as_ref().map(|caller| &*caller.principal.key_id)
}

pub fn field<'p>(prepared: &'p Prepared<'_>, name: &str) -> Option<&'p [u8]> {
    prepared.client_fields.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_bytes())
}

/// The operator's rules and the client's own: both hold.
fn rules(prepared: &Prepared<'_>, track: &Track<'_>) -> [DataRules; 2] {
    let wishes = &prepared.wishes;
    let own = match wishes.region.is_empty() && !wishes.zero_retention {
        true => DataRules::default(),
        false => DataRules {
            regions: Some(wishes.region.clone()).into_iter().filter(|region| !region.is_empty()).collect(),
            zero_retention: wishes.zero_retention,
        },
    };
    [track.policy.route.data.clone(), own]
}

/// Which conditions hold, as bits. One that cannot be evaluated does not.
fn holding(edge: &Edge, ctx: &Ctx, prepared: &Prepared<'_>, track: &Track<'_>, needs: Needs) -> u64 {
    let conditions = &track.policy.route.conditions;
    if conditions.is_empty() {
        return 0;
    }
    let principal = ctx.caller.as_ref().map(|caller| &caller.principal);
    let app = principal.and_then(|principal| principal.app.as_ref());
    let tags: Vec<&str> = prepared.wishes.tags().take(FACTS_MAX).collect();
    let header = |name: &str| field(prepared, name);
    let facts = Facts {
        model: &prepared.model,
        endpoint: prepared.endpoint.as_str(),
        is_stream: prepared.is_stream,
        needs,
        header: &header,
        key: principal.map_or("", |principal| &*principal.key_id),
        tenant: app.map_or("", |app| &*app.names.tenant),
        team: app.map_or("", |app| &*app.names.team),
        app: app.map_or("", |app| &*app.names.app),
        claim: &|name| principal?.claims.get(name),
        tags: &tags,
        unix: edge.wall.unix_ms() / 1000,
        is_budget_spent: ctx.record.downgraded_to.is_some(),
        region: &prepared.wishes.region,
        zero_retention: prepared.wishes.zero_retention,
    };
    let holds = |(index, condition): (usize, &crate::routing::Condition)| match condition.holds(&facts) {
        Ok(true) => bit(index),
        Ok(false) => 0,
        Err(why) => {
            log::debug!("{} a condition cannot be evaluated: {why}", ctx.id);
            edge.metrics.routes.condition_errors.inc();
            0
        }
    };
    conditions.iter().enumerate().map(holds).fold(0, |held, bit| held | bit)
}

/// The decision, to be made again.
fn recorded(edge: &Edge, ctx: &Ctx, seeing: &Seeing<'_, '_>, ask: &Ask, plan: &Plan) -> Recorded {
    let Seeing { prepared, track, needs, .. } = seeing;
    let route = &track.policy.route;
    let principal = ctx.caller.as_ref().map(|caller| &caller.principal);
    let names = principal.and_then(|principal| principal.app.as_ref()).map(|app| &app.names);
    let named = route.conditions.iter().flat_map(|condition| condition.headers());
    let header = |name: &str| std::str::from_utf8(field(prepared, name)?).ok().map(cut);
    let named_claims = route.conditions.iter().flat_map(|condition| condition.claims());
    let claims = principal.map(|principal| &principal.claims);
    let name = |target: usize| route.facts.get(target).map(|facts| cut(&facts.name));
    Recorded {
        model: cut(&prepared.model),
        endpoint: prepared.endpoint.as_str().to_owned(),
        stream: prepared.is_stream,
        turn: ask.turn,
        random: ask.random,
        session: ask.session,
        input: needs.input,
        output: needs.output,
        wants: needs.wants.words().map(str::to_owned).collect(),
        key: principal.map(|principal| cut(&principal.key_id)).unwrap_or_default(),
        tenant: names.map(|names| cut(&names.tenant)).unwrap_or_default(),
        team: names.map(|names| cut(&names.team)).unwrap_or_default(),
        app: names.map(|names| cut(&names.app)).unwrap_or_default(),
        tags: prepared.wishes.tags().take(FACTS_MAX).map(cut).collect(),
        region: prepared.wishes.region.to_string(),
        zdr: prepared.wishes.zero_retention,
        unix: edge.wall.unix_ms() / 1000,
        budget_spent: ctx.record.downgraded_to.is_some(),
        headers: named.filter_map(|name| Some((name.to_string(), header(name)?))).collect(),
        claims: named_claims
            .filter_map(|name| Some((name.to_string(), claims?.get(name)?.clone())))
            .collect(),
        targets: (0..route.facts.len()).map(|target| seeing.seen(target)).collect(),
        chosen: plan.targets().next().and_then(name),
    }
}

fn bit(index: usize) -> u64 {
    u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(0)
}

struct Seeing<'a, 'p> {
    prepared: &'a Prepared<'p>,
    track: &'a Track<'a>,
    needs: Needs,
    rules: [DataRules; 2],
    prompt: Option<&'a KnownPrompt>,
    /// The target at which there is a place for this call.
    held: Option<usize>,
    now: Ticks,
}

impl Seeing<'_, '_> {
    fn look(&self, target: usize) -> Look {
        let policy = self.track.policy;
        let Some(facts) = policy.route.facts.get(target) else { return Look::of(Verdict::Unserved) };
        let (verdict, until) = self.verdict(target, facts);
        if verdict.is_failing()
            && let Some(slot) = policy.route.slots.get(target)
        {
            // It may come back with nothing in its cache.
            policy.route.learned.prefix.forget(*slot);
        }
        let mut look = Look { verdict, until, identity: facts.identity, ..Look::default() };
        // A single target, and one that is not asked, needs no more.
        if policy.route.has_choice() {
            self.measure(target, &mut look);
        }
        look
    }

    fn verdict(&self, target: usize, facts: &TargetFacts) -> (Verdict, Ticks) {
        let Track { runtime, policy, .. } = *self.track;
        let cell = policy.first_cell + target;
        let of = |verdict| (verdict, Ticks::default());
        if runtime.target_live.get(cell).is_some_and(|live| live.is_drained()) {
            return of(Verdict::Drained);
        }
        let asked = (self.prepared.endpoint, self.prepared.model.as_str());
        let Some(state) = health::state(runtime, asked, policy, target, self.now) else {
            return of(Verdict::Unserved);
        };
        if let Some(verdict) = facts.abilities.judge(&self.needs, &self.rules) {
            return of(verdict);
        }
        match state {
            TargetState::Ready => {
                let told = self.health(target).and_then(|health| health.verdict(self.now));
                told.unwrap_or(of(if self.is_full(target) { Verdict::Full } else { Verdict::Ready }))
            }
            TargetState::Cooling { until } if runtime.target_cooldowns.is_failing(cell) => {
                (Verdict::Cooling, until)
            }
            TargetState::Cooling { until } => (Verdict::Limited, until),
        }
    }

    /// How a target's provider is asked beside its calls.
    fn health(&self, target: usize) -> Option<&ProviderHealth> {
        let Track { runtime, policy, .. } = *self.track;
        let provider =
            policy.targets.get(target).and_then(|target| runtime.providers.get(target.provider))?;
        provider.health.as_ref()
    }

    fn is_full(&self, target: usize) -> bool {
        let policy = self.track.policy;
        policy.route.is_gated
            && self.held != Some(target)
            && gate::live(self.track, target).is_some_and(|live| live.is_full())
    }

    /// A target as it is, whatever this request needs.
    fn seen(&self, target: usize) -> Seen {
        let Track { runtime, policy, .. } = *self.track;
        let cell = policy.first_cell + target;
        let live = runtime.target_live.get(cell);
        let asked = (self.prepared.endpoint, self.prepared.model.as_str());
        let state = match health::state(runtime, asked, policy, target, self.now) {
            _ if live.is_some_and(|live| live.is_drained()) => Verdict::Drained,
            Some(TargetState::Cooling { .. }) if runtime.target_cooldowns.is_failing(cell) => {
                Verdict::Cooling
            }
            Some(TargetState::Cooling { .. }) => Verdict::Limited,
            _ => {
                let told = self.health(target).and_then(|health| health.verdict(self.now));
                let own = if self.is_full(target) { Verdict::Full } else { Verdict::Ready };
                told.map_or(own, |(verdict, _)| verdict)
            }
        };
        let measured = live.map(|live| live.measured(self.now)).unwrap_or_default();
        let name = policy.route.facts.get(target).map(|facts| cut(&facts.name)).unwrap_or_default();
        let warmth = runtime.target_cooldowns.warmth(cell, self.now);
        let load = self.health(target).and_then(|health| health.load(self.now));
        Seen {
            cached: self.prompt.map(|prompt| prompt.share(&policy.route, target)),
            load: load.map(|load| (load.elsewhere, load.waiting, load.kv)),
            ..Seen::of(name, state.as_str(), &measured, warmth)
        }
    }

    fn measure(&self, target: usize, look: &mut Look) {
        let Track { runtime, policy, .. } = *self.track;
        let cell = policy.first_cell + target;
        let Some(live) = runtime.target_live.get(cell) else { return };
        let uses = &policy.route.uses;
        look.warmth = runtime.target_cooldowns.warmth(cell, self.now);
        if uses.times || uses.prices {
            let call = (&self.needs, self.prepared.is_stream);
            policy.route.weigh(target, &live.measured(self.now), call, look);
        } else {
            look.busy = live.busy();
            if uses.headroom {
                look.headroom = live.headroom(self.now);
            }
        }
        if let Some(load) = self.health(target).and_then(|health| health.load(self.now)) {
            look.take_in(&load);
        }
        if let Some(prompt) = self.prompt {
            look.cached = prompt.share(&policy.route, target);
        }
    }
}
