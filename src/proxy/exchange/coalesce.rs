//! Single flight: calls of one tenant that ask for the same while one of them is under way share it. One
//! upstream call, one charge; every client has its own connection, pace and end.
//!
//! Opted in by a model's `coalesce`. The call belongs to none of its clients: it writes to what all of them
//! read (`runtime::flights`), the one that began it included, and runs on in that one's task for as long as
//! anybody reads. Its limits, budget and row are those of the call that began it; the others are free.

use super::converse;
use super::downstream::Downstream;
use super::prepare::Prepared;
use super::race::Track;
use super::respond::{self, Telling};
use super::talk::{Talk, Wake};
use crate::framing::FieldLines;
use crate::proxy::context::Ctx;
use crate::runtime::flights::{Boarding, Coalesce, FlightKey, Flying, Head, Landing, Next, Passenger};
use crate::runtime::{Edge, ModelPolicy};
use crate::telemetry::CoalesceOutcome;
use crate::types::{Endpoint, Reason, Reject};
use sha2::{Digest, Sha256};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// How long a passenger waits before it looks again; its flight has deadlines of its own.
const NEXT_MAX: Duration = Duration::from_secs(3600);

/// A call that may be shared.
pub struct Sharing {
    key: FlightKey,
    rules: Coalesce,
}

/// How reading a flight ended.
enum Rode {
    Landed(Landing),
    /// The client left.
    Left,
    /// The client was too slow for what is kept.
    Behind,
}

impl Sharing {
    /// What makes a call the same as others, where it may be shared: one that the upstream works on for
    /// nobody in particular.
    pub fn of(ctx: &Ctx, policy: &ModelPolicy, prepared: &Prepared<'_>, is_pinned: bool) -> Option<Self> {
        let rules = policy.coalesce?;
        let caller = ctx.caller.as_ref()?;
        let is_own = is_pinned || prepared.recalled.is_some() || prepared.hit.is_wrapped();
        if is_own || prepared.head.is_none() || !prepared.endpoint.is_charged() {
            return None;
        }
        let principal = &caller.principal;
        let has_conditions = !policy.route.conditions.is_empty();
        if has_conditions && !principal.claims.is_empty() {
            return None;
        }
        // Stored responses are their key's alone, and conditions may ask who calls.
        let is_keys = has_conditions || prepared.endpoint == Endpoint::Responses;
        let mut same = Sha256::new();
        match principal.app.as_deref().filter(|_| !is_keys) {
            Some(app) => part(&mut same, format!("tenant {}", app.tenant).as_bytes()),
            None => part(&mut same, format!("key {}", principal.key_id).as_bytes()),
        }
        part(&mut same, &ctx.runtime.generation.to_le_bytes());
        part(&mut same, prepared.endpoint.as_str().as_bytes());
        part(&mut same, &ctx.record.request.path);
        part(&mut same, &prepared.body);
        let wishes = &prepared.wishes;
        part(&mut same, wishes.tags.as_bytes());
        part(&mut same, wishes.region.as_bytes());
        part(&mut same, &[u8::from(wishes.zero_retention), u8::from(prepared.counts_exactly)]);
        for (name, value) in prepared.client_fields.iter().filter(|(name, _)| counts(name.as_str())) {
            part(&mut same, name.as_str().as_bytes());
            part(&mut same, value.as_bytes());
        }
        Some(Self { key: FlightKey(same.finalize().into()), rules })
    }

    /// A seat in the flight that is under way.
    pub fn board(&self, edge: &Edge) -> Option<Passenger> {
        edge.flights.board(&self.key)
    }
}

/// Whether an answer may depend on a field: on those that name a client or one of its calls it does not.
fn counts(name: &str) -> bool {
    let names_a_call = matches!(
        name,
        "user-agent" | "traceparent" | "tracestate" | "baggage" | "x-request-id" | "x-client-request-id"
    );
    !names_a_call && !name.starts_with("x-stainless-")
}

fn part(same: &mut Sha256, bytes: &[u8]) {
    same.update((bytes.len() as u64).to_le_bytes());
    same.update(bytes);
}

/// Makes a call that others may share.
pub async fn lead(
    edge: &Arc<Edge>,
    down: &mut Downstream,
    ctx: &mut Ctx,
    prepared: &mut Prepared<'_>,
    track: &Track<'_>,
    sharing: Sharing,
) {
    match edge.flights.begin(sharing.key, ctx.id, sharing.rules) {
        Boarding::First(flying, passenger) => {
            fly(edge, down, ctx, prepared, track, (flying, passenger)).await;
        }
        Boarding::Next(passenger) => follow(edge, down, ctx, prepared, passenger).await,
        Boarding::Alone => converse(edge, down, ctx, prepared, track).await,
    }
}

/// The call and its first client, side by side: the one does not wait for the other's network, and goes on
/// without it.
async fn fly(
    edge: &Arc<Edge>,
    down: &mut Downstream,
    ctx: &mut Ctx,
    prepared: &mut Prepared<'_>,
    track: &Track<'_>,
    (flying, mut passenger): (Flying, Passenger),
) {
    let (id, endpoint, is_array) = (ctx.id, prepared.endpoint, prepared.is_array);
    let ride = async {
        let mut talk = Talk::new(down, edge, endpoint);
        let rode = ride(edge, &mut talk, &mut passenger, |head| head.fields.clone()).await;
        if let Rode::Behind = rode {
            edge.metrics.routes.coalesced.inc(CoalesceOutcome::Behind);
            respond::tell_event(&mut talk, id, Telling::early(endpoint, is_array), &behind()).await;
        }
        // From here on the flight is the others'.
        drop(passenger);
    };
    let call = async {
        let mut shared = Downstream::shared(flying);
        converse(edge, &mut shared, ctx, prepared, track).await;
        shared.land(ctx.record.reason, ctx.record.origin);
    };
    tokio::join!(Box::pin(call), Box::pin(ride));
    ctx.record.bytes_out = down.bytes_out;
    ctx.record.is_client_gone |= down.is_gone();
}

/// Answers with the call that another one makes.
pub async fn follow(
    edge: &Arc<Edge>,
    down: &mut Downstream,
    ctx: &mut Ctx,
    prepared: &Prepared<'_>,
    mut passenger: Passenger,
) {
    edge.metrics.routes.coalesced.inc(CoalesceOutcome::Joined);
    ctx.record.coalesced = Some(passenger.flight());
    let at = Telling::early(prepared.endpoint, prepared.is_array);
    let began = edge.now();
    let mut talk = Talk::new(down, edge, prepared.endpoint);
    let rode = ride(edge, &mut talk, &mut passenger, |head| {
        let now = edge.now();
        ctx.record.status = head.status;
        ctx.record.waited += now.since(began);
        ctx.record.first_token = (!head.is_whole).then(|| now.since(ctx.started));
        follower_fields(edge, ctx, head)
    })
    .await;
    let reject = match rode {
        Rode::Landed(landing) => {
            (ctx.record.reason, ctx.record.origin) = (landing.reason, landing.origin);
            talk.down.is_untouched().then(|| {
                Reject::new(Reason::StreamFailed, "the call that this one shared ended without an answer")
            })
        }
        Rode::Left => None,
        Rode::Behind => {
            edge.metrics.routes.coalesced.inc(CoalesceOutcome::Behind);
            Some(behind())
        }
    };
    if let Some(reject) = reject {
        respond::tell_failure(edge, &mut talk, ctx, at, &reject).await;
    }
    ctx.record.is_client_gone |= talk.down.is_gone();
    ctx.record.bytes_out = talk.down.bytes_out;
}

fn behind() -> Reject {
    let message = "the answer is shared with others, and ran ahead: what comes next is not kept any more";
    Reject::new(Reason::StreamFailed, message)
}

/// Passes on what is there and what comes, until the flight or the client ends. That the process cuts its
/// streams is told by the flight.
async fn ride(
    edge: &Edge,
    talk: &mut Talk<'_>,
    passenger: &mut Passenger,
    mut fields: impl FnMut(&Head) -> FieldLines,
) -> Rode {
    loop {
        let sent = match passenger.read() {
            Next::Begin(head, body) => {
                let fields = fields(&head);
                match head.is_whole {
                    true => talk.down.answer(head.status, &fields, body).await,
                    false => talk.down.open(head.status, &fields, body).await,
                }
            }
            Next::More(body) => talk.down.send(body).await,
            Next::Nothing => match talk.until(edge.now().plus(NEXT_MAX), pin!(passenger.changed())).await {
                Wake::Left => return Rode::Left,
                Wake::Done(()) | Wake::Cut | Wake::Deadline => Ok(()),
            },
            Next::Behind => return Rode::Behind,
            Next::End(landing) => {
                end(talk, landing).await;
                return Rode::Landed(landing);
            }
        };
        if sent.is_err() {
            return Rode::Left;
        }
    }
}

/// Ends a streamed answer as the flight ended.
async fn end(talk: &mut Talk<'_>, landing: Landing) {
    if !talk.down.is_open() {
        return;
    }
    if !landing.is_complete || talk.down.close().await.is_err() {
        talk.down.break_off().await;
    }
}

/// The fields of the flight's answer that are true for all, and the follower's own.
fn follower_fields(edge: &Edge, ctx: &mut Ctx, head: &Head) -> FieldLines {
    const ANOTHERS: [&str; 6] = [
        "x-tidegate-request-id",
        "x-tidegate-sharing",
        "x-tidegate-cost-usd",
        "x-tidegate-queue-ms",
        "x-tidegate-input-tokens",
        "x-tidegate-overhead-us",
    ];
    let mut fields = FieldLines::with_capacity(head.fields.as_bytes().len() + 256);
    for (name, value) in head.fields.iter() {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if !name.starts_with("x-ratelimit-") && !ANOTHERS.contains(&name) {
            fields.push(name, value);
        }
    }
    if let Some(flight) = ctx.record.coalesced {
        fields.push_shown("x-tidegate-coalesced", &flight);
    }
    respond::push_own_fields(edge, ctx, &mut fields);
    fields
}
