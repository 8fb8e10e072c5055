//! Tool call ids as Anthropic takes them: letters, digits, `_` and `-`, each once a conversation.
//!
//! Source: the 400s "String should match pattern '^[a-zA-Z0-9_-]+$'" and "`tool_use` ids must be
//! unique". Other vendors' ids hold dots, colons, or are empty.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;

/// Whether a body that speaks Messages holds what only this gateway understands (another vendor's
/// signature in an envelope or in a call's id, a citation without Anthropic's index). Such a body cannot go to the vendor
/// byte for byte. It may say yes where the text only looks so.
pub fn holds_foreign(body: &[u8]) -> bool {
    [&b"\"tg1."[..], b"-tg1-", b"\"encrypted_index\":\"\""]
        .iter()
        .any(|mark| memchr::memmem::find(body, mark).is_some())
}

/// The id with what is not allowed written as `_` and its hexadecimal number.
pub(super) fn allowed(id: &str) -> Cow<'_, str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if id.chars().all(is_allowed) {
        return Cow::Borrowed(id);
    }
    let mut out = String::with_capacity(id.len() + 8);
    for c in id.chars() {
        if is_allowed(c) {
            out.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "_{:x}", u32::from(c));
        }
    }
    Cow::Owned(out)
}

/// The ids of one conversation.
#[derive(Default)]
pub(super) struct Ids {
    used: HashSet<String>,
}

impl Ids {
    /// The id a call gets: its own where that is allowed and new.
    pub(super) fn assign(&mut self, id: &str) -> String {
        let own = allowed(id);
        let base = if own.is_empty() { "toolu_tg" } else { own.as_ref() };
        let mut wire = base.to_owned();
        let mut number = 2;
        while self.used.contains(&wire) {
            wire = format!("{base}_{number}");
            number += 1;
        }
        self.used.insert(wire.clone());
        wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_allowed_and_stay_different() {
        let mut ids = Ids::default();
        let given = ["toolu_01-A", "functions.Bash:0", "functions:Bash.0", "", "", "toolu_01-A"];
        let wire: Vec<String> = given.iter().map(|id| ids.assign(id)).collect();
        assert_eq!(
            wire,
            [
                "toolu_01-A",
                "functions_2eBash_3a0",
                "functions_3aBash_2e0",
                "toolu_tg",
                "toolu_tg_2",
                "toolu_01-A_2"
            ]
        );
    }

    #[test]
    fn only_a_body_with_an_envelope_is_foreign() {
        assert!(holds_foreign(br#"{"signature":"tg1.g.QUJD"}"#));
        assert!(holds_foreign(br#"{"id":"call_1-tg1-gQUJD"}"#));
        assert!(holds_foreign(br#"{"encrypted_index":""}"#));
        assert!(!holds_foreign(br#"{"signature":"EqQB","encrypted_index":"Eo8"}"#));
    }
}
