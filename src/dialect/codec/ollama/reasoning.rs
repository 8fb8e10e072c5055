//! `think`: on, off, or a level.

use crate::chat::{At, Effort, Reasoning, Refused, Target, ThinkingStyle};
use crate::framing::json::{JsonWriter, Node};

pub(super) fn read<'a>(root: &Node<'a>) -> Result<Option<Reasoning<'a>>, Refused> {
    let Some(node) = root.get("think") else { return Ok(None) };
    let at = At::of(node);
    let word = node.text().unwrap_or_default();
    let effort = Effort::of(&word);
    let read = match (node.as_bool(), effort) {
        (Some(is_on), _) => Reasoning { at, is_adaptive: is_on, is_off: !is_on, ..Reasoning::default() },
        (None, Some(_)) => Reasoning { at, effort, ..Reasoning::default() },
        (None, None) => return Err(Refused::new(at, "`think` must be true, false, low, medium or high")),
    };
    Ok(Some(read))
}

/// Models that know no levels take any for `true`.
pub(super) fn write(reasoning: &Reasoning<'_>, target: &Target, w: &mut JsonWriter<'_>) {
    if target.thinking == ThinkingStyle::None {
        return;
    }
    let wanted = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget));
    if reasoning.is_off {
        w.field_bool("think", false);
    } else if let Some(effort) = wanted.map(|effort| target.effort(effort)) {
        w.field_str("think", level(effort));
    } else if reasoning.is_adaptive {
        w.field_bool("think", true);
    }
}

fn level(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::XHigh | Effort::Max => "high",
    }
}
