//! One output item (message, reasoning, call) of a response.

use crate::dialect::generic::cursor::{Cursor, Read};
use crate::dialect::generic::text::{Listener, Text, texts, value_text};

/// Consumes an item and hands on what the model generated in it: texts, summaries, names and
/// arguments. Results of hosted tools and base64 are no model text.
pub(super) fn output_texts(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<()> {
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        match key {
            b"content" | b"summary" | b"refusal" => texts(c, listener).map(|_| ())?,
            b"name" | b"arguments" | b"input" | b"code" => value_text(c, listener).map(|_| ())?,
            _ => c.skip()?,
        }
    }
    Ok(())
}

/// Whether an item, as announced by `output_item.added`, is only a frame to be filled: a message
/// or reasoning with nothing in it yet. A call has its name already.
pub(super) fn is_frame(item: &mut Cursor<'_>) -> Read<bool> {
    let mut kind: Option<Text<'_>> = None;
    let mut has_text = false;
    if !item.enter(b'{')? {
        return Ok(true);
    }
    while let Some(key) = item.key()? {
        match key {
            b"type" => kind = item.string()?,
            b"content" | b"summary" => has_text |= texts(item, &mut |_| {})?,
            _ => item.skip()?,
        }
    }
    let fills_later = matches!(kind.map(Text::raw), Some(b"message" | b"reasoning"));
    Ok(fills_later && !has_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_parts_of_an_item_are_heard_and_others_are_not() {
        let json = br#"{"id":"fc_1","type":"function_call","name":"f","arguments":"{\"a\":1}","result":"UklG",
            "summary":[{"type":"summary_text","text":"s"}],"content":[{"type":"output_text","text":"t","annotations":[]}]}"#;
        let mut heard = String::new();
        output_texts(&mut Cursor::new(json), &mut |piece| heard.push_str(piece)).unwrap();
        assert_eq!(heard, r#"f{"a":1}st"#);
    }

    #[test]
    fn an_empty_message_is_a_frame_and_a_call_is_not() {
        for (json, expected) in [
            (r#"{"type":"message","content":[]}"#, true),
            (r#"{"type":"reasoning","summary":[]}"#, true),
            (r#"{"type":"message","content":[{"type":"output_text","text":"x"}]}"#, false),
            (r#"{"type":"function_call","name":"f"}"#, false),
        ] {
            assert_eq!(is_frame(&mut Cursor::new(json.as_bytes())), Ok(expected), "{json}");
        }
    }
}
