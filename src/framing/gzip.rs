//! The gzip wrapper around deflate: member headers, checksums, several members in a row.
//!
//! Here because the compression library's own gzip modes depend on which C library was linked. Names,
//! comments and extra fields are skipped, never kept. Invariant: only bytes of members are accepted;
//! what follows the last one must be another member.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::inflate::{InflateError, Step};

const FLAG_HEAD_SUM: u8 = 0x02;
const FLAG_EXTRA: u8 = 0x04;
const FLAG_NAME: u8 = 0x08;
const FLAG_COMMENT: u8 = 0x10;
const FLAGS_RESERVED: u8 = 0xE0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The ten bytes every member starts with.
    Fixed,
    ExtraLen,
    /// Bytes left of the extra field.
    Extra(u16),
    Name,
    Comment,
    HeadSum,
    Deflate,
    /// CRC-32 and length of the data.
    Trailer,
}

/// Undoes gzip, one piece at a time.
pub(super) struct Gunzip {
    part: Part,
    /// Header parts still to come.
    flags: u8,
    /// The bytes so far of a part of fixed length.
    held: [u8; 10],
    held_len: usize,
    deflate: Decompress,
    crc: Crc,
    has_member: bool,
}

impl Gunzip {
    pub(super) fn new() -> Self {
        Self {
            part: Part::Fixed,
            flags: 0,
            held: [0; 10],
            held_len: 0,
            deflate: Decompress::new(false),
            crc: Crc::new(),
            has_member: false,
        }
    }

    /// Whether the input could end here.
    pub(super) fn is_complete(&self) -> bool {
        self.has_member && self.part == Part::Fixed && self.held_len == 0
    }

    pub(super) fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, InflateError> {
        let mut read = 0;
        loop {
            let rest = input.get(read..).unwrap_or_default();
            if self.part == Part::Deflate {
                let step = self.step_deflate(rest, out)?;
                return Ok(Step { read: read + step.read, written: step.written });
            }
            if rest.is_empty() {
                return Ok(Step { read, written: 0 });
            }
            read += self.step_wrapper(rest)?;
        }
    }

    fn step_deflate(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, InflateError> {
        let (step, status) = run_deflate(&mut self.deflate, input, out)?;
        self.crc.update(out.get(..step.written).unwrap_or_default());
        if status == Status::StreamEnd {
            self.part = Part::Trailer;
        }
        Ok(step)
    }

    /// Reads at least one byte of the part that is due.
    fn step_wrapper(&mut self, input: &[u8]) -> Result<usize, InflateError> {
        match self.part {
            Part::Fixed => {
                let read = self.hold(input, 10);
                if let [magic @ .., flags, _, _, _, _, _, _] = self.held
                    && self.held_len == 10
                {
                    if magic != [0x1F, 0x8B, 8] || flags & FLAGS_RESERVED != 0 {
                        return Err(InflateError::Corrupt);
                    }
                    self.flags = flags;
                    self.next_part();
                }
                Ok(read)
            }
            Part::ExtraLen => {
                let read = self.hold(input, 2);
                if let ([low, high, ..], 2) = (self.held, self.held_len) {
                    self.held_len = 0;
                    self.part = Part::Extra(u16::from_le_bytes([low, high]));
                    self.skip_extra(0);
                }
                Ok(read)
            }
            Part::Extra(left) => {
                let read = input.len().min(usize::from(left));
                self.skip_extra(read);
                Ok(read)
            }
            Part::Name | Part::Comment => match memchr::memchr(0, input) {
                Some(at) => {
                    self.next_part();
                    Ok(at + 1)
                }
                None => Ok(input.len()),
            },
            Part::HeadSum => {
                let read = self.hold(input, 2);
                if self.held_len == 2 {
                    self.next_part();
                }
                Ok(read)
            }
            Part::Trailer => {
                let read = self.hold(input, 8);
                if self.held_len == 8 {
                    self.end_member()?;
                }
                Ok(read)
            }
            Part::Deflate => Ok(0),
        }
    }

    fn skip_extra(&mut self, read: usize) {
        if let Part::Extra(left) = self.part {
            let left = usize::from(left).saturating_sub(read);
            match u16::try_from(left) {
                Ok(left) if left > 0 => self.part = Part::Extra(left),
                _ => self.next_part(),
            }
        }
    }

    /// Adds to the held bytes up to `len` of them; returns how many it took.
    fn hold(&mut self, input: &[u8], len: usize) -> usize {
        let slots = self.held.iter_mut().take(len).skip(self.held_len);
        let read = slots.zip(input).map(|(slot, &byte)| *slot = byte).count();
        self.held_len += read;
        read
    }

    fn next_part(&mut self) {
        self.held_len = 0;
        let parts = [
            (FLAG_EXTRA, Part::ExtraLen),
            (FLAG_NAME, Part::Name),
            (FLAG_COMMENT, Part::Comment),
            (FLAG_HEAD_SUM, Part::HeadSum),
        ];
        let due = parts.into_iter().find(|&(flag, _)| self.flags & flag != 0);
        self.flags &= !due.map_or(0, |(flag, _)| flag);
        self.part = due.map_or(Part::Deflate, |(_, part)| part);
    }

    fn end_member(&mut self) -> Result<(), InflateError> {
        let [a, b, c, d, e, f, g, h, ..] = self.held;
        let is_sound = u32::from_le_bytes([a, b, c, d]) == self.crc.sum()
            && u32::from_le_bytes([e, f, g, h]) == self.crc.amount();
        if !is_sound {
            return Err(InflateError::Corrupt);
        }
        self.held_len = 0;
        self.crc.reset();
        self.deflate.reset(false);
        self.part = Part::Fixed;
        self.has_member = true;
        Ok(())
    }
}

/// One call of the library, with what it read and wrote.
pub(super) fn run_deflate(
    deflate: &mut Decompress,
    input: &[u8],
    out: &mut [u8],
) -> Result<(Step, Status), InflateError> {
    let (in_before, out_before) = (deflate.total_in(), deflate.total_out());
    let status = deflate.decompress(input, out, FlushDecompress::Sync).map_err(|_| InflateError::Corrupt)?;
    let count = |total: u64, before: u64| usize::try_from(total.saturating_sub(before)).unwrap_or(0);
    let step =
        Step { read: count(deflate.total_in(), in_before), written: count(deflate.total_out(), out_before) };
    Ok((step, status))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::framing::inflate::{ContentCoding, inflate_all};

    /// A member that holds `hello`, with these flags and this between the fixed head and the data.
    fn member(flags: u8, parts: &[u8]) -> Vec<u8> {
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        deflate.write_all(b"hello").unwrap();
        let mut crc = Crc::new();
        crc.update(b"hello");
        let head = [0x1F, 0x8B, 8, flags, 1, 2, 3, 4, 0, 255];
        let data = deflate.finish().unwrap();
        [&head, parts, &data, &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()].concat()
    }

    fn inflate(bytes: &[u8]) -> Result<Vec<u8>, InflateError> {
        inflate_all(ContentCoding::Gzip, bytes, 100)
    }

    #[test]
    fn every_optional_part_of_a_head_is_skipped() {
        let all = FLAG_HEAD_SUM | FLAG_EXTRA | FLAG_NAME | FLAG_COMMENT;
        for (flags, parts) in [
            (0, &b""[..]),
            (1, b""),
            (FLAG_HEAD_SUM, b"ab"),
            (FLAG_EXTRA, b"\x03\0abc"),
            (FLAG_EXTRA, b"\0\0"),
            (FLAG_NAME, b"name\0"),
            (FLAG_COMMENT, b"\0"),
            (all, b"\x01\0x\0comment\0ab"),
        ] {
            assert_eq!(inflate(&member(flags, parts)), Ok(b"hello".to_vec()), "{flags:#x} {parts:?}");
        }
    }

    #[test]
    fn a_head_with_another_magic_method_or_flag_is_corrupt() {
        for at in 0..3 {
            let mut bytes = member(0, b"");
            bytes[at] ^= 1;
            assert_eq!(inflate(&bytes), Err(InflateError::Corrupt), "byte {at}");
        }
        for flag in [0x20, 0x40, 0x80] {
            assert_eq!(inflate(&member(flag, b"")), Err(InflateError::Corrupt), "flag {flag:#x}");
        }
    }
}
