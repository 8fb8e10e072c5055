//! `health` of a provider: how it is asked, beside its calls, whether it is well and how busy it is.

use super::choice::choice;
use super::collector::Collector;
use super::duration::duration;
use super::kind::ProviderKind;
use super::near::quoted;
use super::number::integer;
use super::reader::Reader;
use super::value::Value;
use crate::catalog::Auth;
use crate::routing::ScrapeKind;
use crate::types::Protocol;
use std::time::Duration;

/// At least one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub probe: Option<Probe>,
    pub scrape: Option<ScrapeKind>,
    /// Between two questions, a tenth more or less.
    pub every: Duration,
    /// Of one question.
    pub timeout: Duration,
    /// Bad answers in a row after which it is left alone.
    pub unhealthy_after: u32,
    /// Good answers in a row after which it is back.
    pub healthy_after: u32,
    /// Calls waiting there above which it gets no more; None: any number.
    pub queue_max: Option<u32>,
}

/// A question that costs no tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Its list of models.
    Models,
    /// Whether a connection is taken.
    Tcp,
    /// A path, from the host on.
    Get(String),
}

/// More often is a load of its own.
const EVERY_MIN: Duration = Duration::from_millis(100);
const PATH_BYTES_MAX: usize = 256;

impl Health {
    pub(super) fn read(
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        kind: Option<&ProviderKind>,
    ) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let probe = reader.take("probe", |v, c| probe(v, c, kind));
        let scrape = reader.take("scrape", choice(&ScrapeKind::WORDS, &[]));
        if !reader.has("probe") && !reader.has("scrape") {
            let help = "such as probe = \"models\", \"tcp\" or \"GET /health\"";
            reader.fail("`health` asks nothing: it needs a `probe` or a `scrape`", Some(help));
        }
        let every = reader.or("every", Duration::from_secs(10), every);
        let timeout = reader.or("timeout", Duration::from_secs(2).min(every), duration);
        if timeout > every {
            reader.fail("`timeout` is longer than `every`", None);
        }
        let queue_max = reader.take("queue_max", integer(0..=1_000_000));
        if queue_max.is_some() && !reader.has("scrape") {
            reader.fail("`queue_max` needs a `scrape`: nobody else says how long the queue is", None);
        }
        let health = Self {
            probe,
            scrape,
            every,
            timeout,
            unhealthy_after: reader.or("unhealthy_after", 3, integer(1..=100)),
            healthy_after: reader.or("healthy_after", 2, integer(1..=100)),
            queue_max,
        };
        reader.done();
        Some(health)
    }
}

fn every(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Duration> {
    let every = duration(value, collector)?;
    if every < EVERY_MIN {
        value.fail(collector, "at least 100ms: asking is a load of its own");
    }
    Some(every)
}

fn probe(value: &Value<'_>, collector: &mut Collector<'_>, kind: Option<&ProviderKind>) -> Option<Probe> {
    const HELP: &str = "\"models\", \"tcp\" or \"GET /path\"";
    let text = value.string(collector, HELP)?;
    match (text, text.strip_prefix("GET ")) {
        ("models", _) => {
            if kind.is_some_and(|kind| !has_list(kind)) {
                value.fail_help(
                    collector,
                    "this kind has no list of models",
                    "\"tcp\" asks for a connection",
                );
            }
            Some(Probe::Models)
        }
        ("tcp", _) => Some(Probe::Tcp),
        (_, Some(path)) if is_path(path) => Some(Probe::Get(path.to_owned())),
        _ => {
            value.fail_help(collector, format!("unknown probe `{}`", quoted(text)), HELP);
            None
        }
    }
}

/// Bedrock's and Vertex's lists are on other hosts.
fn has_list(kind: &ProviderKind) -> bool {
    let is_cloud = matches!(kind.facts().auth, Auth::Aws | Auth::Gcp);
    !is_cloud && kind.protocols().first() != Some(&Protocol::Converse)
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.len() <= PATH_BYTES_MAX && path.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn read(kind: &str, health: &str) -> Result<Health, String> {
        let address = if kind.contains('-') {
            "base_url = \"http://127.0.0.1:1\""
        } else {
            "region = \"eu-west-1\"\napi_key = \"env:X\""
        };
        let text = format!(
            "[providers.p]\nkind = \"{kind}\"\n{address}\nhealth = {{ {health} }}\n\
             [models.m]\ntargets = [{{ provider = \"p\" }}]\n[keys.k]\nsecret_sha256 = \"{}\"\n",
            "a".repeat(64)
        );
        let parsed = parse("f", &text, &|_| Some("secret".to_owned()));
        parsed
            .map(|config| config.providers["p"].health.clone().unwrap())
            .map_err(|report| report.to_string())
    }

    #[test]
    fn what_is_not_written_has_its_default() {
        let health = read("openai-compatible", "probe = \"GET /health\"").unwrap();
        assert_eq!(health.probe, Some(Probe::Get("/health".to_owned())));
        assert_eq!((health.every.as_secs(), health.timeout.as_secs()), (10, 2));
        assert_eq!((health.unhealthy_after, health.healthy_after, health.queue_max), (3, 2, None));
        let scraped = read("openai-compatible", "scrape = \"vllm\", queue_max = 0, every = \"1s\"").unwrap();
        assert_eq!((scraped.probe, scraped.scrape), (None, Some(ScrapeKind::Vllm)));
        assert_eq!((scraped.queue_max, scraped.timeout.as_secs()), (Some(0), 1));
    }

    #[test]
    fn what_cannot_work_is_told_at_its_place() {
        for (kind, health, message) in [
            ("openai-compatible", "every = \"5s\"", "asks nothing"),
            ("openai-compatible", "probe = \"ping\"", "unknown probe `ping`"),
            ("openai-compatible", "probe = \"GET health\"", "unknown probe"),
            ("openai-compatible", "probe = \"GET /a b\"", "unknown probe"),
            ("openai-compatible", "probe = \"tcp\", every = \"10ms\"", "at least 100ms"),
            ("openai-compatible", "probe = \"tcp\", every = \"1s\", timeout = \"2s\"", "longer than `every`"),
            ("openai-compatible", "probe = \"tcp\", queue_max = 5", "needs a `scrape`"),
            ("openai-compatible", "scrape = \"vlm\"", "did you mean `vllm`"),
            ("bedrock", "probe = \"models\"", "no list of models"),
        ] {
            let told = read(kind, health).unwrap_err();
            assert!(told.contains(message), "{health}: {told}");
        }
    }
}
