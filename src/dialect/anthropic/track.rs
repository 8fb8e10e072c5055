//! Which content block of a stream is open: what an empty delta must fit.

use crate::dialect::keepalive::{BlockKind, OpenBlock};
use memchr::memmem;

/// Follows the stream's events; looks into a body only where a block starts.
pub fn track_block(open: &mut Option<OpenBlock>, name: Option<&[u8]>, data: &[u8]) {
    let name = name.unwrap_or_default();
    if name == b"content_block_start" {
        *open = index(data).map(|index| OpenBlock { index, kind: kind(data) });
    } else if name == b"content_block_stop" || name == b"message_stop" {
        *open = None;
    }
}

fn index(data: &[u8]) -> Option<u64> {
    let at = memmem::find(data, b"\"index\":")? + b"\"index\":".len();
    let rest = data.get(at..)?.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

/// By the first of the block types the event names: `content_block` starts with its type.
fn kind(data: &[u8]) -> BlockKind {
    let Some(at) = memmem::find(data, b"\"content_block\"") else { return BlockKind::Other };
    let block = data.get(at..).unwrap_or_default();
    let is = |word: &[u8]| memmem::find(block, word).is_some();
    if is(b"\"type\":\"tool_use\"") || is(b"\"type\":\"server_tool_use\"") {
        BlockKind::ToolInput
    } else if is(b"\"type\":\"thinking\"") {
        BlockKind::Thinking
    } else if is(b"\"type\":\"text\"") {
        BlockKind::Text
    } else {
        BlockKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_block_is_followed_from_its_start_to_its_stop() {
        let mut open = None;
        let start =
            br#"{"type":"content_block_start","index":12,"content_block":{"type":"tool_use","id":"t"}}"#;
        track_block(&mut open, Some(b"content_block_start"), start);
        assert_eq!(open, Some(OpenBlock { index: 12, kind: BlockKind::ToolInput }));
        track_block(&mut open, Some(b"content_block_delta"), b"{}");
        assert!(open.is_some());
        track_block(&mut open, Some(b"content_block_stop"), br#"{"index":12}"#);
        assert_eq!(open, None);
    }
}
