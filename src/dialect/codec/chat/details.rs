//! Elements of `reasoning_details`, the form OpenRouter publishes for thinking that must come back:
//! `{type:"reasoning.text",text,signature,format,index}`, `{type:"reasoning.summary",summary,…}`,
//! `{type:"reasoning.encrypted",data,…}`.
//!
//! Proofs of other vendors stand in `signature` or `data` as envelopes. What is no envelope is an
//! element OpenRouter itself made: its proof is the element's own JSON, of a readable one without the
//! text, which is the block's.

use crate::chat::{BlockKind, Signature, Text, Thinking, Vendor};
use crate::framing::json::{Duplicates, JsonWriter, Node, parse};

const TEXT: &str = "reasoning.text";
const SUMMARY: &str = "reasoning.summary";
const ENCRYPTED: &str = "reasoning.encrypted";
/// OpenRouter's word for a form it does not name.
const FORMAT: &str = "unknown";

/// One element, taken apart.
pub(super) enum Detail<'a> {
    /// Thinking that can be read, or a piece of it.
    Readable {
        text: Text<'a>,
        is_summary: bool,
        item_id: Option<Text<'a>>,
        /// The vendor's proof, where the element has one.
        proof: Option<Signature<'a>>,
        /// The element without its text, where that says more than that there is text.
        rest: Option<String>,
    },
    Hidden(Signature<'a>),
}

impl<'a> Detail<'a> {
    /// None for what is no element at all.
    pub(super) fn read(node: &Node<'a>) -> Option<Self> {
        let kind = node.text_of("type")?;
        let is_summary = kind == SUMMARY;
        if !is_summary && kind != TEXT {
            return Some(Detail::Hidden(hidden(node)));
        }
        let text_key = if is_summary { "summary" } else { "text" };
        let signature = node.text_of("signature").filter(|signature| !signature.is_empty());
        let opened = signature.clone().and_then(opened);
        let is_native = opened.is_none();
        Some(Detail::Readable {
            text: node.text_of(text_key).unwrap_or_default(),
            is_summary,
            item_id: node.text_of("id").filter(|id| opened.is_some() || is_ours(node) && !id.is_empty()),
            proof: opened
                .or_else(|| signature.map(|_| Signature::new(Vendor::OpenRouter, without(node, text_key)))),
            rest: (is_native && says_more(node, text_key)).then(|| without(node, text_key)),
        })
    }

    /// As a block of its own.
    pub(super) fn into_kind(self) -> BlockKind<'a> {
        match self {
            Detail::Hidden(signature) => BlockKind::Redacted(signature),
            Detail::Readable { text, is_summary, item_id, proof, rest } => BlockKind::Thinking(Thinking {
                text,
                signature: proof.or_else(|| rest.map(|rest| Signature::new(Vendor::OpenRouter, rest))),
                is_summary,
                item_id,
            }),
        }
    }
}

/// The content of an envelope.
fn opened(slot: Text<'_>) -> Option<Signature<'_>> {
    let whole = slot.clone();
    let signature = Signature::from_slot(slot, Vendor::OpenRouter);
    (signature.vendor != Vendor::OpenRouter || signature.data != whole).then_some(signature)
}

/// Whether this gateway wrote the element: OpenRouter always names a vendor's format, or null.
fn is_ours(node: &Node<'_>) -> bool {
    node.get("format").is_some_and(|format| format.is(FORMAT))
}

fn hidden<'a>(node: &Node<'a>) -> Signature<'a> {
    let is_encrypted = node.get("type").is_some_and(|kind| kind.is(ENCRYPTED));
    let own = is_encrypted.then(|| node.text_of("data").and_then(opened)).flatten();
    own.unwrap_or_else(|| Signature::new(Vendor::OpenRouter, node.raw()))
}

/// Whether the element holds anything OpenRouter could need besides the text.
fn says_more(node: &Node<'_>, text_key: &str) -> bool {
    !is_ours(node)
        && node.entries().iter().any(|(name, value)| {
            let is_empty = value.is_null() || value.is("");
            !is_empty && ![text_key, "type", "index"].contains(&name.as_ref())
        })
}

fn without(node: &Node<'_>, text_key: &str) -> String {
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(|w| {
        for (name, value) in node.entries().iter().filter(|(name, _)| name != text_key) {
            w.field_raw(name, value.raw());
        }
    });
    String::from_utf8(out).unwrap_or_default()
}

/// Writes thinking as one element, for a client.
pub(super) fn write_thinking(thinking: &Thinking<'_>, index: u32, w: &mut JsonWriter<'_>) {
    write_piece(
        &Piece {
            index,
            is_first: true,
            is_summary: thinking.is_summary,
            item_id: thinking.item_id.as_deref(),
            text: Some(&thinking.text),
            signature: thinking.signature.as_ref(),
        },
        w,
    );
}

/// Writes a proof without words, for a client.
pub(super) fn write_hidden(signature: &Signature<'_>, index: u32, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("type", ENCRYPTED);
        w.field_str("data", &envelope(signature));
        w.field_str("format", FORMAT);
        w.field_u64("index", u64::from(index));
    });
}

/// A piece of an element, or the whole of it.
pub(super) struct Piece<'p> {
    pub(super) index: u32,
    pub(super) is_first: bool,
    pub(super) is_summary: bool,
    pub(super) item_id: Option<&'p str>,
    pub(super) text: Option<&'p str>,
    pub(super) signature: Option<&'p Signature<'p>>,
}

/// Writes the next piece of an element that streams to a client. Readers join the strings of one
/// index, so what names the element stands in its first piece only.
pub(super) fn write_piece(piece: &Piece<'_>, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("type", if piece.is_summary { SUMMARY } else { TEXT });
        if piece.is_first {
            w.field_opt_str("id", piece.item_id);
        }
        w.field_opt_str(if piece.is_summary { "summary" } else { "text" }, piece.text);
        if let Some(signature) = piece.signature {
            w.field_str("signature", &envelope(signature));
        }
        if piece.is_first {
            w.field_str("format", FORMAT);
        }
        w.field_u64("index", u64::from(piece.index));
    });
}

/// What stands in `signature` and `data`: always an envelope, so that it is never taken for
/// OpenRouter's own.
fn envelope<'s>(signature: &'s Signature<'_>) -> Text<'s> {
    let other = if signature.vendor == Vendor::Unsigned { Vendor::OpenRouter } else { Vendor::Unsigned };
    signature.to_slot(other)
}

/// Writes OpenRouter its own element back. False where the proof is no element.
pub(super) fn write_native(text: Option<&str>, signature: &Signature<'_>, w: &mut JsonWriter<'_>) -> bool {
    let Some(element) = native(signature) else { return false };
    let Some(text) = text else {
        w.raw(element.raw());
        return true;
    };
    let is_summary = element.get("type").is_some_and(|kind| kind.is(SUMMARY));
    w.object(|w| {
        for (name, value) in element.entries() {
            w.field_raw(name, value.raw());
        }
        w.field_str(if is_summary { "summary" } else { "text" }, text);
    });
    true
}

/// Whether a proof can go back to OpenRouter.
pub(super) fn is_native(signature: &Signature<'_>) -> bool {
    native(signature).is_some()
}

/// The proof's JSON where it is an element of OpenRouter's.
fn native<'s>(signature: &'s Signature<'_>) -> Option<Node<'s>> {
    if signature.vendor != Vendor::OpenRouter {
        return None;
    }
    parse(&signature.data, Duplicates::LastCounts).ok().filter(|node| node.get("type").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> BlockKind<'static> {
        let node = parse(json, Duplicates::Refuse).unwrap();
        Detail::read(&node).unwrap().into_kind().to_static()
    }

    fn client(kind: &BlockKind<'_>) -> String {
        let mut out = Vec::new();
        let mut w = JsonWriter::new(&mut out);
        match kind {
            BlockKind::Thinking(thinking) => write_thinking(thinking, 3, &mut w),
            BlockKind::Redacted(signature) => write_hidden(signature, 3, &mut w),
            other => panic!("{other:?}"),
        }
        String::from_utf8(out).unwrap()
    }

    fn upstream(kind: &BlockKind<'_>) -> String {
        let mut out = Vec::new();
        let mut w = JsonWriter::new(&mut out);
        let is_written = match kind {
            BlockKind::Thinking(thinking) => {
                write_native(Some(&thinking.text), thinking.signature.as_ref().unwrap(), &mut w)
            }
            BlockKind::Redacted(signature) => write_native(None, signature, &mut w),
            other => panic!("{other:?}"),
        };
        assert!(is_written);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_element_of_openrouter_comes_back_to_it_through_a_client() {
        for element in [
            r#"{"type":"reasoning.text","signature":"Er+/=","format":"anthropic-claude-v1","index":0,"text":"a\"é"}"#,
            r#"{"type":"reasoning.text","id":"reasoning-text-1","format":"anthropic-claude-v1","index":0,"text":"a"}"#,
            r#"{"type":"reasoning.summary","format":"openai-responses-v1","index":0,"summary":"s"}"#,
            r#"{"type":"reasoning.encrypted","data":"gAAA-_=","id":"rs_1","format":"openai-responses-v1","index":1}"#,
            r#"{"type":"reasoning.server_tool_call","id":"x","index":2}"#,
        ] {
            let kind = read(element);
            let seen = client(&kind);
            assert!(seen.contains("\"tg1.r."), "{seen}");
            assert_eq!(read(&seen), kind);
            assert_eq!(upstream(&read(&seen)), element);
        }
    }

    #[test]
    fn a_proof_of_any_vendor_stands_in_an_envelope() {
        for vendor in
            [Vendor::Anthropic, Vendor::Gemini, Vendor::OpenAi, Vendor::OpenRouter, Vendor::Unsigned]
        {
            for data in ["", "EqQB+/="] {
                let signature = Signature::new(vendor, data);
                let thinking = Thinking {
                    text: "hm".into(),
                    signature: Some(signature.clone()),
                    is_summary: true,
                    item_id: Some("rs_1".into()),
                };
                for kind in [BlockKind::Thinking(thinking), BlockKind::Redacted(signature)] {
                    assert_eq!(read(&client(&kind)), kind);
                }
            }
        }
    }

    #[test]
    fn text_without_a_proof_has_none_afterwards() {
        for element in [
            r#"{"type":"reasoning.text","text":"a","index":0,"format":null}"#,
            r#"{"type":"reasoning.text","text":"a","signature":"","index":0,"format":"unknown"}"#,
        ] {
            let BlockKind::Thinking(thinking) = read(element) else { panic!("{element}") };
            assert_eq!((thinking.text.as_ref(), thinking.signature), ("a", None));
        }
    }
}
