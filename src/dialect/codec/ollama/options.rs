//! `options`, and the flat parameters beside it.

use crate::chat::{At, Extra, Feature, Raw, Refused, Request, Setting, Target, Text};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

use super::{extra, losses};

/// Numbers, in the order they are written.
const FIELDS: [(&str, Feature); 8] = [
    ("temperature", Feature::Temperature),
    ("top_p", Feature::TopP),
    ("top_k", Feature::TopK),
    ("min_p", Feature::MinP),
    ("seed", Feature::Seed),
    ("repeat_penalty", Feature::RepetitionPenalty),
    ("presence_penalty", Feature::PresencePenalty),
    ("frequency_penalty", Feature::FrequencyPenalty),
];

/// What `options` says; the rest goes to `extra` as `options.x`.
#[derive(Default)]
pub(super) struct Options<'a> {
    pub(super) settings: Vec<Setting<'a>>,
    pub(super) max_output: Option<u64>,
    pub(super) stop: Vec<Text<'a>>,
}

pub(super) fn read<'a>(root: &Node<'a>, rest: &mut Extra<'a>) -> Result<Options<'a>, Refused> {
    let mut read = Options::default();
    logprobs(root, &mut read.settings)?;
    let Some(options) = root.get("options") else { return Ok(read) };
    if !options.is_object() {
        return Err(Refused::new(
            At::of(options),
            format!("`options` must be an object, not {}", options.kind()),
        ));
    }
    for (name, feature) in FIELDS {
        let Some(node) = options.get(name) else { continue };
        if !node.is_number() {
            return Err(Refused::new(
                At::of(node),
                format!("`{name}` must be a number, not {}", node.kind()),
            ));
        }
        read.settings.push(Setting { feature, at: At::of(node), value: Raw::of(node) });
    }
    let mut known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).chain(["num_predict", "stop"]).collect();
    if let Some(node) = options.get("num_predict") {
        match node.as_u64() {
            Some(most) => read.max_output = Some(most),
            // -1 is no limit and -2 the context's: both mean something to Ollama only.
            None if node.is_number() && node.raw().starts_with('-') => {
                known.retain(|name| *name != "num_predict")
            }
            None => return Err(Refused::new(At::of(node), "`num_predict` must be a whole number")),
        }
    }
    read.stop = stop(options)?;
    extra::add_inner(rest, "options", options, &known);
    Ok(read)
}

fn stop<'a>(options: &Node<'a>) -> Result<Vec<Text<'a>>, Refused> {
    let Some(node) = options.get("stop") else { return Ok(Vec::new()) };
    if let Some(only) = node.text() {
        return Ok(vec![only]);
    }
    let wrong = |node: &Node<'_>| Refused::new(At::of(node), "`stop` must be a list of strings");
    if !node.is_array() {
        return Err(wrong(node));
    }
    node.items().iter().map(|item| item.text().ok_or_else(|| wrong(item))).collect()
}

fn logprobs<'a>(root: &Node<'a>, settings: &mut Vec<Setting<'a>>) -> Result<(), Refused> {
    if let Some(node) = root.get("logprobs") {
        let Some(is_wanted) = node.as_bool() else {
            return Err(Refused::new(At::of(node), "`logprobs` must be true or false"));
        };
        if is_wanted {
            settings.push(Setting { feature: Feature::Logprobs, at: At::of(node), value: Raw::of(node) });
        }
    }
    if let Some(node) = root.get("top_logprobs").filter(|node| node.raw() != "0") {
        if node.as_u64().is_none() {
            return Err(Refused::new(At::of(node), "`top_logprobs` must be a whole number"));
        }
        settings.push(Setting { feature: Feature::TopLogprobs, at: At::of(node), value: Raw::of(node) });
    }
    Ok(())
}

/// Writes `options` where anything stands in it, and log probabilities beside it.
pub(super) fn write(request: &Request<'_>, target: &Target, w: &mut JsonWriter<'_>) {
    let kept = |feature: Feature| request.setting(feature).filter(|_| losses::keeps(feature, target));
    let has_extra =
        request.extra.for_protocol(Protocol::Ollama).iter().any(|field| field.name.starts_with("options."));
    let has_fields = FIELDS.iter().any(|(_, feature)| kept(*feature).is_some());
    if has_fields || has_extra || request.max_output.is_some() || !request.stop.is_empty() {
        w.field_object("options", |w| {
            for (name, feature) in FIELDS {
                if let Some(setting) = kept(feature) {
                    w.field_raw(name, setting.value.as_str());
                }
            }
            if let Some(wanted) = request.max_output {
                w.field_u64("num_predict", target.output_max.map_or(wanted, |most| wanted.min(most)));
            }
            if !request.stop.is_empty() {
                w.field_array("stop", |w| request.stop.iter().for_each(|stop| w.string(stop)));
            }
            extra::write_inner(&request.extra, "options", w);
        });
    }
    for (name, feature) in [("logprobs", Feature::Logprobs), ("top_logprobs", Feature::TopLogprobs)] {
        if let Some(setting) = kept(feature) {
            w.field_raw(name, setting.value.as_str());
        }
    }
}
