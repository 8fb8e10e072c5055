//! Keyed hashes of credentials: what the store keeps instead of secrets.
//!
//! The pepper is not in the store, so that a copy of the store alone lets nobody try guesses. A list
//! of peppers lets one be replaced: the first makes new hashes, all of them check.

use crate::types::Secret;
use ring::hmac;
use std::fmt;
use subtle::{Choice, ConstantTimeEq};

/// A keyed hash of a credential.
pub type Hash = [u8; 32];

/// Peppers, the newest first.
#[derive(Clone, Default)]
pub struct Peppers(Vec<hmac::Key>);

impl Peppers {
    pub fn new(peppers: &[Secret]) -> Self {
        let key = |pepper: &Secret| hmac::Key::new(hmac::HMAC_SHA256, pepper.expose().as_bytes());
        Self(peppers.iter().map(key).collect())
    }

    /// Without one, no credential of the store can be made or checked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hash to keep of a new credential; None without a pepper.
    pub fn hash(&self, text: &str) -> Option<Hash> {
        self.0.first().map(|key| hash(key, text))
    }

    /// Whether one of `kept` is the hash of `text` under any pepper. Takes the same time whichever
    /// fits, and when none does.
    pub fn verify(&self, text: &str, kept: &[Option<&Hash>]) -> bool {
        let mut fits = Choice::from(0);
        for key in &self.0 {
            let computed = hash(key, text);
            for kept in kept {
                let is_there = Choice::from(u8::from(kept.is_some()));
                fits |= computed.ct_eq(kept.unwrap_or(&[0; 32])) & is_there;
            }
        }
        fits.into()
    }

    /// A key for another purpose, from the pepper at `place`.
    pub fn derive(&self, place: usize, purpose: &str) -> Option<Hash> {
        self.0.get(place).map(|key| hash(key, purpose))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peppers({})", self.0.len())
    }
}

fn hash(key: &hmac::Key, text: &str) -> Hash {
    let tag = hmac::sign(key, text.as_bytes());
    let mut hash = [0; 32];
    hash.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

/// 64 hex digits as bytes.
pub fn hash_from_hex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        for digit in pair {
            *byte = (*byte << 4) | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        }
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hex;

    fn peppers(texts: &[&str]) -> Peppers {
        Peppers::new(&texts.iter().map(|text| Secret::new(*text)).collect::<Vec<_>>())
    }

    #[test]
    fn a_hash_is_hmac_sha256_as_rfc_4231_has_it() {
        let hash = peppers(&["Jefe"]).hash("what do ya want for nothing?").unwrap();
        assert_eq!(hex(&hash), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(hash_from_hex(&hex(&hash)), Some(hash));
    }

    #[test]
    fn an_older_pepper_checks_and_the_newest_makes() {
        let old = peppers(&["one"]);
        let both = peppers(&["two", "one"]);
        let hash = old.hash("secret").unwrap();
        assert!(both.verify("secret", &[Some(&hash)]));
        assert_ne!(both.hash("secret"), Some(hash));
        assert!(!peppers(&["two"]).verify("secret", &[Some(&hash)]));
    }

    #[test]
    fn nothing_fits_no_hash_and_no_pepper() {
        let one = peppers(&["one"]);
        assert!(!one.verify("secret", &[None, None]) && !one.verify("", &[Some(&[0; 32])]));
        assert!(!peppers(&[]).verify("secret", &[one.hash("secret").as_ref()]));
        assert_eq!(peppers(&[]).hash("secret"), None);
    }

    #[test]
    fn other_texts_are_no_hashes() {
        let long = "a".repeat(65);
        let unicode = "é".repeat(32);
        for text in ["", "zz", &long, &unicode, &"g".repeat(64)] {
            assert_eq!(hash_from_hex(text), None, "{text}");
        }
    }
}
