//! How much the model shall think: `reasoning_effort`, and OpenRouter's `reasoning`.

use crate::chat::{
    At, Effort, Extra, Feature, Losses, Reasoning, Refused, Target, ThinkingEcho, ThinkingStyle,
};
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

use super::extra;

const OBJECT: [&str; 5] = ["effort", "max_tokens", "enabled", "exclude", "summary"];

/// Reads what a request says of thinking; `rest` takes what cannot be understood.
pub(super) fn read<'a>(root: &Node<'a>, rest: &mut Extra<'a>) -> Result<Option<Reasoning<'a>>, Refused> {
    let mut reasoning = Reasoning::default();
    let mut is_given = false;
    if let Some(node) = root.get("reasoning") {
        if node.is_object() {
            object(node, &mut reasoning)?;
            is_given = true;
        } else if !node.is_null() {
            return Err(Refused::new(At::of(node), "`reasoning` must be an object"));
        }
    }
    if let Some(node) = root.get("thinking") {
        if is_anthropic(node) && !is_given {
            anthropic(node, &mut reasoning)?;
            is_given = true;
        } else {
            extra::add(rest, "thinking", node);
        }
    }
    if let Some(node) = root.get("reasoning_effort") {
        let Some(word) = node.text() else {
            return Err(Refused::new(At::of(node), "`reasoning_effort` must be a string"));
        };
        if set_effort(&word, &mut reasoning) {
            reasoning.at = At::of(node);
            is_given = true;
        } else if is_given {
            // Two answers to one question, one of them in no known word: sent on, both would stand
            // under one name.
            return Err(Refused::new(At::of(node), "unknown effort beside `reasoning` or `thinking`"));
        } else {
            extra::add(rest, "reasoning_effort", node);
        }
    }
    Ok(is_given.then_some(reasoning))
}

/// False for a word nobody knows.
fn set_effort(word: &str, reasoning: &mut Reasoning<'_>) -> bool {
    if word.eq_ignore_ascii_case("none") {
        reasoning.is_off = true;
        return true;
    }
    reasoning.effort = Effort::of(word).or(reasoning.effort);
    Effort::of(word).is_some()
}

fn object<'a>(node: &Node<'a>, reasoning: &mut Reasoning<'a>) -> Result<(), Refused> {
    reasoning.at = At::of(node);
    reasoning.extra = extra::of(node, &OBJECT);
    if let Some(effort) = node.get("effort") {
        let word = effort.text().unwrap_or_default();
        if !set_effort(&word, reasoning) {
            return Err(Refused::new(
                At::of(effort),
                "unknown effort: none, minimal, low, medium, high, xhigh",
            ));
        }
    }
    reasoning.budget = budget(node.get("max_tokens"))?;
    match node.get("enabled").and_then(Node::as_bool) {
        Some(false) => reasoning.is_off = true,
        Some(true) => reasoning.is_adaptive = reasoning.effort.is_none() && reasoning.budget.is_none(),
        None => {}
    }
    reasoning.is_shown = node.get("exclude").and_then(Node::as_bool).map(|is_hidden| !is_hidden);
    reasoning.summary = node.text_of("summary");
    Ok(())
}

fn budget(node: Option<&Node<'_>>) -> Result<Option<u64>, Refused> {
    let Some(node) = node else { return Ok(None) };
    let tokens = node.as_u64();
    if tokens.is_none() {
        return Err(Refused::new(At::of(node), "a number of tokens must be a whole number"));
    }
    Ok(tokens)
}

/// Anthropic's `thinking`, which some chat clients send; Z.ai's, DeepSeek's and Moonshot's of the same
/// name have no budget and stay theirs.
fn is_anthropic(node: &Node<'_>) -> bool {
    node.get("budget_tokens").is_some() || node.get("type").is_some_and(|kind| kind.is("adaptive"))
}

fn anthropic<'a>(node: &Node<'a>, reasoning: &mut Reasoning<'a>) -> Result<(), Refused> {
    reasoning.at = At::of(node);
    reasoning.budget = budget(node.get("budget_tokens"))?;
    let kind = node.text_of("type").unwrap_or_default();
    reasoning.is_adaptive = kind == "adaptive";
    reasoning.is_off = kind == "disabled";
    reasoning.extra = extra::of(node, &["type", "budget_tokens"]);
    Ok(())
}

/// Writes it in the form the target has.
pub(super) fn write(reasoning: &Reasoning<'_>, target: &Target, losses: &mut Losses, w: &mut JsonWriter<'_>) {
    if target.thinking == ThinkingStyle::None {
        return;
    }
    let is_openrouter = target.echo == ThinkingEcho::ReasoningDetails;
    if is_openrouter || !reasoning.extra.for_protocol(Protocol::Chat).is_empty() {
        return w.field_object("reasoning", |w| write_object(reasoning, target, w));
    }
    if reasoning.is_off && target.takes_no_effort {
        return w.field_str("reasoning_effort", "none");
    }
    if reasoning.is_off {
        // As little as it can be told to.
        losses.push(Feature::ReasoningEffort, reasoning.at);
        let least = target.efforts.iter().min();
        return w.field_opt_str("reasoning_effort", least.map(|effort| effort.as_str()));
    }
    let wanted = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget));
    w.field_opt_str("reasoning_effort", wanted.map(|effort| target.effort(effort).as_str()));
}

fn write_object(reasoning: &Reasoning<'_>, target: &Target, w: &mut JsonWriter<'_>) {
    if reasoning.is_off {
        w.field_bool("enabled", false);
    } else if let Some(tokens) = reasoning.budget.filter(|_| reasoning.effort.is_none()) {
        w.field_u64("max_tokens", tokens);
    } else if let Some(effort) = reasoning.effort {
        w.field_str("effort", target.effort(effort).as_str());
    } else if reasoning.is_adaptive {
        w.field_bool("enabled", true);
    }
    if reasoning.is_shown == Some(false) {
        w.field_bool("exclude", true);
    }
    extra::write(&reasoning.extra, &[], w);
}
