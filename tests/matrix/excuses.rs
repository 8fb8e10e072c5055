//! What may be missing from an upstream's request: what was told lost, by feature, and what the
//! protocols' forms make of a request without any loss.

use crate::asked::{Asked, Role, Said, squeezed};
use serde_json::Value;
use tidegate::chat::{Feature, Loss};
use tidegate::types::Protocol::{self, Chat, Cohere, Converse, Generate, Messages, Ollama, Responses};

pub struct Excuse {
    pub upstreams: &'static [Protocol],
    pub feature: &'static str,
    pub why: &'static str,
    /// Whether the difference is no more than that.
    pub holds: fn(&Asked, &Asked, &[Loss]) -> bool,
}

/// The losses that explain a difference.
pub fn losses_of(feature: &str) -> &'static [Feature] {
    use Feature as F;
    match feature {
        "thinking" => &[F::OwnThinking, F::ForeignThinking],
        "images" => &[F::ImageBase64, F::ImageUrl, F::ImageFile, F::ToolResultMedia],
        "documents" => &[F::DocumentBase64, F::DocumentUrl, F::DocumentFile, F::OpaqueBlock],
        "choice" => &[F::ToolChoiceAny, F::ToolChoiceNone, F::ToolChoiceTool, F::ToolChoiceAllowed],
        "max" => &[F::MaxOutput],
        "temperature" => &[F::Temperature],
        "stop" => &[F::Stop],
        _ => &[],
    }
}

/// Whether no more is missing than was told: each thing that is gone has a loss of its own, and what is
/// left is what was there, in its order.
pub fn is_no_more_than(feature: &str, source: &Asked, told: &Asked, losses: usize) -> bool {
    let pieces = |asked: &Asked| {
        let of = |said: &Said| match (feature, said) {
            ("thinking", Said::Thinking(text)) => Some(squeezed(text)),
            ("images", Said::Image(place)) | ("documents", Said::Document(place)) => Some(place.clone()),
            _ => None,
        };
        asked.said.iter().filter_map(of).collect::<Vec<String>>()
    };
    let (own, left) = (pieces(source), pieces(told).concat());
    let (mut rest, mut gone) = (left.as_str(), 0);
    for piece in &own {
        match rest.strip_prefix(piece.as_str()) {
            Some(behind) => rest = behind,
            None => gone += 1,
        }
    }
    rest.is_empty() && gone <= losses
}

/// A parameter with the value it has anyway.
pub fn says_nothing(feature: Feature, value: &Value) -> bool {
    let is_off = value == false || value == 0 || value == 0.0;
    match feature {
        Feature::Logprobs | Feature::FrequencyPenalty | Feature::PresencePenalty => is_off,
        Feature::TopP => value.as_f64() == Some(1.0),
        Feature::ServiceTier => value == "auto",
        _ => false,
    }
}

/// The tool that stands for an output format (mapping table: "or forced tool").
const OUTPUT_TOOL: &str = "json_tidegate_output";

pub const EXCUSES: &[Excuse] = &[
    Excuse {
        upstreams: &[Generate, Converse],
        feature: "stream",
        why: "asked for in the URL",
        holds: |_, told, _| told.stream.is_none(),
    },
    Excuse {
        upstreams: &[Messages],
        feature: "max",
        why: "max_tokens is required: invented where the client gave none",
        holds: |source, told, _| source.max.is_none() && told.max.is_some(),
    },
    Excuse {
        upstreams: &[Chat, Responses, Messages, Converse, Cohere, Ollama],
        feature: "choice",
        why: "Gemini's VALIDATED is AUTO with checked arguments, and told lost",
        holds: |source, told, losses| {
            let is_told = losses.iter().any(|loss| loss.feature == Feature::Unknown);
            choice(source) == "validated" && choice(told) == "auto" && is_told
        },
    },
    Excuse {
        upstreams: &[Messages, Converse, Cohere, Ollama],
        feature: "choice",
        why: "of allowed tools, only these are offered",
        holds: |source, told, _| {
            let offered: Vec<&str> = told.tools.iter().map(|tool| tool.name.as_str()).collect();
            choice(source) == format!("{} of {}", choice(told), offered.join(","))
        },
    },
    Excuse {
        upstreams: &[Messages, Cohere, Converse, Ollama],
        feature: "tools",
        why: "of allowed tools, only these are offered",
        holds: |source, told, _| {
            let offered: Vec<&str> = told.tools.iter().map(|tool| tool.name.as_str()).collect();
            choice(source).ends_with(&format!(" of {}", offered.join(",")))
        },
    },
    Excuse {
        upstreams: &[Messages, Converse],
        feature: "tools",
        why: "calls in the history need tools to be there: those of earlier turns are named",
        holds: |source, told, _| source.tools.is_empty() && are_of_history(told),
    },
    Excuse {
        upstreams: &[Messages],
        feature: "choice",
        why: "tools of earlier turns are named, and not to be called",
        holds: |source, told, _| source.tools.is_empty() && choice(told) == "none" && are_of_history(told),
    },
    Excuse {
        upstreams: &[Messages, Converse],
        feature: "tools",
        why: "a forced tool stands for the output format",
        holds: |source, told, _| {
            let others: Vec<_> = told.tools.iter().filter(|tool| tool.name != OUTPUT_TOOL).cloned().collect();
            others == source.tools
        },
    },
    Excuse {
        upstreams: &[Messages, Converse],
        feature: "choice",
        why: "a forced tool stands for the output format",
        holds: |_, told, _| {
            let is_forced = choice(told) == "any" || choice(told) == format!("tool {OUTPUT_TOOL}");
            is_forced && told.tools.iter().any(|tool| tool.name == OUTPUT_TOOL)
        },
    },
    Excuse {
        upstreams: &[Messages, Cohere],
        feature: "system",
        why: "no such output format here: an instruction stands for it",
        holds: |source, told, _| {
            let (source, told) = (squeezed(&source.system), squeezed(&told.system));
            let added = told.replacen(&source, "", 1);
            told.contains(&source) && added.contains("JSON") && added.contains("nothingelse")
        },
    },
    Excuse {
        upstreams: &[Messages, Generate, Converse],
        feature: "system",
        why: "instructions in the middle become text of the user's turn",
        holds: |source, told, _| {
            let middle = source.text_of(Role::System);
            source.system == told.system && !middle.is_empty() && told.text_of(Role::User).contains(&middle)
        },
    },
    Excuse {
        upstreams: &[Messages, Generate, Converse],
        feature: "user",
        why: "instructions in the middle become text of the user's turn",
        holds: |source, told, _| {
            let (middle, told) = (source.text_of(Role::System), told.text_of(Role::User));
            !middle.is_empty() && told.replacen(&middle, "", 1) == source.text_of(Role::User)
        },
    },
    Excuse {
        upstreams: &[Messages, Generate, Converse],
        feature: "order",
        why: "the first turn must be the user's",
        holds: |source, told, _| told.order() == format!("u{}", source.order()) && !source.order().is_empty(),
    },
    Excuse {
        upstreams: &[Messages, Generate, Converse],
        feature: "user",
        why: "the first turn must be the user's: a few words stand for it",
        holds: |source, told, _| {
            let (own, told) = (source.text_of(Role::User), told.text_of(Role::User));
            let is_needed = source.order().starts_with('a');
            is_needed && told.ends_with(&own) && told.len() - own.len() < 80
        },
    },
    Excuse {
        upstreams: &[Converse],
        feature: "user",
        why: "a turn with a document needs text: a dot",
        holds: |source, told, _| {
            let has_documents = told.said.iter().any(|said| matches!(said, Said::Document(_)));
            has_documents
                && told.text_of(Role::User).replace('.', "") == source.text_of(Role::User).replace('.', "")
        },
    },
    Excuse {
        upstreams: &[Chat, Cohere, Ollama],
        feature: "results",
        why: "results hold text only: media go into a user message behind them",
        holds: |source, told, _| {
            let (own, told) = (source.results(), told.results());
            let is_same = |((a, own), (b, told)): (&(_, &Value), &(_, &Value))| {
                a == b && (own == told || (own.as_str() == Some("") && told.is_string()))
            };
            has_media(source) && own.len() == told.len() && own.iter().zip(&told).all(is_same)
        },
    },
    Excuse {
        upstreams: &[Chat, Cohere, Ollama],
        feature: "user",
        why: "media of a result are announced in a user message",
        holds: |source, told, _| {
            let (own, told) = (source.text_of(Role::User), told.text_of(Role::User));
            has_media(source) && told.starts_with(&own) && told[own.len()..].starts_with("Attachedbytoolcall")
        },
    },
    Excuse {
        upstreams: &[Generate],
        feature: "results",
        why: "a response is an object: an empty one for an empty result",
        holds: |source, told, _| {
            let (own, told) = (source.results(), told.results());
            let is_same = |((a, own), (b, told)): (&(_, &Value), &(_, &Value))| {
                a == b && own.as_str() == Some("") && **told == serde_json::json!({})
            };
            own.len() == told.len() && own.iter().zip(&told).all(is_same)
        },
    },
    Excuse {
        upstreams: &[Chat],
        feature: "images",
        why: "a file of the same vendor is a file part, whatever it holds",
        holds: |source, told, _| files(source) == files(told),
    },
    Excuse {
        upstreams: &[Chat],
        feature: "documents",
        why: "a file of the same vendor is a file part, whatever it holds",
        holds: |source, told, _| files(source) == files(told),
    },
];

/// Nothing said is `auto`.
fn choice(asked: &Asked) -> String {
    asked.choice.clone().unwrap_or_else(|| "auto".to_owned())
}

fn are_of_history(asked: &Asked) -> bool {
    let names: Vec<&str> = asked.calls().iter().map(|call| call.0).collect();
    asked.tools.iter().all(|tool| names.contains(&tool.name.as_str()))
}

fn has_media(asked: &Asked) -> bool {
    asked.said.iter().any(|said| matches!(said, Said::Image(_) | Said::Document(_)))
}

/// Images and documents alike.
fn files(asked: &Asked) -> Vec<String> {
    asked.list(|said| match said {
        Said::Image(place) | Said::Document(place) => Some(place),
        _ => None,
    })
}
