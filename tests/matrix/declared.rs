//! What may differ between an upstream's answer and what a client of another protocol reads, and why.
//! The rules are those of the mapping table of wire formats and of the vendors' documents, not of what
//! the codecs do.

use crate::facts::{Answer, Class, Counts, Facts};
use tidegate::types::Protocol::{self, Chat, Cohere, Converse, Generate, Messages, Ollama, Responses};

pub struct Rule {
    pub clients: &'static [Protocol],
    /// The feature, as the matrix calls it.
    pub feature: &'static str,
    pub why: &'static str,
    /// Turns what was read of the upstream into what this client may be told; the second is what it
    /// was told, for rules that leave a choice.
    pub apply: fn(&mut Answer, &Answer),
}

pub const RULES: &[Rule] = &[
    Rule {
        clients: &Protocol::ALL,
        feature: "stop",
        why: "the upstream gives no reason: done, or done with calls",
        apply: |answer, _| {
            for facts in answer.choices.iter_mut().filter(|facts| facts.stop.is_none()) {
                facts.stop = Some(if facts.calls.is_empty() { Class::Normal } else { Class::Tools });
            }
        },
    },
    Rule {
        clients: &[Responses, Messages, Converse, Cohere, Ollama],
        feature: "choices",
        why: "n > 1 is a loss point: this protocol gives one answer",
        apply: |answer, _| answer.choices.truncate(1),
    },
    Rule {
        clients: &[Messages, Generate, Converse, Cohere, Ollama],
        feature: "refusal",
        why: "no refusal part in this protocol: it is shown as text",
        apply: |answer, _| {
            for facts in &mut answer.choices {
                let refusal = std::mem::take(&mut facts.refusal);
                facts.text.push_str(&refusal);
                facts.order.iter_mut().filter(|kind| **kind == "refusal").for_each(|kind| *kind = "text");
                facts.order.dedup_by(|a, b| a == b && *a != "tool");
            }
        },
    },
    Rule {
        clients: &[Chat, Cohere, Ollama],
        feature: "order",
        why: "a message has one place for thinking, one for text and one for calls",
        apply: |answer, _| answer.choices.iter_mut().for_each(sort),
    },
    Rule {
        clients: &[Messages, Generate, Converse, Cohere, Ollama],
        feature: "calls",
        why: "no free-form tools in this protocol: a function with one text `input`",
        apply: |answer, _| {
            for call in answer.choices.iter_mut().flat_map(|facts| &mut facts.calls) {
                if std::mem::take(&mut call.is_free) {
                    call.arguments = serde_json::json!({ "input": call.arguments }).to_string();
                }
            }
        },
    },
    Rule {
        clients: &[Cohere, Ollama],
        feature: "stop",
        why: "no word for a blocked answer in this protocol",
        apply: |answer, told| {
            for (facts, told) in answer.choices.iter_mut().zip(&told.choices) {
                if facts.stop == Some(Class::Blocked) {
                    facts.stop = told.stop.filter(|stop| matches!(stop, Class::Normal | Class::Other));
                }
            }
        },
    },
    Rule {
        clients: &Protocol::ALL,
        feature: "stop",
        why: "OTHER and MALFORMED_* are an error or a stop",
        apply: |answer, told| {
            for (facts, told) in answer.choices.iter_mut().zip(&told.choices) {
                if facts.stop == Some(Class::Other) && told.stop == Some(Class::Normal) {
                    facts.stop = told.stop;
                }
            }
        },
    },
    Rule {
        clients: &[Generate, Cohere],
        feature: "usage",
        why: "no count of cache writes in this protocol",
        apply: |answer, _| usage(answer, |counts| counts.cache_write = 0),
    },
    Rule {
        clients: &[Converse, Cohere],
        feature: "usage",
        why: "no count of reasoning in this protocol",
        apply: |answer, _| usage(answer, |counts| counts.reasoning = 0),
    },
    Rule {
        clients: &[Ollama],
        feature: "usage",
        why: "input and output are all that this protocol counts",
        apply: |answer, _| {
            usage(answer, |counts| {
                *counts = Counts { input: counts.input, output: counts.output, ..Counts::default() };
            });
        },
    },
];

fn usage(answer: &mut Answer, change: impl Fn(&mut Counts)) {
    answer.usage.iter_mut().for_each(change);
}

/// Thinking, text, refusal, calls.
fn sort(facts: &mut Facts) {
    let rank = |kind: &&str| ["think", "text", "refusal", "tool"].iter().position(|known| known == kind);
    facts.order.sort_by_key(rank);
    facts.order.dedup_by(|a, b| a == b && *a != "tool");
}
