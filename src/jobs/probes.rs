//! Asks providers that say so, beside their calls, whether they are well and how busy they are.
//!
//! Not here: what follows (`routing::vital`, `runtime::health`). Invariants: a provider is asked no second
//! time before the first has ended, and no more than [`WIDTH`] are asked at once.

use crate::routing::{TargetState, VitalTurn};
use crate::runtime::{Account, Edge, Probe, Provider, ProviderHealth, Runtime};
use crate::telemetry::AskedOutcome;
use crate::types::{Protocol, Ticks};
use crate::upstream::{UpstreamRequest, ask, connect};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use pingora_core::server::ShutdownWatch;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Questions under way.
const WIDTH: usize = 32;
/// How often the configuration is looked at for providers that are to be asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so long a provider is asked for the first time, at the most.
const FIRST_WITHIN: Duration = Duration::from_secs(1);
const METRICS_PATH: &str = "/metrics";
const METRICS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Of an answer whose status alone matters.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// When each provider is asked next; None while it is.
type Due = HashMap<String, Option<Ticks>>;

/// Asks until the process ends.
pub async fn keep(edge: Arc<Edge>, mut shutdown: ShutdownWatch) {
    let mut due = Due::new();
    let mut asked = JoinSet::new();
    loop {
        let next = begin(&edge, &mut due, &mut asked);
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            Some(ended) = asked.join_next(), if !asked.is_empty() => {
                if let Ok(name) = ended {
                    plan_next(&edge, &mut due, name);
                }
            }
            _ = shutdown.changed() => return,
        }
    }
}

/// Begins what is due; gives how long there is nothing more to begin.
fn begin(edge: &Arc<Edge>, due: &mut Due, asked: &mut JoinSet<String>) -> Duration {
    let (runtime, now) = (edge.runtime(), edge.now());
    due.retain(|name, _| runtime.providers.iter().any(|p| p.name == *name && p.health.is_some()));
    if asked.is_empty() {
        // A question that ended badly has told nobody whose it was.
        due.retain(|_, at| at.is_some());
    }
    let mut soonest = now.plus(LOOK_EVERY);
    for (index, provider) in runtime.providers.iter().enumerate() {
        let Some(health) = &provider.health else { continue };
        let first = || Some(now.plus(part(edge, health.every.min(FIRST_WITHIN))));
        let at = due.entry(provider.name.clone()).or_insert_with(first);
        let Some(next) = *at else { continue };
        if next > now {
            soonest = soonest.min(next);
        } else if asked.len() < WIDTH {
            *at = None;
            asked.spawn(question(edge.clone(), runtime.clone(), index));
        } else {
            // One that ends makes room, and wakes us.
            break;
        }
    }
    soonest.since(now).max(Duration::from_millis(1))
}

/// A tenth more or less than its period: many nodes do not ask at one moment.
fn plan_next(edge: &Edge, due: &mut Due, name: String) {
    let runtime = edge.runtime();
    let health = runtime.providers.iter().find(|p| p.name == name).and_then(|p| p.health.as_ref());
    match health {
        Some(health) => {
            let span = health.every.mul_f32(0.9) + part(edge, health.every.mul_f32(0.2));
            due.insert(name, Some(edge.now().plus(span)));
        }
        None => drop(due.remove(&name)),
    }
}

/// A random part of `span`.
fn part(edge: &Edge, span: Duration) -> Duration {
    span.mul_f64((edge.dice.roll() >> 11) as f64 / (1_u64 << 53) as f64)
}

/// Asks one provider all that it is to be asked; gives its name.
async fn question(edge: Arc<Edge>, runtime: Arc<Runtime>, index: usize) -> String {
    let Some(provider) = runtime.providers.get(index) else { return String::new() };
    if let Some(health) = &provider.health {
        tokio::join!(probe(&edge, &runtime, provider, health), scrape(&edge, &runtime, provider, health));
    }
    provider.name.clone()
}

async fn probe(edge: &Edge, runtime: &Runtime, provider: &Provider, health: &ProviderHealth) {
    let Some(probe) = &health.probe else { return };
    let answered =
        pingora_timeout::timeout(health.timeout, Box::pin(answer(runtime, provider, probe, edge.now())))
            .await;
    let told = answered.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    provider.metrics.probe(if told.is_ok() { AskedOutcome::Ok } else { AskedOutcome::Failed });
    let (runtime, now) = (edge.runtime(), edge.now());
    match (health.vital.note(told.is_ok(), health.rules), told) {
        (Some(VitalTurn::Down), told) => {
            log::warn!("{} does not answer probes: {}", provider.name, told.err().unwrap_or_default());
            runtime.forget_prompts_of(provider);
        }
        (Some(VitalTurn::Up), _) => {
            log::warn!("{} answers probes again", provider.name);
            runtime.warm_up(provider, now);
        }
        (None, Err(why)) => log::debug!("{} did not answer a probe: {why}", provider.name),
        (None, Ok(())) => {}
    }
}

/// # Errors
/// Why the provider is not well, in words.
async fn answer(runtime: &Runtime, provider: &Provider, probe: &Probe, now: Ticks) -> Result<(), String> {
    let Some(account) = account(runtime, provider, now) else { return Ok(()) };
    let path = match probe {
        Probe::Tcp => return connect(&account.link).await.map_err(|error| error.to_string()),
        Probe::Get { path, .. } => path,
    };
    let request = request(provider, account, path).await?;
    let (status, _) =
        ask(&account.link, &request, ANSWER_BYTES_MAX).await.map_err(|error| error.to_string())?;
    if probe.is_well(status) { Ok(()) } else { Err(format!("status {status}")) }
}

async fn scrape(edge: &Edge, runtime: &Runtime, provider: &Provider, health: &ProviderHealth) {
    let (Some(kind), Some(account)) = (health.scrape, account(runtime, provider, edge.now())) else { return };
    let work = async {
        let request = request(provider, account, METRICS_PATH).await?;
        let answered = ask(&account.link, &request, METRICS_BYTES_MAX).await;
        let (status, body) = answered.map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&body).map_err(|_| "no text".to_owned())?;
        // Half of an exposition may end in half of a number.
        let is_whole = status == 200 && body.len() < METRICS_BYTES_MAX;
        let gauges = if is_whole { kind.read(text) } else { None };
        gauges.ok_or_else(|| format!("status {status} without its load"))
    };
    let told = pingora_timeout::timeout(health.timeout, Box::pin(work)).await;
    let (runtime, now) = (edge.runtime(), edge.now());
    match told.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
        Ok(gauges) => {
            provider.metrics.scrape(AskedOutcome::Ok);
            if health.vital.note_load(&gauges, runtime.busy_at(provider), now) {
                log::info!("{} was started anew", provider.name);
                runtime.forget_prompts_of(provider);
            }
        }
        Err(why) => {
            provider.metrics.scrape(AskedOutcome::Failed);
            log::debug!("{} did not say its load: {why}", provider.name);
        }
    }
}

/// The first account whose credential is not set aside, else the first.
fn account<'p>(runtime: &Runtime, provider: &'p Provider, now: Ticks) -> Option<&'p Account> {
    let is_ready = |(index, _): &(usize, &Account)| {
        runtime.credential_cooldowns.state(provider.first_cell + index, now) == TargetState::Ready
    };
    let ready = provider.accounts.iter().enumerate().find(is_ready).map(|(_, account)| account);
    ready.or(provider.accounts.first())
}

/// A request without a body, with all that a call would carry.
async fn request(provider: &Provider, account: &Account, path: &str) -> Result<UpstreamRequest, String> {
    let mut fields = vec![
        (header::ACCEPT, HeaderValue::from_static("*/*")),
        (header::USER_AGENT, HeaderValue::from_static(concat!("tidegate/", env!("CARGO_PKG_VERSION")))),
        (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01")),
    ];
    fields.retain(|(name, _)| name != "anthropic-version" || speaks_messages(provider));
    fields.extend(provider.headers.iter().cloned());
    let mut request =
        UpstreamRequest { method: Method::GET, path: path.to_owned(), fields, body: Bytes::new() };
    let authority = account.link.origin.authority.as_str();
    account.credential.authorize(&mut request, authority).await.map_err(|error| error.to_string())?;
    Ok(request)
}

/// Anthropic's lists want to be asked for by a version.
fn speaks_messages(provider: &Provider) -> bool {
    provider.ways.first().is_some_and(|way| way.protocol == Protocol::Messages)
}
