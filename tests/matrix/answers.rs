//! Every recorded answer, as a client of every other protocol is told it.

use crate::corpus::{Case, Recorded, cases};
use crate::declared::RULES;
use crate::facts::{Answer, Call, Facts};
use crate::frames::Frame;
use crate::grid::Grid;
use crate::known::{self, Open};
use crate::walk;
use serde_json::Value;
use std::collections::BTreeMap;
use tidegate::dialect::codec::{self, Owed, Translator};
use tidegate::dialect::tap::EventClass;
use tidegate::framing::json::{Duplicates, parse_bytes};
use tidegate::types::Protocol;

pub const FEATURES: [&str; 9] =
    ["choices", "text", "thinking", "refusal", "ids", "calls", "stop", "usage", "order"];

#[derive(Default)]
struct Run {
    grid: Grid,
    open: Vec<Open>,
    /// How often a rule explained something.
    used: BTreeMap<(&'static str, Protocol, &'static str), usize>,
    /// How many pairs of a recording and a client have something of this feature.
    held: BTreeMap<&'static str, usize>,
    /// Answers that are an upstream's error, and were told as such.
    faults: usize,
}

pub fn owed() -> Owed {
    Owed {
        model: "asked".into(),
        token: "0123456789abcdef0123".into(),
        created: 1_760_000_000,
        wants_usage: true,
        is_array: false,
        echo: String::new(),
    }
}

/// The client's bytes of a whole answer; the error where there is none.
fn whole(case: &Case, client: Protocol, body: &[u8]) -> Result<Vec<u8>, String> {
    let root = parse_bytes(body, Duplicates::LastCounts).map_err(|error| error.to_string())?;
    let response = codec::decode_response(case.protocol, &root).map_err(|garbled| garbled.0)?;
    let mut out = Vec::new();
    codec::encode_response(client, &response, &owed(), &mut out);
    Ok(out)
}

/// The client's bytes of a stream; the fault where the upstream failed.
fn stream(case: &Case, client: Protocol, frames: &[Frame]) -> Result<Vec<u8>, String> {
    let mut translator = Translator::new(codec::decoder(case.protocol), codec::encoder(client, owed()));
    let mut out = Vec::new();
    for frame in frames {
        let name = frame.name.as_deref().map(str::as_bytes);
        let class = translator.on_frame(name, frame.data.as_bytes(), &mut out, &mut |_| {});
        if let EventClass::Fault(fault) = class {
            return Err(format!("{fault:?}"));
        }
    }
    translator.on_end(&mut out, &mut |_| {});
    let unknown = translator.witness.unknown();
    assert_eq!(unknown, 0, "{}: events that no rule knows", case.dir);
    Ok(out)
}

impl Run {
    fn case(&mut self, case: &Case, answer: &Recorded, client: Protocol) {
        let (source, told, forms) = match answer {
            Recorded::Whole(body) => {
                let source = walk::whole(case.protocol, &serde_json::from_slice(body).unwrap());
                let told = whole(case, client, body);
                let read = told.map(|told| serde_json::from_slice::<Value>(&told).expect("JSON"));
                let forms = read.as_ref().map_or(Vec::new(), |told| walk::whole_faults(client, told));
                (source, read.map(|told| walk::whole(client, &told)), forms)
            }
            Recorded::Stream(frames) => {
                let source = walk::stream(case.protocol, frames);
                let told = stream(case, client, frames);
                let cut = told.as_ref().map(|told| walk::cut(client, told)).map_err(Clone::clone);
                let forms = match (&told, &cut) {
                    (Ok(told), Ok(cut)) => walk::faults(client, told, cut),
                    _ => Vec::new(),
                };
                (source, cut.map(|cut| walk::stream(client, &cut)), forms)
            }
        };
        match told {
            Err(_) if source.is_error => self.faults += 1,
            Err(error) => self.differ(client, case, "error", format!("refused: {error}")),
            Ok(_) if source.is_error => self.differ(client, case, "error", "told as a success".into()),
            Ok(told) => {
                self.grid.case(client, case.protocol);
                self.compare(client, case, &source, &told);
                match forms.is_empty() {
                    true => self.grid.at(client, case.protocol, "form").same += 1,
                    false => self.differ(client, case, "form", forms.join("; ")),
                }
            }
        }
    }

    fn differ(&mut self, client: Protocol, case: &Case, feature: &'static str, what: String) {
        self.grid.at(client, case.protocol, feature).open += 1;
        self.open.push(Open { other: client, case: case.dir.clone(), feature, what });
    }

    fn count(&mut self, source: &Answer) {
        let usage = source.usage.unwrap_or_default();
        let any = |has: fn(&Facts) -> bool| source.choices.iter().any(has);
        let held = [
            ("text", any(|facts| !facts.text.is_empty())),
            ("thinking", any(|facts| !facts.thinking.is_empty())),
            ("refusal", any(|facts| !facts.refusal.is_empty())),
            ("calls", any(|facts| !facts.calls.is_empty())),
            ("several calls", any(|facts| facts.calls.len() > 1)),
            ("several choices", source.choices.len() > 1),
            ("usage", source.usage.is_some()),
            ("cache", usage.cache_read + usage.cache_write > 0),
            ("reasoning", usage.reasoning > 0),
        ];
        for (feature, _) in held.into_iter().filter(|(_, is_there)| *is_there) {
            *self.held.entry(feature).or_default() += 1;
        }
    }

    fn compare(&mut self, client: Protocol, case: &Case, source: &Answer, told: &Answer) {
        self.count(source);
        let mut expected = source.clone();
        let mut applied = Vec::new();
        for rule in RULES.iter().filter(|rule| rule.clients.contains(&client)) {
            let before = expected.clone();
            (rule.apply)(&mut expected, told);
            if before != expected {
                applied.push(rule);
            }
        }
        // Where this protocol has one order, a stream may still send pieces as they come.
        let mut sorted = told.clone();
        for rule in RULES.iter().filter(|rule| rule.feature == "order" && rule.clients.contains(&client)) {
            (rule.apply)(&mut sorted, told);
        }
        for feature in FEATURES {
            if difference(feature, source, told).is_none() {
                self.grid.at(client, case.protocol, feature).same += 1;
                continue;
            }
            let told = if feature == "order" { &sorted } else { told };
            match difference(feature, &expected, told) {
                None => self.grid.at(client, case.protocol, feature).declared += 1,
                Some(what) => self.differ(client, case, feature, what),
            }
        }
        for rule in applied {
            *self.used.entry((rule.feature, client, rule.why)).or_default() += 1;
        }
    }
}

/// What differs in one feature, for a human; None for nothing.
pub fn difference(feature: &str, source: &Answer, told: &Answer) -> Option<String> {
    let differ = |source: String, told: String| (source != told).then(|| format!("{source} became {told}"));
    if feature == "choices" {
        return differ(source.choices.len().to_string(), told.choices.len().to_string());
    }
    if feature == "usage" {
        return differ(format!("{:?}", source.usage), format!("{:?}", told.usage));
    }
    source.choices.iter().zip(&told.choices).find_map(|(source, told)| match feature {
        "text" => differ(format!("{:?}", source.text), format!("{:?}", told.text)),
        "thinking" => differ(format!("{:?}", source.thinking), format!("{:?}", told.thinking)),
        "refusal" => differ(format!("{:?}", source.refusal), format!("{:?}", told.refusal)),
        "stop" => differ(format!("{:?}", source.stop), format!("{:?}", told.stop)),
        "order" => differ(source.order.join(","), told.order.join(",")),
        "ids" => ids(&source.calls, &told.calls),
        _ => differ(calls(&source.calls), calls(&told.calls)),
    })
}

fn calls(calls: &[Call]) -> String {
    calls.iter().map(|call| format!("{}({}) ", call.name, call.parsed())).collect()
}

/// Ids are the upstream's, but for what is packed behind them; made up where it gave none, or one
/// that other protocols' ids may not look like; never empty, never twice.
fn ids(source: &[Call], told: &[Call]) -> Option<String> {
    for (at, (call, read)) in source.iter().zip(told).enumerate() {
        let own = read.id.rsplit_once("-tg1-").map_or(read.id.as_str(), |(own, _)| own);
        let is_plain = |id: &str| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if read.id.is_empty() || told[..at].iter().any(|other| other.id == read.id) {
            return Some(format!("call {at} ({}) has the id {:?}", call.name, read.id));
        }
        if !call.id.is_empty() && is_plain(&call.id) && own != call.id {
            return Some(format!("id {:?} became {:?}", call.id, read.id));
        }
    }
    None
}

#[test]
fn every_recorded_answer_reaches_clients_of_every_other_protocol() {
    let cases = cases();
    if cases.is_empty() {
        return;
    }
    let mut run = Run::default();
    for case in &cases {
        let Some(answer) = &case.answer else { continue };
        for client in Protocol::ALL.into_iter().filter(|client| *client != case.protocol) {
            run.case(case, answer, client);
        }
    }
    run.grid.print("answers: what a client reads of what the upstream said");
    eprintln!("in the recordings: {:?}", run.held);
    eprintln!("{} answers are errors, and told as errors", run.faults);
    for ((feature, client, why), count) in &run.used {
        eprintln!("declared {feature} for {}: {why} ({count})", client.as_str());
    }
    // Readers that find nothing would agree on everything.
    for feature in ["text", "thinking", "refusal", "calls", "usage", "cache", "reasoning"] {
        assert!(run.held.contains_key(feature), "no recording holds {feature}");
    }
    known::judge(&run.open, known::ANSWERS);
}
