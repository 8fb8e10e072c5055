//! From a model's section to its route: groups, facts of targets, conditions.

use super::{AssembleError, crowd, streams};
use crate::catalog::{Catalog, Class, Modality, Model, Rates, Service};
use crate::config;
use crate::dialect::wants::Wants;
use crate::meter::Family;
use crate::routing::{
    Abilities, Condition, DataRules, FailoverPolicy, Group, Member, ModelTable, Panic, Place, PriceTag,
    RetryRules, StatusSet, Target, Tree, affinity,
};
use crate::runtime::flights::Coalesce;
use crate::runtime::{
    Hedge, Learned, ModelPolicy, OnDisconnect, OnUnsupported, Provider, Route, TargetFacts, Timeouts, Uses,
};
use crate::telemetry::Metrics;
use crate::types::Money;
use crate::upstream::Transports;
use std::sync::Arc;

/// What a route is made of besides its section.
pub(super) struct Parts<'a> {
    pub name: &'a str,
    pub targets: &'a [Target],
    pub providers: &'a [Provider],
    pub catalog: &'a Catalog,
    pub learned: Arc<Learned>,
    /// The model's route in the configuration before.
    pub before: Option<&'a Route>,
    /// Whether one of its targets takes only so many calls at once.
    pub is_limited: bool,
}

/// The route of one model.
///
/// # Errors
/// What the file's checks have let through and must not.
pub(super) fn route(model: &config::Model, parts: &Parts<'_>) -> Result<Route, AssembleError> {
    let fault = |what: String| AssembleError::Route { model: parts.name.to_owned(), what };
    let mut conditions = Vec::new();
    let mut groups = Vec::new();
    for group in &model.groups {
        let mut places = Vec::new();
        for place in &group.places {
            let when = match &place.when {
                None => None,
                Some(source) => {
                    conditions.push(Condition::new(source).map_err(|error| fault(error.to_string()))?);
                    Some(
                        u8::try_from(conditions.len() - 1)
                            .map_err(|_| fault("too many conditions".into()))?,
                    )
                }
            };
            let index = |index: usize| u8::try_from(index).map_err(|_| fault("too many targets".into()));
            let member = match place.member {
                config::Member::Target(target) => Member::Target(index(target)?),
                config::Member::Group(inner) => Member::Group(index(inner)?),
            };
            places.push(Place { member, weight: place.weight, priority: place.priority, when });
        }
        groups.push(Group { name: group.name.as_str().into(), balance: group.balance, places });
    }
    let tree = Tree::new(groups).map_err(|error| fault(error.to_string()))?;
    let facts: Vec<TargetFacts> = model
        .targets
        .iter()
        .zip(parts.targets)
        .map(|(written, target)| facts(written, target, parts))
        .collect();
    let passes_unfit = model.on_unfit == config::OnUnfit::Pass;
    let mut uses = uses(&tree, &facts, passes_unfit);
    let has_several = |target: &Target| {
        parts.providers.get(target.provider).is_some_and(|provider| provider.accounts.len() > 1)
    };
    uses.credentials = parts.targets.iter().any(has_several);
    let identities = caches(&facts, parts);
    let queue = crowd::queue(model, &facts, parts.before);
    if !conditions.is_empty() {
        uses.wants = Wants::EVERY;
    }
    Ok(Route {
        tree,
        session_by: model.session.clone(),
        panic: Panic { above: model.panic, last_resort: model.last_resort },
        retries: RetryRules { percent: model.failover.retry_percent, min: model.failover.retry_min },
        data: DataRules { regions: model.data.regions.clone(), zero_retention: model.data.zero_retention },
        passes_unfit,
        slots: match uses.prefix {
            true => parts.learned.prefix.assign(&identities, model.prefix_blocks),
            false => Vec::new(),
        },
        facts,
        conditions,
        uses,
        hedge: model.hedge.map(|hedge| Hedge {
            percentile: hedge.percentile,
            after_min: hedge.after_min,
            // One in ten seconds always: a share of little traffic is nothing.
            share: hedge.share,
        }),
        is_gated: parts.is_limited || model.queue.is_some(),
        queue,
        learned: parts.learned.clone(),
    })
}

/// What is worth finding out: where all targets lack the same and are asked all the same, nothing is.
fn uses(tree: &Tree, facts: &[TargetFacts], passes_unfit: bool) -> Uses {
    use crate::routing::Balance::{Cheapest, Fastest, Prefix, UsageAware};
    let lacks = facts.iter().map(|facts| facts.abilities.lacks);
    let any = lacks.clone().fold(Wants::default(), Wants::or);
    let all = lacks.fold(Wants::EVERY, Wants::and);
    let mut contexts: Vec<Option<u64>> = facts.iter().map(|facts| facts.abilities.context).collect();
    contexts.dedup();
    Uses {
        times: tree.uses(|balance| balance == Fastest),
        prices: tree.uses(|balance| balance == Cheapest),
        headroom: tree.uses(|balance| balance == UsageAware),
        session: tree.uses(crate::routing::Balance::is_by_session),
        prefix: facts.len() > 1 && tree.uses(|balance| balance == Prefix),
        credentials: false,
        wants: if passes_unfit { any.without(all) } else { any },
        contexts: if passes_unfit { contexts.len() > 1 } else { contexts.iter().any(Option::is_some) },
    }
}

fn facts(written: &config::Target, target: &Target, parts: &Parts<'_>) -> TargetFacts {
    let provider = parts.providers.get(target.provider);
    let name = target.model.as_deref().unwrap_or(parts.name);
    let full_name = format!("{}/{name}", written.provider);
    let found = provider.and_then(|provider| {
        let of = |who: &str| parts.catalog.find(who, name);
        of(&provider.name).or_else(|| of(&provider.facts.id))
    });
    let model = found.map(|found| found.model);
    let known = model.map(abilities).unwrap_or_default();
    TargetFacts {
        abilities: Abilities {
            context: written.context.or(known.context),
            region: written.region.as_deref().map(Box::from),
            zero_retention: written.zero_retention,
            ..known
        },
        prices: model.map(prices).unwrap_or_default(),
        identity: affinity::hash(full_name.as_bytes()),
        name: full_name.into(),
    }
}

/// What the catalogue says that a model cannot do; where it says nothing, nothing.
fn abilities(model: Model<'_>) -> Abilities {
    let mut lacks = Wants::default();
    // A row without its modalities says nothing about them.
    if model.takes(Modality::Text) {
        let media = [
            (Modality::Image, Wants::IMAGE),
            (Modality::Audio, Wants::AUDIO),
            (Modality::Video, Wants::VIDEO),
            (Modality::Pdf, Wants::PDF),
        ];
        for (_, want) in media.into_iter().filter(|(modality, _)| !model.takes(*modality)) {
            lacks = lacks.or(want);
        }
    }
    if model.has_tools() == Some(false) {
        lacks = lacks.or(Wants::TOOLS);
    }
    if model.has_schema() == Some(false) {
        lacks = lacks.or(Wants::JSON);
    }
    Abilities { context: model.context().map(u64::from), lacks, ..Abilities::default() }
}

fn prices(model: Model<'_>) -> Vec<PriceTag> {
    if model.is_free() {
        return vec![PriceTag::default()];
    }
    let standard = model.prices().iter().filter(|rates| rates.service == Service::Standard);
    let rate = |rates: &Rates, class| rates.rate(class).map(Money::pico).unwrap_or_default();
    let tag = |rates: &Rates| PriceTag {
        above: rates.above,
        input: rate(rates, Class::Input),
        cache_read: rate(rates, Class::CacheRead),
        output: rate(rates, Class::Output),
    };
    standard.map(tag).collect()
}

/// The routes of a configuration, without anything that serves them.
pub struct Routes {
    pub table: ModelTable,
    pub models: Vec<ModelPolicy>,
    pub providers: Vec<Provider>,
}

/// The routes of `config`, to be looked at.
///
/// # Errors
/// As [`edge`](super::edge).
pub fn routes(config: &config::Config) -> Result<Routes, AssembleError> {
    let (metrics, transports) = (Metrics::new()?, Transports::default());
    let builder = super::Builder { config, metrics: &metrics, transports: &transports, previous: None };
    let (providers, indexes, _) = builder.providers(&super::egress::usual(config, &transports))?;
    let (models, _) = builder.models((&providers, &indexes), &builder.catalog())?;
    let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
    Ok(Routes { table: ModelTable::new(&names), models, providers })
}

/// Whose caches they are: what one server has is no other's, whatever its target is called.
fn caches(facts: &[TargetFacts], parts: &Parts<'_>) -> Vec<u64> {
    let server = |target: &Target| {
        let account = parts.providers.get(target.provider).and_then(|provider| provider.accounts.first());
        account.map_or(0, |account| affinity::hash(account.link.origin.authority.as_bytes()))
    };
    facts.iter().zip(parts.targets).map(|(facts, target)| facts.identity ^ server(target)).collect()
}

/// A model with its route.
pub(super) fn policy(
    name: &str,
    model: &config::Model,
    (targets, route): (Vec<Target>, Route),
    first_cell: usize,
) -> ModelPolicy {
    let on = &model.failover.on;
    ModelPolicy {
        name: name.to_owned(),
        families: targets.iter().map(|target| family(name, target)).collect(),
        targets,
        route,
        attempts: model.failover.attempts,
        failover: FailoverPolicy {
            connect: on.connect,
            timeout: on.timeout,
            stream_error: on.stream_error,
            statuses: StatusSet::default().with_all(on.status.iter()),
        },
        timeouts: Timeouts {
            connect: model.timeouts.connect,
            header: model.timeouts.header,
            first_token: model.timeouts.first_token,
            idle: model.timeouts.idle,
            total: model.timeouts.total,
        },
        on_disconnect: match model.on_disconnect {
            config::OnDisconnect::Abort => OnDisconnect::Abort,
            config::OnDisconnect::Drain => OnDisconnect::Drain(model.drain_max),
        },
        is_counted_exactly: model.count == config::CountMode::Exact,
        on_unsupported: match model.on_unsupported {
            config::OnUnsupported::Warn => OnUnsupported::Warn,
            config::OnUnsupported::Reject => OnUnsupported::Reject,
        },
        refuses_unpriced: model.unpriced == config::Unpriced::Refuse,
        streams: streams::policy(model),
        coalesce: model
            .coalesce
            .map(|coalesce| Coalesce { bytes_max: coalesce.bytes_max, passengers_max: coalesce.calls_max }),
        mirror: None,
        first_cell,
    }
}

/// Known at assembly, unless a pattern lets the client's own name go up.
fn family(name: &str, target: &Target) -> Option<Family> {
    match &target.model {
        Some(model) => Some(Family::of(model)),
        None if name.contains('*') => None,
        None => Some(Family::of(name)),
    }
}
