//! Reasoning items: a summary, the thinking itself where the vendor shows it, and a proof.
//!
//! One item is one block of each sort: its parts are joined by an empty line, as clients show them.
//! The proof stands at the last block, or alone where there is no text.

use crate::chat::{At, Block, BlockKind, Signature, Text, Thinking, Vendor};
use crate::framing::json::{JsonWriter, Node};

/// Between two parts of one item.
pub(super) const GAP: &str = "\n\n";

/// The blocks of a reasoning item; none where it shows nothing and proves nothing. `keeps_empty`: the
/// bare id of such an item is worth a block (in a request: the vendor stored the item).
pub(super) fn read<'a>(item: &Node<'a>, keeps_empty: bool) -> Vec<Block<'a>> {
    let id = item.text_of("id").filter(|id| !id.is_empty());
    let mut signature = read_proof(item);
    let sorts = [(joined(item, "summary"), true), (joined(item, "content"), false)];
    let texts = sorts.into_iter().filter(|(text, _)| !text.is_empty());
    let mut blocks: Vec<Block<'a>> = texts
        .map(|(text, is_summary)| {
            BlockKind::Thinking(Thinking { text, signature: None, is_summary, item_id: id.clone() })
        })
        .map(|kind| Block::new(kind).at(At::of(item)))
        .collect();
    match blocks.last_mut() {
        Some(Block { kind: BlockKind::Thinking(last), .. }) => last.signature = signature.take(),
        _ => {
            // Thinking that its vendor signs and does not show: an empty part tells it from thinking that
            // is hidden (see `signs_nothing_shown`).
            let has_part = item.get("summary").is_some_and(|parts| !parts.items().is_empty());
            let alone = match signature {
                Some(signature) if has_part && signature.vendor != Vendor::OpenAi => {
                    let text = Text::Borrowed("");
                    let signature = Some(signature);
                    let is_summary = false;
                    Some(BlockKind::Thinking(Thinking { text, signature, is_summary, item_id: None }))
                }
                Some(signature) => Some(BlockKind::Redacted(signature)),
                None if keeps_empty && id.is_some() => Some(BlockKind::Thinking(Thinking {
                    text: Text::Borrowed(""),
                    signature: None,
                    is_summary: true,
                    item_id: id,
                })),
                None => None,
            };
            blocks.extend(alone.map(|kind| Block::new(kind).at(At::of(item))));
        }
    }
    blocks
}

/// `encrypted_content`. An envelope around nothing, which says that nobody signed, is none.
pub(super) fn read_proof<'a>(item: &Node<'a>) -> Option<Signature<'a>> {
    let slot = item.text_of("encrypted_content").filter(|slot| !slot.is_empty())?;
    let signature = Signature::from_slot(slot, Vendor::OpenAi);
    (signature.vendor != Vendor::Unsigned || !signature.data.is_empty()).then_some(signature)
}

/// What stands in `encrypted_content` towards a client. Thinking without a proof gets an envelope
/// around nothing: clients drop reasoning with an empty slot, and then the next turn lacks it.
pub(super) fn slot_for_client<'s>(signature: Option<&'s Signature<'_>>) -> Text<'s> {
    match signature {
        Some(signature) => signature.to_slot(Vendor::OpenAi),
        None => Text::Owned(Signature::new(Vendor::Unsigned, "").to_slot(Vendor::OpenAi).into_owned()),
    }
}

/// Whether thinking without words is told with an empty part: another vendor's, whose hidden thinking is
/// another block with another proof, and must not be taken for it on the next turn.
pub(super) fn signs_nothing_shown(text: &str, signature: Option<&Signature<'_>>) -> bool {
    text.is_empty() && signature.is_some_and(|proof| proof.vendor != Vendor::OpenAi)
}

/// The texts of `summary` or `content`.
fn joined<'a>(item: &Node<'a>, key: &str) -> Text<'a> {
    let parts = item.get(key).map(Node::items).unwrap_or_default();
    let mut texts = parts.iter().filter_map(|part| part.text_of("text").or_else(|| part.text()));
    let Some(mut all) = texts.next() else { return Text::Borrowed("") };
    for text in texts {
        let whole = all.to_mut();
        whole.push_str(GAP);
        whole.push_str(&text);
    }
    all
}

/// What is written of one reasoning item.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Item<'i> {
    pub(super) id: Option<&'i str>,
    pub(super) summary: Option<&'i str>,
    pub(super) content: Option<&'i str>,
    pub(super) encrypted: Option<&'i str>,
}

impl Item<'_> {
    pub(super) fn write(&self, w: &mut JsonWriter<'_>) {
        w.object(|w| {
            w.field_opt_str("id", self.id);
            w.field_str("type", "reasoning");
            w.field_array("summary", |w| {
                if let Some(text) = self.summary {
                    part(w, "summary_text", text);
                }
            });
            if let Some(text) = self.content {
                w.field_array("content", |w| part(w, "reasoning_text", text));
            }
            w.field_opt_str("encrypted_content", self.encrypted);
        });
    }
}

/// A `summary_text` or `reasoning_text` part.
pub(super) fn part(w: &mut JsonWriter<'_>, kind: &str, text: &str) {
    w.object(|w| {
        w.field_str("type", kind);
        w.field_str("text", text);
    });
}
