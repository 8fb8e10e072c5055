//! Strict schemas, as OpenAI's strict mode takes them.
//!
//! Only what was written for another vendor's strict mode is touched: a client of OpenAI's protocols
//! wrote for OpenAI.

use crate::chat::{At, Feature, Losses, OutputFormat, Refused, Request, Text, ToolKind};
use crate::dialect::codec::schema::{Adapted, Place, Subset, adapt};
use crate::types::Dialect;
use std::borrow::Cow;
use std::collections::HashMap;

/// The schemas that had to change.
#[derive(Default)]
pub(super) struct Schemas {
    tools: HashMap<usize, String>,
    output: Option<String>,
}

impl Schemas {
    /// # Errors
    /// [`Refused`] at a schema that strict mode cannot say.
    pub(super) fn adapt(request: &Request<'_>, losses: &mut Losses) -> Result<Self, Refused> {
        let mut schemas = Schemas::default();
        if request.from.dialect() == Dialect::OpenAi {
            return Ok(schemas);
        }
        for (place, tool) in request.tools.iter().enumerate() {
            if let ToolKind::Function { schema: Some(schema), strict: Some(true), .. } = &tool.kind
                && let Some(made) = strict(schema.as_str(), tool.at, Place::Parameters, losses)?
            {
                schemas.tools.insert(place, made);
            }
        }
        if let Some(OutputFormat::Schema { schema, strict: Some(true), .. }) = &request.output {
            schemas.output = strict(schema.as_str(), At::NOWHERE, Place::Output, losses)?;
        }
        Ok(schemas)
    }

    pub(super) fn tool<'s>(&'s self, place: usize, own: &'s str) -> &'s str {
        self.tools.get(&place).map_or(own, String::as_str)
    }

    pub(super) fn output<'s>(&'s self, own: &'s str) -> &'s str {
        self.output.as_deref().unwrap_or(own)
    }
}

/// The schema where it had to change.
fn strict(schema: &str, at: At, place: Place, losses: &mut Losses) -> Result<Option<String>, Refused> {
    let Adapted { json, lost, .. } = adapt(schema, at, Subset::OpenAiStrict, place)?;
    for name in lost {
        losses.push_named(Feature::SchemaConstraint, at, &Text::Owned(name));
    }
    Ok(match json {
        Cow::Borrowed(_) => None,
        Cow::Owned(json) => Some(json),
    })
}
