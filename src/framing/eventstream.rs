//! `application/vnd.amazon.eventstream`: binary messages with checksums.
//!
//! Source: AWS, "Event stream encoding". One message: total length and headers length (u32 BE), CRC-32
//! of these eight bytes, headers, payload, CRC-32 of everything before. Invariant: a message is
//! handed on whole and with both checksums right, or not at all; never more than one is buffered.

/// Longest message taken: AWS sends at most 24 MiB; ours are events of a chat.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
const PRELUDE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;

/// A message, borrowed from what was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// `:message-type`: `event`, `exception` or `error`.
    pub kind: &'a [u8],
    /// `:event-type`, `:exception-type` or `:error-code`, whichever it has.
    pub name: &'a [u8],
    pub payload: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventStreamError {
    #[error("a message of the event stream has a wrong checksum")]
    Checksum,
    #[error("a message of the event stream has impossible lengths")]
    Lengths,
    #[error("a message of the event stream is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    #[error("a message of the event stream has broken headers")]
    Headers,
}

/// Cuts a stream into messages.
#[derive(Default)]
pub struct EventStreamScanner {
    /// The beginning of a message that is not whole.
    held: Vec<u8>,
}

impl EventStreamScanner {
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the bytes so far end between two messages.
    pub fn is_at_boundary(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes bytes; hands on each message that is now whole, and the offset in `bytes` behind it.
    ///
    /// # Errors
    /// [`EventStreamError`]; the stream cannot be read on after one.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        mut on_message: impl FnMut(Message<'_>, usize),
    ) -> Result<(), EventStreamError> {
        let mut rest = bytes;
        while !self.held.is_empty() && !rest.is_empty() {
            let missing = missing(&self.held)?.min(rest.len());
            let (take, after) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
            self.held.extend_from_slice(take);
            rest = after;
            if missing_none(&self.held)? {
                on_message(read(&self.held)?, bytes.len() - rest.len());
                self.held.clear();
            }
        }
        while !rest.is_empty() && missing_none(rest)? {
            let length = total_length(rest)?.unwrap_or(rest.len());
            let (message, after) = rest.split_at_checked(length).ok_or(EventStreamError::Lengths)?;
            rest = after;
            on_message(read(message)?, bytes.len() - rest.len());
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The length of the message that starts here; None where that is not told yet. The prelude's own
/// checksum is proved first, so that a broken length is never waited for.
fn total_length(bytes: &[u8]) -> Result<Option<usize>, EventStreamError> {
    let Some(prelude) = bytes.get(..PRELUDE_BYTES) else { return Ok(None) };
    let (Some(total), Some(headers), Some(crc)) =
        (u32_at(prelude, 0), u32_at(prelude, 4), u32_at(prelude, 8))
    else {
        return Ok(None);
    };
    if crc32(prelude.get(..8).unwrap_or_default()) != crc {
        return Err(EventStreamError::Checksum);
    }
    let (total, headers) = (total as usize, headers as usize);
    if total < PRELUDE_BYTES + CRC_BYTES || headers > total - PRELUDE_BYTES - CRC_BYTES {
        return Err(EventStreamError::Lengths);
    }
    if total > MESSAGE_BYTES_MAX { Err(EventStreamError::TooLong) } else { Ok(Some(total)) }
}

/// How many bytes a message begun lacks, as far as it can tell.
fn missing(held: &[u8]) -> Result<usize, EventStreamError> {
    Ok(total_length(held)?.unwrap_or(PRELUDE_BYTES).saturating_sub(held.len()))
}

fn missing_none(bytes: &[u8]) -> Result<bool, EventStreamError> {
    Ok(total_length(bytes)?.is_some_and(|total| bytes.len() >= total))
}

fn read(message: &[u8]) -> Result<Message<'_>, EventStreamError> {
    let (body, crc) = message.split_at_checked(message.len().saturating_sub(CRC_BYTES)).unwrap_or_default();
    if u32_at(crc, 0) != Some(crc32(body)) {
        return Err(EventStreamError::Checksum);
    }
    let headers_length = u32_at(body, 4).unwrap_or(0) as usize;
    let after = body.get(PRELUDE_BYTES..).unwrap_or_default();
    let (mut headers, payload) = after.split_at_checked(headers_length).ok_or(EventStreamError::Lengths)?;
    let mut read = Message { kind: b"event", name: b"", payload };
    while !headers.is_empty() {
        let (name, value, rest) = header(headers).ok_or(EventStreamError::Headers)?;
        match name {
            b":message-type" => read.kind = value,
            b":event-type" | b":exception-type" | b":error-code" => read.name = value,
            _ => {}
        }
        headers = rest;
    }
    Ok(read)
}

/// Name, value (empty unless a string or bytes), and what follows.
fn header(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (kind, rest) = rest.split_first()?;
    let fixed = match kind {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        9 => 16,
        6 | 7 => {
            let (length, rest) = rest.split_at_checked(2)?;
            let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
            let (value, rest) = rest.split_at_checked(length)?;
            return Some((name, value, rest));
        }
        _ => return None,
    };
    Some((name, &[], rest.get(fixed..)?))
}

/// Appends one message with string headers. Header values over 65,535 bytes are cut.
pub fn write_message(headers: &[(&str, &str)], payload: &[u8], out: &mut Vec<u8>) {
    let mut head = Vec::with_capacity(128);
    for (name, value) in headers {
        let value = value.as_bytes().get(..value.len().min(usize::from(u16::MAX))).unwrap_or_default();
        head.push(name.len() as u8);
        head.extend_from_slice(name.as_bytes());
        head.push(7);
        head.extend_from_slice(&(value.len() as u16).to_be_bytes());
        head.extend_from_slice(value);
    }
    let from = out.len();
    let total = PRELUDE_BYTES + head.len() + payload.len() + CRC_BYTES;
    out.extend_from_slice(&(total as u32).to_be_bytes());
    out.extend_from_slice(&(head.len() as u32).to_be_bytes());
    let prelude_crc = crc32(out.get(from..).unwrap_or_default());
    out.extend_from_slice(&prelude_crc.to_be_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
    let crc = crc32(out.get(from..).unwrap_or_default());
    out.extend_from_slice(&crc.to_be_bytes());
}

/// CRC-32 as in IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, payload) in [("messageStart", &b"{}"[..]), ("metadata", &[0, 255, 7]), ("x", b"")] {
            write_message(&[(":message-type", "event"), (":event-type", kind)], payload, &mut out);
        }
        out
    }

    fn read_all(pieces: &[&[u8]]) -> Result<Vec<(String, Vec<u8>)>, EventStreamError> {
        let mut scanner = EventStreamScanner::new();
        let mut seen = Vec::new();
        for piece in pieces {
            scanner.feed(piece, |message, _| {
                seen.push((String::from_utf8_lossy(message.name).into_owned(), message.payload.to_vec()));
            })?;
        }
        assert!(scanner.is_at_boundary());
        Ok(seen)
    }

    #[test]
    fn messages_come_out_the_same_however_they_were_cut() {
        let bytes = sample();
        let whole = read_all(&[&bytes]).unwrap();
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[1], ("metadata".to_owned(), vec![0, 255, 7]));
        for cut in 0..bytes.len() {
            assert_eq!(read_all(&[&bytes[..cut], &bytes[cut..]]).unwrap(), whole, "{cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read_all(&single).unwrap(), whole);
    }

    #[test]
    fn any_flipped_byte_is_found() {
        let bytes = sample();
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x10;
            let mut scanner = EventStreamScanner::new();
            assert!(scanner.feed(&broken, |_, _| {}).is_err(), "{at}");
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_refused_before_its_bytes_come() {
        let mut prelude = Vec::new();
        prelude.extend_from_slice(&u32::MAX.to_be_bytes());
        prelude.extend_from_slice(&0u32.to_be_bytes());
        let crc = crc32(&prelude);
        prelude.extend_from_slice(&crc.to_be_bytes());
        assert_eq!(EventStreamScanner::new().feed(&prelude, |_, _| {}), Err(EventStreamError::TooLong));
    }
}
