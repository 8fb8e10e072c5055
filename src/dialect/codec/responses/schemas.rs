//! Schemas that other protocols' clients wrote, brought to what OpenAI takes.

use crate::chat::{At, Feature, Losses, OutputFormat, Refused, Request, Text, ToolKind};
use crate::dialect::codec::schema::{Adapted, Place, Subset, adapt};
use crate::types::Protocol;
use std::borrow::Cow;

/// The adapted schemas of one request; where there is none it is written as it came.
pub(super) struct Schemas<'r> {
    /// By the tool's place in the request.
    tools: Vec<Option<Cow<'r, str>>>,
    output: Option<Cow<'r, str>>,
}

impl<'r> Schemas<'r> {
    /// Nothing is adapted: a client's own words in its own protocol.
    pub(super) const AS_WRITTEN: Schemas<'static> = Schemas { tools: Vec::new(), output: None };

    /// Who speaks Responses knows its subset. Others do not: parameters must be an object, and what
    /// is strict must be closed.
    ///
    /// # Errors
    /// [`Refused`] at the tool or format whose schema cannot be said.
    pub(super) fn adapt(request: &'r Request<'_>, losses: &mut Losses) -> Result<Self, Refused> {
        if request.from == Protocol::Responses {
            return Ok(Self::AS_WRITTEN);
        }
        let mut tools = Vec::with_capacity(request.tools.len());
        for tool in &request.tools {
            tools.push(match &tool.kind {
                ToolKind::Function { schema: Some(schema), strict, .. } => {
                    let subset = if *strict == Some(true) { Subset::OpenAiStrict } else { Subset::Tool };
                    let adapted = adapt(schema.as_str(), tool.at, subset, Place::Parameters)?;
                    Some(told(adapted, tool.at, losses))
                }
                _ => None,
            });
        }
        let output = match &request.output {
            Some(OutputFormat::Schema { schema, strict: Some(true), .. }) => {
                let adapted = adapt(schema.as_str(), At::NOWHERE, Subset::OpenAiStrict, Place::Output)?;
                Some(told(adapted, At::NOWHERE, losses))
            }
            _ => None,
        };
        Ok(Self { tools, output })
    }

    pub(super) fn of_tool(&self, number: usize) -> Option<&str> {
        self.tools.get(number)?.as_deref()
    }

    pub(super) fn of_output(&self) -> Option<&str> {
        self.output.as_deref()
    }
}

/// The schema; what it had to leave out is told.
fn told<'r>(adapted: Adapted<'r>, at: At, losses: &mut Losses) -> Cow<'r, str> {
    for lost in adapted.lost {
        losses.push_named(Feature::SchemaConstraint, at, &Text::Owned(lost));
    }
    adapted.json
}
