//! How a model's targets hang together: groups inside of `targets`, conditions, sessions, data rules.

use super::choice::choice;
use super::collector::Collector;
use super::duration::duration;
use super::near::{self, quoted};
use super::number::integer;
use super::reader::Reader;
use super::target::{Known, Target};
use super::value::Value;
use crate::routing::condition::CONDITION_BYTES_MAX;
use crate::routing::group::{BALANCES, DEPTH_MAX, GROUPS_MAX};
use crate::routing::{Balance, Condition, SessionKey};
use crate::types::bounds::TARGETS_MAX;
use std::time::Duration;
use toml::de::DeValue;

/// Targets that share the load by a balance of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// For people; empty for the model itself.
    pub name: String,
    pub balance: Balance,
    pub places: Vec<Place>,
}

/// A target or a group where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub member: Member,
    pub weight: u32,
    pub priority: u32,
    /// One condition, of all that were written.
    pub when: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// Index into the model's targets.
    Target(usize),
    /// Index into the model's groups.
    Group(usize),
}

/// `data`: where the data of a model's calls may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    pub regions: Vec<Box<str>>,
    pub zero_retention: bool,
}

/// `hedge`: when a second target is asked because the first is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// Of the times to the first content.
    pub percentile: u8,
    pub after_min: Duration,
    /// Percent of calls that may be asked twice.
    pub share: u8,
}

/// What happens to a request that no target is believed to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnfit {
    /// It goes up, and the provider says what is wrong.
    Pass,
    /// It is refused with a 400 that names what is missing.
    Reject,
}

pub(super) const ON_UNFIT: &[(&str, OnUnfit)] = &[("pass", OnUnfit::Pass), ("reject", OnUnfit::Reject)];

/// All targets and groups of a model while it is read.
#[derive(Default)]
pub(super) struct Arena {
    pub targets: Vec<Target>,
    pub groups: Vec<Group>,
}

impl Arena {
    /// The list `targets` of a model.
    pub(super) fn read(
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        known: Known<'_>,
        balance: Balance,
    ) -> Option<Self> {
        let mut arena = Self::default();
        arena.group(value, collector, known, (String::new(), balance), 1)?;
        Some(arena)
    }

    /// Reads a list of targets and groups as a new group; gives its index.
    fn group(
        &mut self,
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        known: Known<'_>,
        (name, balance): (String, Balance),
        depth: usize,
    ) -> Option<usize> {
        let elements = value.elements(collector, "a list of targets")?;
        if elements.is_empty() || elements.len() > TARGETS_MAX {
            value.fail(collector, format!("a model has 1 to {TARGETS_MAX} targets"));
        }
        if depth > DEPTH_MAX || self.groups.len() >= GROUPS_MAX {
            let message = format!("at most {GROUPS_MAX} groups, {DEPTH_MAX} deep");
            value.fail_head(collector, message, None);
            return None;
        }
        let index = self.groups.len();
        self.groups.push(Group { name, balance, places: Vec::new() });
        let mut places = Vec::new();
        for element in elements.iter().take(TARGETS_MAX) {
            places.extend(self.place(element, collector, known, depth));
        }
        if !places.is_empty() && places.iter().all(|place| place.weight == 0) {
            value.fail_head(collector, "every target has weight 0: nothing is left to call", None);
        }
        if let Some(group) = self.groups.get_mut(index) {
            group.places = places;
        }
        Some(index)
    }

    fn place(
        &mut self,
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        known: Known<'_>,
        depth: usize,
    ) -> Option<Place> {
        let mut reader = Reader::open(value, collector)?;
        let weight = reader.or("weight", 1, integer(0..=1000));
        let priority = reader.or("priority", 1, integer(1..=100));
        let when = reader.take("when", when);
        let member = match reader.value("targets") {
            Some(list) => {
                let name = reader.take("name", |v, c| Some(v.string(c, "a name")?.to_owned()));
                let balance = reader.or("balance", Balance::Weighted, balance);
                let of = (name.unwrap_or_default(), balance);
                Member::Group(self.group(&list, reader.collector, known, of, depth + 1)?)
            }
            None => {
                let target = Target::read(&mut reader, known);
                if self.targets.len() == TARGETS_MAX {
                    reader.fail(format!("a model has 1 to {TARGETS_MAX} targets"), None);
                    return None;
                }
                self.targets.push(target);
                Member::Target(self.targets.len() - 1)
            }
        };
        reader.done();
        Some(Place { member, weight, priority, when })
    }
}

pub(super) fn balance(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Balance> {
    choice(&BALANCES, &[])(value, collector)
}

/// A condition, or several of which all must hold.
pub(super) fn when(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let DeValue::Array(_) = value.node else { return condition(value, collector) };
    let all = value.list(collector, "a condition or a list of them", condition)?;
    let joined = all.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" && ");
    match all.as_slice() {
        [] => {
            value.fail(collector, "no condition: leave `when` out");
            None
        }
        _ if joined.len() > CONDITION_BYTES_MAX => {
            value
                .fail(collector, format!("all conditions together have at most {CONDITION_BYTES_MAX} bytes"));
            None
        }
        _ => Some(joined),
    }
}

fn condition(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let source = value.string(collector, "a condition such as \"input_tokens > 100000\"")?;
    if let Err(error) = Condition::new(source) {
        value.fail_help(collector, error.to_string(), "facts and examples: docs/routing.md");
        return None;
    }
    Some(source.to_owned())
}

/// What a session is known by.
pub(super) fn session(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<SessionKey>> {
    const HELP: &str = "\"session\", \"prompt-cache-key\", \"key\" or \"header:NAME\"";
    value.list(
        collector,
        "a list such as [\"session\", \"prompt-cache-key\", \"key\"]",
        |value, collector| {
            let text = value.string(collector, HELP)?;
            let key = match text {
                "session" => SessionKey::Session,
                "prompt-cache-key" => SessionKey::PromptCacheKey,
                "key" => SessionKey::Key,
                _ => {
                    match text.strip_prefix("header:").and_then(|name| name.parse::<http::HeaderName>().ok())
                    {
                        Some(name) => SessionKey::Header(name.as_str().into()),
                        None => {
                            let near = near::suffix(
                                text,
                                ["session", "prompt-cache-key", "key", "header:x-session"],
                            );
                            value.fail_help(
                                collector,
                                format!("unknown session `{}`{near}", quoted(text)),
                                HELP,
                            );
                            return None;
                        }
                    }
                }
            };
            Some(key)
        },
    )
}

/// By default: what agents and SDKs name, then what they cache by, then who calls.
pub(super) fn default_session() -> Vec<SessionKey> {
    vec![SessionKey::Session, SessionKey::PromptCacheKey, SessionKey::Key]
}

impl Data {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let data = Self {
            regions: reader.or("regions", Vec::new(), |v, c| v.list(c, "a list such as [\"eu\"]", region)),
            zero_retention: reader.or("zdr", false, |v, c| v.boolean(c)),
        };
        reader.done();
        Some(data)
    }
}

impl Hedge {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let hedge = Self {
            percentile: reader.or("percentile", 95, integer(50..=99)),
            after_min: reader.or("after_min", Duration::from_millis(50), duration),
            share: reader.or("share", 5, integer(1..=50)),
        };
        reader.done();
        Some(hedge)
    }
}

/// A region's name: what a rule and a target have in common.
pub(super) fn region(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Box<str>> {
    let text = value.string(collector, "a region such as \"eu\" or \"eu-west-1\"")?;
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.is_empty() || text.len() > 64 || !text.bytes().all(is_name) {
        value.fail(collector, "a region has lowercase letters, digits and `-`");
        return None;
    }
    Some(text.into())
}
