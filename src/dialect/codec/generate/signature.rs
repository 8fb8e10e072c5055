//! The slot `thoughtSignature`, and other vendors' proofs in it.
//!
//! Google's clients decode the slot from base64 to bytes and back, so an envelope stands in it as the
//! base64 of its text. An envelope's letters never make `+` or `/` of base64, so what a client writes
//! back in the other alphabet is the same.

use super::base64;
use crate::chat::{Signature, Text, Vendor};
use std::borrow::Cow;

/// What Google documents for calls that no Gemini model made (history of another vendor): such a
/// call passes the check of signatures (ai.google.dev/gemini-api/docs/thought-signatures).
pub(super) const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Every envelope's first letters in base64: `tg1.` is 32 bits, so of the sixth only two are told.
const COATED: &str = "dGcxL";
/// Before the envelope of thinking that only its vendor can read.
const REDACTED: &str = "redacted:";
/// The same in base64.
const COATED_REDACTED: &str = "cmVkYWN0ZWQ6";

/// What stood in a slot.
pub(super) enum Slot<'a> {
    /// A proof of the part it stands on, or of thinking.
    Signature(Signature<'a>),
    /// Thinking of another vendor that only that vendor can read.
    Redacted(Signature<'a>),
}

/// Reads a slot.
pub(super) fn from_slot(slot: Text<'_>) -> Slot<'_> {
    let is_coated = slot.starts_with(COATED) || slot.starts_with(COATED_REDACTED);
    let text = is_coated.then(|| base64::decode(&slot).and_then(|bytes| String::from_utf8(bytes).ok()));
    let Some(Some(text)) = text else { return Slot::Signature(Signature::new(Vendor::Gemini, slot)) };
    let (is_redacted, envelope) = match text.strip_prefix(REDACTED) {
        Some(envelope) => (true, envelope.to_owned()),
        None => (false, text),
    };
    match Signature::from_slot(envelope.into(), Vendor::Gemini) {
        // No envelope after all: it is Gemini's as it stands.
        Signature { vendor: Vendor::Gemini, .. } => Slot::Signature(Signature::new(Vendor::Gemini, slot)),
        foreign if is_redacted => Slot::Redacted(foreign),
        foreign => Slot::Signature(foreign),
    }
}

/// What a Gemini client finds in the slot.
pub(super) fn to_slot<'s>(signature: &'s Signature<'_>) -> Cow<'s, str> {
    if signature.vendor == Vendor::Gemini {
        return Cow::Borrowed(&signature.data);
    }
    Cow::Owned(base64::encode(signature.to_slot(Vendor::Gemini).as_bytes()))
}

/// The same for thinking that only its vendor can read.
pub(super) fn to_redacted_slot<'s>(signature: &'s Signature<'_>) -> Cow<'s, str> {
    if signature.vendor == Vendor::Gemini {
        return Cow::Borrowed(&signature.data);
    }
    Cow::Owned(base64::encode(format!("{REDACTED}{}", signature.to_slot(Vendor::Gemini)).as_bytes()))
}

/// Whether a request's body holds another vendor's proof in an envelope: such a body must not go to
/// Gemini as it is, which would refuse it.
pub fn holds_foreign(body: &[u8]) -> bool {
    [COATED, COATED_REDACTED].iter().any(|coat| {
        let needle = format!("\"{coat}");
        memchr::memmem::find(body, needle.as_bytes()).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_proof_comes_back_through_a_client_that_decodes_to_bytes() {
        for data in ["", "a", "ab", "abc", "EqQB+/=\n\"é😀", "~~~???>>>"] {
            for vendor in [Vendor::Anthropic, Vendor::OpenAi, Vendor::OpenRouter, Vendor::Unsigned] {
                let signature = Signature::new(vendor, data);
                for slot in [to_slot(&signature), to_redacted_slot(&signature)] {
                    assert!(!slot.contains(['+', '/']), "{slot}");
                    let bytes = base64::decode(&slot).unwrap();
                    let again = base64::encode(&bytes).replace('+', "-").replace('/', "_");
                    assert_eq!(again, slot);
                    assert!(holds_foreign(format!("{{\"thoughtSignature\":\"{slot}\"}}").as_bytes()));
                }
                assert!(matches!(from_slot(to_slot(&signature)), Slot::Signature(s) if s == signature));
                assert!(
                    matches!(from_slot(to_redacted_slot(&signature)), Slot::Redacted(s) if s == signature)
                );
            }
        }
    }

    #[test]
    fn geminis_own_proof_is_never_touched() {
        for data in ["CiQB9/8=", "", "dGcxLg==", "dGcxL*", "not base64", "AY89a1-_"] {
            let signature = Signature::new(Vendor::Gemini, data);
            assert_eq!(to_slot(&signature), data);
            assert!(matches!(from_slot(data.into()), Slot::Signature(s) if s == signature), "{data}");
        }
        assert!(!holds_foreign(br#"{"thoughtSignature":"CiQB9"}"#));
    }
}
