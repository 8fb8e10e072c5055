//! Pictures: base64 beside a message's text.

use crate::chat::{At, Block, BlockKind, Media, Refused, Source, Text};
use crate::framing::json::{JsonWriter, Node};

/// Reads `images` of a message. Some clients send data URLs, which newer servers take.
pub(super) fn read<'a>(message: &Node<'a>) -> Result<Vec<Block<'a>>, Refused> {
    let Some(list) = message.get("images") else { return Ok(Vec::new()) };
    if !list.is_array() {
        return Err(Refused::new(At::of(list), format!("`images` must be a list, not {}", list.kind())));
    }
    list.items().iter().map(one).collect()
}

fn one<'a>(node: &Node<'a>) -> Result<Block<'a>, Refused> {
    let Some(data) = node.text().filter(|data| !data.is_empty()) else {
        return Err(Refused::new(At::of(node), "an image must be base64 in a string"));
    };
    let data = match (data.starts_with("data:"), data) {
        (false, data) => data,
        (true, Text::Borrowed(url)) => Text::Borrowed(after_comma(url)),
        (true, Text::Owned(url)) => Text::Owned(after_comma(&url).to_owned()),
    };
    let mime = Some(Text::Borrowed(kind(&data)));
    let media = Media { source: Source::Base64(data), mime, name: None, detail: None };
    Ok(Block::new(BlockKind::Image(media)).at(At::of(node)))
}

fn after_comma(url: &str) -> &str {
    url.split_once(',').map_or("", |(_, data)| data)
}

/// Ollama does not say: by how the kinds of pictures begin.
fn kind(data: &str) -> &'static str {
    const STARTS: [(&str, &str); 3] = [("/9j/", "image/jpeg"), ("R0lG", "image/gif"), ("UklG", "image/webp")];
    let found = STARTS.iter().find(|(start, _)| data.starts_with(start));
    found.map_or("image/png", |(_, mime)| mime)
}

/// The base64 of a picture; None for anything else.
pub(super) fn data<'b>(block: &'b Block<'_>) -> Option<&'b str> {
    match &block.kind {
        BlockKind::Image(Media { source: Source::Base64(data), .. }) => Some(data),
        _ => None,
    }
}

/// Writes `images`, where there are any.
pub(super) fn write<'b>(images: impl Iterator<Item = &'b str>, w: &mut JsonWriter<'_>) {
    let mut images = images.peekable();
    if images.peek().is_some() {
        w.field_array("images", |w| images.for_each(|data| w.string(data)));
    }
}
