//! Blocks as the parts of a content, for the model and for clients.

use super::names::write_extra;
use super::{media, signature};
use crate::chat::{
    Block, BlockKind, Extra, Feature, Losses, Signature, Thinking, ToolResult, ToolUse, Vendor, freeform,
};
use crate::framing::json::{Duplicates, JsonWriter, parse};
use crate::types::Protocol;
use std::borrow::Cow;

/// A part to be written.
pub(super) struct Outgoing<'r> {
    pub body: Body<'r>,
    pub signature: Option<Cow<'r, str>>,
}

pub(super) enum Body<'r> {
    Text {
        text: &'r str,
        is_thought: bool,
        extra: Option<&'r Extra<'r>>,
    },
    /// `is_wrapped`: a custom tool's call, as that of the function that stands for the tool.
    Call {
        id: Cow<'r, str>,
        call: &'r ToolUse<'r>,
        extra: &'r Extra<'r>,
        is_wrapped: bool,
    },
    Result(Answer<'r>),
    Media(&'r Block<'r>),
    Raw(&'r str),
}

/// A `functionResponse`.
pub(super) struct Answer<'r> {
    pub name: Cow<'r, str>,
    pub result: &'r ToolResult<'r>,
    pub extra: &'r Extra<'r>,
    /// Media go into the response's own `parts`; else they stand behind it.
    pub holds_media: bool,
}

/// For whom parts are made.
pub(super) enum For<'l> {
    /// For Gemini: only what it signed itself goes back, the rest is noted here.
    Model(&'l mut Losses),
    /// For a Gemini client: it carries anybody's proofs, in envelopes. Calls without an id get one
    /// that begins with this.
    Client(&'l str),
}

/// Makes the parts of one speaker's blocks. Tool results are not made here: they need their calls.
pub(super) struct Lowering<'r, 'l> {
    whom: For<'l>,
    parts: Vec<Outgoing<'r>>,
    /// A signature for the part that comes next.
    pending: Option<Cow<'r, str>>,
}

impl<'r, 'l> Lowering<'r, 'l> {
    pub(super) fn new(whom: For<'l>) -> Self {
        Self { whom, parts: Vec::new(), pending: None }
    }

    pub(super) fn finish(mut self) -> Vec<Outgoing<'r>> {
        self.flush();
        self.parts
    }

    /// A signature whose part did not come stands on one of its own.
    fn flush(&mut self) {
        if self.pending.is_some() {
            self.text("", false, None);
        }
    }

    fn text(&mut self, text: &'r str, is_thought: bool, extra: Option<&'r Extra<'r>>) {
        let signature = self.pending.take();
        if text.is_empty() && signature.is_none() {
            return;
        }
        self.parts.push(Outgoing { body: Body::Text { text, is_thought, extra }, signature });
    }

    pub(super) fn block(&mut self, block: &'r Block<'r>) {
        match &block.kind {
            BlockKind::Text { text, .. } => self.text(text, false, Some(&block.extra)),
            BlockKind::Refusal(text) => self.text(text, false, None),
            BlockKind::Thinking(thinking) => self.thinking(thinking, block),
            BlockKind::Redacted(proof) => self.redacted(proof, block),
            BlockKind::ToolUse(call) => self.call(call, block),
            BlockKind::Image(_) | BlockKind::Document(_) | BlockKind::Audio(_) | BlockKind::Video(_) => {
                let signature = self.pending.take();
                self.parts.push(Outgoing { body: Body::Media(block), signature });
            }
            BlockKind::Opaque { of: Protocol::Generate, json, .. } => {
                self.flush();
                self.parts.push(Outgoing { body: Body::Raw(json.as_str()), signature: None });
            }
            BlockKind::Opaque { .. } | BlockKind::ToolResult(_) => {}
        }
    }

    fn thinking(&mut self, thinking: &'r Thinking<'r>, block: &'r Block<'r>) {
        let proof = thinking.signature.as_ref().filter(|proof| proof.vendor != Vendor::Unsigned);
        let slot = match (&mut self.whom, proof) {
            (For::Model(_), None) => None,
            (For::Model(losses), Some(proof)) if proof.vendor != Vendor::Gemini => {
                return losses.push(Feature::ForeignThinking, block.at);
            }
            (For::Model(_), Some(proof)) => Some(Cow::Borrowed(proof.data.as_ref())),
            (For::Client(_), _) => thinking.signature.as_ref().map(signature::to_slot),
        };
        self.flush();
        self.pending = slot;
        if !thinking.text.is_empty() {
            self.text(&thinking.text, true, Some(&block.extra));
        }
    }

    fn redacted(&mut self, proof: &'r Signature<'r>, block: &'r Block<'r>) {
        self.flush();
        let slot = match &mut self.whom {
            For::Model(losses) if proof.vendor != Vendor::Gemini => {
                return losses.push(Feature::ForeignThinking, block.at);
            }
            _ => signature::to_redacted_slot(proof),
        };
        self.pending = Some(slot);
        self.text("", proof.vendor != Vendor::Gemini, None);
    }

    fn call(&mut self, call: &'r ToolUse<'r>, block: &'r Block<'r>) {
        self.flush();
        let is_for_model = matches!(self.whom, For::Model(_));
        let id = match &self.whom {
            For::Client(prefix) if call.id.is_empty() => format!("{prefix}_{}", self.parts.len()).into(),
            _ => Cow::Borrowed(call.id.as_ref()),
        };
        let proof = call.signature.as_ref().filter(|proof| !is_for_model || proof.vendor == Vendor::Gemini);
        let body = Body::Call { id, call, extra: &block.extra, is_wrapped: is_for_model && call.is_custom };
        self.parts.push(Outgoing { body, signature: proof.map(signature::to_slot) });
    }
}

impl Outgoing<'_> {
    pub(super) fn write(&self, w: &mut JsonWriter<'_>) {
        if let Body::Raw(json) = self.body {
            return w.raw(json);
        }
        w.object(|w| {
            match &self.body {
                Body::Text { text, is_thought, extra } => {
                    w.field_str("text", text);
                    if *is_thought {
                        w.field_bool("thought", true);
                    }
                    extra.iter().for_each(|extra| write_extra(w, extra, ""));
                }
                Body::Call { id, call, extra, is_wrapped } => write_call(w, id, call, extra, *is_wrapped),
                Body::Result(answer) => answer.write(w),
                Body::Media(block) => {
                    if let Some(medium) = media::of_block(&block.kind) {
                        media::write(w, &block.kind, medium, &block.extra);
                        write_extra(w, &block.extra, "");
                    }
                }
                Body::Raw(_) => {}
            }
            w.field_opt_str("thoughtSignature", self.signature.as_deref());
        });
    }
}

fn write_call(w: &mut JsonWriter<'_>, id: &str, call: &ToolUse<'_>, extra: &Extra<'_>, is_wrapped: bool) {
    w.field_object("functionCall", |w| {
        if !id.is_empty() {
            w.field_str("id", id);
        }
        if is_wrapped {
            w.field_str("name", &freeform::wrap_name(&call.name));
            w.field_raw("args", &freeform::wrap_input(&call.arguments));
        } else {
            w.field_str("name", &call.name);
            w.field_raw("args", &call.arguments_object());
        }
        write_extra(w, extra, "functionCall");
    });
    write_extra(w, extra, "");
}

impl Answer<'_> {
    fn write(&self, w: &mut JsonWriter<'_>) {
        let own_media = |block: &&Block<'_>| self.holds_media && block.as_text().is_none();
        w.field_object("functionResponse", |w| {
            if !self.result.id.is_empty() {
                w.field_str("id", &self.result.id);
            }
            w.field_str("name", &self.name);
            w.key("response");
            write_said(w, &self.result.joined_text(), self.result.is_error);
            if self.result.content.iter().any(|block| own_media(&block)) {
                w.field_array("parts", |w| {
                    self.result.content.iter().filter(own_media).for_each(|block| write_inner(w, block));
                });
            }
            write_extra(w, self.extra, "functionResponse");
        });
        write_extra(w, self.extra, "");
    }
}

fn write_inner(w: &mut JsonWriter<'_>, block: &Block<'_>) {
    if let BlockKind::Opaque { of: Protocol::Generate, json, .. } = &block.kind {
        return w.raw(json.as_str());
    }
    if media::of_block(&block.kind).is_some() {
        Outgoing { body: Body::Media(block), signature: None }.write(w);
    }
}

/// A tool's words as the object Gemini wants: an object as it is, other text in `result`, a failure
/// in `error`.
fn write_said(w: &mut JsonWriter<'_>, text: &str, is_error: bool) {
    let is_object = parse(text, Duplicates::LastCounts).is_ok_and(|node| node.is_object());
    match (is_error, is_object) {
        (false, true) => w.raw(text),
        (true, true) => w.object(|w| w.field_raw("error", text)),
        (true, false) => w.object(|w| w.field_str("error", text)),
        // A tool that only gave a picture, say.
        (false, false) if text.is_empty() => w.object(|_| {}),
        (false, false) => w.object(|w| w.field_str("result", text)),
    }
}
