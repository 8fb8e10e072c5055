//! Images and documents that a request names by URL.

use super::block::{Block, BlockKind, Media, Source};
use super::request::Request;
use super::text::{At, Text};

/// What kind of thing a URL is said to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemoteKind {
    Image,
    Document,
}

impl<'a> Request<'a> {
    /// Shows every image and document given by URL, also those in tools' results, in their order.
    pub fn each_remote(&mut self, visit: &mut dyn FnMut(RemoteKind, At, &mut Media<'a>)) {
        let turns = self.turns.iter_mut().flat_map(|turn| &mut turn.blocks);
        self.system.iter_mut().chain(turns).for_each(|block| each(block, visit));
    }
}

fn each<'a>(block: &mut Block<'a>, visit: &mut dyn FnMut(RemoteKind, At, &mut Media<'a>)) {
    let at = block.at;
    match &mut block.kind {
        BlockKind::Image(media) if media.url().is_some() => visit(RemoteKind::Image, at, media),
        BlockKind::Document(media) if media.url().is_some() => visit(RemoteKind::Document, at, media),
        // Results hold texts and media; a result inside a result is no thing of any protocol.
        BlockKind::ToolResult(result) => {
            for inner in &mut result.content {
                if !matches!(inner.kind, BlockKind::ToolResult(_)) {
                    each(inner, visit);
                }
            }
        }
        _ => {}
    }
}

impl<'a> Media<'a> {
    /// The URL it is to be fetched from.
    pub fn url(&self) -> Option<&Text<'a>> {
        match &self.source {
            Source::Url(url) => Some(url),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Role, ToolResult, Turn};
    use crate::types::Protocol;

    fn image(url: &'static str) -> Block<'static> {
        let source = Source::Url(url.into());
        Block::new(BlockKind::Image(Media { source, mime: None, name: None, detail: None }))
    }

    #[test]
    fn urls_are_found_in_turns_and_results_and_can_be_replaced() {
        let result = ToolResult {
            id: "1".into(),
            name: None,
            content: vec![image("http://b/")],
            is_error: false,
            is_custom: false,
        };
        let mut request = Request::new(Protocol::Chat, "m");
        let blocks =
            vec![image("http://a/"), Block::new(BlockKind::ToolResult(result)), Block::text("http://c/")];
        request.turns.push(Turn::new(Role::User, blocks));
        let mut seen = Vec::new();
        request.each_remote(&mut |kind, _, media| {
            seen.push((kind, media.url().unwrap().to_string()));
            media.source = Source::Base64("QQ==".into());
        });
        let of = |url: &str| (RemoteKind::Image, url.to_owned());
        assert_eq!(seen, [of("http://a/"), of("http://b/")]);
        request.each_remote(&mut |_, _, _| panic!("none is left"));
    }
}
