//! Opaque proofs that a vendor gives with its thinking and wants back.
//!
//! Anthropic signs thinking, Gemini signs parts, OpenAI encrypts reasoning, OpenRouter carries any
//! of these. A client of another protocol gets them in the slot its own protocol has for such a
//! thing, in an envelope that names the vendor; on the next turn the envelope is opened again, on
//! any node, because nothing was stored. Only a client that drops even its own protocol's opaque
//! slot loses it; tool calls therefore carry theirs in the call's id, which no client may change.

use super::text::Text;
use std::borrow::Cow;

/// Whose proof it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Claude, wherever it runs: valid at Anthropic, Bedrock and Vertex alike.
    Anthropic,
    Gemini,
    /// `encrypted_content` of a Responses reasoning item.
    OpenAi,
    /// A `reasoning_details` element as JSON.
    OpenRouter,
    /// No proof: thinking of a vendor that signs nothing (DeepSeek, Moonshot, Ollama …), in a slot
    /// that must not be empty.
    Unsigned,
}

/// A vendor's proof, as the vendor wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    pub vendor: Vendor,
    pub data: Text<'a>,
}

/// Start of an envelope; `1` is its version.
const MARK: &str = "tg1.";
/// Between a call's own id and its signature.
const ID_MARK: &str = "-tg1-";
/// Longest signature that is put into an id.
pub const ID_SIGNATURE_BYTES_MAX: usize = 16 * 1024;

impl Vendor {
    const ALL: [Vendor; 5] =
        [Vendor::Anthropic, Vendor::Gemini, Vendor::OpenAi, Vendor::OpenRouter, Vendor::Unsigned];

    fn letter(self) -> &'static str {
        match self {
            Vendor::Anthropic => "a",
            Vendor::Gemini => "g",
            Vendor::OpenAi => "o",
            Vendor::OpenRouter => "r",
            Vendor::Unsigned => "u",
        }
    }

    fn of_letter(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vendor| vendor.letter() == letter)
    }
}

impl<'a> Signature<'a> {
    pub fn new(vendor: Vendor, data: impl Into<Text<'a>>) -> Self {
        Self { vendor, data: data.into() }
    }

    /// What stands in the opaque slot of a protocol whose own signatures are `native`'s: the data
    /// itself, or an envelope of the alphabet `A-Z a-z 0-9 - _ .`.
    pub fn to_slot(&self, native: Vendor) -> Cow<'_, str> {
        if self.vendor == native {
            return Cow::Borrowed(&self.data);
        }
        Cow::Owned(format!("{MARK}{}.{}", self.vendor.letter(), base64url(self.data.as_bytes())))
    }

    /// Reads such a slot back.
    pub fn from_slot(slot: Text<'a>, native: Vendor) -> Self {
        Self::open(&slot).unwrap_or(Self { vendor: native, data: slot })
    }

    /// The content of an envelope; None for anything else.
    fn open(slot: &str) -> Option<Self> {
        let (letter, data) = slot.strip_prefix(MARK)?.split_once('.')?;
        let data = String::from_utf8(from_base64url(data)?).ok()?;
        Some(Self { vendor: Vendor::of_letter(letter)?, data: Cow::Owned(data) })
    }
}

/// The id under which a client of another protocol sees a tool call: its own id, and its signature
/// behind it. Without a signature, or with one too long to carry, the id itself.
pub fn pack_id<'i>(id: &'i str, signature: Option<&Signature<'_>>) -> Cow<'i, str> {
    match signature {
        Some(signed) if signed.data.len() <= ID_SIGNATURE_BYTES_MAX => Cow::Owned(format!(
            "{id}{ID_MARK}{}{}",
            signed.vendor.letter(),
            base64url(signed.data.as_bytes())
        )),
        _ => Cow::Borrowed(id),
    }
}

/// The call's own id and the signature that came with it. Codecs call it on every tool call id and
/// every tool result id that they read.
pub fn unpack_id(id: Text<'_>) -> (Text<'_>, Option<Signature<'static>>) {
    let unpacked = id.rsplit_once(ID_MARK).and_then(|(own, packed)| {
        let (letter, data) = packed.split_at_checked(1)?;
        let data = String::from_utf8(from_base64url(data)?).ok()?;
        let vendor = Vendor::of_letter(letter)?;
        Some((own.to_owned(), Signature { vendor, data: Cow::Owned(data) }))
    });
    match unpacked {
        Some((own, signature)) => (Cow::Owned(own), Some(signature)),
        None => (id, None),
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648 §5 without padding.
fn base64url(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..=group.len() {
            let six = (bits >> (18 - 6 * place)) & 63;
            out.push(ALPHABET.get(six as usize).copied().map_or('A', char::from));
        }
    }
    out
}

fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        if group.len() == 1 {
            return None;
        }
        let mut bits = 0u32;
        for (place, letter) in group.iter().enumerate() {
            let six = ALPHABET.iter().position(|known| known == letter)? as u32;
            bits |= six << (18 - 6 * place);
        }
        out.extend(bits.to_be_bytes().into_iter().skip(1).take(group.len() - 1));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_slot_gives_back_what_was_put_in() {
        for data in ["", "a", "ab", "abc", "EqQB+/=\n\"é😀"] {
            for vendor in Vendor::ALL {
                let signature = Signature::new(vendor, data);
                for native in Vendor::ALL {
                    let slot = signature.to_slot(native).into_owned();
                    if vendor == native {
                        assert_eq!(slot, data);
                    } else {
                        assert!(slot.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
                        assert_eq!(Signature::from_slot(slot.into(), native), signature);
                    }
                }
            }
        }
    }

    #[test]
    fn an_id_carries_a_signature_and_is_itself_again() {
        let signature = Signature::new(Vendor::Gemini, "CiQB9/+==");
        let packed = pack_id("call_1-x", Some(&signature)).into_owned();
        assert!(packed.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{packed}");
        assert_eq!(unpack_id(packed.into()), ("call_1-x".into(), Some(signature)));
        for plain in ["call_1", "", "x-tg1-", "x-tg1-g!", "x-tg1-zQUJD"] {
            assert_eq!(unpack_id(plain.into()).0, plain);
            assert_eq!(unpack_id(plain.into()).1, None);
        }
    }

    #[test]
    fn a_signature_too_long_for_an_id_is_left_out() {
        let long = Signature::new(Vendor::Gemini, "x".repeat(ID_SIGNATURE_BYTES_MAX + 1));
        assert_eq!(pack_id("call_1", Some(&long)), "call_1");
    }

    #[test]
    fn base64_follows_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("\u{3ff}?>", "z78_Pg"),
        ] {
            assert_eq!(base64url(plain.as_bytes()), coded);
            assert_eq!(from_base64url(coded).unwrap(), plain.as_bytes());
        }
        assert_eq!(from_base64url("A"), None);
        assert_eq!(from_base64url("A*"), None);
    }
}
