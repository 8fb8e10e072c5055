//! From the canonical form to an upstream's Responses request.

use super::items_out::{self, Items};
use super::losses::{is_carried, survey};
use super::request_in::{IN_TEXT, INCLUDE_ENCRYPTED, INCLUDE_LOGPROBS};
use super::schemas::Schemas;
use super::{parts, settings, tools_out};
use crate::chat::{
    At, Block, Effort, Feature, Losses, OutputFormat, Reasoning, Refused, Request, Setting, Target,
    ThinkingStyle,
};
use crate::framing::json::{Duplicates, JsonWriter, Node, parse};
use crate::types::Protocol;

/// OpenAI refuses less.
const OUTPUT_MIN: u64 = 16;
/// OpenAI refuses longer names of users.
const USER_BYTES_MAX: usize = 64;
/// A schema must have a name.
const SCHEMA_NAME: &str = "answer";
const TIERS: [&str; 7] = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"];

/// Writes a request for `target`.
///
/// # Errors
/// [`Refused`] at the first part that the target cannot be asked without.
pub fn encode_request(
    request: &Request<'_>,
    target: &Target,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    survey(request, target, losses)?;
    items_out::check(request)?;
    let schemas = Schemas::adapt(request, losses)?;
    let writer = Writer { request, target, schemas: &schemas };
    JsonWriter::new(out).object(|w| {
        w.field_str("model", &target.model);
        writer.input(w, losses);
        writer.tools(w);
        writer.limits(w, losses);
        writer.settings(w, losses);
        writer.text(w);
        writer.include(w);
        w.field_bool("stream", request.is_stream);
        for field in request.extra.for_protocol(Protocol::Responses) {
            if !field.name.starts_with(IN_TEXT) && field.name != "include" {
                w.field_raw(&field.name, field.value.as_str());
            }
        }
    });
    Ok(())
}

struct Writer<'r> {
    request: &'r Request<'r>,
    target: &'r Target,
    schemas: &'r Schemas<'r>,
}

impl Writer<'_> {
    fn is_own(&self) -> bool {
        self.request.from == Protocol::Responses
    }

    /// One plain block of instructions is `instructions`; more are the first message, so that
    /// nothing of their form is lost.
    fn input(&self, w: &mut JsonWriter<'_>, losses: &mut Losses) {
        let request = self.request;
        let note = self.schema_note();
        let plain = match request.system.as_slice() {
            [one] if note.is_none() && one.cache.is_none() && one.extra.is_empty() => one.as_text(),
            [one] if note.is_none() && !self.is_own() => one.as_text(),
            _ => None,
        };
        // OpenAI answers no empty input: instructions alone are its first message.
        let plain = plain.filter(|_| self.is_own() || !request.turns.is_empty());
        w.field_opt_str("instructions", plain);
        w.field_array("input", |w| {
            let mut items = Items::new(request, self.target, losses);
            let has_system = request.system.iter().any(|block| parts::is_part(block, false));
            if plain.is_none() && (has_system || note.is_some()) {
                items.system(w, &request.system, note.as_deref());
            }
            for turn in &request.turns {
                items.turn(w, turn);
            }
        });
    }

    /// The instruction that stands in where the model takes no schema.
    fn schema_note(&self) -> Option<String> {
        match &self.request.output {
            Some(OutputFormat::Schema { schema, .. }) if !self.target.takes_schema => Some(format!(
                "Answer with one JSON object that is valid by this JSON Schema, and with nothing else:\n{}",
                schema.as_str()
            )),
            _ => None,
        }
    }

    fn tools(&self, w: &mut JsonWriter<'_>) {
        let request = self.request;
        if !tools_out::has_any(request) {
            return;
        }
        let wraps = items_out::wraps_custom(request, self.target);
        w.field_array("tools", |w| tools_out::write(w, request, self.schemas, wraps));
        if let Some(choice) = &request.tool_choice {
            w.key("tool_choice");
            tools_out::write_choice(w, request, choice, wraps);
        }
        if let Some(parallel) = request.parallel_tools {
            w.field_bool("parallel_tool_calls", parallel);
        }
    }

    fn limits(&self, w: &mut JsonWriter<'_>, losses: &mut Losses) {
        if let Some(wanted) = self.request.max_output {
            let floor = if self.is_own() { 0 } else { OUTPUT_MIN };
            let most = self.target.output_max.unwrap_or(u64::MAX);
            let given = wanted.max(floor).min(most);
            if given != wanted {
                losses.push(Feature::MaxOutput, At::NOWHERE);
            }
            w.field_u64("max_output_tokens", given);
        }
        let Some(reasoning) = &self.request.reasoning else { return };
        if self.target.thinking == ThinkingStyle::None {
            return;
        }
        let effort = self.effort(reasoning, losses);
        let shown = reasoning.is_shown == Some(true) && !reasoning.is_off;
        let summary = reasoning.summary.as_deref().or(shown.then_some("auto"));
        let extra = reasoning.extra.for_protocol(Protocol::Responses);
        if effort.is_none() && summary.is_none() && extra.is_empty() {
            return;
        }
        w.field_object("reasoning", |w| {
            w.field_opt_str("effort", effort);
            w.field_opt_str("summary", summary);
            parts::write_extra(w, &reasoning.extra);
        });
    }

    fn effort(&self, reasoning: &Reasoning<'_>, losses: &mut Losses) -> Option<&'static str> {
        if reasoning.is_off {
            if self.target.takes_no_effort {
                return Some("none");
            }
            losses.push(Feature::ReasoningEffort, reasoning.at);
            return self.target.efforts.iter().min().map(|lowest| lowest.as_str());
        }
        let wanted = reasoning.effort.or(reasoning.budget.map(Effort::of_budget))?;
        Some(self.target.effort(wanted).as_str())
    }

    fn settings(&self, w: &mut JsonWriter<'_>, losses: &mut Losses) {
        for setting in &self.request.settings {
            if !is_carried(setting.feature, self.request, self.target) {
                continue;
            }
            match setting.feature {
                Feature::Store => {}
                Feature::User if setting.value.as_str().len() > USER_BYTES_MAX + 2 => {
                    losses.push(Feature::User, setting.at);
                }
                Feature::ServiceTier => self.tier(w, setting, losses),
                Feature::ContextManagement => {
                    let is_list = setting.value.as_str().starts_with('[');
                    w.field_raw(
                        if is_list { "context_management" } else { "truncation" },
                        setting.value.as_str(),
                    );
                }
                feature => {
                    if let Some(name) = settings::name(feature) {
                        w.field_raw(name, setting.value.as_str());
                    }
                }
            }
        }
        // Left out it would be true, and who speaks another protocol never asked OpenAI to keep it.
        match self.request.setting(Feature::Store) {
            Some(store) => w.field_raw("store", store.value.as_str()),
            None if self.is_own() => {}
            None => w.field_bool("store", false),
        }
    }

    /// Anthropic's `standard_only` is OpenAI's `default`; other vendors' tiers have no word here.
    fn tier(&self, w: &mut JsonWriter<'_>, setting: &Setting<'_>, losses: &mut Losses) {
        let word = setting.value.as_str().trim_matches('"');
        match word {
            "standard_only" | "standard" => w.field_str("service_tier", "default"),
            _ if self.is_own() || TIERS.contains(&word) => {
                w.field_raw("service_tier", setting.value.as_str());
            }
            _ => losses.push(Feature::ServiceTier, setting.at),
        }
    }

    fn text(&self, w: &mut JsonWriter<'_>) {
        let verbosity = self.request.setting(Feature::Verbosity);
        let fields = self.request.extra.for_protocol(Protocol::Responses).iter();
        let mut extra = fields.filter(|field| field.name.starts_with(IN_TEXT)).peekable();
        if verbosity.is_none() && self.request.output.is_none() && extra.peek().is_none() {
            return;
        }
        w.field_object("text", |w| {
            match &self.request.output {
                None => {}
                Some(OutputFormat::Json) => w.field_object("format", |w| w.field_str("type", "json_object")),
                Some(OutputFormat::Schema { .. }) if !self.target.takes_schema => {
                    w.field_object("format", |w| w.field_str("type", "json_object"));
                }
                Some(schema) => w.field_object("format", |w| write_schema(w, schema, self.schemas)),
            }
            if let Some(verbosity) = verbosity {
                w.field_raw("verbosity", verbosity.value.as_str());
            }
            for field in extra {
                let name = field.name.strip_prefix(IN_TEXT).unwrap_or(&field.name);
                w.field_raw(name, field.value.as_str());
            }
        });
    }

    /// What the client asked for, log probabilities, and reasoning that can come back where the
    /// vendor does not keep it.
    fn include(&self, w: &mut JsonWriter<'_>) {
        let asked = self.request.extra.for_protocol(Protocol::Responses);
        let asked = asked.iter().find(|field| field.name == "include").map(|field| field.value.as_str());
        let asked = asked.and_then(|json| parse(json, Duplicates::LastCounts).ok());
        let is_true = |setting: &Setting<'_>| setting.value.as_str() == "true";
        let has_logprobs = self.request.setting(Feature::Logprobs).is_some_and(is_true)
            && is_carried(Feature::Logprobs, self.request, self.target);
        let encrypted = self.wants_encrypted().then_some(INCLUDE_ENCRYPTED);
        let logprobs = has_logprobs.then_some(INCLUDE_LOGPROBS);
        let asked = asked.as_ref().map(Node::items).unwrap_or_default();
        if asked.is_empty() && encrypted.is_none() && logprobs.is_none() {
            return;
        }
        w.field_array("include", |w| {
            encrypted.into_iter().chain(logprobs).for_each(|word| w.string(word));
            asked.iter().for_each(|node| w.raw(node.raw()));
        });
    }

    /// Models that do not think refuse the question, so it is put to those only that are known to.
    fn wants_encrypted(&self) -> bool {
        let request = self.request;
        let is_stored = match request.setting(Feature::Store) {
            Some(store) => store.value.as_str() == "true",
            None => self.is_own(),
        };
        let thinks = match &request.reasoning {
            Some(reasoning) => !reasoning.is_off,
            None => !self.target.efforts.is_empty(),
        };
        !is_stored && thinks && self.target.thinking != ThinkingStyle::None
    }
}

/// Members of a `json_schema` format.
pub(super) fn write_schema(w: &mut JsonWriter<'_>, output: &OutputFormat<'_>, schemas: &Schemas<'_>) {
    let OutputFormat::Schema { name, description, schema, strict } = output else { return };
    w.field_str("type", "json_schema");
    w.field_str("name", name.as_deref().unwrap_or(SCHEMA_NAME));
    w.field_opt_str("description", description.as_deref());
    w.field_raw("schema", schemas.of_output().unwrap_or(schema.as_str()));
    if let Some(strict) = strict {
        w.field_bool("strict", *strict);
    }
}

/// The instructions for the answer's echo: what stood before other messages of the system.
pub(super) fn instructions<'r>(system: &'r [Block<'r>]) -> Option<&'r str> {
    system.first().and_then(Block::as_text)
}
