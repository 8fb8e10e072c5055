//! Output items and the response object, as clients get them: whole answers and streams write the same.

use super::parts::write_extra;
use super::stop::Ended;
use super::{reasoning, usage};
use crate::chat::{BlockKind, Extra, Media, Response, Source, ToolUse, pack_id};
use crate::framing::json::{Duplicates, JsonWriter, Node, parse};
use crate::types::{Protocol, Usage};

/// Members of an answer where the request is not known: SDKs want them there.
const NO_ECHO: &str = concat!(
    r#""instructions":null,"max_output_tokens":null,"metadata":{},"parallel_tool_calls":true,"#,
    r#""previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,"#,
    r#""temperature":1,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"#,
    r#""top_p":1,"truncation":"disabled""#
);
/// Tiers an SDK of OpenAI's knows.
const TIERS: [&str; 7] = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"];

/// The response object around its output.
pub(super) struct Shell<'s> {
    pub(super) id: &'s str,
    pub(super) created: u64,
    pub(super) model: &'s str,
    /// None: in progress.
    pub(super) ended: Option<Ended>,
    pub(super) usage: Option<&'s Usage>,
    pub(super) service_tier: Option<&'s str>,
    pub(super) echo: &'s str,
    pub(super) extra: Option<&'s Extra<'s>>,
}

impl Shell<'_> {
    /// `output`: writes the elements.
    pub(super) fn write(&self, w: &mut JsonWriter<'_>, output: impl FnOnce(&mut JsonWriter<'_>)) {
        w.object(|w| {
            w.field_str("id", self.id);
            w.field_str("object", "response");
            w.field_u64("created_at", self.created);
            w.field_str("status", self.ended.map_or("in_progress", Ended::status));
            w.field_bool("background", false);
            w.key("error");
            match self.ended {
                Some(Ended::Failed) => w.object(|w| {
                    w.field_str("code", "server_error");
                    w.field_str("message", "the provider could not finish its answer");
                }),
                _ => w.null(),
            }
            w.key("incomplete_details");
            match self.ended {
                Some(Ended::Incomplete(reason)) => w.object(|w| w.field_str("reason", reason)),
                _ => w.null(),
            }
            w.field_str("model", self.model);
            w.field_array("output", output);
            w.key("usage");
            usage::write(w, self.usage);
            if let Some(tier) = self.service_tier.filter(|tier| TIERS.contains(tier)) {
                w.field_str("service_tier", tier);
            }
            self.write_members(w);
        });
    }

    fn write_members(&self, w: &mut JsonWriter<'_>) {
        let echo = if self.echo.is_empty() { NO_ECHO } else { self.echo };
        // Members without braces are as good as one value: what matters is the comma before them.
        w.raw(echo);
        let Some(extra) = self.extra else { return };
        for field in extra.for_protocol(Protocol::Responses) {
            if field.name != "error" {
                w.field_raw(&field.name, field.value.as_str());
            }
        }
    }
}

/// The id the answer has. Never the provider's: the answer is kept here under it, and nobody else can
/// promise that it is given once, and cannot be guessed.
pub(super) fn response_id(token: &str) -> String {
    format!("resp_{token}")
}

/// The id of the `number`th item.
pub(super) fn item_id(prefix: &str, token: &str, number: u64) -> String {
    format!("{prefix}_{token}_{number}")
}

/// A message; `content` writes its parts.
pub(super) fn message(
    w: &mut JsonWriter<'_>,
    id: &str,
    status: &str,
    extra: &Extra<'_>,
    content: impl FnOnce(&mut JsonWriter<'_>),
) {
    w.object(|w| {
        w.field_str("id", id);
        w.field_str("type", "message");
        w.field_str("status", status);
        w.field_str("role", "assistant");
        w.field_array("content", content);
        write_extra(w, extra);
    });
}

/// An `output_text`; `annotations` writes the elements, `logprobs` are elements already.
pub(super) fn text_part(
    w: &mut JsonWriter<'_>,
    text: &str,
    annotations: impl FnOnce(&mut JsonWriter<'_>),
    logprobs: &str,
) {
    w.object(|w| {
        w.field_str("type", "output_text");
        w.field_str("text", text);
        w.field_array("annotations", annotations);
        w.field_array("logprobs", |w| {
            if !logprobs.is_empty() {
                w.raw(logprobs);
            }
        });
    });
}

pub(super) fn refusal_part(w: &mut JsonWriter<'_>, words: &str) {
    w.object(|w| {
        w.field_str("type", "refusal");
        w.field_str("refusal", words);
    });
}

/// A `function_call` or `custom_tool_call`; `call_id` as [`call_id`] gives it.
pub(super) fn call(
    w: &mut JsonWriter<'_>,
    id: &str,
    call_id: &str,
    call: &ToolUse<'_>,
    status: &str,
    extra: &Extra<'_>,
) {
    w.object(|w| {
        w.field_str("id", id);
        w.field_str("type", if call.is_custom { "custom_tool_call" } else { "function_call" });
        w.field_str("status", status);
        w.field_str(if call.is_custom { "input" } else { "arguments" }, &call.arguments);
        w.field_str("call_id", call_id);
        w.field_str("name", &call.name);
        write_extra(w, extra);
    });
}

/// The id under which the client sees the call: signed where the vendor's proof must come back, and
/// made up where the vendor gave none.
pub(super) fn call_id(call: &ToolUse<'_>, token: &str, number: u64) -> String {
    let id = if call.id.is_empty() { item_id("call", token, number) } else { call.id.to_string() };
    pack_id(&id, call.signature.as_ref()).into_owned()
}

/// A block that comes whole: hidden reasoning, a painted image, an item of this protocol. False, and
/// nothing written, for one that has no form here.
pub(super) fn whole(w: &mut JsonWriter<'_>, kind: &BlockKind<'_>, token: &str, number: u64) -> bool {
    match kind {
        BlockKind::Redacted(signature) => {
            let id = item_id("rs", token, number);
            let slot = reasoning::slot_for_client(Some(signature));
            reasoning::Item { id: Some(&id), encrypted: Some(&slot), ..Default::default() }.write(w);
        }
        BlockKind::Image(Media { source: Source::Base64(data), .. }) => w.object(|w| {
            w.field_str("id", &item_id("ig", token, number));
            w.field_str("type", "image_generation_call");
            w.field_str("status", "completed");
            w.field_str("result", data);
        }),
        BlockKind::Opaque { of: Protocol::Responses, json, .. } => w.raw(json.as_str()),
        _ => return false,
    }
    true
}

/// The token entries in chat's form of log probabilities, as elements.
pub(super) fn logprob_elements(json: &str) -> String {
    let Ok(node) = parse(json, Duplicates::LastCounts) else { return String::new() };
    let list = node.get("content").filter(|list| list.is_array());
    elements(list.map(Node::raw).unwrap_or_default()).to_owned()
}

/// What stands between the brackets.
fn elements(array: &str) -> &str {
    let inner = array.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or_default().trim()
}

/// The usage, tier and extras an answer brings itself.
pub(super) fn shell<'s>(
    response: &'s Response<'s>,
    id: &'s str,
    model: &'s str,
    created: u64,
    echo: &'s str,
) -> Shell<'s> {
    Shell {
        id,
        created: response.created.unwrap_or(created),
        model,
        ended: None,
        usage: response.usage.as_ref(),
        service_tier: response.service_tier.as_deref(),
        echo,
        extra: Some(&response.extra),
    }
}
