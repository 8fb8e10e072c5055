//! A `GenerateContentRequest`, written.

use super::losses::carry_for;
use super::names::write_extra;
use super::part_out::{Body, For, Lowering, Outgoing};
use super::plan::{self, Content};
use super::spoken::spoken;
use super::{config_out, tools_out};
use crate::chat::{Feature, Losses, Refused, Request, Setting, Survey, Target, Text, Vendor};
use crate::framing::json::{Duplicates, JsonWriter, parse};
use crate::types::Protocol;

/// Appends the body for `target` to `out`. The model and whether to stream stand in the path.
///
/// # Errors
/// [`Refused`] for what Gemini cannot be asked; nothing is written then.
pub fn encode_request(
    request: &Request<'_>,
    target: &Target,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let carry = |feature| carry_for(feature, request, target);
    Survey { to: Protocol::Generate, vendor: Vendor::Gemini, signs_calls: true, carry: &carry }
        .run(request, losses)?;
    let words = spoken(request, target, losses);
    let mut system = system(request, losses);
    if let Some(text) = words.as_deref() {
        system.push(Outgoing { body: Body::Text { text, is_thought: false, extra: None }, signature: None });
    }
    let contents = plan::contents(request, target, losses)?;
    let tools = tools_out::tools(request, target, losses)?;
    let config = config_out::config(request, target, losses)?;
    let tier = tier(request, losses);
    JsonWriter::new(out).object(|w| {
        if !system.is_empty() {
            w.field_object("systemInstruction", |w| write_parts(w, &system));
        }
        w.field_array("contents", |w| contents.iter().for_each(|content| write_content(w, content)));
        tools.write(w, request);
        config.write(w);
        for setting in &request.settings {
            write_outside(w, setting, request);
        }
        w.field_opt_str("serviceTier", tier.as_deref());
        write_extra(w, &request.extra, "");
    });
    Ok(())
}

/// Only words instruct; anything else there is no use for.
fn system<'r>(request: &'r Request<'r>, losses: &mut Losses) -> Vec<Outgoing<'r>> {
    let mut lowering = Lowering::new(For::Model(losses));
    request.system.iter().for_each(|block| lowering.block(block));
    lowering.finish()
}

fn write_parts(w: &mut JsonWriter<'_>, parts: &[Outgoing<'_>]) {
    w.field_array("parts", |w| parts.iter().for_each(|part| part.write(w)));
}

fn write_content(w: &mut JsonWriter<'_>, content: &Content<'_>) {
    w.object(|w| {
        w.field_str("role", if content.is_model { "model" } else { "user" });
        write_parts(w, &content.parts);
    });
}

/// Parameters that stand beside `generationConfig`.
fn write_outside(w: &mut JsonWriter<'_>, setting: &Setting<'_>, request: &Request<'_>) {
    let raw = setting.value.as_str();
    match setting.feature {
        Feature::SafetySettings => w.field_raw("safetySettings", raw),
        Feature::Store if request.from == Protocol::Generate => w.field_raw("store", raw),
        _ => {}
    }
}

/// The tier in Gemini's words.
fn tier<'r>(request: &'r Request<'r>, losses: &mut Losses) -> Option<Text<'r>> {
    let setting = request.setting(Feature::ServiceTier)?;
    let word = parse(setting.value.as_str(), Duplicates::LastCounts).ok().and_then(|node| node.text())?;
    match word.to_ascii_lowercase().as_str() {
        "default" | "standard" | "standard_only" => Some("standard".into()),
        "flex" | "priority" => Some(word),
        // The project's own choice, which is what nothing says.
        "auto" | "unspecified" | "" => None,
        _ if request.from == Protocol::Generate => Some(word),
        _ => {
            losses.push(Feature::ServiceTier, setting.at);
            None
        }
    }
}
