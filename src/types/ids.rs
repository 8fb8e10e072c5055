//! Request ids.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names one request in headers, logs and error bodies: `req_` and 24 hex digits, a random
/// process prefix and a counter, so ids are unique without a system call per request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    prefix: u32,
    serial: u64,
}

/// Gives out [`RequestId`]s.
#[derive(Debug)]
pub struct RequestIds {
    prefix: u32,
    next: AtomicU64,
}

impl RequestIds {
    /// `seed` must differ between processes: two nodes with one seed give equal ids.
    pub fn new(seed: u64) -> Self {
        let prefix = (seed ^ (seed >> 32)) as u32;
        Self { prefix, next: AtomicU64::new(seed.rotate_left(17) >> 16) }
    }

    pub fn next(&self) -> RequestId {
        RequestId { prefix: self.prefix, serial: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

impl RequestId {
    /// Its text as bytes: the same as it is printed, without the machinery of printing.
    pub fn text(self) -> [u8; 28] {
        let mut text = *b"req_000000000000000000000000";
        let digits = (u128::from(self.prefix) << 64) | u128::from(self.serial);
        for (place, digit) in text.iter_mut().rev().take(24).enumerate() {
            let value = (digits >> (4 * place)) as u8 & 15;
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        }
        text
    }

    /// Reads what [`Display`](fmt::Display) wrote, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("req_").filter(|hex| hex.len() == 24)?;
        if !hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return None;
        }
        let (prefix, serial) = hex.split_at_checked(8)?;
        let prefix = u32::from_str_radix(prefix, 16).ok()?;
        Some(Self { prefix, serial: u64::from_str_radix(serial, 16).ok()? })
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "req_{:08x}{:016x}", self.prefix, self.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_a_fixed_width_and_do_not_repeat() {
        let ids = RequestIds::new(0xfeed_beef_dead_cafe);
        let (a, b) = (ids.next().to_string(), ids.next().to_string());
        assert_eq!(a.len(), 28);
        assert_ne!(a, b);
        let id = RequestId { prefix: 0xfe, serial: 0x0123_4567_89ab_cdef };
        assert_eq!(id.text(), id.to_string().as_bytes());
    }

    #[test]
    fn an_id_is_read_as_it_was_written_and_nothing_else_is_one() {
        let id = RequestIds::new(0xfeed_beef_dead_cafe).next();
        assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        let lacking = "req_00000001000000000000000";
        for other in
            ["", "req_", lacking, &format!("{lacking}G"), &format!("{lacking}+"), &format!("{lacking}A")]
        {
            assert_eq!(RequestId::parse(other), None, "{other}");
        }
    }
}
