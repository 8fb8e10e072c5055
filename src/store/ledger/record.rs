//! The form of a spool's file: records, one a call.
//!
//! A record is the length of its payload (four bytes), the first eight bytes of the payload's SHA-256,
//! and the payload, a call as JSON. Numbers lie lowest byte first. Invariant: what a crash has torn
//! or a disk has changed is not read as a call.

use super::line;
use crate::govern::Call;
use sha2::{Digest, Sha256};

const HEAD_BYTES: usize = 12;

/// A payload in bytes at most; a longer one was not written here.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

pub(super) fn write(call: &Call, out: &mut Vec<u8>) {
    let mut payload = Vec::with_capacity(512);
    line::write(call, &mut payload);
    out.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(Sha256::digest(&payload).iter().take(8));
    out.extend(payload);
}

/// The calls of a file, and the bytes at its end that are no records.
pub(super) fn read(mut bytes: &[u8]) -> (Vec<Call>, usize) {
    let mut calls = Vec::new();
    while let Some((call, rest)) = next(bytes) {
        calls.push(call);
        bytes = rest;
    }
    (calls, bytes.len())
}

fn next(bytes: &[u8]) -> Option<(Call, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let (length, sum) = head.split_at_checked(4)?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let (payload, rest) = rest.split_at_checked(length).filter(|_| length <= PAYLOAD_BYTES_MAX)?;
    let is_whole = Sha256::digest(payload).iter().take(8).eq(sum);
    is_whole.then(|| line::read(payload)).flatten().map(|call| (call, rest))
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::calls;
    use super::*;

    #[test]
    fn a_torn_or_changed_record_ends_the_file() {
        let made = calls(3);
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for call in &made {
            write(call, &mut bytes);
            ends.push(bytes.len());
        }
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(read(&bytes[..cut]), (made[..whole].to_vec(), cut - ends[whole]), "{cut}");
        }
        for at in ends[1]..ends[2] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(read(&changed).0, made[..1], "{at}");
        }
    }
}
