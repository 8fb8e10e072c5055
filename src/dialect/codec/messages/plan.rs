//! Everything that is decided about a request before a byte of it is written.

use super::format::{self, Decided, Format};
use super::host::Host;
use super::thinking::{self, Mode, Thinking};
use crate::chat::{Feature, Refused, Request, Target, Tool, ToolChoice, ToolKind};
use crate::types::Protocol;

/// Asked for where neither client nor catalogue give a limit. Every Claude since 3.5 can give that much.
pub(super) const OUTPUT_DEFAULT: u64 = 8192;

pub(super) struct Plan<'r> {
    pub(super) host: Host,
    pub(super) request: &'r Request<'r>,
    pub(super) target: &'r Target,
    pub(super) is_own: bool,
    /// `role: system` stays inside the conversation.
    pub(super) keeps_system: bool,
    pub(super) max_tokens: u64,
    pub(super) thinking: Thinking,
    pub(super) format: Format<'r>,
    /// Constraints of the schema that are left out.
    pub(super) schema_lost: Vec<String>,
    pub(super) tools: Vec<&'r Tool<'r>>,
    pub(super) choice: Choice<'r>,
    pub(super) disable_parallel: Option<bool>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice<'r> {
    Unsaid,
    Auto,
    None,
    Any,
    Tool(&'r str),
    /// As a Messages client wrote it.
    Raw(&'r str),
}

impl<'r> Plan<'r> {
    /// # Errors
    /// [`Refused`] where a schema cannot be said to Claude.
    pub(super) fn new(host: Host, request: &'r Request<'r>, target: &'r Target) -> Result<Self, Refused> {
        let is_own = request.from == Protocol::Messages;
        let limit = match (request.max_output, target.output_max) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        };
        let thinking = thinking::decide(request, target, limit);
        let invented = match thinking.mode {
            Mode::Budget(budget) => budget.saturating_add(OUTPUT_DEFAULT),
            _ => OUTPUT_DEFAULT,
        };
        let Decided { format, lost } = format::decide(request, target)?;
        let tools = offered(request);
        let mut plan = Self {
            host,
            request,
            target,
            is_own,
            keeps_system: host == Host::Anthropic && (is_own || target.takes_mid_system),
            max_tokens: limit.unwrap_or(invented),
            thinking,
            format,
            schema_lost: lost,
            tools,
            choice: Choice::Unsaid,
            disable_parallel: request.parallel_tools.map(|is_parallel| !is_parallel),
        };
        plan.choose();
        Ok(plan)
    }

    fn choose(&mut self) {
        self.choice = match &self.request.tool_choice {
            None => Choice::Unsaid,
            Some(ToolChoice::Auto | ToolChoice::Allowed { must_call: false, .. }) => Choice::Auto,
            Some(ToolChoice::None) => Choice::None,
            Some(ToolChoice::Any | ToolChoice::Allowed { must_call: true, .. }) => Choice::Any,
            Some(ToolChoice::Tool(name)) => Choice::Tool(name),
            Some(ToolChoice::Opaque { of: Protocol::Messages, json }) => Choice::Raw(json.as_str()),
            Some(ToolChoice::Opaque { .. }) => Choice::Unsaid,
        };
        if matches!(self.format, Format::Tool { .. }) {
            self.choose_with_output_tool();
        } else if self.tools.is_empty() && !self.is_own {
            // The vendor takes no choice among no tools.
            (self.choice, self.disable_parallel) = (Choice::Unsaid, None);
        }
        if self.disable_parallel == Some(true) && self.choice == Choice::Unsaid {
            self.choice = Choice::Auto;
        }
    }

    /// The tool that takes the answer is one more to choose from.
    fn choose_with_output_tool(&mut self) {
        let is_only = self.tools.is_empty() || self.choice == Choice::None;
        if self.thinking.is_on() {
            self.choice = Choice::Auto;
        } else if is_only {
            (self.choice, self.disable_parallel) = (Choice::Tool(format::OUTPUT_TOOL), Some(true));
        } else if matches!(self.choice, Choice::Unsaid | Choice::Auto) {
            self.choice = Choice::Any;
        }
    }

    pub(super) fn format_is_no_tool(&self) -> bool {
        !matches!(self.format, Format::Tool { .. })
    }

    /// Whether the words that ask for the output tool must be said.
    pub(super) fn must_ask_for_output_tool(&self) -> bool {
        matches!(self.format, Format::Tool { .. }) && self.thinking.is_on()
    }

    /// Whether a sampling parameter goes up, and why not.
    pub(super) fn sampling(&self, feature: Feature) -> Result<(), &'static str> {
        if !self.target.takes_sampling {
            return Err("this Claude model takes no sampling parameters");
        }
        let Some(value) = self.request.setting(feature).map(|setting| setting.value.as_str()) else {
            return Ok(());
        };
        let number: Option<f64> = value.parse().ok();
        let is_with_thinking = match feature {
            Feature::Temperature => number == Some(1.0),
            Feature::TopP => number.is_some_and(|p| (0.95..=1.0).contains(&p)),
            _ => false,
        };
        if self.thinking.is_on() && !self.is_own && !is_with_thinking {
            return Err("Claude samples in its own way while it thinks");
        }
        Ok(())
    }
}

/// The tools the request offers and this protocol has. Of an allowed few, only those.
fn offered<'r>(request: &'r Request<'r>) -> Vec<&'r Tool<'r>> {
    let allowed = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names),
        _ => None,
    };
    let is_allowed = |tool: &&Tool<'_>| match (allowed, tool.name()) {
        (Some(names), Some(name)) => names.iter().any(|allowed| allowed == name),
        _ => true,
    };
    let is_known = |tool: &&Tool<'_>| match &tool.kind {
        ToolKind::Hosted { of, .. } => *of == Protocol::Messages,
        ToolKind::Function { .. } | ToolKind::Custom { .. } => true,
    };
    request.tools.iter().filter(is_known).filter(is_allowed).collect()
}
