//! Images, documents and recordings in a body: inline base64 or a reference.
//!
//! Not a decoder and not a client: an image's size is read from its header, everything else is judged
//! by its number of bytes. Invariant: whatever it is, it weighs more than nothing and is estimated.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::images::Size;
use super::weight::{IsLow, Scale, Walk, Weight};

/// Tokens assumed for a document or recording that is only referred to.
const REFERENCE_TOKENS: u64 = 1500;
/// Tokens assumed for the smallest document: one page, as text and as a picture.
const PAGE_TOKENS: u64 = 1600;

/// What one media part says about itself.
#[derive(Default)]
pub(super) struct Media {
    /// Of the payload, base64.
    bytes: u64,
    size: Option<Size>,
    kind: Kind,
    is_low: bool,
    /// Its text was weighed already.
    is_text: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    Image,
    Audio,
    Video,
    Text,
    Document,
    #[default]
    Unknown,
}

/// Reads the value of a media key: a URL, or an object with one or with data.
pub(super) struct MediaSeed<'w>(pub Walk<'w>);

/// A string borrowed from the JSON where it has no escapes.
struct Str<'de>(Cow<'de, str>);

impl Media {
    /// Adds what the part costs.
    pub(super) fn weigh(self, scale: Scale, is_low: bool, weight: &mut Weight) {
        weight.is_estimated = true;
        if self.is_text {
            return;
        }
        let kilobytes = (self.bytes * 3 / 4).div_ceil(1024);
        weight.fixed += match self.kind {
            Kind::Image => scale.images.tokens(self.size, is_low || self.is_low),
            _ if self.bytes == 0 => REFERENCE_TOKENS,
            Kind::Text => self.bytes.div_ceil(4),
            // 32 tokens a second at 128 kbit/s.
            Kind::Audio => 32 + 2 * kilobytes,
            // 300 tokens a second at 2 Mbit/s.
            Kind::Video => 300 + kilobytes * 6 / 5,
            // A page of about 50 KiB, as text and as a picture.
            Kind::Document | Kind::Unknown => PAGE_TOKENS * kilobytes.div_ceil(50).max(1),
        };
    }

    fn set_type(&mut self, mime: &str) {
        let kind = match mime.split_once('/').map_or(mime, |(class, _)| class) {
            "image" => Kind::Image,
            "audio" => Kind::Audio,
            "video" => Kind::Video,
            "text" => Kind::Text,
            "application" => Kind::Document,
            _ => return,
        };
        self.kind = kind;
    }

    /// Takes a data URL, or a reference that nothing is known of.
    fn set_url(&mut self, url: &str) {
        let Some(rest) = url.strip_prefix("data:") else { return };
        let Some((head, data)) = rest.split_once(',') else { return };
        self.set_type(head);
        self.set_data(data);
    }

    fn set_data(&mut self, data: &str) {
        self.bytes = data.len() as u64;
        self.size = Size::of_base64(data);
        if self.size.is_some() && self.kind == Kind::Unknown {
            self.kind = Kind::Image;
        }
    }
}

impl<'de> DeserializeSeed<'de> for MediaSeed<'_> {
    type Value = Media;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Media, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MediaSeed<'_> {
    type Value = Media;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an image, a document or a recording")
    }

    fn visit_unit<E>(self) -> Result<Media, E> {
        Ok(Media { is_text: true, ..Media::default() })
    }

    fn visit_str<E>(self, url: &str) -> Result<Media, E> {
        let mut media = Media::default();
        media.set_url(url);
        if media.bytes == 0 {
            // A bare reference is an image's far more often than a document's.
            media.kind = Kind::Image;
        }
        Ok(media)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Media, A::Error> {
        let Walk { scale, weight, .. } = self.0;
        let mut media = Media::default();
        let mut data = None::<Str<'de>>;
        let mut is_plain_text = false;
        while let Some(key) = object.next_key::<Str<'de>>()? {
            match &*key.0 {
                "url" | "file_data" | "file_url" => {
                    let url = object.next_value::<Str<'de>>()?;
                    media.set_url(&url.0);
                    if media.bytes == 0 && &*key.0 == "url" {
                        media.kind = Kind::Image;
                    }
                }
                "data" => data = Some(object.next_value()?),
                "media_type" | "mimeType" | "mime_type" => {
                    media.set_type(&object.next_value::<Str<'de>>()?.0)
                }
                "format" => {
                    object.next_value::<IgnoredAny>()?;
                    media.kind = Kind::Audio; // Only OpenAI's `input_audio` has it.
                }
                "type" => is_plain_text = object.next_value::<Str<'de>>()?.0 == "text",
                "detail" => media.is_low = object.next_value_seed(IsLow)?,
                "content" => {
                    object.next_value_seed(Walk { scale, weight, is_message: false })?;
                    media.is_text = true;
                }
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        match data {
            Some(text) if is_plain_text => {
                weight.text += scale.tokenizer.count(&text.0);
                media.is_text = true;
            }
            Some(text) => media.set_data(&text.0),
            None => {}
        }
        Ok(media)
    }
}

impl<'de> serde::Deserialize<'de> for Str<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Str<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Str(Cow::Borrowed("")))
            }
        }
        json.deserialize_any(Borrow)
    }
}
