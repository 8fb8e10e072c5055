//! Bytes as lowercase hexadecimal digits.

use std::fmt::Write;

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_two_digits() {
        assert_eq!((hex(&[0, 0x0f, 0xa0, 0xff]).as_str(), hex(&[]).as_str()), ("000fa0ff", ""));
    }
}
