//! What a configuration says and what has no effect: it serves all the same, and whoever wrote it is told.
//!
//! Not here: what is wrong with a file (`config`). Told by `tidegate check`, when the process starts and
//! with each reload.

use super::routing::routes;
use crate::config::{self, Config};
use crate::routing::Balance;
use crate::runtime::{ModelPolicy, Provider};
use crate::types::Endpoint;
use std::time::Duration;

/// Blocks that a target's prompts have where nothing is said.
const PREFIX_BLOCKS: usize = 32 * 1024;
/// Drained for so long where nothing is said.
const DRAIN_MAX: Duration = Duration::from_secs(30);
/// Protocols of all others' streams are translated from one of these.
const STREAMS: [Endpoint; 2] = [Endpoint::ChatCompletions, Endpoint::Messages];

/// Something without an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The table it is in.
    pub path: String,
    pub message: &'static str,
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// What of `config` has no effect; nothing where it cannot be assembled.
pub fn notices(config: &Config) -> Vec<Notice> {
    routes(config).map_or_else(|_| Vec::new(), |routes| of(config, &routes.models, &routes.providers))
}

/// The same of a configuration that is assembled.
pub(super) fn of(config: &Config, models: &[ModelPolicy], providers: &[Provider]) -> Vec<Notice> {
    let mut all = Vec::new();
    for policy in models {
        let Some(model) = config.models.get(&policy.name) else { continue };
        let path = config::path_of(crate::govern::Kind::Model, &policy.name);
        all.extend(of_model(model, policy, providers).map(|message| Notice { path: path.clone(), message }));
    }
    all
}

fn of_model<'m>(
    model: &'m config::Model,
    policy: &'m ModelPolicy,
    providers: &'m [Provider],
) -> impl Iterator<Item = &'static str> + use<'m> {
    let streams = &model.streams;
    let goes_on = streams.recovery == config::Recovery::Continue;
    let is_single = model.targets.len() == 1;
    let has_prefix = model.groups.iter().any(|group| group.balance == Balance::Prefix);
    let is_once = model.failover.attempts == 1;
    let holds_long = streams.hold.is_some_and(|hold| hold.time >= model.timeouts.idle);
    let drains = model.on_disconnect == config::OnDisconnect::Drain;
    let found = [
        (
            goes_on && !takes_beginnings(policy, providers),
            "`recovery` has no effect: no target is known to take the beginning of its answer (see `prefill`)",
        ),
        (goes_on && is_once, "`recovery` has no effect: `failover.attempts` is 1"),
        (
            !goes_on && streams.continuations != 1,
            "`continuations` has no effect without `recovery = \"continue\"`",
        ),
        (holds_long, "`hold.time` has no effect: `timeouts.idle` is over before"),
        (model.hedge.is_some() && is_single, "`hedge` has no effect: there is one target only"),
        (model.hedge.is_some() && is_once, "`hedge` has no effect: `failover.attempts` is 1"),
        (
            model.prefix_blocks != PREFIX_BLOCKS && (!has_prefix || is_single),
            "`prefix_blocks` has no effect: nothing is balanced by `prefix`",
        ),
        (
            !drains && model.drain_max != DRAIN_MAX,
            "`drain_max` has no effect without `on_disconnect = \"drain\"`",
        ),
    ];
    found.into_iter().filter_map(|(is_so, message)| is_so.then_some(message))
}

/// Whether any target may go on with a stream of another. Of a name that only the client tells nobody
/// knows.
fn takes_beginnings(policy: &ModelPolicy, providers: &[Provider]) -> bool {
    policy.targets.iter().enumerate().any(|(index, target)| {
        let model = target.model.as_deref().unwrap_or(&policy.name);
        let takes = |endpoint: &Endpoint| {
            let provider = providers.get(target.provider)?;
            policy.streams.prefill(index, provider, provider.lane(*endpoint, model)?, model)
        };
        model.contains('*') || STREAMS.iter().any(|endpoint| takes(endpoint).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(model: &str) -> Vec<&'static str> {
        let providers = "[providers.a]\nkind = \"openai\"\napi_key = \"env:A\"\n[providers.b]\nkind = \"anthropic\"\napi_key = \"env:A\"\n";
        let text = format!("{providers}[models.m]\n{model}\n[keys.k]\nsecret = \"env:A\"\n");
        let config = config::parse("f", &text, &|_| Some("sk-some-secret-of-length".to_owned()));
        let config = config.unwrap_or_else(|report| panic!("{}", report.render(false)));
        notices(&config).into_iter().map(|notice| notice.message).collect()
    }

    #[test]
    fn what_has_an_effect_is_not_told() {
        let two = "targets = [{ provider = \"a\" }, { provider = \"b\", model = \"claude-sonnet-4-5\" }]\n";
        for more in [
            "",
            "recovery = \"continue\"\ncontinuations = 3",
            "hedge = { percentile = 95 }",
            "balance = \"prefix\"\nprefix_blocks = 4096",
            "on_disconnect = \"drain\"\ndrain_max = \"5s\"",
            "hold = { time = \"1s\" }",
        ] {
            assert_eq!(told(&format!("{two}{more}")), [""; 0], "{more}");
        }
    }

    #[test]
    fn what_has_none_is() {
        let one = "targets = [{ provider = \"a\", model = \"gpt-4o\" }]\n";
        for (more, about) in [
            ("recovery = \"continue\"", "`recovery`"),
            ("continuations = 3", "`continuations`"),
            ("hedge = { percentile = 95 }", "`hedge`"),
            ("prefix_blocks = 4096", "`prefix_blocks`"),
            ("drain_max = \"5s\"", "`drain_max`"),
            ("hold = { time = \"2s\" }\ntimeouts = { idle = \"1s\" }", "`hold.time`"),
        ] {
            let told = told(&format!("{one}{more}"));
            assert!(told.len() == 1 && told[0].starts_with(about), "{more}: {told:?}");
        }
        let prefilled = "targets = [{ provider = \"a\", prefill = true }]\nrecovery = \"continue\"\n";
        assert_eq!(told(&format!("{prefilled}failover = {{ attempts = 1 }}")).len(), 1);
        assert_eq!(told(prefilled), [""; 0]);
    }
}
