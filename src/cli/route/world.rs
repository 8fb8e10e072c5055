//! The routes of a configuration, and decisions made with them from what was recorded.

use crate::assemble::{self, Routes};
use crate::config;
use crate::dialect::wants::Wants;
use crate::routing::{Ask, DataRules, Facts, Look, Needs, Plan, Recorded, Seen, Verdict, plan};
use crate::runtime::{ModelPolicy, Route};
use crate::types::Endpoint;
use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;

/// What `path` configures.
///
/// # Errors
/// The exit code, after the problems were told.
pub fn open(path: &Path) -> Result<Routes, ExitCode> {
    let config = config::outline(path).map_err(|report| {
        eprint!("{}", report.render(crate::cli::wants_color()));
        ExitCode::from(2)
    })?;
    assemble::routes(&config).map_err(|error| crate::cli::fail(&error))
}

/// The policy of a model's name.
pub fn policy<'r>(routes: &'r Routes, model: &str) -> Option<&'r ModelPolicy> {
    routes.table.resolve(model).and_then(|index| routes.models.get(index))
}

/// What `recorded` needs.
pub fn needs(recorded: &Recorded) -> Needs {
    let wants = recorded.wants.iter().filter_map(|word| Wants::of_word(word));
    Needs { input: recorded.input, output: recorded.output, wants: wants.fold(Wants::default(), Wants::or) }
}

/// A decision, and what each condition came to.
pub struct Decided {
    pub plan: Plan,
    pub looks: Vec<Look>,
    /// By condition: whether it holds, or why that cannot be told.
    pub conditions: Vec<Result<bool, String>>,
}

/// Decides as the gateway would have: targets by their names, those that were not recorded as if they
/// were well and nothing known of them.
pub fn decide(routes: &Routes, policy: &ModelPolicy, recorded: &Recorded) -> Decided {
    let route = &policy.route;
    let needs = needs(recorded);
    let conditions = conditions(route, recorded, needs);
    let seen: HashMap<&str, &Seen> = recorded.targets.iter().map(|seen| (seen.name.as_str(), seen)).collect();
    let rules = [route.data.clone(), own_rules(recorded)];
    let endpoint = Endpoint::ALL.into_iter().find(|endpoint| endpoint.as_str() == recorded.endpoint);
    let look = |target: usize| {
        let facts = route.facts.get(target);
        let name = facts.map(|facts| facts.name.as_ref()).unwrap_or_default();
        let unknown = Seen::default();
        let seen = seen.get(name).copied().unwrap_or(&unknown);
        let judged = facts.and_then(|facts| facts.abilities.judge(&needs, &rules));
        let verdict = match seen.verdict() {
            Verdict::Drained => Verdict::Drained,
            _ if !is_served(routes, policy, target, endpoint, &recorded.model) => Verdict::Unserved,
            state => judged.unwrap_or(state),
        };
        let identity = facts.map_or(0, |facts| facts.identity);
        let mut look = Look { verdict, identity, warmth: seen.warmth, ..Look::default() };
        route.weigh(target, &seen.measured(), (&needs, recorded.stream), &mut look);
        seen.add_to(&mut look);
        look
    };
    let ask = Ask {
        turn: recorded.turn,
        random: recorded.random,
        session: recorded.session,
        panic: route.panic,
        passes_unfit: route.passes_unfit,
    };
    let allows = |condition: usize| matches!(conditions.get(condition), Some(Ok(true)));
    let plan = plan(&route.tree, &ask, look, allows);
    Decided { plan, looks: (0..route.facts.len()).map(look).collect(), conditions }
}

fn is_served(
    routes: &Routes,
    policy: &ModelPolicy,
    target: usize,
    endpoint: Option<Endpoint>,
    model: &str,
) -> bool {
    let (Some(target), Some(endpoint)) = (policy.targets.get(target), endpoint) else { return false };
    let provider = routes.providers.get(target.provider);
    provider.is_some_and(|p| p.lane(endpoint, target.model.as_deref().unwrap_or(model)).is_some())
}

fn own_rules(recorded: &Recorded) -> DataRules {
    let region = Some(recorded.region.as_str()).filter(|region| !region.is_empty());
    DataRules { regions: region.map(Box::from).into_iter().collect(), zero_retention: recorded.zdr }
}

fn conditions(route: &Route, recorded: &Recorded, needs: Needs) -> Vec<Result<bool, String>> {
    let tags: Vec<&str> = recorded.tags.iter().map(String::as_str).collect();
    let header = |name: &str| recorded.headers.get(name).map(String::as_bytes);
    let facts = Facts {
        model: &recorded.model,
        endpoint: &recorded.endpoint,
        is_stream: recorded.stream,
        needs,
        header: &header,
        key: &recorded.key,
        tenant: &recorded.tenant,
        team: &recorded.team,
        app: &recorded.app,
        claim: &|name| recorded.claims.get(name),
        tags: &tags,
        unix: recorded.unix,
        is_budget_spent: recorded.budget_spent,
        region: &recorded.region,
        zero_retention: recorded.zdr,
    };
    route.conditions.iter().map(|condition| condition.holds(&facts)).collect()
}
