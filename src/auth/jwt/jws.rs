//! A compact JWS (RFC 7515): its form, its header, its signature.

use super::JwtError;
use super::TOKEN_BYTES_MAX;
use super::jwk::Jwk;
use crate::framing::json::{Duplicates, Node, parse_bytes};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{hmac, signature};

/// Algorithms that can be allowed. `none` is no algorithm here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
    /// Only with a secret of the configuration's own: never with what somebody publishes.
    Hs256,
    Hs384,
    Hs512,
}

/// Algorithms that one kind of key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgorithmFamily {
    RsaPkcs1,
    RsaPss,
    Ecdsa,
    EdDsa,
    Hmac,
}

impl Algorithm {
    pub const ALL: [Algorithm; 12] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
        Algorithm::Hs256,
        Algorithm::Hs384,
        Algorithm::Hs512,
    ];

    /// As in headers and in the configuration; case counts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Hs256 => "HS256",
            Algorithm::Hs384 => "HS384",
            Algorithm::Hs512 => "HS512",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    pub const fn family(self) -> AlgorithmFamily {
        match self {
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => AlgorithmFamily::RsaPkcs1,
            Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => AlgorithmFamily::RsaPss,
            Algorithm::Es256 | Algorithm::Es384 => AlgorithmFamily::Ecdsa,
            Algorithm::EdDsa => AlgorithmFamily::EdDsa,
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => AlgorithmFamily::Hmac,
        }
    }

    /// Whether a key marked for `marked` may check this: the same algorithm, or one of the same
    /// family with a longer digest (as in RFC 7520 §4.2, whose key is marked otherwise in the wild).
    /// Never a shorter one, never another family.
    pub fn fits_mark(self, marked: Algorithm) -> bool {
        self == marked
            || (self.family() == marked.family() && self > marked && self.family() != AlgorithmFamily::Ecdsa)
    }

    fn verification(self) -> Option<&'static dyn signature::VerificationAlgorithm> {
        Some(match self {
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            Algorithm::EdDsa => &signature::ED25519,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static signature::RsaParameters> {
        Some(match self {
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            _ => return None,
        })
    }

    fn hmac(self) -> Option<hmac::Algorithm> {
        Some(match self {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            _ => return None,
        })
    }
}

/// A token taken apart, nothing of it proved.
pub struct Jws<'t> {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    /// Header and payload as they came: what is signed.
    signed: &'t str,
    pub payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    /// Three segments of base64url without padding, a header of one of `allowed`.
    ///
    /// # Errors
    /// What it is instead.
    pub fn parse(token: &'t str, allowed: &[Algorithm]) -> Result<Self, JwtError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(JwtError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(JwtError::Form)?;
        // The engine takes no padding, no other alphabet, no loose last bits, and no fourth segment.
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Form);
        let header = decoded(header)?;
        let header = parse_bytes(&header, Duplicates::Refuse).map_err(|_| JwtError::Header)?;
        let (algorithm, kid) = read_header(&header, allowed)?;
        Ok(Self { algorithm, kid, signed, payload: decoded(payload)?, signature: decoded(signature)? })
    }

    /// Whether `key` made the signature.
    ///
    /// # Errors
    /// [`JwtError::Algorithm`] for a key that is not for this algorithm, [`JwtError::Signature`].
    pub fn verify(&self, key: &Jwk) -> Result<(), JwtError> {
        if !key.takes(self.algorithm) {
            return Err(JwtError::Algorithm);
        }
        let message = self.signed.as_bytes();
        let is_good = match key {
            Jwk::Rsa { n, e, .. } => self.algorithm.rsa().is_some_and(|parameters| {
                signature::RsaPublicKeyComponents { n, e }
                    .verify(parameters, message, &self.signature)
                    .is_ok()
            }),
            Jwk::Point { bytes, .. } => self.algorithm.verification().is_some_and(|algorithm| {
                signature::UnparsedPublicKey::new(algorithm, bytes).verify(message, &self.signature).is_ok()
            }),
            Jwk::Secret { bytes, .. } => self.algorithm.hmac().is_some_and(|algorithm| {
                hmac::verify(&hmac::Key::new(algorithm, bytes), message, &self.signature).is_ok()
            }),
        };
        if is_good { Ok(()) } else { Err(JwtError::Signature) }
    }
}

/// Algorithm and key id. Other members that name keys (`jku`, `jwk`, `x5u`, `x5c`) are not read.
fn read_header(header: &Node<'_>, allowed: &[Algorithm]) -> Result<(Algorithm, Option<String>), JwtError> {
    if !header.is_object() || header.get("crit").is_some() || header.get("b64").is_some() {
        // What must be understood, and is not; `b64` would change what is signed (RFC 7797).
        return Err(JwtError::Header);
    }
    if let Some(kind) = header.get("typ") {
        let text = kind.text().ok_or(JwtError::Header)?.to_ascii_lowercase();
        let text = text.strip_prefix("application/").unwrap_or(&text);
        if !matches!(text, "jwt" | "at+jwt" | "jose") {
            return Err(JwtError::Header);
        }
    }
    let algorithm = header.text_of("alg").and_then(|text| Algorithm::parse(&text));
    let algorithm = algorithm.filter(|algorithm| allowed.contains(algorithm)).ok_or(JwtError::Algorithm)?;
    let kid = match header.get("kid") {
        None => None,
        Some(kid) => Some(kid.text().ok_or(JwtError::Header)?.into_owned()),
    };
    Ok((algorithm, kid))
}
