//! Sets of keys that issuers publish (RFC 7517).

use super::JwtError;
use super::jws::{Algorithm, AlgorithmFamily, Jws};
use crate::framing::json::{Duplicates, Node, parse_bytes};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::HashMap;
use std::fmt;

/// Keys of one set; more are a mistake or an attack.
const KEYS_MAX: usize = 64;
/// A set as it is fetched.
pub const SET_BYTES_MAX: usize = 256 * 1024;
/// RFC 7518 §3.2 asks for a secret as long as the digest.
const SECRET_BYTES_MIN: usize = 32;

/// Why a set is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("is no set of keys (RFC 7517)")]
    Form,
    #[error("has more than {KEYS_MAX} keys, or more than {SET_BYTES_MAX} bytes")]
    TooMany,
    #[error("has no key that could check a signature")]
    NoKey,
}

/// A key, and what it may be used for.
pub enum Jwk {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
        mark: Option<Algorithm>,
    },
    /// On a curve: the algorithm follows from it.
    Point {
        bytes: Vec<u8>,
        algorithm: Algorithm,
    },
    /// Shared, and so never out of a set that is published.
    Secret {
        bytes: Vec<u8>,
        mark: Option<Algorithm>,
    },
}

/// Keys by their ids.
#[derive(Debug, Default)]
pub struct KeySet {
    by_id: HashMap<String, Jwk>,
    without_id: Vec<Jwk>,
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Jwk::Rsa { .. } => "Rsa",
            Jwk::Point { .. } => "Point",
            Jwk::Secret { .. } => "Secret(***)",
        })
    }
}

impl Jwk {
    pub fn takes(&self, algorithm: Algorithm) -> bool {
        let family = algorithm.family();
        let fits = |mark: &Option<Algorithm>| mark.is_none_or(|mark| algorithm.fits_mark(mark));
        match self {
            Jwk::Rsa { mark, .. } => {
                matches!(family, AlgorithmFamily::RsaPkcs1 | AlgorithmFamily::RsaPss) && fits(mark)
            }
            Jwk::Point { algorithm: own, .. } => *own == algorithm,
            Jwk::Secret { mark, .. } => family == AlgorithmFamily::Hmac && fits(mark),
        }
    }

    /// None for a key that checks no signature, or of a kind unknown here: sets hold keys for other
    /// purposes too.
    fn read(node: &Node<'_>, takes_secrets: bool) -> Option<Self> {
        let is_for_signatures = node.text_of("use").is_none_or(|purpose| purpose == "sig");
        let verifies = node.get("key_ops").is_none_or(|ops| ops.items().iter().any(|op| op.is("verify")));
        if !is_for_signatures || !verifies {
            return None;
        }
        let mark = match node.text_of("alg") {
            None => None,
            Some(text) => Some(Algorithm::parse(&text)?),
        };
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(node.text_of(name)?.as_bytes()).ok();
        let key = match (node.text_of("kty")?.as_ref(), node.text_of("crv").as_deref()) {
            ("RSA", _) => {
                let whole = |name| {
                    let number = bytes(name)?;
                    Some(number.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>())
                };
                Jwk::Rsa { n: whole("n")?, e: whole("e")?, mark }
            }
            ("EC", Some("P-256")) => point(&bytes("x")?, &bytes("y")?, 32, Algorithm::Es256)?,
            ("EC", Some("P-384")) => point(&bytes("x")?, &bytes("y")?, 48, Algorithm::Es384)?,
            ("OKP", Some("Ed25519")) => {
                let bytes = bytes("x")?;
                (bytes.len() == 32).then_some(Jwk::Point { bytes, algorithm: Algorithm::EdDsa })?
            }
            ("oct", _) if takes_secrets => {
                let bytes = bytes("k")?;
                (bytes.len() >= SECRET_BYTES_MIN).then_some(Jwk::Secret { bytes, mark })?
            }
            _ => return None,
        };
        match (&key, mark) {
            (Jwk::Point { algorithm, .. }, Some(mark)) if *algorithm != mark => None,
            _ => Some(key),
        }
    }
}

/// SEC 1, uncompressed.
fn point(x: &[u8], y: &[u8], length: usize, algorithm: Algorithm) -> Option<Jwk> {
    let is_whole = x.len() == length && y.len() == length;
    is_whole.then(|| Jwk::Point { bytes: [&[4], x, y].concat(), algorithm })
}

impl KeySet {
    /// Reads a set. Secrets in it are taken only where `takes_secrets`: out of a file of one's own.
    ///
    /// # Errors
    /// Why it is not used: a half-read set would let some tokens in and not others.
    pub fn parse(bytes: &[u8], takes_secrets: bool) -> Result<Self, KeySetError> {
        if bytes.len() > SET_BYTES_MAX {
            return Err(KeySetError::TooMany);
        }
        let root = parse_bytes(bytes, Duplicates::Refuse).map_err(|_| KeySetError::Form)?;
        let keys = root.get("keys").filter(|keys| keys.is_array()).ok_or(KeySetError::Form)?;
        if keys.items().len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let mut set = Self::default();
        for node in keys.items() {
            let Some(key) = Jwk::read(node, takes_secrets) else { continue };
            let Some(kid) = node.text_of("kid") else {
                set.without_id.push(key);
                continue;
            };
            // Two keys of one id would make which one counts a matter of order.
            if set.by_id.insert(kid.into_owned(), key).is_some() {
                return Err(KeySetError::Form);
            }
        }
        if set.is_empty() { Err(KeySetError::NoKey) } else { Ok(set) }
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.without_id.is_empty()
    }

    /// Checks the signature with the key the token names; where it names none, with the only key that
    /// could have made it.
    ///
    /// # Errors
    /// [`JwtError::UnknownKey`] where that key is not here, and the signature's own.
    pub fn verify(&self, jws: &Jws<'_>) -> Result<(), JwtError> {
        let key = match &jws.kid {
            Some(kid) => self.by_id.get(kid.as_str()),
            None => {
                let all = self.by_id.values().chain(&self.without_id);
                let mut fitting = all.filter(|key| key.takes(jws.algorithm));
                fitting.next().filter(|_| fitting.next().is_none())
            }
        };
        jws.verify(key.ok_or(JwtError::UnknownKey)?)
    }
}
