//! What a token says of its caller, as far as rules may ask for it.

use serde::{Deserialize, Serialize};

/// Claims of a token that are kept; what is beyond is left out.
pub const CLAIMS_MAX: usize = 64;
/// Texts of one list.
pub const TEXTS_MAX: usize = 64;
/// Longest text; a longer one is left out, never cut: it would mean something else.
pub const TEXT_BYTES_MAX: usize = 1024;

/// One claim's value. Objects and fractions are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Claim {
    Flag(bool),
    Whole(i64),
    Text(Box<str>),
    Texts(Box<[Box<str>]>),
}

/// Claims by name, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims(Box<[(Box<str>, Claim)]>);

impl Claims {
    /// The first [`CLAIMS_MAX`] of those that keep to the bounds.
    pub fn new(claims: impl Iterator<Item = (Box<str>, Claim)>) -> Self {
        let fits = |text: &str| text.len() <= TEXT_BYTES_MAX;
        let is_kept = |(name, claim): &(Box<str>, Claim)| {
            fits(name)
                && match claim {
                    Claim::Text(text) => fits(text),
                    Claim::Texts(texts) => texts.len() <= TEXTS_MAX && texts.iter().all(|text| fits(text)),
                    Claim::Flag(_) | Claim::Whole(_) => true,
                }
        };
        Self(claims.filter(is_kept).take(CLAIMS_MAX).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, name: &str) -> Option<&Claim> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, claim)| claim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_too_many_is_left_out_whole() {
        let text = |len: usize| Claim::Text("x".repeat(len).into());
        let texts = |count: usize| Claim::Texts(vec!["x".into(); count].into());
        let claims = [
            ("fits", text(TEXT_BYTES_MAX)),
            ("long", text(TEXT_BYTES_MAX + 1)),
            ("list", texts(TEXTS_MAX)),
            ("lists", texts(TEXTS_MAX + 1)),
            ("flag", Claim::Flag(true)),
        ];
        let kept = Claims::new(claims.into_iter().map(|(name, claim)| (name.into(), claim)));
        let found = ["fits", "long", "list", "lists", "flag"].map(|name| kept.get(name).is_some());
        assert_eq!(found, [true, false, true, false, true]);
        let many = Claims::new((0..100).map(|at: i64| (at.to_string().into(), Claim::Whole(at))));
        assert_eq!((many.get("63"), many.get("64")), (Some(&Claim::Whole(63)), None));
    }
}
