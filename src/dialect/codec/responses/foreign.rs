//! Whether a conversation holds what only this gateway can read.

use memchr::memmem;

/// Starts of an envelope in a slot, and of a signature in a call's id.
const MARKS: [&[u8]; 2] = [br#""tg1."#, b"-tg1-"];

/// True where a part of the request was answered by another vendor than OpenAI. Such a body cannot
/// be passed on as it is: OpenAI refuses foreign `encrypted_content` and ids over 64 characters. It
/// has to go through [`decode_request`](super::decode_request) and
/// [`encode_request`](super::encode_request). A false alarm costs that detour only.
pub fn holds_foreign(body: &[u8]) -> bool {
    MARKS.iter().any(|mark| memmem::find(body, mark).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Signature, Vendor, pack_id};

    #[test]
    fn envelopes_and_signed_ids_are_found() {
        let foreign = Signature::new(Vendor::Gemini, "x");
        let slot = format!(r#"{{"encrypted_content":"{}"}}"#, foreign.to_slot(Vendor::OpenAi));
        let id = format!(r#"{{"call_id":"{}"}}"#, pack_id("call_1", Some(&foreign)));
        assert!(holds_foreign(slot.as_bytes()) && holds_foreign(id.as_bytes()));
        let own = Signature::new(Vendor::OpenAi, "gAAAA");
        let slot = format!(r#"{{"encrypted_content":"{}"}}"#, own.to_slot(Vendor::OpenAi));
        assert!(!holds_foreign(slot.as_bytes()));
    }
}
