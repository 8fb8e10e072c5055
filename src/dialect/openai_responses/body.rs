//! A response object: the body of an answer, or what a stream's last event carries.

use crate::dialect::generic::cursor::{Cursor, Read};
use crate::dialect::generic::fault::{self, ErrorFields, StreamFault};
use crate::dialect::generic::label::Label;
use crate::dialect::generic::text::{Listener, Text};
use crate::dialect::generic::usage;
use crate::dialect::tap::BodyReading;
use crate::types::Usage;

use super::item;

const ID_BYTES_MAX: usize = 256;

/// What is known once a response ended.
#[derive(Default)]
pub(super) struct Ending<'a> {
    pub(super) usage: Option<Usage>,
    pub(super) fault: Option<StreamFault>,
    /// `incomplete_details.reason`.
    pub(super) reason: Option<Text<'a>>,
    pub(super) output: Option<Cursor<'a>>,
    pub(super) is_failed: bool,
    id: Option<Text<'a>>,
    is_response: bool,
    top: ErrorFields<'a>,
}

/// Consumes a response object; `id` keeps its id when that fits.
pub(super) fn ending<'a, const N: usize>(
    c: &mut Cursor<'a>,
    end: &mut Ending<'a>,
    id: &mut Label<N>,
) -> Read<()> {
    read_members(c, end)?;
    id.set_whole(end.id.map(Text::raw).unwrap_or_default());
    Ok(())
}

fn read_members<'a>(c: &mut Cursor<'a>, end: &mut Ending<'a>) -> Read<()> {
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        match key {
            b"id" => end.id = c.string()?,
            b"object" => end.is_response |= c.string()?.is_some_and(|t| t.raw().starts_with(b"response")),
            b"status" => end.is_failed |= c.string()?.is_some_and(|t| t.raw() == b"failed"),
            b"usage" => end.usage = usage::read(c)?.or(end.usage),
            b"error" if c.peek() == Some(b'"') => end.top.member(b"message", c)?,
            b"error" => end.fault = fault::read(c)?.or(end.fault.take()),
            b"incomplete_details" => end.reason = incomplete_reason(c)?,
            b"output" => {
                end.is_response = true;
                end.output = Some(*c);
                c.skip()?;
            }
            b"message" | b"detail" | b"code" | b"type" => end.top.member(key, c)?,
            _ => c.skip()?,
        }
    }
    Ok(())
}

fn incomplete_reason<'a>(c: &mut Cursor<'a>) -> Read<Option<Text<'a>>> {
    let mut reason = None;
    if c.enter(b'{')? {
        while let Some(key) = c.key()? {
            match key {
                b"reason" => reason = c.string()?,
                _ => c.skip()?,
            }
        }
    }
    Ok(reason)
}

/// Consumes a response object and keeps its id.
pub(super) fn response_id<const N: usize>(c: &mut Cursor<'_>, id: &mut Label<N>) -> Read<()> {
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        match key {
            b"id" => {
                id.set_whole(c.string()?.map(Text::raw).unwrap_or_default());
                // The rest echoes the request and may be long.
                return Ok(());
            }
            _ => c.skip()?,
        }
    }
    Ok(())
}

/// Consumes a list of output items and hands on their text.
pub(super) fn items(c: &mut Cursor<'_>, listener: Listener<'_>) -> Read<()> {
    if !c.enter(b'[')? {
        return Ok(());
    }
    while c.element()? {
        item::output_texts(c, listener)?;
    }
    Ok(())
}

/// Reads a whole answer. `is_by_id` widens the expected shape: deletions and lists answer there.
pub(crate) fn read(body: &[u8], is_by_id: bool, reading: &mut BodyReading) -> Read<()> {
    let mut c = Cursor::new(body);
    let mut end = Ending::default();
    if c.peek() != Some(b'{') {
        return Ok(());
    }
    read_members(&mut c, &mut end)?;
    reading.usage = end.usage;
    reading.is_expected_shape = is_by_id || end.is_response;
    reading.response_id = end
        .id
        .filter(|id| end.is_response && !id.is_empty() && id.raw().len() <= ID_BYTES_MAX)
        .map(|id| id.to_string_bounded(ID_BYTES_MAX));
    reading.fault = if end.is_failed {
        Some(end.fault.unwrap_or_else(|| StreamFault::named(b"server_error")))
    } else {
        end.fault.or_else(|| (!end.is_response && end.top.has_message()).then(|| end.top.fault()))
    };
    Ok(())
}

/// Hands on the generated text of every output item.
pub(crate) fn output_texts(body: &[u8], listener: Listener<'_>) -> Read<()> {
    let mut end = Ending::default();
    read_members(&mut Cursor::new(body), &mut end)?;
    match end.output {
        Some(mut output) => items(&mut output, listener),
        None => Ok(()),
    }
}
