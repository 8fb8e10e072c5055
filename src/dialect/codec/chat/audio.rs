//! Spoken answers: `message.audio`, `delta.audio`.

use crate::chat::{Block, BlockKind, Extra, Media, Source, Text};
use crate::framing::json::{JsonWriter, Node};

use super::extra;

/// Reads `message.audio`; None where there is no sound in it (Snowflake sends empty ones). What the
/// block cannot say (`id`, `expires_at`, `transcript`) is kept beside it.
pub(super) fn read<'a>(node: &Node<'a>) -> Option<Block<'a>> {
    let data = node.text_of("data").filter(|data| !data.is_empty())?;
    let block = Block::new(sound(data));
    Some(Block { extra: extra::of(node, &["data"]), ..block })
}

/// Sound as a block; chat does not say of which kind it is.
pub(super) fn sound(data: Text<'_>) -> BlockKind<'_> {
    BlockKind::Audio(Media { source: Source::Base64(data), mime: None, name: None, detail: None })
}

/// Writes `audio` of an answer. OpenAI's type demands all four fields. False where nothing was written.
pub(super) fn write(media: &Media<'_>, rest: &Extra<'_>, token: &str, w: &mut JsonWriter<'_>) -> bool {
    let Source::Base64(data) = &media.source else { return false };
    w.field_object("audio", |w| {
        if rest.get("id").is_none() {
            w.key("id");
            w.string_of(["audio_", token]);
        }
        w.field_str("data", data);
        if rest.get("expires_at").is_none() {
            w.field_u64("expires_at", 0);
        }
        if rest.get("transcript").is_none() {
            w.field_str("transcript", "");
        }
        extra::write(rest, &[], w);
    });
    true
}
