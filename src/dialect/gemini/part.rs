//! One part of a candidate's content.

use crate::dialect::generic::cursor::{Cursor, Read};
use crate::dialect::generic::text::{Listener, texts, value_text};

/// Consumes a `content` object, hands on what the model generated in its parts, and tells whether
/// it holds anything a client shows or stores.
pub(super) fn read_content(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<bool> {
    let mut found = false;
    if !c.enter(b'{')? {
        return Ok(false);
    }
    while let Some(key) = c.key()? {
        if key != b"parts" || c.peek() != Some(b'[') {
            c.skip()?;
            continue;
        }
        c.enter(b'[')?;
        while c.element()? {
            found |= part(c, listener)?;
        }
    }
    Ok(found)
}

/// An empty text is nothing; a part of any other kind is something even when it is empty (a
/// function call streamed in pieces ends with `{}`).
fn part(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<bool> {
    let mut found = false;
    if !c.enter(b'{')? {
        return Ok(false);
    }
    while let Some(key) = c.key()? {
        found |= match key {
            b"text" => texts(c, listener)?,
            b"functionCall" | b"executableCode" => call(c, listener).map(|()| true)?,
            b"thought" => c.skip().map(|()| false)?,
            _ => c.skip().map(|()| true)?,
        };
    }
    Ok(found)
}

fn call(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<()> {
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        match key {
            b"name" | b"args" | b"code" => value_text(c, listener).map(|_| ())?,
            b"partialArgs" => partial_args(c, listener)?,
            _ => c.skip()?,
        }
    }
    Ok(())
}

/// Streamed arguments: the values are generated, the paths to them are not.
fn partial_args(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<()> {
    if !c.enter(b'[')? {
        return Ok(());
    }
    while c.element()? {
        if !c.enter(b'{')? {
            continue;
        }
        while let Some(key) = c.key()? {
            match key {
                b"stringValue" => texts(c, listener).map(|_| ())?,
                _ => c.skip()?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_heard_and_an_empty_text_is_nothing() {
        for (part, found, text) in [
            (r#"{"text":""}"#, false, ""),
            (r#"{"text":"","thought":true}"#, false, ""),
            (r#"{"text":"a","thought":true}"#, true, "a"),
            (r#"{"text":"","thoughtSignature":"Ci"}"#, true, ""),
            (r#"{"functionCall":{"name":"f","args":{"a":1}}}"#, true, r#"f{"a":1}"#),
            (r#"{"functionCall":{}}"#, true, ""),
            (
                r#"{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"x"}],"willContinue":true}}"#,
                true,
                "x",
            ),
            (r#"{"executableCode":{"language":"PYTHON","code":"1+1"}}"#, true, "1+1"),
            (r#"{"inlineData":{"mimeType":"image/png","data":"iVBO"}}"#, true, ""),
        ] {
            let json = format!(r#"{{"role":"model","parts":[{part}]}}"#);
            let mut heard = String::new();
            let read = read_content(&mut Cursor::new(json.as_bytes()), &mut |piece| heard.push_str(piece));
            assert_eq!((read, heard.as_str()), (Ok(found), text), "{part}");
        }
    }
}
