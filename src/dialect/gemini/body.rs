//! Whole answers: `generateContent`, `streamGenerateContent` read at once, `countTokens`,
//! `embedContent`.

use crate::dialect::generic::cursor::{Cursor, Read};
use crate::dialect::generic::fault;
use crate::dialect::generic::text::Listener;
use crate::dialect::generic::tokens::raise_given;
use crate::dialect::tap::BodyReading;

use super::part;
use super::usage::Told;

/// Reads one response, or an array of them.
pub(crate) fn read(body: &[u8], reading: &mut BodyReading) -> Read<()> {
    let mut c = Cursor::new(body);
    let mut told = Told::default();
    if c.peek() == Some(b'[') {
        c.enter(b'[')?;
        while c.element()? {
            read_one(&mut c, &mut told, reading)?;
        }
    } else {
        read_one(&mut c, &mut told, reading)?;
    }
    reading.usage = told.usage();
    Ok(())
}

fn read_one(c: &mut Cursor<'_>, told: &mut Told, reading: &mut BodyReading) -> Read<()> {
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        match key {
            b"candidates" | b"promptFeedback" | b"embedding" | b"embeddings" => {
                reading.is_expected_shape = true;
                c.skip()?;
            }
            b"predictions" => {
                reading.is_expected_shape = true;
                read_predictions(c, told)?;
            }
            b"usageMetadata" => told.read(c)?,
            b"error" => reading.fault = fault::read(c)?.or(reading.fault.take()),
            _ => c.skip()?,
        }
    }
    Ok(())
}

/// Vertex's `:predict` of texts counts each of them.
fn read_predictions(c: &mut Cursor<'_>, told: &mut Told) -> Read<()> {
    if !c.enter(b'[')? {
        return Ok(());
    }
    while c.element()? {
        member(c, b"embeddings", &mut |c| {
            member(c, b"statistics", &mut |c| member(c, b"token_count", &mut |c| told.add_prompt(c)))
        })?;
    }
    Ok(())
}

/// Reads one member of the object that comes next, and passes over the others.
fn member(c: &mut Cursor<'_>, wanted: &[u8], read: &mut dyn FnMut(&mut Cursor<'_>) -> Read<()>) -> Read<()> {
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        if key == wanted { read(c)? } else { c.skip()? }
    }
    Ok(())
}

/// Reads the answer of `countTokens`.
pub(crate) fn read_count(body: &[u8], reading: &mut BodyReading) -> Read<()> {
    let mut c = Cursor::new(body);
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        match key {
            b"totalTokens" => raise_given(&mut reading.counted, &mut c)?,
            b"error" => reading.fault = fault::read(&mut c)?.or(reading.fault.take()),
            _ => c.skip()?,
        }
    }
    reading.is_expected_shape = reading.counted.is_some();
    Ok(())
}

/// Hands on the generated text of every candidate.
pub(crate) fn output_texts(body: &[u8], listener: Listener<'_>) -> Read<()> {
    let mut c = Cursor::new(body);
    if c.peek() != Some(b'[') {
        return response_texts(&mut c, listener);
    }
    c.enter(b'[')?;
    while c.element()? {
        response_texts(&mut c, listener)?;
    }
    Ok(())
}

fn response_texts(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<()> {
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        if key != b"candidates" || c.peek() != Some(b'[') {
            c.skip()?;
            continue;
        }
        c.enter(b'[')?;
        while c.element()? {
            if !c.enter(b'{')? {
                continue;
            }
            while let Some(key) = c.key()? {
                match key {
                    b"content" => part::read_content(c, listener).map(|_| ())?,
                    _ => c.skip()?,
                }
            }
        }
    }
    Ok(())
}
