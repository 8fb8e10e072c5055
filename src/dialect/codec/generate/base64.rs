//! Base64 as Google's JSON has it: written in the standard alphabet with padding, read in both
//! alphabets with or without (RFC 4648 §4 and §5).

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

const PLAIN: GeneralPurpose = lenient(&STANDARD);
const URL: GeneralPurpose = lenient(&URL_SAFE);

pub(super) fn encode(bytes: &[u8]) -> String {
    PLAIN.encode(bytes)
}

/// None where it is no base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { URL } else { PLAIN };
    engine.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_in_one_alphabet_and_read_in_both() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("\u{3ff}?>", "z78/Pg==")] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).unwrap(), plain.as_bytes());
            assert_eq!(decode(&coded.replace('/', "_").replace('=', "")).unwrap(), plain.as_bytes());
        }
        assert_eq!((decode("A"), decode("A*==")), (None, None));
    }
}
