//! The form of credentials made here: `tg-<public id>-<secret>` for callers, `tga-…` for users of
//! the admin API.
//!
//! Public id 16 and secret 43 digits of base 62, the latter worth 256 bits of the system's random
//! numbers, then 6 digits of CRC-32 over all before them: a typing mistake is told without a look-up,
//! and scanners for leaked secrets find no false ones. Not here: whether a credential is worth
//! anything.

use crate::types::Secret;
use ring::rand::{SecureRandom, SystemRandom};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PUBLIC_DIGITS: usize = 16;
/// 62^43 is just above 2^256.
const SECRET_DIGITS: usize = 43;
const CHECK_DIGITS: usize = 6;

/// Whose credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A virtual key of an app.
    Key,
    /// A user of the admin API.
    User,
}

/// A credential just made. The text is shown once and kept nowhere.
#[derive(Debug)]
pub struct Minted {
    /// What names it: the id of the key or user without its prefix.
    pub public: String,
    pub text: Secret,
}

/// The system has no random numbers to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandom;

impl TokenKind {
    pub const fn prefix(self) -> &'static str {
        match self {
            TokenKind::Key => "tg-",
            TokenKind::User => "tga-",
        }
    }
}

/// A new credential with a public id of its own.
///
/// # Errors
/// [`NoRandom`].
pub fn mint(kind: TokenKind) -> Result<Minted, NoRandom> {
    let public = digits(PUBLIC_DIGITS)?;
    let text = remint(kind, &public)?;
    Ok(Minted { public, text })
}

/// A new secret for the public id of an older one: what rotation gives.
///
/// # Errors
/// [`NoRandom`].
pub fn remint(kind: TokenKind, public: &str) -> Result<Secret, NoRandom> {
    let body = format!("{}{public}-{}", kind.prefix(), digits(SECRET_DIGITS)?);
    let check = check_digits(&body);
    Ok(Secret::new(body.chars().chain(check.map(char::from)).collect::<String>()))
}

/// Random digits, for ids.
///
/// # Errors
/// [`NoRandom`].
pub fn digits(count: usize) -> Result<String, NoRandom> {
    let random = SystemRandom::new();
    let mut text = String::with_capacity(count);
    let mut bytes = [0u8; 64];
    while text.len() < count {
        random.fill(&mut bytes).map_err(|_| NoRandom)?;
        // 248 is the largest multiple of 62 in a byte: beyond it small digits would be likelier.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        let digits = fair.filter_map(|byte| DIGITS.get(usize::from(byte % 62)));
        text.extend(digits.take(count - text.len()).map(|digit| char::from(*digit)));
    }
    Ok(text)
}

/// The public id in a credential of this form; None for anything else, a mistyped one included.
pub fn public_id(kind: TokenKind, text: &str) -> Option<&str> {
    let (public, rest) = text.strip_prefix(kind.prefix())?.split_once('-')?;
    let is_base62 = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let has_form = public.len() == PUBLIC_DIGITS
        && rest.len() == SECRET_DIGITS + CHECK_DIGITS
        && is_base62(public)
        && is_base62(rest);
    if !has_form {
        return None;
    }
    let (body, check) = text.split_at_checked(text.len() - CHECK_DIGITS)?;
    (check_digits(body) == check.as_bytes()).then_some(public)
}

/// CRC-32 in base 62, the highest digit first.
fn check_digits(body: &str) -> [u8; CHECK_DIGITS] {
    let mut crc = flate2::Crc::new();
    crc.update(body.as_bytes());
    let mut rest = crc.sum();
    let mut digits = [0u8; CHECK_DIGITS];
    for place in digits.iter_mut().rev() {
        *place = DIGITS.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn what_is_made_is_read_and_never_repeats() {
        let mut seen = HashSet::new();
        for _ in 0..200 {
            let made = mint(TokenKind::Key).unwrap();
            let text = made.text.expose();
            assert_eq!(text.len(), 3 + 16 + 1 + 43 + 6);
            assert_eq!(public_id(TokenKind::Key, text), Some(made.public.as_str()));
            assert_eq!(public_id(TokenKind::User, text), None);
            assert!(seen.insert(made.public) && seen.insert(text.to_owned()));
        }
        assert!(public_id(TokenKind::User, mint(TokenKind::User).unwrap().text.expose()).is_some());
    }

    #[test]
    fn a_typing_mistake_in_any_place_is_told() {
        let text = mint(TokenKind::Key).unwrap().text.expose().to_owned();
        for at in 3..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(public_id(TokenKind::Key, std::str::from_utf8(&bytes).unwrap()), None, "{at}");
        }
        assert_eq!(public_id(TokenKind::Key, &text[..text.len() - 1]), None);
        assert_eq!(public_id(TokenKind::Key, &format!("{text}x")), None);
    }

    #[test]
    fn other_texts_are_not_of_this_form() {
        let sql = format!("tg-{}-{}", "' OR 1=1;--     ", "0".repeat(49));
        for text in ["", "tg-", "tg-a-b", "tg-demo-key", "sk-abc", &sql, &format!("tg-é{}", "0".repeat(64))]
        {
            assert_eq!(public_id(TokenKind::Key, text), None, "{text}");
        }
    }

    #[test]
    fn every_digit_comes_up() {
        let text = digits(20_000).unwrap();
        let seen: HashSet<char> = text.chars().collect();
        assert_eq!(seen.len(), 62);
    }
}
