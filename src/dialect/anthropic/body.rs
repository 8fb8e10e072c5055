//! A whole Messages answer, and the count of `count_tokens`.

use crate::dialect::generic::cursor::{Cursor, Read};
use crate::dialect::generic::fault::{self, ErrorFields};
use crate::dialect::generic::text::{Listener, Text};
use crate::dialect::generic::tokens::tokens;
use crate::dialect::tap::BodyReading;

use super::block;
use super::usage::Told;

/// Reads usage and faults of a message.
pub(crate) fn read(body: &[u8], reading: &mut BodyReading) -> Read<()> {
    let mut c = Cursor::new(body);
    let mut top = ErrorFields::default();
    let mut told = Told::default();
    let mut is_message = false;
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        match key {
            b"content" => {
                is_message |= c.peek() == Some(b'[');
                c.skip()?;
            }
            b"usage" => told.read(&mut c)?,
            b"error" if c.peek() == Some(b'"') => top.member(b"message", &mut c)?,
            b"error" => reading.fault = fault::read(&mut c)?.or(reading.fault.take()),
            b"message" | b"detail" | b"code" | b"type" => top.member(key, &mut c)?,
            _ => c.skip()?,
        }
    }
    reading.usage = told.usage();
    reading.is_expected_shape = is_message;
    if !is_message && reading.fault.is_none() && top.has_message() {
        reading.fault = Some(top.fault());
    }
    Ok(())
}

/// Reads the answer of `count_tokens`.
pub(crate) fn read_count(body: &[u8], reading: &mut BodyReading) -> Read<()> {
    let mut c = Cursor::new(body);
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        match key {
            b"input_tokens" => reading.counted = tokens(&mut c)?,
            b"error" => reading.fault = fault::read(&mut c)?.or(reading.fault.take()),
            _ => c.skip()?,
        }
    }
    reading.is_expected_shape = reading.counted.is_some();
    Ok(())
}

/// Hands on the generated text of every block; results of the provider's own tools are not
/// generated.
pub(crate) fn output_texts(body: &[u8], listener: Listener<'_>) -> Read<()> {
    let mut c = Cursor::new(body);
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        if key != b"content" || c.peek() != Some(b'[') {
            c.skip()?;
            continue;
        }
        c.enter(b'[')?;
        while c.element()? {
            let mut place = c;
            c.skip()?;
            if !is_tool_result(place)? {
                block::read(&mut place, listener)?;
            }
        }
    }
    Ok(())
}

fn is_tool_result(mut block: Cursor<'_>) -> Read<bool> {
    if !block.enter(b'{')? {
        return Ok(false);
    }
    while let Some(key) = block.key()? {
        match key {
            b"type" => return Ok(block.string()?.map(Text::raw).unwrap_or_default().ends_with(b"_result")),
            _ => block.skip()?,
        }
    }
    Ok(false)
}
