//! A `delta` of a chunk or a `message` of a body: they have the same members.

use crate::dialect::generic::cursor::{Cursor, Read};
use crate::dialect::generic::text::{Listener, texts, value_text};

/// Consumes a delta or message, hands its generated text on, and tells whether it holds anything a
/// client shows or stores. Members unknown here count when they are not empty.
pub(super) fn read(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<bool> {
    let mut has_content = false;
    let mut has_reasoning = false;
    let mut details = None;
    if !c.enter(b'{')? {
        return Ok(false);
    }
    while let Some(key) = c.key()? {
        has_content |= match key {
            b"content" | b"refusal" => texts(c, listener)?,
            b"reasoning" | b"reasoning_content" => {
                // Some vendors send the same words under both names.
                let found = if has_reasoning { c.presence()? } else { texts(c, listener)? };
                has_reasoning |= found;
                found
            }
            b"reasoning_details" => {
                details = Some(*c);
                c.presence()?
            }
            b"tool_calls" | b"function_call" => calls(c, listener)?,
            b"audio" => texts(c, listener)?,
            b"role" | b"channel" | b"token_id" | b"index" | b"name" | b"id" => c.skip().map(|()| false)?,
            _ => c.presence()?,
        };
    }
    // The details repeat the reasoning, except with vendors that send nothing else.
    if let (Some(mut details), false) = (details, has_reasoning) {
        texts(&mut details, listener)?;
    }
    Ok(has_content)
}

/// A list of tool calls, or one call.
fn calls(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<bool> {
    if c.peek() != Some(b'[') {
        return call(c, listener);
    }
    let mut found = false;
    c.enter(b'[')?;
    while c.element()? {
        found |= call(c, listener)?;
    }
    Ok(found)
}

fn call(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<bool> {
    let mut found = false;
    if !c.enter(b'{')? {
        return Ok(false);
    }
    while let Some(key) = c.key()? {
        found = true;
        match key {
            b"function" | b"custom" if c.peek() == Some(b'{') => {
                c.enter(b'{')?;
                while let Some(key) = c.key()? {
                    call_member(key, c, listener)?;
                }
            }
            _ => call_member(key, c, listener)?,
        }
    }
    Ok(found)
}

fn call_member(key: &[u8], c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<()> {
    match key {
        b"name" | b"arguments" | b"input" => value_text(c, listener).map(|_| ()),
        _ => c.skip(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(json: &str) -> (bool, String) {
        let mut text = String::new();
        let found = read(&mut Cursor::new(json.as_bytes()), &mut |piece| text.push_str(piece)).expect(json);
        (found, text)
    }

    #[test]
    fn a_role_alone_is_no_content() {
        for json in [
            r#"{"role":"assistant","content":""}"#,
            r#"{"role":"assistant","content":null,"refusal":null,"tool_calls":null}"#,
            r#"{"content":"","refusal":"","reasoning_details":[],"annotations":[]}"#,
            r#"{"token_id":128009,"channel":"analysis","index":0}"#,
            "{}",
            "null",
        ] {
            assert_eq!(heard(json), (false, String::new()), "{json}");
        }
    }

    #[test]
    fn everything_generated_is_heard_once() {
        for (json, text) in [
            (r#"{"content":"a\nb"}"#, "a\nb"),
            (
                r#"{"content":"","reasoning":"r","reasoning_details":[{"type":"reasoning.text","text":"r"}]}"#,
                "r",
            ),
            (r#"{"reasoning_details":[{"type":"reasoning.text","text":"r"}],"content":""}"#, "r"),
            (r#"{"reasoning":"r","reasoning_content":"r"}"#, "r"),
            (r#"{"refusal":"no"}"#, "no"),
            (
                r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#,
                r#"f{"a":1}"#,
            ),
            (r#"{"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]}"#, r#"f{"a":1}"#),
            (r#"{"tool_calls":[{"index":1,"type":"custom","custom":{"name":"f","input":"x"}}]}"#, "fx"),
            (r#"{"function_call":{"name":"f","arguments":"{}"}}"#, "f{}"),
            (r#"{"audio":{"id":"a","data":"UklGR","transcript":"hi"}}"#, "hi"),
            (r#"{"content":[{"type":"text","text":"t"}]}"#, "t"),
            (r#"{"images":[{"type":"image_url"}]}"#, ""),
        ] {
            assert_eq!(heard(json), (true, text.to_owned()), "{json}");
        }
    }
}
