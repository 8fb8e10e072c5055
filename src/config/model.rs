//! `[models.*]`: the names clients ask for.

use super::choice::choice;
use super::collector::Collector;
use super::counting::{CountMode, count_mode};
use super::duration::duration;
use super::failover::Failover;
use super::name::model_name_fault;
use super::pattern::ModelPattern;
use super::reader::Reader;
use super::target::{Known, Target};
use super::timeouts::Timeouts;
use super::value::Value;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name as a pattern: exact, `prefix*` or `*`. Of several that match, an exact one is
    /// taken, then the longest.
    pub pattern: ModelPattern,
    /// 1 to [`TARGETS_MAX`](crate::types::bounds::TARGETS_MAX).
    pub targets: Vec<Target>,
    pub balance: Balance,
    pub failover: Failover,
    pub timeouts: Timeouts,
    pub on_disconnect: OnDisconnect,
    /// Longest a call is read on after its client left, with [`OnDisconnect::Drain`].
    pub drain_max: Duration,
    /// `count`, or `counting.default`.
    pub count: CountMode,
    pub on_unsupported: OnUnsupported,
    pub unpriced: Unpriced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    Weighted,
    RoundRobin,
}

/// What happens upstream when the client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    /// The call is cancelled; its usage is estimated.
    Abort,
    /// The call is read on, to learn its usage.
    Drain,
}

/// What happens to a parameter that a target has no word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnsupported {
    /// It is left out, and the answer names it in `x-tidegate-dropped`.
    Warn,
    /// The call is refused with a 400 that names it.
    Reject,
}

/// What happens to a call whose model has no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpriced {
    /// It is served; its cost is recorded as unknown.
    Record,
    /// It is refused.
    Refuse,
}

const ON_UNSUPPORTED: &[(&str, OnUnsupported)] =
    &[("warn", OnUnsupported::Warn), ("reject", OnUnsupported::Reject)];
const UNPRICED: &[(&str, Unpriced)] = &[("record", Unpriced::Record), ("refuse", Unpriced::Refuse)];
const BALANCES: &[(&str, Balance)] = &[("weighted", Balance::Weighted), ("round-robin", Balance::RoundRobin)];
const BALANCES_LATER: &[(&str, &str)] = &[
    ("least-busy", "comes with the routing release"),
    ("fastest", "comes with the routing release"),
    ("cheapest", "comes with the routing release"),
    ("sticky", "comes with the routing release"),
];
const ON_DISCONNECT: &[(&str, OnDisconnect)] =
    &[("abort", OnDisconnect::Abort), ("drain", OnDisconnect::Drain)];

impl Model {
    /// All models by the name in the file.
    pub(super) fn read_all(
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        known: Known<'_>,
        count: CountMode,
    ) -> Option<BTreeMap<String, Self>> {
        let entries = Reader::open(value, collector)?.entries();
        let mut models = BTreeMap::new();
        for (name, value) in entries {
            if let Some(fault) = model_name_fault(name) {
                value.fail_head(collector, fault, Some("an exact name, \"prefix*\" or \"*\""));
            }
            if let Some(model) = Self::read(name, &value, collector, known, count) {
                models.insert(name.to_owned(), model);
            }
        }
        Some(models)
    }

    fn read(
        name: &str,
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        known: Known<'_>,
        count: CountMode,
    ) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let help = "such as targets = [{ provider = \"openai\" }]";
        let targets = reader.need("targets", help, |v, c| Target::read_all(v, c, known));
        let model = Self {
            pattern: ModelPattern::new(name),
            targets: targets.unwrap_or_default(),
            balance: reader.or("balance", Balance::Weighted, choice(BALANCES, BALANCES_LATER)),
            failover: reader.or("failover", Failover::default(), Failover::read),
            timeouts: reader.or("timeouts", Timeouts::default(), Timeouts::read),
            on_disconnect: reader.or("on_disconnect", OnDisconnect::Abort, choice(ON_DISCONNECT, &[])),
            drain_max: reader.or("drain_max", Duration::from_secs(30), duration),
            count: reader.or("count", count, count_mode),
            on_unsupported: reader.or("on_unsupported", OnUnsupported::Warn, choice(ON_UNSUPPORTED, &[])),
            unpriced: reader.or("unpriced", Unpriced::Record, choice(UNPRICED, &[])),
        };
        reader.done();
        Some(model)
    }
}
