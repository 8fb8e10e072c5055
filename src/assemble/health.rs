//! How a provider is asked whether it is well, from its section.

use crate::config;
use crate::dialect::front::Front;
use crate::routing::VitalRules;
use crate::runtime::{Probe, Provider, ProviderHealth, Way};
use crate::types::Protocol;

/// The questions of a provider with these ways. What its server was, it still is, where it is the same
/// server.
pub(super) fn health(
    written: Option<&config::Health>,
    ways: &[Way],
    authority: &str,
    previous: Option<&Provider>,
) -> Option<ProviderHealth> {
    let written = written?;
    let is_same = |previous: &&Provider| {
        previous.accounts.first().is_some_and(|account| account.link.origin.authority == authority)
    };
    let known = previous.filter(is_same).and_then(|previous| previous.health.as_ref());
    Some(ProviderHealth {
        probe: written.probe.as_ref().map(|probe| match probe {
            config::Probe::Tcp => Probe::Tcp,
            config::Probe::Get(path) => Probe::Get { path: path.clone(), is_strict: true },
            config::Probe::Models => Probe::Get { path: list_of_models(ways), is_strict: false },
        }),
        scrape: written.scrape,
        every: written.every,
        timeout: written.timeout,
        rules: VitalRules { unhealthy_after: written.unhealthy_after, healthy_after: written.healthy_after },
        queue_max: written.queue_max,
        vital: known.map(|known| known.vital.clone()).unwrap_or_default(),
    })
}

/// The list of the protocol it prefers.
fn list_of_models(ways: &[Way]) -> String {
    let Some(way) = ways.first() else { return "/".to_owned() };
    let list = match way.protocol {
        Protocol::Chat | Protocol::Responses => "/models",
        Protocol::Messages | Protocol::Cohere => "/v1/models",
        Protocol::Generate => "/v1beta/models",
        Protocol::Ollama => "/api/tags",
        // On another host; the file's checks let it not through.
        Protocol::Converse => "/",
    };
    let query = match &way.front {
        Front::Deployments { api_version } => format!("?api-version={api_version}"),
        _ => String::new(),
    };
    format!("{}{list}{query}", way.base_path)
}
