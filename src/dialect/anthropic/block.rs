//! A content block, or the delta of one.

use crate::dialect::generic::cursor::{Cursor, Read};
use crate::dialect::generic::text::{Listener, Text, texts, value_text};

/// Consumes a block or delta, hands on what the model generated in it, and tells whether it holds
/// anything a client shows or stores. Blocks other than text and thinking always do: a tool call
/// has its name from the start.
pub(super) fn read(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<bool> {
    let mut kind: Option<Text<'_>> = None;
    let mut found = false;
    if !c.enter(b'{')? {
        return Ok(false);
    }
    while let Some(key) = c.key()? {
        found |= match key {
            b"text" | b"thinking" | b"partial_json" => texts(c, listener)?,
            b"name" | b"input" => value_text(c, listener)?,
            b"type" => {
                kind = c.string()?;
                false
            }
            _ => c.presence()?,
        };
    }
    let is_filled_later = matches!(
        kind.map(Text::raw),
        Some(b"text" | b"thinking" | b"text_delta" | b"thinking_delta" | b"input_json_delta")
    );
    Ok(found || !is_filled_later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_deltas_are_heard_and_empty_frames_are_nothing() {
        for (json, found, text) in [
            (r#"{"type":"text","text":""}"#, false, ""),
            (r#"{"type":"thinking","thinking":"","signature":""}"#, false, ""),
            (r#"{"type":"text_delta","text":""}"#, false, ""),
            (r#"{"type":"text_delta","text":"a"}"#, true, "a"),
            (r#"{"type":"thinking_delta","thinking":"b"}"#, true, "b"),
            (r#"{"type":"signature_delta","signature":"EqQB"}"#, true, ""),
            (r#"{"type":"input_json_delta","partial_json":"{\"a\""}"#, true, r#"{"a""#),
            (r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#, true, "f"),
            (r#"{"type":"tool_use","name":"f","input":{"a":1}}"#, true, r#"f{"a":1}"#),
            (r#"{"type":"redacted_thinking","data":"x"}"#, true, ""),
            (r#"{"type":"fallback"}"#, true, ""),
        ] {
            let mut heard = String::new();
            let read = read(&mut Cursor::new(json.as_bytes()), &mut |piece| heard.push_str(piece));
            assert_eq!((read, heard.as_str()), (Ok(found), text), "{json}");
        }
    }
}
