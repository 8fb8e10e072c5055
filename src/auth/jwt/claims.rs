//! What a token claims, and whether that is enough.

use super::JwtError;
use crate::auth::mapping::is_word;
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::types::{self, Claim};
use std::collections::HashMap;

/// The end of the year 9999: a later date is no date.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// What the configuration asks of claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub issuer: String,
    /// One of them must be among the token's.
    pub audiences: Vec<String>,
    pub skew_seconds: u64,
    /// Claims that must be texts with something in them. `sub` always is one.
    pub required: Vec<String>,
}

/// Claims that were accepted.
#[derive(Debug)]
pub struct Claims {
    /// All that are texts, by name.
    texts: HashMap<String, String>,
    /// Those that conditions may ask for.
    pub said: types::Claims,
    /// Seconds since 1970 at which the token ends, skew included.
    pub ends: u64,
    /// `email_verified` is true: the issuer has proved that the address is the subject's.
    pub has_verified_email: bool,
}

impl Claims {
    /// # Errors
    /// [`JwtError::Claims`] or [`JwtError::Time`].
    pub fn read(payload: &[u8], expected: &Expected, now: u64) -> Result<Self, JwtError> {
        let root = parse_bytes(payload, Duplicates::Refuse).map_err(|_| JwtError::Claims)?;
        if !root.is_object() || root.text_of("iss").as_deref() != Some(expected.issuer.as_str()) {
            return Err(JwtError::Claims);
        }
        check_audience(&root, &expected.audiences)?;
        let ends = check_time(&root, expected.skew_seconds, now)?;
        let texts: HashMap<String, String> = root
            .entries()
            .iter()
            .filter_map(|(name, node)| Some((name.to_string(), node.text()?.into_owned())))
            .collect();
        let is_good = |name: &str| texts.get(name).is_some_and(|text| is_word(text));
        if !is_good("sub") || !expected.required.iter().all(|name| is_good(name)) {
            return Err(JwtError::Claims);
        }
        let has_verified_email = root.get("email_verified").and_then(Node::as_bool) == Some(true);
        let said = root.entries().iter().filter_map(|(name, node)| Some((&**name).into()).zip(claim(node)));
        Ok(Self { texts, said: types::Claims::new(said), ends, has_verified_email })
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }
}

fn claim(node: &Node<'_>) -> Option<Claim> {
    let text = |node: &Node<'_>| node.text().map(|text| Box::from(&*text));
    if node.is_array() {
        return node.items().iter().map(text).collect::<Option<Box<[_]>>>().map(Claim::Texts);
    }
    let whole =
        || node.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15).map(|n| Claim::Whole(n as i64));
    let number = || node.is_number().then(whole).flatten();
    text(node).map(Claim::Text).or_else(|| node.as_bool().map(Claim::Flag)).or_else(number)
}

fn check_audience(root: &Node<'_>, audiences: &[String]) -> Result<(), JwtError> {
    let node = root.get("aud").ok_or(JwtError::Claims)?;
    let is_wanted =
        |node: &Node<'_>| node.text().is_some_and(|text| audiences.iter().any(|own| *own == text));
    let fits = if node.is_array() {
        // All must be texts: a list with something else in it is not understood.
        node.items().iter().all(Node::is_string) && node.items().iter().any(is_wanted)
    } else {
        is_wanted(node)
    };
    if fits { Ok(()) } else { Err(JwtError::Claims) }
}

/// When it ends. `exp` is needed; `nbf` and `iat` hold where they are there.
fn check_time(root: &Node<'_>, skew: u64, now: u64) -> Result<u64, JwtError> {
    let seconds = |name: &str| match root.get(name) {
        None => Ok(None),
        Some(node) => {
            let number = node.is_number().then(|| node.as_f64()).flatten();
            let number = number.filter(|number| (0.0..=SECONDS_MAX).contains(number));
            number.map(Some).ok_or(JwtError::Claims)
        }
    };
    let ends = seconds("exp")?.ok_or(JwtError::Claims)?;
    let ends = (ends as u64).saturating_add(skew);
    let begins = [seconds("nbf")?, seconds("iat")?];
    let is_early = begins.into_iter().flatten().any(|begins| begins > (now + skew) as f64);
    if now >= ends || is_early { Err(JwtError::Time) } else { Ok(ends) }
}
