//! `additionalModelRequestFields`, read: what is known of the makers' fields.

use super::tools_in::nest;
use super::{HERE, read};
use crate::chat::{At, Effort, Extra, Feature, Raw, Reasoning, Refused, Request, Setting};
use crate::framing::json::Node;

const OUTER: &str = "additionalModelRequestFields";

/// Takes out thinking, effort, `top_k` and the limit of parallel calls; the rest stays among the extras
/// of `request`, each field for itself.
pub(super) fn read<'a>(fields: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    let mut known: Vec<&str> = Vec::new();
    for (name, value) in fields.entries().iter().filter(|(_, value)| !value.is_null()) {
        let is_taken = match name.as_ref() {
            "thinking" => thinking(value, request)?,
            "reasoning_config" if value.is_object() => thinking(value, request)?,
            "reasoning_config" | "reasoning_effort" => effort(value, request),
            "output_config" | "reasoning" => only(value, "effort").is_some_and(|node| effort(node, request)),
            "reasoningConfig" => nova(value, request),
            "top_k" | "k" => top_k(value, request),
            "inferenceConfig" => only(value, "topK").is_some_and(|node| top_k(node, request)),
            "tool_choice" => one_at_a_time(value, request),
            _ => false,
        };
        if is_taken {
            known.push(name);
        }
    }
    nest(OUTER, Extra::of(HERE, fields, &known), request);
    Ok(())
}

/// The value of `key`, if the object has no other member.
fn only<'n, 'a>(node: &'n Node<'a>, key: &str) -> Option<&'n Node<'a>> {
    let [(name, value)] = node.entries() else { return None };
    (name == key).then_some(value)
}

fn reasoning<'r, 'a>(node: &Node<'a>, request: &'r mut Request<'a>) -> &'r mut Reasoning<'a> {
    request.reasoning.get_or_insert_with(|| Reasoning { at: At::of(node), ..Reasoning::default() })
}

/// Claude's: `{"type":"enabled","budget_tokens":n}`, `adaptive`, `disabled`.
fn thinking<'a>(node: &Node<'a>, request: &mut Request<'a>) -> Result<bool, Refused> {
    let budget = read::count(node, "budget_tokens")?;
    let kind = node.text_of("type");
    let (is_adaptive, is_off) = match kind.as_deref() {
        Some("enabled") if budget.is_some() => (false, false),
        Some("adaptive") => (true, false),
        Some("disabled") => (false, true),
        _ => return Ok(false),
    };
    let extra = Extra::of(HERE, node, &["type", "budget_tokens"]);
    let asked = reasoning(node, request);
    (asked.budget, asked.is_adaptive, asked.is_off, asked.extra) = (budget, is_adaptive, is_off, extra);
    Ok(true)
}

fn effort<'a>(node: &Node<'a>, request: &mut Request<'a>) -> bool {
    let Some(effort) = node.text().and_then(|word| Effort::of(&word)) else { return false };
    reasoning(node, request).effort = Some(effort);
    true
}

/// Nova's: `{"type":"enabled","maxReasoningEffort":"low"}`.
fn nova<'a>(node: &Node<'a>, request: &mut Request<'a>) -> bool {
    let names = ["type", "maxReasoningEffort"];
    if !Extra::of(HERE, node, &names).is_empty() {
        return false;
    }
    match node.text_of("type").as_deref() {
        Some("disabled") => {
            reasoning(node, request).is_off = true;
            true
        }
        Some("enabled") => node.get("maxReasoningEffort").is_some_and(|word| effort(word, request)),
        _ => false,
    }
}

fn top_k<'a>(node: &Node<'a>, request: &mut Request<'a>) -> bool {
    let is_first = node.is_number() && request.setting(Feature::TopK).is_none();
    if is_first {
        let setting = Setting { feature: Feature::TopK, at: At::of(node), value: Raw::of(node) };
        request.settings.push(setting);
    }
    is_first
}

/// `{"type":"auto","disable_parallel_tool_use":true}`.
fn one_at_a_time<'a>(node: &Node<'a>, request: &mut Request<'a>) -> bool {
    let is_it = node.entries().len() == 2
        && node.get("type").is_some_and(|kind| kind.is("auto"))
        && node.get("disable_parallel_tool_use").and_then(Node::as_bool) == Some(true);
    if is_it {
        request.parallel_tools = Some(false);
    }
    is_it
}
