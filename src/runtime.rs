//! What a request works with: [`Runtime`], the immutable snapshot of one configuration, and
//! [`Edge`], what the process keeps across configurations.
//!
//! It stands between floor 4 and the folders of floor 5: proxy, admin and jobs all read it, only
//! `assemble` builds it. A request takes one snapshot and keeps it; a reload swaps the next one in.

use crate::archive::{Archive, Bounds};
use crate::auth::{Identities, KeyRing};
use crate::catalog::{self, Catalog, Quirk};
use crate::chat;
use crate::cluster::RedisBank;
use crate::dialect::codec::embed::rerank;
use crate::dialect::front::Front;
use crate::limits::{FloodGate, Limits, Price, ShedRules};
use crate::meter::{Counter, Family};
use crate::routing::{
    Concurrency, CooldownSet, FailoverPolicy, LiveSet, ModelTable, Pins, Target, TargetLive, TargetState,
    Verdict,
};
use crate::store::{Bank, KeptBounds, Store, ledger::Ledger};
use crate::telemetry::{
    AccessLog, Events, Label, Metrics, ProviderMetrics, SystemClock, TargetHealth, WallClock,
};
use crate::types::ids::RequestIds;
use crate::types::{Clock, Endpoint, Protocol, Ticks};
use crate::upstream::credentials::Credential;
use crate::upstream::{Link, Remote, Transports};
use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

mod configure;
mod control;
mod dice;
mod drain;
pub mod flights;
mod governed;
mod health;
mod keepsakes;
mod mirror;
mod overload;
pub mod replays;
mod routes;
mod streams;
mod targets;
mod unguessable;

pub use configure::{CONFIGURATIONS_MAX, ConfigFault, ConfigState, Configurations, Configure};
pub use control::{AdminPolicy, Hook, IdentitySource};
pub use dice::Dice;
pub use drain::{Drain, DrainPhase};
use flights::{Coalesce, Flights};
pub use health::{Probe, ProviderHealth};
pub use keepsakes::Keepsakes;
pub use mirror::{Berth, Copies, Mirror, Pair, Room};
pub use overload::Overload;
use replays::Replays;
pub use routes::{Hedge, Learned, Queue, Route, TargetFacts, Uses};
pub use streams::{CONTINUED_BYTES_MAX, Hold, Prefill, StreamPolicy, StreamTarget};
pub use targets::Targets;
pub use unguessable::Unguessable;

/// One configuration, assembled.
pub struct Runtime {
    pub generation: u64,
    pub edge: EdgePolicy,
    /// How much is kept of responses and conversations.
    pub kept: Bounds,
    /// The same of the store; none where it keeps nothing of them.
    pub kept_in_store: KeptBounds,
    pub keys: KeyRing,
    pub admin: AdminPolicy,
    pub hooks: Vec<Hook>,
    pub limits: Limits,
    /// Tokens an answer is taken to have whose request states no most.
    pub expected_output: u64,
    /// The largest price of the catalogue.
    pub price_bound: Price,
    pub table: ModelTable,
    pub models: Vec<ModelPolicy>,
    pub providers: Vec<Provider>,
    pub counter: Arc<Counter>,
    /// Facts of models: what they take, what they cost.
    pub catalog: Catalog,
    /// One cell per target of each model, by [`ModelPolicy::first_cell`].
    pub target_cooldowns: CooldownSet,
    /// What is known of targets by calling them, by the same cells.
    pub target_live: LiveSet,
    /// Calls at once that targets take, by the names of their cells.
    pub concurrency: HashMap<String, Concurrency>,
    /// One cell per credential of each provider, by [`Provider::first_cell`].
    pub credential_cooldowns: CooldownSet,
}

/// What holds for every request.
#[derive(Clone, Debug)]
pub struct EdgePolicy {
    pub header_bytes_max: usize,
    pub body_bytes_max: usize,
    pub body_timeout: Duration,
    pub write_timeout: Duration,
    pub keepalive_timeout: Duration,
    /// Between keepalives of a silent stream; zero turns them off.
    pub stream_keepalive: Duration,
    pub trusted_proxies: Vec<crate::types::cidr::Cidr>,
    /// Whether the access log holds decisions of routing whole.
    pub records_routes: bool,
    /// None: the gateway's own load is not looked at.
    pub shed: Option<ShedRules>,
}

/// A model clients may ask for.
pub struct ModelPolicy {
    pub name: String,
    pub targets: Vec<Target>,
    /// By target; None where the name the client asks for decides.
    pub families: Vec<Option<Family>>,
    pub route: Route,
    pub attempts: u8,
    pub failover: FailoverPolicy,
    pub timeouts: Timeouts,
    pub on_disconnect: OnDisconnect,
    pub is_counted_exactly: bool,
    pub on_unsupported: OnUnsupported,
    /// Whether a model without a price is refused.
    pub refuses_unpriced: bool,
    pub streams: StreamPolicy,
    /// How its calls are shared; None: each is its own.
    pub coalesce: Option<Coalesce>,
    /// None: no call is copied.
    pub mirror: Option<Arc<Mirror>>,
    /// Index of the first target's cell in [`Runtime::target_cooldowns`] and [`Runtime::target_live`].
    pub first_cell: usize,
}

impl ModelPolicy {
    /// The tokenizer family of a target, for a client that asked for `model`.
    pub fn family(&self, target: usize, model: &str) -> Family {
        let known = self.families.get(target).copied().flatten();
        known.unwrap_or_else(|| Family::of(model))
    }
}

/// The deadlines of a call.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub connect: Duration,
    pub header: Duration,
    pub first_token: Duration,
    pub idle: Duration,
    pub total: Duration,
}

/// What happens upstream when the client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    Abort,
    /// Read on for the true usage, at most this long.
    Drain(Duration),
}

/// A configured account at a vendor.
pub struct Provider {
    pub name: String,
    /// How to talk to it, by the catalogue or its kind.
    pub facts: Arc<catalog::Provider>,
    /// What it answers to, the one to prefer first.
    pub ways: Vec<Way>,
    /// One per credential; at least one, also where there is no credential.
    pub accounts: Vec<Account>,
    /// Index of the first account's cell in [`Runtime::credential_cooldowns`].
    pub first_cell: usize,
    /// How it is asked, beside its calls, whether it is well; None: it is not.
    pub health: Option<ProviderHealth>,
    /// Sent with every call.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub takes_stream_options: bool,
    pub counts_tokens_upstream: bool,
    /// Anthropic's betas that the operator knows it to take, beyond those known here.
    pub betas: Vec<String>,
    /// Fetches what clients name by URL and it wants whole; None: nothing is fetched.
    pub remote: Option<Arc<Remote>>,
    /// Whether opaque paths may be forwarded to it.
    pub is_opaque: bool,
    pub metrics: Arc<ProviderMetrics>,
    /// What no message to a client may hold: its hosts and credentials.
    pub needles: Vec<Box<[u8]>>,
    /// What encoders know of its models, by this configuration's catalogue.
    pub targets: Targets,
}

/// A protocol a provider answers to, and below which path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub protocol: Protocol,
    pub base_path: String,
    /// Whose paths and dress it has there.
    pub front: Front,
}

/// How a call of one endpoint reaches a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane<'p> {
    /// As it came: the provider answers to it.
    Same(&'p Way),
    /// In another protocol.
    Translated(&'p Way),
}

/// What happens to a parameter that a target has no word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnsupported {
    Warn,
    Reject,
}

/// One credential of a provider, and the connections made with it.
pub struct Account {
    pub link: Arc<Link>,
    pub credential: Credential,
    /// The same over reloads for the same credential, and for no other.
    pub identity: [u8; 32],
}

/// What the process keeps.
pub struct Edge {
    runtime: ArcSwap<Runtime>,
    /// Who the store knows. Beside the runtime, not in it: the file and the store change each on its
    /// own, and neither change can undo the other.
    identities: ArcSwap<Identities>,
    /// Limits and budgets of the identities, by the names of their levels.
    governed: ArcSwap<Limits>,
    source: AtomicU8,
    /// What happened and is to be told.
    pub events: Events,
    /// Set once, by whoever can read the configuration again.
    configure: OnceLock<Arc<dyn Configure>>,
    /// What came into force and is to be kept.
    pub configurations: Configurations,
    pub clock: SystemClock,
    pub wall: WallClock,
    pub ids: RequestIds,
    pub dice: Dice,
    pub metrics: Arc<Metrics>,
    pub access_log: AccessLog,
    pub flood: FloodGate,
    pub pins: Pins,
    /// Responses and conversations that no provider keeps.
    pub archive: Archive,
    /// Streams that clients may read again.
    pub replays: Replays,
    /// Calls that others share.
    pub flights: Arc<Flights>,
    /// Copies of calls under way.
    pub copies: Copies,
    pub transports: Transports,
    /// None without a store: nothing outlives the process.
    pub keeping: Option<Keeping>,
    /// What limits and budgets are shared through; None: this node is alone.
    pub shared: Option<Shared>,
    pub drain: Drain,
    pub overload: Overload,
    /// For what nobody may guess.
    random: Unguessable,
}

/// What outlives the process, and how it gets there. No request waits for it.
pub struct Keeping {
    pub store: Arc<dyn Store>,
    pub bank: Arc<dyn Bank>,
    pub ledger: Ledger,
    /// Responses and conversations on their way.
    pub keepsakes: Arc<Keepsakes>,
}

/// What a node shares with others, and through what.
pub struct Shared {
    /// This process among all that ever shared: what is granted to it is its own.
    pub node: String,
    pub bank: Arc<dyn Bank>,
    /// Where limits are leased too.
    pub redis: Option<Arc<RedisBank>>,
}

/// What an edge is made of.
pub struct EdgeParts {
    /// Any number that differs between processes.
    pub seed: u64,
    pub clock: SystemClock,
    pub wall: WallClock,
    pub metrics: Arc<Metrics>,
    pub access_log: AccessLog,
    pub flood: FloodGate,
    pub pins: Pins,
    pub transports: Transports,
    pub keeping: Option<Keeping>,
    pub shared: Option<Shared>,
}

// === impl Provider ===

impl Provider {
    /// How a call of `endpoint` for `model`, by its name there, gets there; None where it cannot.
    pub fn lane(&self, endpoint: Endpoint, model: &str) -> Option<Lane<'_>> {
        let serves = |way: &&Way| way.front.serves(way.protocol, model);
        // Who states one protocol only knows better than the name of a model.
        let is_parted = self.ways.iter().any(|way| serves(&way));
        let mut ways = self.ways.iter().filter(|way| !is_parted || serves(way));
        match endpoint.protocol() {
            Some(_) if self.facts.has(Quirk::NoChat) => None,
            Some(protocol) => {
                let own = ways.clone().find(|way| way.protocol == protocol);
                own.map(Lane::Same).or_else(|| ways.next().map(Lane::Translated))
            }
            None if endpoint.is_embed_or_rerank() => self.vector_lane(endpoint, model),
            // Nothing to translate: who speaks the dialect at all is asked as it came.
            None => {
                let is_own = |way: &&Way| {
                    way.protocol.dialect() == endpoint.dialect()
                        && way.front.has(endpoint)
                        && (endpoint != Endpoint::ResponseTokens || way.protocol == Protocol::Responses)
                };
                ways.find(is_own).map(Lane::Same)
            }
        }
    }

    /// How a call for vectors or a ranking gets there. Whoever speaks the client's dialect embeds in
    /// it; rankings are no part of OpenAI's, so there the preferred way decides.
    fn vector_lane(&self, endpoint: Endpoint, model: &str) -> Option<Lane<'_>> {
        let embeds = endpoint.embeds();
        let serves = |way: &&Way| match embeds {
            true => way.front.embeds(way.protocol),
            false => way.front == Front::Plain && rerank::Shape::is_spoken_in(way.protocol),
        };
        let first = self.ways.iter().find(serves)?;
        let speaks = |way: &&Way| way.protocol.dialect() == endpoint.dialect();
        let own = match endpoint {
            Endpoint::Embeddings | Endpoint::Rerank if self.facts.has(Quirk::VoyageFields) => None,
            Endpoint::Rerank => Some(first).filter(speaks),
            Endpoint::CohereRerank => self.ways.iter().filter(serves).find(speaks),
            _ => {
                let takes = |way: &&Way| speaks(way) && way.front.embeds_as_asked(endpoint, model);
                self.ways.iter().filter(serves).find(takes)
            }
        };
        Some(own.map_or(Lane::Translated(first), Lane::Same))
    }

    /// What an encoder must know of `model` there.
    pub fn target(&self, catalog: &Catalog, model: &str) -> Arc<chat::Target> {
        self.targets.of(model, || {
            let found = catalog.find(&self.facts.id, model).or_else(|| catalog.find_name(model));
            let mut target = catalog::target(&self.facts, model, found.map(|found| found.model));
            target.takes_stream_options &= self.takes_stream_options;
            target
        })
    }
}

// === impl Runtime ===

impl Runtime {
    /// Sets how many calls its targets take at once. Calls of configurations before it count too.
    fn apply_concurrency(&self, now: Ticks) {
        for (name, live) in self.target_live.all() {
            live.set_concurrency(self.concurrency.get(name).copied(), now);
        }
    }

    /// Ready where one credential of a provider is; else when the first one will be.
    pub fn credentials_state(&self, provider: &Provider, now: Ticks) -> TargetState {
        let cells = (0..provider.accounts.len()).map(|account| provider.first_cell + account);
        let mut soonest: Option<Ticks> = None;
        for cell in cells {
            match self.credential_cooldowns.state(cell, now) {
                TargetState::Ready => return TargetState::Ready,
                TargetState::Cooling { until } => soonest = Some(soonest.map_or(until, |at| at.min(until))),
            }
        }
        soonest.map_or(TargetState::Ready, |until| TargetState::Cooling { until })
    }

    /// How a target is, by the name of its cell.
    pub fn target_health(&self, name: &str, live: &TargetLive, now: Ticks) -> TargetHealth {
        let known = self.target_cooldowns.by_key(name, now);
        let (state, is_failing, warmth) = known.unwrap_or((TargetState::Ready, false, 1.0));
        let provider = self.provider_of(name);
        let account = provider.map_or(TargetState::Ready, |provider| self.credentials_state(provider, now));
        let health = provider.and_then(|provider| provider.health.as_ref());
        let told = health.and_then(|health| health.verdict(now)).map(|(verdict, _)| verdict);
        match state {
            _ if live.is_drained() => TargetHealth::Drained,
            _ if told == Some(Verdict::Unhealthy) => TargetHealth::Unhealthy,
            TargetState::Cooling { .. } if is_failing => TargetHealth::Cooling,
            TargetState::Cooling { .. } => TargetHealth::Limited,
            TargetState::Ready if account != TargetState::Ready => TargetHealth::Cooling,
            TargetState::Ready if told == Some(Verdict::Crowded) => TargetHealth::Crowded,
            TargetState::Ready if live.is_full() => TargetHealth::Full,
            TargetState::Ready if warmth < 1.0 => TargetHealth::Warming,
            TargetState::Ready => TargetHealth::Ready,
        }
    }
}

// === impl Edge ===

impl Edge {
    pub fn new(runtime: Runtime, parts: EdgeParts) -> Self {
        let archive = Archive::default();
        runtime.apply_concurrency(parts.clock.now());
        if let Some(keeping) = &parts.keeping {
            archive.tell(keeping.keepsakes.clone());
        }
        Self {
            runtime: ArcSwap::from_pointee(runtime),
            identities: ArcSwap::default(),
            governed: ArcSwap::from_pointee(Limits::none()),
            source: AtomicU8::new(match parts.keeping {
                Some(_) => IdentitySource::Missing,
                None => IdentitySource::Nothing,
            } as u8),
            events: Events::default(),
            configure: OnceLock::new(),
            configurations: Configurations::default(),
            clock: parts.clock,
            wall: parts.wall,
            ids: RequestIds::new(parts.seed),
            dice: Dice::new(parts.seed),
            metrics: parts.metrics,
            access_log: parts.access_log,
            flood: parts.flood,
            pins: parts.pins,
            archive,
            replays: Replays::default(),
            flights: Arc::default(),
            copies: Copies::default(),
            random: Unguessable::default(),
            transports: parts.transports,
            keeping: parts.keeping,
            shared: parts.shared,
            overload: Overload::default(),
            drain: Drain::default(),
        }
    }

    /// The configuration in force.
    pub fn runtime(&self) -> Arc<Runtime> {
        self.runtime.load_full()
    }

    /// Puts the next configuration in force. Requests under way keep theirs.
    pub fn swap(&self, next: Runtime) {
        next.apply_concurrency(self.now());
        self.runtime.store(Arc::new(next));
    }

    /// Where configurations come from; None where this one was made for good.
    pub fn configure(&self) -> Option<&Arc<dyn Configure>> {
        self.configure.get()
    }

    /// Called once, before anything is served.
    pub fn set_configure(&self, configure: Arc<dyn Configure>) {
        // A second one would not know what the first has put in force.
        let _ = self.configure.set(configure);
    }

    /// Where responses and conversations outlive the process; None where they do not.
    pub fn keepsakes(&self, runtime: &Runtime) -> Option<&Arc<Keepsakes>> {
        let keeps = runtime.kept_in_store.bytes_max > 0;
        self.keeping.as_ref().map(|keeping| &keeping.keepsakes).filter(|_| keeps)
    }

    pub fn store(&self) -> Option<&Arc<dyn Store>> {
        self.keeping.as_ref().map(|keeping| &keeping.store)
    }

    /// Who the store knows.
    pub fn identities(&self) -> arc_swap::Guard<Arc<Identities>> {
        self.identities.load()
    }

    /// Puts the next snapshot of the store's identities in force, with their limits: for all requests
    /// that begin now. What is in use goes on by the names of the levels.
    pub fn swap_identities(&self, next: Arc<Identities>) {
        match governed::limits(&next, &self.governed.load(), self.runtime().limits.till().clone()) {
            Ok(limits) => self.governed.store(Arc::new(limits)),
            // Checked when it was written; the limits before stay in force.
            Err(error) => log::error!("limits from the store are not taken: {error}"),
        }
        self.identities.store(next);
    }

    /// The limits of who the store knows.
    pub fn governed(&self) -> Arc<Limits> {
        self.governed.load_full()
    }

    pub fn identity_source(&self) -> IdentitySource {
        IdentitySource::ALL
            .into_iter()
            .find(|source| *source as u8 == self.source.load(Ordering::Relaxed))
            .unwrap_or(IdentitySource::Nothing)
    }

    pub fn set_identity_source(&self, source: IdentitySource) {
        self.source.store(source as u8, Ordering::Relaxed);
    }

    pub fn now(&self) -> Ticks {
        self.clock.now()
    }

    /// 128 bits in 32 hex digits, which nobody can guess and no node gives twice: ids are made of it.
    pub fn token(&self) -> String {
        let Some(number) = self.random.number() else {
            // The system has no randomness left to give, which it has not said in years.
            log::error!("no random bytes: ids of this call can be guessed");
            return format!("{:016x}{:016x}", self.dice.roll(), self.dice.roll());
        };
        format!("{number:032x}")
    }

    /// Lets go of what has reached its end, and shows how much is kept now: before the metrics are read.
    pub fn note_kept(&self) {
        let (entries, bytes) = self.archive.size(self.now());
        self.metrics.kept_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.metrics.kept_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Shows how many targets are in which state: before the metrics are read.
    pub fn note_targets(&self) {
        let (runtime, now) = (self.runtime(), self.now());
        let mut counts = [0_i64; TargetHealth::ALL.len()];
        for (name, live) in runtime.target_live.all() {
            let health = runtime.target_health(name, live, now);
            if let Some(count) = counts.get_mut(health.index()) {
                *count += 1;
            }
        }
        for (health, count) in TargetHealth::ALL.iter().zip(counts) {
            self.metrics.routes.targets.set(*health, count);
        }
        let held: usize = runtime.models.iter().map(|model| model.route.learned.prefix.len()).sum();
        self.metrics.routes.prefix_held.set(i64::try_from(held).unwrap_or(i64::MAX));
        self.metrics.routes.flights.set(i64::try_from(self.flights.len()).unwrap_or(i64::MAX));
        for provider in &runtime.providers {
            let load = provider.health.as_ref().and_then(|health| health.load(now));
            provider.metrics.load(load.as_ref());
        }
    }
}
