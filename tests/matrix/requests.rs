//! Every recorded request, as an upstream of every other protocol is asked it.

use crate::ask;
use crate::asked::{Asked, Role, Said};
use crate::corpus::{Case, cases};
use crate::excuses::{self, Excuse};
use crate::grid::Grid;
use crate::known::{self, Open};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tidegate::chat::{Feature, Loss, Losses, Target};
use tidegate::dialect::codec::{self, Called};
use tidegate::framing::json::{Duplicates, parse_bytes};
use tidegate::types::Protocol;

pub const FEATURES: [&str; 16] = [
    "system",
    "user",
    "assistant",
    "thinking",
    "images",
    "documents",
    "calls",
    "results",
    "order",
    "tools",
    "choice",
    "max",
    "temperature",
    "stop",
    "stream",
    "settings",
];

#[derive(Default)]
struct Run {
    grid: Grid,
    open: Vec<Open>,
    refused: BTreeMap<(Protocol, Protocol, String), usize>,
    invalid: BTreeMap<(Protocol, String), usize>,
    told: BTreeSet<(Protocol, &'static str, &'static str)>,
}

impl Run {
    fn case(&mut self, case: &Case, body: &[u8], upstream: Protocol) {
        let root = parse_bytes(body, Duplicates::LastCounts).expect("JSON");
        let is_in_url = matches!(case.protocol, Protocol::Generate | Protocol::Converse);
        let is_stream = is_in_url.then_some(case.is_stream);
        let called = Called { model: is_in_url.then_some("m"), is_stream };
        let request = match codec::decode_request(case.protocol, &root, called) {
            Ok(request) => request,
            Err(refused) => {
                *self.invalid.entry((case.protocol, refused.message)).or_default() += 1;
                return;
            }
        };
        let target = Target::new("m");
        let (mut out, mut losses) = (Vec::new(), Losses::default());
        if let Err(refused) = codec::encode_request(upstream, &request, &target, &mut losses, &mut out) {
            assert!(refused.message.len() > 10, "a refusal must say why: {:?}", refused.message);
            *self.refused.entry((case.protocol, upstream, refused.message)).or_default() += 1;
            return;
        }
        let (mut again, mut losses_again) = (Vec::new(), Losses::default());
        codec::encode_request(upstream, &request, &target, &mut losses_again, &mut again).unwrap();
        assert_eq!((&out, &losses), (&again, &losses_again), "{}: two encodings differ", case.dir);
        let told: Value = serde_json::from_slice(&out).unwrap_or_else(|error| {
            panic!("{} → {}: no JSON: {error}", case.dir, upstream.as_str());
        });
        let mut source = ask::read(case.protocol, &serde_json::from_slice(body).unwrap());
        source.stream = is_stream.or(source.stream).or(Some(case.protocol == Protocol::Ollama));
        self.grid.case(case.protocol, upstream);
        for feature in FEATURES {
            self.feature(case, upstream, feature, &source, &told, losses.all());
        }
    }

    fn feature(
        &mut self,
        case: &Case,
        upstream: Protocol,
        feature: &'static str,
        source: &Asked,
        body: &Value,
        losses: &[Loss],
    ) {
        let mut told = ask::read(upstream, body);
        if !matches!(upstream, Protocol::Generate | Protocol::Converse) {
            told.stream = told.stream.or(Some(upstream == Protocol::Ollama));
        }
        let what = match feature {
            "settings" => settings(source, body, losses),
            feature => difference(feature, source, &told),
        };
        let tally = self.grid.at(case.protocol, upstream, feature);
        let Some(what) = what else {
            tally.same += 1;
            return;
        };
        let explaining = excuses::losses_of(feature);
        let told_lost = losses.iter().filter(|loss| explaining.contains(&loss.feature)).count();
        if told_lost > 0 && excuses::is_no_more_than(feature, source, &told, told_lost) {
            tally.declared += 1;
            return;
        }
        let excuse = |excuse: &&Excuse| {
            excuse.upstreams.contains(&upstream)
                && excuse.feature == feature
                && (excuse.holds)(source, &told, losses)
        };
        if let Some(excuse) = excuses::EXCUSES.iter().find(excuse) {
            tally.declared += 1;
            self.told.insert((upstream, feature, excuse.why));
            return;
        }
        tally.open += 1;
        let losses: Vec<&str> = losses.iter().map(|loss| loss.feature.as_str()).collect();
        let what = format!("{what} (told lost: {losses:?})");
        self.open.push(Open { other: upstream, case: case.dir.clone(), feature, what });
    }
}

/// What differs in one feature, for a human; None for nothing.
pub fn difference(feature: &str, source: &Asked, told: &Asked) -> Option<String> {
    let differ = |source: String, told: String| (source != told).then(|| format!("{source} became {told}"));
    let lists = |pick: fn(&Said) -> Option<&String>| {
        differ(format!("{:?}", source.list(pick)), format!("{:?}", told.list(pick)))
    };
    match feature {
        "system" => {
            let whole =
                |asked: &Asked| crate::asked::squeezed(&asked.system) + "|" + &asked.text_of(Role::System);
            differ(whole(source), whole(told))
        }
        "user" => differ(source.text_of(Role::User), told.text_of(Role::User)),
        "assistant" => differ(source.text_of(Role::Assistant), told.text_of(Role::Assistant)),
        "thinking" => {
            let whole = |asked: &Asked| {
                let pieces =
                    asked.list(|said| if let Said::Thinking(text) = said { Some(text) } else { None });
                crate::asked::squeezed(&pieces.concat())
            };
            differ(whole(source), whole(told))
        }
        "images" => lists(|said| if let Said::Image(place) = said { Some(place) } else { None }),
        "documents" => lists(|said| if let Said::Document(place) = said { Some(place) } else { None }),
        "calls" => differ(format!("{:?}", source.calls()), format!("{:?}", told.calls())),
        "results" => results(source, told),
        "order" => differ(source.order(), told.order()),
        "tools" => differ(format!("{:?}", source.tools), format!("{:?}", told.tools)),
        "choice" => differ(choice(source), choice(told)),
        "max" => differ(format!("{:?}", source.max), format!("{:?}", told.max)),
        "temperature" => differ(format!("{:?}", source.temperature), format!("{:?}", told.temperature)),
        "stop" => differ(format!("{:?}", source.stop), format!("{:?}", told.stop)),
        _ => differ(format!("{:?}", source.stream), format!("{:?}", told.stream)),
    }
}

/// Nothing said is `auto`.
fn choice(asked: &Asked) -> String {
    asked.choice.clone().unwrap_or_else(|| "auto".to_owned())
}

/// A result may be wrapped in an object of one member, or taken out of one.
fn results(source: &Asked, told: &Asked) -> Option<String> {
    let (source, told) = (source.results(), told.results());
    let inner = |value: &Value| value.as_object().filter(|object| object.len() == 1).cloned();
    let is_wrapped = |outer: &Value, value: &Value| {
        inner(outer).is_some_and(|object| object.values().any(|member| loose(member) == loose(value)))
    };
    type Of<'r> = (Option<usize>, &'r Value);
    let is_same = |(a, b): (&Of<'_>, &Of<'_>)| {
        a.0 == b.0 && (loose(a.1) == loose(b.1) || is_wrapped(b.1, a.1) || is_wrapped(a.1, b.1))
    };
    let is_equal = source.len() == told.len() && source.iter().zip(&told).all(is_same);
    (!is_equal).then(|| format!("{source:?} became {told:?}"))
}

/// Text that is JSON is that JSON.
fn loose(value: &Value) -> Value {
    match value {
        Value::String(text) => crate::asked::content(text),
        value => value.clone(),
    }
}

/// Every flat parameter is in the body somewhere, or told lost.
fn settings(source: &Asked, body: &Value, losses: &[Loss]) -> Option<String> {
    let lost: Vec<Feature> = losses.iter().map(|loss| loss.feature).collect();
    let is_kept = |(feature, value): &&(Feature, Value)| {
        lost.contains(feature) || holds(body, value) || excuses::says_nothing(*feature, value)
    };
    let missing: Vec<&(Feature, Value)> = source.settings.iter().filter(|set| !is_kept(set)).collect();
    (!missing.is_empty()).then(|| format!("gone without a word: {missing:?}"))
}

fn holds(body: &Value, value: &Value) -> bool {
    let is_equal = match (body.as_f64(), value.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => body == value,
    };
    is_equal
        || body.as_object().is_some_and(|object| object.values().any(|member| holds(member, value)))
        || body.as_array().is_some_and(|array| array.iter().any(|member| holds(member, value)))
}

#[test]
fn every_recorded_request_reaches_upstreams_of_every_other_protocol() {
    let cases = cases();
    if cases.is_empty() {
        return;
    }
    let mut run = Run::default();
    for case in &cases {
        let Some(body) = &case.request else { continue };
        if !serde_json::from_slice::<Value>(body).is_ok_and(|body| body.is_object()) {
            continue;
        }
        for upstream in Protocol::ALL.into_iter().filter(|upstream| *upstream != case.protocol) {
            run.case(case, body, upstream);
        }
    }
    run.grid.print("requests: what an upstream is asked of what the client said");
    for ((client, message), count) in &run.invalid {
        eprintln!("invalid {}: {message} ({count})", client.as_str());
    }
    for ((client, upstream, message), count) in &run.refused {
        eprintln!("refused {} → {}: {message} ({count})", client.as_str(), upstream.as_str());
    }
    for (upstream, feature, why) in &run.told {
        eprintln!("declared {feature} to {}: {why}", upstream.as_str());
    }
    known::judge(&run.open, known::REQUESTS);
}
