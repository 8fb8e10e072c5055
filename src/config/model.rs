//! `[models.*]`: the names clients ask for.

use super::choice::choice;
use super::coalesce::Coalesce;
use super::collector::Collector;
use super::counting::{CountMode, count_mode};
use super::crowd::{Concurrency, Queue};
use super::duration::duration;
use super::failover::Failover;
use super::mirror::{self, Mirror};
use super::name::model_name_fault;
use super::number::integer;
use super::pattern::ModelPattern;
use super::reader::Reader;
use super::route::{Arena, Data, Group, Hedge, ON_UNFIT, OnUnfit, balance, default_session, session};
use super::streams::Streams;
use super::target::{Known, Target};
use super::timeouts::Timeouts;
use super::value::Value;
use crate::routing::{Balance, SessionKey};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name as a pattern: exact, `prefix*` or `*`. Of several that match, an exact one is
    /// taken, then the longest.
    pub pattern: ModelPattern,
    /// 1 to [`TARGETS_MAX`](crate::types::bounds::TARGETS_MAX).
    pub targets: Vec<Target>,
    /// How they hang together; the first is the model itself.
    pub groups: Vec<Group>,
    /// Of the model itself.
    pub balance: Balance,
    /// What sticky balances know a session by, in the order tried.
    pub session: Vec<SessionKey>,
    /// Blocks of prompts remembered for each target, with the balance `prefix`.
    pub prefix_blocks: usize,
    /// Percent of failing targets above which they are asked all the same; 100: never.
    pub panic: u8,
    /// Whether failing targets are asked where no other is left.
    pub last_resort: bool,
    pub data: Data,
    /// None: no call is asked of two targets at once.
    pub hedge: Option<Hedge>,
    /// None: no call is copied.
    pub mirror: Option<Mirror>,
    /// Calls at once that each of its targets takes which says nothing of its own; None: any number.
    pub concurrency: Option<Concurrency>,
    /// None: no call waits until a target has room.
    pub queue: Option<Queue>,
    pub on_unfit: OnUnfit,
    pub failover: Failover,
    pub timeouts: Timeouts,
    pub on_disconnect: OnDisconnect,
    /// Longest a call is read on after its client left, with [`OnDisconnect::Drain`].
    pub drain_max: Duration,
    /// `count`, or `counting.default`.
    pub count: CountMode,
    pub on_unsupported: OnUnsupported,
    pub unpriced: Unpriced,
    pub streams: Streams,
    /// How calls that ask for the same share one; None: each is its own.
    pub coalesce: Option<Coalesce>,
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
        let balance = reader.or("balance", Balance::Weighted, balance);
        let arena = reader.need("targets", help, |v, c| Arena::read(v, c, known, balance));
        let Arena { targets, groups } = arena.unwrap_or_default();
        let data = reader.or("data", Data::default(), Data::read);
        let beside = mirror::Beside { name, targets: &targets, data: &data };
        let mirror = reader.take("mirror", |v, c| Mirror::read(v, c, known, &beside));
        let model = Self {
            pattern: ModelPattern::new(name),
            targets,
            groups,
            balance,
            session: reader.or("session", default_session(), session),
            prefix_blocks: reader.or("prefix_blocks", 32 * 1024, integer(1024..=1024 * 1024)),
            panic: reader.or("panic", 50, integer(1..=100)),
            last_resort: reader.or("last_resort", false, |v, c| v.boolean(c)),
            hedge: reader.take("hedge", Hedge::read),
            mirror,
            concurrency: reader.take("concurrency", Concurrency::read),
            queue: reader.take("queue", Queue::read),
            data,
            on_unfit: reader.or("on_unfit", OnUnfit::Pass, choice(ON_UNFIT, &[])),
            failover: reader.or("failover", Failover::default(), Failover::read),
            timeouts: reader.or("timeouts", Timeouts::default(), Timeouts::read),
            on_disconnect: reader.or("on_disconnect", OnDisconnect::Abort, choice(ON_DISCONNECT, &[])),
            drain_max: reader.or("drain_max", Duration::from_secs(30), duration),
            count: reader.or("count", count, count_mode),
            on_unsupported: reader.or("on_unsupported", OnUnsupported::Warn, choice(ON_UNSUPPORTED, &[])),
            unpriced: reader.or("unpriced", Unpriced::Record, choice(UNPRICED, &[])),
            streams: Streams::read(&mut reader),
            coalesce: reader.take("coalesce", Coalesce::read),
        };
        reader.done();
        Some(model)
    }
}
