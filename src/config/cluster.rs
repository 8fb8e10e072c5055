//! `[cluster]`: limits and budgets shared by several nodes.

use super::choice::choice;
use super::collector::Collector;
use super::duration::duration;
use super::name::check_name;
use super::number::decimal;
use super::reader::Reader;
use super::secret::{self, Found};
use super::value::Value;
use crate::types::Secret;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Redis; None: nothing is shared but through the store, and limits are held at `share`.
    pub url: Option<Secret>,
    pub on_loss: OnLoss,
    /// This node's name among the nodes; None: one made anew at each start.
    pub node: Option<String>,
    /// Of every command, the connection included.
    pub timeout: Duration,
    /// How long a first call waits for what it needs to know.
    pub wait: Duration,
    /// This node's part of every limit where it has to do without the others; None: an equal one, by
    /// the number of nodes last heard of.
    pub share: Option<f64>,
    /// Before every key in Redis: two installations in one Redis have different ones.
    pub prefix: String,
}

/// What a node does while it cannot reach the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLoss {
    LocalShare,
    FailClosed,
}

const ON_LOSS: &[(&str, OnLoss)] =
    &[("local-share", OnLoss::LocalShare), ("fail-closed", OnLoss::FailClosed)];

impl Default for Cluster {
    fn default() -> Self {
        Self {
            url: None,
            on_loss: OnLoss::LocalShare,
            node: None,
            timeout: Duration::from_millis(500),
            wait: Duration::from_millis(250),
            share: None,
            prefix: "tidegate".to_owned(),
        }
    }
}

impl Cluster {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let cluster = Self {
            url: reader.take("url", url),
            on_loss: reader.or("on_loss", d.on_loss, choice(ON_LOSS, &[])),
            node: reader.take("node", name),
            timeout: reader.or("timeout", d.timeout, duration),
            wait: reader.or("wait", d.wait, duration),
            share: reader.take("share", decimal(0.001..=1.0)),
            prefix: reader.or("prefix", d.prefix, name),
        };
        reader.done();
        Some(cluster)
    }
}

/// A plain address may stand in the file; one with a password only as a reference.
fn url(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Secret> {
    const HELP: &str =
        "\"redis://HOST:PORT\", \"rediss://…\" for TLS, or \"env:NAME\" where it holds a password";
    let text = value.string(collector, HELP)?;
    if text.starts_with("env:") || text.starts_with("file:") {
        let Found { secret, .. } = secret::secret(value, collector)?;
        return Some(secret);
    }
    let rest = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://"));
    match rest {
        Some(rest) if rest.contains('@') => {
            collector.mask(value.span.clone());
            value.fail_help(collector, "an address with a password in the file", HELP);
            None
        }
        Some(rest) if !rest.is_empty() => Some(Secret::new(text)),
        _ => {
            collector.mask(value.span.clone());
            value.fail_help(collector, "this is no address of a Redis", HELP);
            None
        }
    }
}

fn name(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let name = value.string(collector, "a name")?;
    check_name(name, value, collector);
    Some(name.to_owned())
}
