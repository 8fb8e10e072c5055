//! Whether a body that is Bedrock's own form may go to Bedrock byte for byte.

use memchr::memmem;

/// Envelopes in signatures, in ids (which then are too long), and in base64 (`redactedContent`).
const MARKS: [&[u8]; 3] = [br#""tg1."#, b"-tg1-", br#""dGcxL"#];

/// True where another vendor answered a part of the conversation: Bedrock refuses its proofs. Such a body
/// goes through [`decode_request`](super::decode_request) and
/// [`encode_request`](super::encode_request). A false alarm costs that detour only.
pub fn holds_foreign(body: &[u8]) -> bool {
    MARKS.iter().any(|mark| memmem::find(body, mark).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::NATIVE;
    use super::super::blocks_out::blob;
    use super::*;
    use crate::chat::{Signature, Vendor, pack_id};

    #[test]
    fn foreign_proofs_are_found_wherever_they_stand() {
        let foreign = Signature::new(Vendor::Gemini, "proof");
        let own = Signature::new(Vendor::Anthropic, "EqQI");
        for (text, is_foreign) in [
            (foreign.to_slot(NATIVE).into_owned(), true),
            (blob(&foreign), true),
            (pack_id("call_1", Some(&foreign)).into_owned(), true),
            (own.to_slot(NATIVE).into_owned(), false),
            (blob(&own), false),
            ("tooluse_1".to_owned(), false),
        ] {
            assert_eq!(holds_foreign(format!(r#"{{"x":"{text}"}}"#).as_bytes()), is_foreign, "{text}");
        }
    }
}
