//! The form of an answer that is asked for in words: models before Gemini 3 refuse JSON mode and schemas
//! beside functions ("Function calling with a response mime type: 'application/json' is unsupported").

use crate::chat::{At, Feature, Losses, OutputFormat, Request, Target, ToolKind};
use crate::types::Protocol;

/// Whether this model takes no form beside what the request asks of it. Its own clients may find out.
pub(super) fn is_spoken(request: &Request<'_>, target: &Target) -> bool {
    let is_function = |kind: &ToolKind<'_>| !matches!(kind, ToolKind::Hosted { .. });
    request.from != Protocol::Generate
        && !target.takes_form_beside_tools
        && request.tools.iter().any(|tool| is_function(&tool.kind))
}

/// The words that stand in for the form; that nothing holds the model to them is told as a loss.
pub(super) fn spoken(request: &Request<'_>, target: &Target, losses: &mut Losses) -> Option<String> {
    let wanted = request.output.as_ref().filter(|_| is_spoken(request, target))?;
    let (feature, words) = match wanted {
        OutputFormat::Json => {
            (Feature::JsonOutput, "Answer with one JSON object and nothing else.".to_owned())
        }
        OutputFormat::Schema { schema, .. } => (
            Feature::SchemaOutput,
            format!(
                "When you answer in words and call no function, answer with one JSON value that fits this \
                 JSON Schema, and nothing else:\n{}",
                schema.as_str()
            ),
        ),
    };
    losses.push(feature, At::NOWHERE);
    Some(words)
}
