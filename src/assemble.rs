//! From a configuration to what serves it. The only reader of config types outside `config/`.

mod configurator;
mod credentials;
mod crowd;
mod egress;
mod factors;
mod health;

use crate::archive::Bounds;
use crate::auth::ModelGlobs;
use crate::catalog::{Auth, Catalog};
use crate::config::{self, Config};
use crate::dialect::front::Front;
use crate::limits::{FloodGate, Level, Limits, ScopeSpec, Till, ZoneError};
use crate::meter::Counter;
use crate::proxy::connection::ConnectionLimits;
use crate::proxy::price_bound;
use crate::routing::{CooldownRules, CooldownSet, LiveSet, ModelTable, Pins, Target};
use crate::runtime::{
    Account, Edge, EdgeParts, EdgePolicy, Hook, ModelPolicy, Provider, Runtime, Targets, Way,
};
use crate::server::{CertificateError, ClientsError, Settings};
use crate::store::StoreError;
use crate::telemetry::{AccessLog, LogSink, Metrics, SystemClock, WallClock};
use crate::types::{Protocol, Secret};
use crate::upstream::{Egress, Http2Mode, Link, Origin, Remote, RemotePolicy, Transports, Trust};
use http::{HeaderName, HeaderValue, header};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

pub use configurator::{Configurator, Env, Source};

mod identity;
mod keeping;
mod mirror;
mod notices;
mod pepper;
mod routing;
mod sharing;
mod streams;
mod tls;

pub use notices::{Notice, notices};
pub use routing::{Routes, routes};

/// Lines the access log may hold before it drops some.
const LOG_BUFFER_BYTES: usize = 8 * 1024 * 1024;
/// Messages whose token counts are remembered.
const COUNTED_MESSAGES: usize = 16 * 1024;
/// Stored responses whose account is remembered.
const PINNED_RESPONSES: usize = 64 * 1024;
/// Requests a second from one address before it is turned away unread.
const FLOOD_PER_SECOND: u32 = 50_000;
/// Before an idle HTTP/2 client is let go.
const HTTP2_IDLE: Duration = Duration::from_secs(75);

/// What a configuration can ask for and not get.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    #[error("{0}")]
    Clients(#[from] ClientsError),
    #[error("provider {provider}: {what}")]
    Provider { provider: String, what: String },
    #[error("keys: {0}")]
    Keys(String),
    #[error("issuer {issuer}: {what}")]
    Issuer { issuer: String, what: String },
    #[error("model {model}: {what}")]
    Route { model: String, what: String },
    #[error("budgets: {0}")]
    Budgets(#[from] ZoneError),
    #[error("cluster: {0}")]
    Cluster(#[from] StoreError),
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("access log: {0}")]
    AccessLog(std::io::Error),
    #[error("store: {0}")]
    Store(String),
    #[error("the ledger's spool cannot be used: {0}")]
    Spool(std::io::Error),
}

/// The process's edge, serving `config`.
///
/// # Errors
/// Whatever the file could not show: a key file that fits no certificate, a header that is none.
pub fn edge(config: &Config) -> Result<Arc<Edge>, AssembleError> {
    let metrics = Arc::new(Metrics::new()?);
    let sink = match &config.log.access {
        config::AccessTo::Stdout => LogSink::Stdout,
        config::AccessTo::Stderr => LogSink::Stderr,
        config::AccessTo::Off => LogSink::Off,
        config::AccessTo::File(path) => LogSink::File(path.clone()),
    };
    let access_log =
        AccessLog::start(sink, LOG_BUFFER_BYTES, metrics.log_counters()).map_err(AssembleError::AccessLog)?;
    let transports = Transports::default();
    let runtime = Builder { config, metrics: &metrics, transports: &transports, previous: None }.build()?;
    warn(config, &runtime);
    warm(config, &runtime.counter);
    metrics.config_generation.set(1);
    let seed = random_seed();
    let keeping = keeping::keeping(config, &metrics, seed)?;
    let clock = SystemClock::new();
    let shared = sharing::meeting_place(config, keeping.as_ref(), clock, seed)?;
    Ok(Arc::new(Edge::new(
        runtime,
        EdgeParts {
            seed,
            clock,
            wall: WallClock,
            metrics,
            access_log,
            flood: FloodGate::new(FLOOD_PER_SECOND),
            pins: Pins::new(PINNED_RESPONSES),
            transports,
            keeping,
            shared,
        },
    )))
}

/// The store of a configuration, which must be there.
///
/// # Errors
/// [`AssembleError::Store`].
pub fn open_store(settings: &config::Store) -> Result<crate::store::Opened, AssembleError> {
    keeping::open(settings, false)
}

/// A credential without its scheme: providers echo the key alone.
fn bare(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"Bearer ").unwrap_or(value)
}

/// What no message may hold: a provider's hosts and the credentials that are known now.
fn needles(accounts: &[Account], headers: &[(HeaderName, HeaderValue)]) -> Vec<Box<[u8]>> {
    let mut needles: Vec<Box<[u8]>> = Vec::new();
    for account in accounts {
        needles.push(account.link.origin.host.as_bytes().into());
        needles.extend(account.credential.needles());
    }
    // A header of the configuration can hold a credential too; a short word in one cannot.
    let values = headers.iter().map(|(_, value)| bare(value.as_bytes()));
    needles.extend(values.filter(|value| value.len() >= 8).map(Box::from));
    needles.sort_unstable();
    needles.dedup();
    needles
}

fn bounds(responses: &config::Responses) -> Bounds {
    Bounds { bytes_max: responses.bytes_max, entries_max: responses.entries_max, ttl: responses.ttl }
}

/// Only to differ between processes and boots.
fn random_seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// The next configuration for a running edge: limits in use, cooldowns and connections go on.
///
/// # Errors
/// As [`edge`]; nothing has changed then.
pub fn next(config: &Config, edge: &Edge) -> Result<Runtime, AssembleError> {
    let previous = edge.runtime();
    let (metrics, transports) = (&edge.metrics, &edge.transports);
    Builder { config, metrics, transports, previous: Some(&previous) }.build()
}

/// What the process itself is told.
///
/// # Errors
/// [`AssembleError::Certificate`].
pub fn settings(config: &Config) -> Result<Settings, AssembleError> {
    let server = &config.server;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Settings {
        listen: server.listen.clone(),
        tls: tls::listeners(config)?,
        admin: config.admin.listen,
        admin_tls: tls::admin(config)?,
        identities: config.auth.snapshot.clone(),
        workers: if server.workers == 0 { cores } else { server.workers },
        is_work_stealing: server.runtime == config::RuntimeKind::WorkStealing,
        connections: ConnectionLimits {
            connections_max: server.limits.connections_max,
            per_address_max: server.limits.connections_per_address_max,
            head_timeout: server.limits.header_timeout,
        },
        http2_idle: HTTP2_IDLE,
        ready_grace: server.drain.ready_grace,
        streams_max: server.drain.streams_max,
        upgrade_socket: server.upgrade.socket.clone(),
    })
}

/// Tells what of a configuration has no effect.
fn warn(config: &Config, runtime: &Runtime) {
    for notice in notices::of(config, &runtime.models, &runtime.providers) {
        log::warn!("{notice}");
    }
}

/// Loads vocabularies before the first request, which would otherwise wait for them.
fn warm(config: &Config, counter: &Counter) {
    for vocabulary in &config.counting.warm {
        let loaded = match vocabulary {
            config::Vocabulary::O200k => counter.warm(),
            config::Vocabulary::Cl100k => crate::meter::Encoding::Cl100k.warm(),
        };
        if let Err(error) = loaded {
            log::error!("a vocabulary cannot be loaded, its tokens are estimated: {error}");
        }
    }
}

struct Builder<'c> {
    config: &'c Config,
    metrics: &'c Metrics,
    transports: &'c Transports,
    previous: Option<&'c Runtime>,
}

impl Builder<'_> {
    fn build(&self) -> Result<Runtime, AssembleError> {
        let egress = egress::usual(self.config, self.transports);
        let (providers, indexes, credential_cells) = self.providers(&egress)?;
        let catalog = self.catalog();
        let (models, target_cells) = self.models((&providers, &indexes), &catalog)?;
        let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        let previous = self.previous;
        let keys = target_cells.iter().map(|(key, _)| key.as_str());
        let target_live = LiveSet::new(keys, previous.map(|p| &p.target_live));
        let concurrency = crowd::concurrency(self.config);
        let runtime = Runtime {
            concurrency,
            generation: previous.map_or(1, |previous| previous.generation + 1),
            edge: self.edge_policy(),
            kept: bounds(&self.config.responses),
            kept_in_store: keeping::bounds(&self.config.responses),
            keys: self.keys()?,
            admin: self.admin_policy(),
            hooks: self.config.admin.webhooks.iter().map(hook).collect(),
            limits: self.limits()?,
            expected_output: self.config.counting.expected_output,
            price_bound: price_bound(&catalog),
            table: ModelTable::new(&names),
            models,
            providers,
            counter: self.counter(),
            catalog,
            target_cooldowns: CooldownSet::new(
                &target_cells,
                previous.map(|p| &p.target_cooldowns),
                random_seed(),
            ),
            target_live,
            credential_cooldowns: CooldownSet::new(
                &credential_cells,
                previous.map(|p| &p.credential_cooldowns),
                random_seed(),
            ),
        };
        // Only now: nothing can fail any more.
        self.transports.leave_by(egress);
        Ok(runtime)
    }

    fn edge_policy(&self) -> EdgePolicy {
        let server = &self.config.server;
        EdgePolicy {
            header_bytes_max: server.limits.header_bytes_max,
            body_bytes_max: server.limits.body_bytes_max,
            body_timeout: server.limits.body_timeout,
            write_timeout: server.limits.downstream_write_timeout,
            keepalive_timeout: server.keepalive_timeout,
            stream_keepalive: server.stream_keepalive,
            trusted_proxies: server.client_ip.trusted_proxies.clone(),
            records_routes: self.config.log.routes,
            shed: crowd::shed(self.config),
        }
    }

    /// The scopes of static keys; each key's chain is its own scope alone.
    fn limits(&self) -> Result<Limits, ZoneError> {
        let previous = self.previous.map(|previous| &previous.limits);
        let till = match previous {
            Some(previous) => previous.till().clone(),
            None => Arc::new(Till::new(sharing::of(self.config))),
        };
        let scope = |(id, key): (&String, &config::Key)| {
            ScopeSpec::new(scope_name(id), Level::Key, key.limits.clone(), key.budgets.clone())
        };
        let scopes: Vec<ScopeSpec> = self.config.keys.iter().map(scope).collect();
        let chains = scopes.iter().map(|scope| [&*scope.name]);
        Limits::new(&scopes, chains, previous, till)
    }

    /// The facts in force: the file's own over the binary's.
    fn catalog(&self) -> Catalog {
        self.config.catalog.facts.clone()
    }

    /// A counter of its own for each set of factors; with the same ones the remembered counts stay.
    fn counter(&self) -> Arc<Counter> {
        let factors = factors::of(&self.config.counting.families);
        match self.previous {
            Some(previous) if *previous.counter.factors() == factors => previous.counter.clone(),
            _ => Arc::new(Counter::new(factors, COUNTED_MESSAGES)),
        }
    }

    #[expect(clippy::type_complexity, reason = "three parallel results of one walk")]
    fn providers(
        &self,
        egress: &Egress,
    ) -> Result<(Vec<Provider>, HashMap<String, usize>, Vec<(String, CooldownRules)>), AssembleError> {
        let mut providers = Vec::new();
        let mut indexes = HashMap::new();
        let mut cells = Vec::new();
        for (name, provider) in &self.config.providers {
            indexes.insert(name.clone(), providers.len());
            let built = self.provider(name, provider, (cells.len(), egress))?;
            for (index, account) in built.accounts.iter().enumerate() {
                let seed = seed_of(&account.identity);
                cells.push((format!("{name}/{index}/{seed:016x}"), rules(provider)));
            }
            providers.push(built);
        }
        Ok((providers, indexes, cells))
    }

    fn provider(
        &self,
        name: &str,
        provider: &config::Provider,
        (first_cell, egress): (usize, &Egress),
    ) -> Result<Provider, AssembleError> {
        let fault = |what: &str| AssembleError::Provider { provider: name.to_owned(), what: what.to_owned() };
        let origin = origin(provider).ok_or_else(|| fault("the base URL cannot be used"))?;
        let addresses = self.transports.addresses(&origin.host, origin.port);
        let proxy = egress::proxy(&provider.proxy, &origin, egress, self.transports);
        let origin = Arc::new(origin);
        let trust = Trust { ca: provider.tls.ca.clone(), identity: provider.tls.identity.clone() };
        let transport = self.transports.trusting(&trust).map_err(|error| fault(&error.to_string()))?;
        let ways = ways(provider);
        let before = self.previous.and_then(|p| p.providers.iter().find(|known| known.name == name));
        let health = health::health(provider.health.as_ref(), &ways, &origin.authority, before);
        let metrics = self.metrics.provider(name)?;
        let account = |shown: credentials::Shown| {
            let seed = seed_of(&shown.identity);
            let link =
                Link::new(origin.clone(), addresses.clone(), transport.clone(), seed).through(proxy.clone());
            Account { link: Arc::new(link), credential: shown.credential, identity: shown.identity }
        };
        let shown = self.credentials(name, provider, &metrics)?;
        let accounts: Vec<Account> = shown.into_iter().map(account).collect();
        let headers = static_headers(provider).ok_or_else(|| fault("a header is none"))?;
        Ok(Provider {
            name: name.to_owned(),
            ways,
            health,
            facts: provider.kind.facts().clone(),
            needles: needles(&accounts, &headers),
            accounts,
            first_cell,
            headers,
            takes_stream_options: provider.stream_options,
            counts_tokens_upstream: provider.count_tokens == config::CountTokens::Upstream,
            remote: provider.fetch_media.as_ref().map(|fetch| {
                // Public hosts are believed by the platform's authorities, whatever the provider's are.
                Arc::new(Remote::new(remote_policy(fetch), self.transports.usual()))
            }),
            is_opaque: provider.kind.as_str() == "openai-compatible",
            betas: provider.anthropic_betas.clone(),
            metrics,
            targets: Targets::default(),
        })
    }

    #[expect(clippy::type_complexity, reason = "parallel results of one walk")]
    fn models(
        &self,
        (providers, indexes): (&[Provider], &HashMap<String, usize>),
        catalog: &Catalog,
    ) -> Result<(Vec<ModelPolicy>, Vec<(String, CooldownRules)>), AssembleError> {
        let limited = crowd::concurrency(self.config);
        let mut models = Vec::new();
        let mut cells = Vec::new();
        for (name, model) in &self.config.models {
            let first_cell = cells.len();
            let mut targets = Vec::new();
            for target in &model.targets {
                let Some(index) = indexes.get(&target.provider) else { continue };
                let Some(provider) = self.config.providers.get(&target.provider) else { continue };
                let asked = target.model.as_deref().unwrap_or(name);
                // Targets of two models that are the same upstream model share what is known of it.
                cells.push((crowd::cell_name(&target.provider, asked), rules(provider)));
                targets.push(Target { provider: *index, model: target.model.clone() });
            }
            let known = self.previous.and_then(|p| p.models.iter().find(|model| model.name == *name));
            let learned = known.map(|model| model.route.learned.clone()).unwrap_or_default();
            let own = cells.get(first_cell..).unwrap_or_default();
            let is_limited = own.iter().any(|(cell, _)| limited.contains_key(cell));
            let before = known.map(|model| &model.route);
            let targets_of = &targets;
            let parts =
                routing::Parts { name, targets: targets_of, providers, catalog, learned, before, is_limited };
            let route = routing::route(model, &parts)?;
            let mut policy = routing::policy(name, model, (targets, route), first_cell);
            let known = (providers, indexes, catalog);
            mirror::attach(self, (name, model), &mut policy, known, &mut cells)?;
            models.push(policy);
        }
        Ok((models, cells))
    }
}

fn hook(webhook: &config::Webhook) -> Hook {
    let config::Webhook { url, secret, events, allow_private } = webhook.clone();
    Hook { url, secret, events, allow_private }
}

fn origin(provider: &config::Provider) -> Option<Origin> {
    let mut origin = Origin::from_base_url(provider.base_url.as_str())?;
    origin.http2 = match provider.http2 {
        config::Http2::Off => Http2Mode::Off,
        config::Http2::On => Http2Mode::On,
        config::Http2::Auto => Http2Mode::Auto,
    };
    origin.verify_certificate = provider.tls.verify;
    if let Some(name) = &provider.tls.server_name {
        origin.server_name.clone_from(name);
    }
    origin.idle_timeout = provider.pool.idle_timeout;
    Some(origin)
}

/// What the provider answers to and where. A protocol whose address is on another host is left out:
/// it is another provider.
fn ways(provider: &config::Provider) -> Vec<Way> {
    let main = Origin::from_base_url(provider.base_url.as_str());
    let Some(main) = main else { return Vec::new() };
    let of = |protocol: &Protocol| {
        let facts = provider.kind.facts();
        let own = facts.base_urls.iter().find(|(other, _)| other == protocol);
        let base_path = match own {
            Some((_, url)) => {
                let origin = Origin::from_base_url(url)?;
                (origin.authority == main.authority).then_some(origin.base_path)?
            }
            None => main.base_path.clone(),
        };
        let front = front(provider, *protocol);
        let base_path = match front {
            // Azure's older paths lie beside those of the version the base URL names.
            Front::Deployments { .. } => base_path.trim_end_matches("/v1").to_owned(),
            _ => base_path,
        };
        Some(Way { protocol: *protocol, base_path, front })
    };
    provider.protocols.iter().filter_map(of).collect()
}

/// Whose paths a protocol has at a provider.
fn front(provider: &config::Provider, protocol: Protocol) -> Front {
    let facts = provider.kind.facts();
    let place = |name: &str| provider.places.get(name).map(str::to_owned);
    match (&facts.auth, &provider.api_version) {
        (Auth::Gcp, _) => Front::Vertex {
            project: place("project").unwrap_or_default(),
            location: place("region").unwrap_or_else(|| "global".to_owned()),
        },
        (_, Some(version)) => Front::Deployments { api_version: version.clone() },
        // Who speaks Converse has Anthropic's own protocol only inside of `invoke`.
        _ if protocol == Protocol::Messages && facts.protocols.contains(&Protocol::Converse) => Front::Invoke,
        _ => Front::Plain,
    }
}

fn remote_policy(fetch: &config::FetchMedia) -> RemotePolicy {
    RemotePolicy {
        allow: fetch.allow.clone(),
        allow_private: fetch.allow_private.clone(),
        bytes_max: fetch.bytes_max,
        timeout: fetch.timeout,
        count_max: fetch.count_max,
    }
}

/// A key as the provider takes it.
fn auth_field(auth: &Auth, secret: &Secret) -> Option<(HeaderName, HeaderValue)> {
    let (name, text) = match auth {
        Auth::Header(name) => (HeaderName::from_bytes(name.as_bytes()).ok()?, secret.expose().to_owned()),
        Auth::Azure => (HeaderName::from_static("api-key"), secret.expose().to_owned()),
        _ => (header::AUTHORIZATION, format!("Bearer {}", secret.expose())),
    };
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

fn static_headers(provider: &config::Provider) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let field = |(name, value): (&String, &Secret)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    };
    provider.headers.iter().map(field).collect()
}

/// The same for the same account over reloads, so that its connections stay; different for others.
fn seed_of(identity: &[u8; 32]) -> u64 {
    let mut seed = [0u8; 8];
    seed.iter_mut().zip(identity).for_each(|(place, byte)| *place = *byte);
    u64::from_be_bytes(seed)
}

fn rules(provider: &config::Provider) -> CooldownRules {
    let config::Cooldown { base, max, slow_start } = provider.cooldown;
    CooldownRules { base, max, slow_start, ..CooldownRules::default() }
}

fn globs(models: &[config::ModelPattern]) -> ModelGlobs {
    if models.is_empty() {
        return ModelGlobs::all();
    }
    ModelGlobs::new(models.iter().map(|pattern| match pattern {
        config::ModelPattern::Exact(name) => name.clone(),
        config::ModelPattern::Prefix(prefix) => format!("{prefix}*"),
    }))
}

/// What is in use of a static key belongs to this name.
fn scope_name(key: &str) -> Arc<str> {
    format!("key/{key}").into()
}
