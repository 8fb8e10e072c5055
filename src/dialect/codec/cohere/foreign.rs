//! Other vendors' proofs in a request of a Cohere client.

use memchr::memmem;

/// Whether a body holds an envelope, in a thinking part or in an id. Cohere knows no such fields, and
/// ids of that length are nobody's: such a body must be decoded and encoded, also for Cohere itself. A
/// false alarm costs that detour only.
pub fn holds_foreign(body: &[u8]) -> bool {
    memmem::find(body, b"\"tg1.").is_some() || memmem::find(body, b"-tg1-").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_are_found_and_nothing_else() {
        assert!(holds_foreign(br#"{"type":"thinking","thinking":"","signature": "tg1.a.QQ"}"#));
        assert!(holds_foreign(br#"{"tool_call_id":"call_1-tg1-gQQ"}"#));
        assert!(!holds_foreign(br#"{"messages":[{"role":"user","content":"a tg1.a"}]}"#));
    }
}
