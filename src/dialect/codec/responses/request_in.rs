//! From a client's Responses request to the canonical form.

use super::read::{flag, list, needed, object, text, whole, wrong};
use super::{items_in, settings, tools_in};
use crate::chat::{
    At, Block, Effort, Extra, Feature, Field, OutputFormat, Raw, Reasoning, Refused, Request, Setting, Text,
};
use crate::dialect::codec::Called;
use crate::framing::json::{JsonWriter, Node};
use crate::types::Protocol;

/// The members that have a place, beside the flat parameters.
const KNOWN: [&str; 15] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "reasoning",
    "text",
    "include",
    "stream",
    "stream_options",
    "truncation",
    "context_management",
    "background",
];
pub(super) const INCLUDE_ENCRYPTED: &str = "reasoning.encrypted_content";
pub(super) const INCLUDE_LOGPROBS: &str = "message.output_text.logprobs";
/// Before the name of a member of `text` that is unknown.
pub(super) const IN_TEXT: &str = "text.";

/// Reads a request. What `previous_response_id` and `conversation` stand for is in `input` by now, put
/// there by a store in front; where they still stand, only who speaks Responses can know them: they are
/// extras.
///
/// # Errors
/// [`Refused`] at the first member that is no valid request.
pub fn decode_request<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    if !root.is_object() {
        return Err(wrong(root, "a request (an object)"));
    }
    let model = match (root.get("model"), called.model) {
        (None, Some(model)) => Text::Owned(model.to_owned()),
        _ => needed(root, "model")?,
    };
    let mut request = Request::new(Protocol::Responses, model);
    request.extra = Extra::of(Protocol::Responses, root, &KNOWN);
    request.extra.fields.retain(|field| !settings::is_known(&field.name));
    instructions(root, &mut request)?;
    if let Some(input) = root.get("input") {
        let items = items_in::read(input)?;
        request.system.extend(items.system);
        request.turns = items.turns;
    }
    request.tools = tools_in::read(root)?;
    request.tool_choice = tools_in::choice(root)?;
    request.parallel_tools = flag(root, "parallel_tool_calls")?;
    request.max_output = whole(root, "max_output_tokens")?;
    request.reasoning = reasoning(root)?;
    request.is_stream = called.is_stream.or(flag(root, "stream")?).unwrap_or(false);
    request.wants_usage = true;
    let read = settings::read(root)?;
    request.settings = read.read;
    for name in read.left {
        leave(root, name, &mut request);
    }
    text_options(root, &mut request)?;
    include(root, &mut request)?;
    context(root, &mut request)?;
    if flag(root, "background")? == Some(true) {
        leave(root, "background", &mut request);
    }
    request.extra.of = (!request.extra.fields.is_empty()).then_some(Protocol::Responses);
    Ok(request)
}

/// Keeps a known member as one that has no place.
fn leave<'a>(root: &Node<'a>, name: &'static str, request: &mut Request<'a>) {
    if let Some(node) = root.get(name) {
        let field = Field { name: Text::Borrowed(name), at: At::of(node), value: Raw::of(node) };
        request.extra.fields.push(field);
    }
}

fn instructions<'a>(root: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    let words = text(root, "instructions")?.filter(|words| !words.is_empty());
    if let (Some(words), Some(node)) = (words, root.get("instructions")) {
        request.system.push(Block::text(words).at(At::of(node)));
    }
    Ok(())
}

fn reasoning<'a>(root: &Node<'a>) -> Result<Option<Reasoning<'a>>, Refused> {
    let Some(node) = object(root, "reasoning")? else { return Ok(None) };
    let known = ["effort", "summary", "generate_summary"];
    let mut reasoning = Reasoning {
        at: At::of(node),
        extra: Extra::of(Protocol::Responses, node, &known),
        ..Default::default()
    };
    match text(node, "effort")?.as_deref() {
        None => {}
        Some("none") => reasoning.is_off = true,
        Some(word) => {
            let effort = Effort::of(word).ok_or_else(|| {
                let at = At::of(node.get("effort").unwrap_or(node));
                Refused::new(at, "an effort is one of none, minimal, low, medium, high, xhigh, max")
            })?;
            reasoning.effort = Some(effort);
        }
    }
    reasoning.summary = text(node, "summary")?.or(text(node, "generate_summary")?);
    reasoning.is_shown = reasoning.summary.is_some().then_some(true);
    let says_nothing = reasoning == Reasoning::default();
    Ok((!says_nothing).then_some(reasoning))
}

/// `text{format,verbosity}`.
fn text_options<'a>(root: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    let Some(node) = object(root, "text")? else { return Ok(()) };
    if let Some(verbosity) = node.get("verbosity") {
        if !verbosity.is_string() {
            return Err(wrong(verbosity, "a string"));
        }
        let setting =
            Setting { feature: Feature::Verbosity, at: At::of(verbosity), value: Raw::of(verbosity) };
        request.settings.push(setting);
    }
    if let Some(format) = object(node, "format")? {
        request.output = output(format)?;
    }
    for mut field in Extra::of(Protocol::Responses, node, &["verbosity", "format"]).fields {
        field.name = Text::Owned(format!("{IN_TEXT}{}", field.name));
        request.extra.fields.push(field);
    }
    Ok(())
}

fn output<'a>(format: &Node<'a>) -> Result<Option<OutputFormat<'a>>, Refused> {
    match needed(format, "type")?.as_ref() {
        "text" => Ok(None),
        "json_object" => Ok(Some(OutputFormat::Json)),
        "json_schema" => {
            // Chat has the schema one object deeper.
            let of = object(format, "json_schema")?.unwrap_or(format);
            let Some(schema) = object(of, "schema")? else {
                return Err(Refused::new(At::of(of), "`schema` is missing here"));
            };
            Ok(Some(OutputFormat::Schema {
                name: text(of, "name")?,
                description: text(of, "description")?,
                schema: Raw::of(schema),
                strict: flag(of, "strict")?,
            }))
        }
        _ => Err(Refused::new(At::of(format), "a format's type is one of text, json_object, json_schema")),
    }
}

/// Encrypted reasoning is always given and log probabilities are a setting; the rest is left over.
fn include<'a>(root: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    let mut left: Vec<&Node<'a>> = Vec::new();
    for node in list(root, "include")? {
        match node.text().as_deref() {
            None => return Err(wrong(node, "a string")),
            Some(INCLUDE_ENCRYPTED) => {}
            Some(INCLUDE_LOGPROBS) => {
                let value = Raw(Text::Borrowed("true"));
                request.settings.retain(|setting| setting.feature != Feature::Logprobs);
                request.settings.push(Setting { feature: Feature::Logprobs, at: At::of(node), value });
            }
            Some(_) => left.push(node),
        }
    }
    let Some(first) = left.first() else { return Ok(()) };
    let mut json = Vec::new();
    JsonWriter::new(&mut json).array(|w| left.iter().for_each(|node| w.raw(node.raw())));
    let value = Raw(Text::Owned(String::from_utf8(json).unwrap_or_default()));
    request.extra.fields.push(Field { name: Text::Borrowed("include"), at: At::of(first), value });
    Ok(())
}

/// `truncation` and `context_management` are one feature. Streams are not obfuscated here, whether
/// that was asked for or not.
fn context<'a>(root: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    let truncation = text(root, "truncation")?.filter(|word| word != "disabled");
    let management = list(root, "context_management")?;
    let name = if management.is_empty() { "truncation" } else { "context_management" };
    if let Some(node) = root.get(name)
        && (truncation.is_some() || !management.is_empty())
    {
        let setting = Setting { feature: Feature::ContextManagement, at: At::of(node), value: Raw::of(node) };
        request.settings.push(setting);
    }
    if truncation.is_some() && !management.is_empty() {
        leave(root, "truncation", request);
    }
    let options = object(root, "stream_options")?;
    let is_known =
        |(name, _): &(Text<'a>, Node<'a>)| matches!(name.as_ref(), "include_obfuscation" | "include_usage");
    if options.is_some_and(|options| !options.entries().iter().all(is_known)) {
        leave(root, "stream_options", request);
    }
    Ok(())
}
