//! Answers in JSON: by schema, by a forced tool in its place, or by asking for it.
//!
//! The tool's name alone says what a call of it is, so whoever reads the answer, on any node, turns it
//! into the text it stands for.

use crate::chat::{At, OutputFormat, Refused, Request, Target};
use crate::dialect::codec::schema::{Place, Subset, adapt};
use crate::framing::json::{Duplicates, JsonWriter, parse};
use crate::types::Protocol;
use std::borrow::Cow;

/// The tool that stands in for a schema.
pub(super) const OUTPUT_TOOL: &str = "json_tidegate_output";

/// Said where the call of the tool cannot be forced.
pub(super) const CALL_IT: &str = "Give your final answer only by calling the tool json_tidegate_output: it takes the answer in the form that is wanted.";

/// Said where any JSON object will do.
pub(super) const JSON_ONLY: &str =
    "Answer with one JSON object and nothing else: no text before or after it, and no code fence.";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Format<'r> {
    Free,
    /// `output_config.format` with this schema.
    Native(Cow<'r, str>),
    /// The tool, with this schema and description.
    Tool {
        schema: Cow<'r, str>,
        description: Cow<'r, str>,
    },
    /// An instruction.
    AnyJson,
}

/// What was decided, and which constraints of the schema it leaves out.
pub(super) struct Decided<'r> {
    pub(super) format: Format<'r>,
    pub(super) lost: Vec<String>,
}

/// Decides. A client of this protocol is taken at its word; of the others the schema is cut to the
/// vendor's subset, unless that would close a map of free keys or end a recursion: then the tool, which
/// takes any schema, stands in.
///
/// # Errors
/// [`Refused`] where the schema fits neither form.
pub(super) fn decide<'r>(request: &'r Request<'r>, target: &Target) -> Result<Decided<'r>, Refused> {
    let plain = |format| Ok(Decided { format, lost: Vec::new() });
    let (name, description, raw) = match &request.output {
        None => return plain(Format::Free),
        Some(OutputFormat::Json) => return plain(Format::AnyJson),
        Some(OutputFormat::Schema { name, description, schema, .. }) => (name, description, schema),
    };
    let description = description.as_deref().filter(|words| !words.is_empty());
    if target.takes_schema {
        if request.from == Protocol::Messages {
            return plain(Format::Native(Cow::Borrowed(raw.as_str())));
        }
        let fitting = adapt(raw.as_str(), At::NOWHERE, Subset::AnthropicStrict, Place::Output).ok();
        let is_closed = |lost: &String| lost.ends_with("additionalProperties");
        if let Some(fitting) = fitting.filter(|fitting| !fitting.lost.iter().any(is_closed)) {
            let format = Format::Native(described(fitting.json, description));
            return Ok(Decided { format, lost: fitting.lost });
        }
    }
    let fitting = adapt(raw.as_str(), At::NOWHERE, Subset::Tool, Place::Parameters)?;
    let description = match (description, name) {
        (Some(words), _) => Cow::Borrowed(words),
        (None, Some(name)) => Cow::Owned(format!("Takes the final answer, a {name}.")),
        (None, None) => Cow::Borrowed("Takes the final answer."),
    };
    Ok(Decided { format: Format::Tool { schema: fitting.json, description }, lost: fitting.lost })
}

/// The schema with the format's description at its root, where it has none of its own.
fn described<'r>(schema: Cow<'r, str>, description: Option<&str>) -> Cow<'r, str> {
    let Some(description) = description else { return schema };
    let Ok(root) = parse(&schema, Duplicates::LastCounts) else { return schema };
    if root.get("description").is_some() {
        return schema;
    }
    let mut out = Vec::with_capacity(schema.len() + description.len() + 20);
    JsonWriter::new(&mut out).object(|w| {
        w.field_str("description", description);
        root.entries().iter().for_each(|(key, value)| w.field_raw(key, value.raw()));
    });
    String::from_utf8(out).map_or_else(|_| schema.clone(), Cow::Owned)
}
