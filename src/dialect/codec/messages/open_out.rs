//! A block of a stream for a Messages client, open or waiting for its turn, and the frames of both.

use super::client_block::{signature_slot, write_citation};
use crate::chat::{Citation, Delta, Signature};
use crate::dialect::keepalive::{self, OpenBlock};
use crate::framing::json::JsonWriter;
use std::borrow::Cow;

/// Most that one waiting block gathers.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// Most citations of it.
const CITATIONS_MAX: usize = 64;

/// A block whose start is written.
pub(super) struct Open {
    pub(super) block: u32,
    pub(super) index: u32,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Thinking {
        is_signed: bool,
    },
    Tool,
    /// Its input is free text, told as the JSON string that holds it.
    Freeform,
    /// It came whole.
    Whole,
}

/// A block that opened while another one was open.
pub(super) struct Waiting {
    pub(super) block: u32,
    pub(super) kind: Kind,
    /// Its `content_block`.
    pub(super) start: Vec<u8>,
    pub(super) text: String,
    pub(super) signature: Option<Signature<'static>>,
    pub(super) citations: Vec<Citation<'static>>,
    pub(super) is_stopped: bool,
}

impl Open {
    /// What an empty delta of it looks like.
    pub(super) fn keepalive(&self) -> OpenBlock {
        let kind = match self.kind {
            Kind::Text => keepalive::BlockKind::Text,
            // Behind the signature nothing more belongs into the block.
            Kind::Thinking { is_signed: false } => keepalive::BlockKind::Thinking,
            Kind::Tool | Kind::Freeform => keepalive::BlockKind::ToolInput,
            Kind::Thinking { is_signed: true } | Kind::Whole => keepalive::BlockKind::Other,
        };
        OpenBlock { index: self.index.into(), kind }
    }

    pub(super) fn write(&mut self, piece: &Delta<'_>, out: &mut Vec<u8>) {
        match (piece, self.kind) {
            (Delta::Text(text), Kind::Text) => {
                delta(self.index, "text_delta", out, |w| w.field_str("text", text));
            }
            (Delta::Text(text), Kind::Thinking { .. }) => {
                delta(self.index, "thinking_delta", out, |w| w.field_str("thinking", text));
            }
            (Delta::Arguments(text), Kind::Tool) => {
                delta(self.index, "input_json_delta", out, |w| w.field_str("partial_json", text));
            }
            (Delta::Arguments(text), Kind::Freeform) => {
                let escaped = escaped(text);
                delta(self.index, "input_json_delta", out, |w| w.field_str("partial_json", &escaped));
            }
            (Delta::Signature(signature), Kind::Thinking { is_signed: false }) => {
                self.kind = Kind::Thinking { is_signed: true };
                self.sign(Some(signature), out);
            }
            (Delta::Citation(citation), Kind::Text) => {
                delta(self.index, "citations_delta", out, |w| {
                    w.key("citation");
                    write_citation(citation, w);
                });
            }
            _ => {}
        }
    }

    fn sign(&self, signature: Option<&Signature<'_>>, out: &mut Vec<u8>) {
        let slot = signature_slot(signature);
        delta(self.index, "signature_delta", out, |w| w.field_str("signature", &slot));
    }

    pub(super) fn close(&self, out: &mut Vec<u8>) {
        match self.kind {
            Kind::Thinking { is_signed: false } => self.sign(None, out),
            Kind::Freeform => {
                delta(self.index, "input_json_delta", out, |w| w.field_str("partial_json", "\"}"));
            }
            _ => {}
        }
        frame("content_block_stop", out, |w| w.field_u64("index", self.index.into()));
    }
}

impl Waiting {
    pub(super) fn take(&mut self, piece: &Delta<'_>) {
        match piece {
            Delta::Text(text) | Delta::Arguments(text) => {
                if self.text.len() + text.len() <= WAITING_BYTES_MAX && !self.is_stopped {
                    self.text.push_str(text);
                } else {
                    self.is_stopped = true;
                }
            }
            Delta::Signature(signature) => self.signature = Some(signature.to_static()),
            Delta::Citation(citation) if self.citations.len() < CITATIONS_MAX => {
                self.citations.push(citation.to_static());
            }
            Delta::Citation(_) => {}
        }
    }

    pub(super) fn write(&self, open: &mut Open, out: &mut Vec<u8>) {
        if !self.text.is_empty() {
            let text = Cow::Borrowed(self.text.as_str());
            let is_call = matches!(self.kind, Kind::Tool | Kind::Freeform);
            open.write(&if is_call { Delta::Arguments(text) } else { Delta::Text(text) }, out);
        }
        for citation in &self.citations {
            open.write(&Delta::Citation(citation.to_static()), out);
        }
        if let Some(signature) = &self.signature {
            open.write(&Delta::Signature(signature.to_static()), out);
        }
    }
}

/// The text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    JsonWriter::new(&mut quoted).string(text);
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    String::from_utf8(inner.to_vec()).unwrap_or_default()
}

pub(super) fn frame(name: &str, out: &mut Vec<u8>, fields: impl FnOnce(&mut JsonWriter<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    JsonWriter::new(out).object(|w| {
        w.field_str("type", name);
        fields(w);
    });
    out.extend_from_slice(b"\n\n");
}

pub(super) fn delta(index: u32, kind: &str, out: &mut Vec<u8>, fields: impl FnOnce(&mut JsonWriter<'_>)) {
    frame("content_block_delta", out, |w| {
        w.field_u64("index", index.into());
        w.field_object("delta", |w| {
            w.field_str("type", kind);
            fields(w);
        });
    });
}
