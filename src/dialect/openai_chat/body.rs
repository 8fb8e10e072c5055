//! A whole chat or completions answer.

use crate::dialect::generic::cursor::{Cursor, Read};
use crate::dialect::generic::fault::{self, ErrorFields, StreamFault};
use crate::dialect::generic::text::{Listener, texts};
use crate::dialect::generic::usage;
use crate::dialect::tap::BodyReading;

use super::{chunk::is_failure, message};

/// Reads usage and faults; `reading` keeps what was found before a malformed place.
pub(crate) fn read(body: &[u8], reading: &mut BodyReading) -> Read<()> {
    let mut c = Cursor::new(body);
    let mut top = ErrorFields::default();
    let mut has_choices = false;
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        match key {
            b"choices" => {
                has_choices = c.peek() == Some(b'[');
                choices(&mut c, reading)?;
            }
            b"usage" => reading.usage = usage::read(&mut c)?.or(reading.usage),
            b"error" if c.peek() == Some(b'"') => top.member(b"message", &mut c)?,
            b"error" => reading.fault = fault::read(&mut c)?.or(reading.fault.take()),
            _ => top.member(key, &mut c)?,
        }
    }
    if !has_choices && reading.fault.is_none() && top.has_message() {
        reading.fault = Some(top.fault());
    }
    reading.is_expected_shape = has_choices;
    Ok(())
}

fn choices(c: &mut Cursor<'_>, reading: &mut BodyReading) -> Read<()> {
    if !c.enter(b'[')? {
        return Ok(());
    }
    while c.element()? {
        if !c.enter(b'{')? {
            continue;
        }
        while let Some(key) = c.key()? {
            match key {
                b"finish_reason" => {
                    let failure = c.string()?.filter(|reason| is_failure(reason.raw()));
                    let fault = failure.map(|reason| StreamFault::named(reason.raw()));
                    reading.fault = reading.fault.take().or(fault);
                }
                b"error" => reading.fault = fault::read(c)?.or(reading.fault.take()),
                _ => c.skip()?,
            }
        }
    }
    Ok(())
}

/// Hands on the generated text of every choice.
pub(crate) fn output_texts(body: &[u8], listener: Listener<'_>) -> Read<()> {
    let mut c = Cursor::new(body);
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        if key != b"choices" || c.peek() != Some(b'[') {
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
                    b"message" => message::read(&mut c, listener).map(|_| ())?,
                    b"text" => texts(&mut c, listener).map(|_| ())?,
                    _ => c.skip()?,
                }
            }
        }
    }
    Ok(())
}
