//! RFC 3339 timestamps in UTC, with the part that changes once a second kept between lines.
//!
//! Not here: asking what time it is (`clock`). Invariant: a stamp is 24 characters,
//! `2026-11-21T04:24:33.015Z`, for every date from 1970 to the end of 9999; later ones are shown as that end.

use crate::types::utc;

const LAST_MS: u64 = utc::LAST_SECOND * 1000 + 999;

/// Writes stamps, and remembers the last second written.
#[derive(Debug)]
pub(super) struct Stamp {
    second: u64,
    text: Vec<u8>,
}

impl Default for Stamp {
    fn default() -> Self {
        Self { second: u64::MAX, text: Vec::new() }
    }
}

impl Stamp {
    /// Appends the stamp of `unix_ms`, milliseconds since 1970.
    pub fn write(&mut self, out: &mut Vec<u8>, unix_ms: u64) {
        let unix_ms = unix_ms.min(LAST_MS);
        let (second, millis) = (unix_ms / 1000, unix_ms % 1000);
        if second != self.second {
            self.second = second;
            self.text = utc::rfc3339(second).into_bytes();
            // Its `Z` comes behind the milliseconds.
            self.text.pop();
        }
        out.extend_from_slice(&self.text);
        out.push(b'.');
        digits(out, millis, 3);
        out.push(b'Z');
    }
}

/// The last `width` decimal digits of `value`, with leading zeros.
fn digits(out: &mut Vec<u8>, value: u64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_u64.pow(place) % 10) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(unix_ms: u64) -> String {
        let mut out = Vec::new();
        Stamp::default().write(&mut out, unix_ms);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_instants_are_written_as_rfc_3339() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(stamp(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(stamp(1_709_251_199_007), "2024-02-29T23:59:59.007Z");
        assert_eq!(stamp(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(stamp(u64::MAX), "9999-12-30T22:00:00.999Z");
    }

    #[test]
    fn the_kept_second_is_renewed_when_it_changes_in_either_direction() {
        let (mut stamp, mut out) = (Stamp::default(), Vec::new());
        for unix_ms in [1_000, 1_999, 61_000, 1_001] {
            stamp.write(&mut out, unix_ms);
        }
        let text = String::from_utf8(out).unwrap();
        let seconds: Vec<_> = text.split_terminator('Z').map(|stamp| &stamp[14..]).collect();
        assert_eq!(seconds, ["00:01.000", "00:01.999", "01:01.000", "00:01.001"]);
    }
}
