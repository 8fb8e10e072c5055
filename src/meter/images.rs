//! What an image costs, by model, from its size alone.
//!
//! Not a decoder: [`Size::of_base64`] reads the few header bytes where they stand in the base64 text and
//! nothing is fetched. Invariant: an image whose size can't be read costs the rule's maximum.

use super::family::{Family, base_name};

/// Pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

/// How a model turns pixels into tokens (constants of the vendors' documentation).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageRule {
    /// Fit into 2048², shortest side to 768, then tiles of 512².
    Tiles { base: u32, per_tile: u32 },
    /// Patches of 32², at most `cap` of them, times a factor in parts per thousand.
    Patches { cap: u32, permille: u32 },
    /// Fit to a long edge, then a token for 750 pixels.
    Area { edge: u32, cap: u32 },
    /// One unit up to 384², else one for each tile of 768² (at most 16).
    Units { unit: u32 },
    /// The same for every size.
    Flat { tokens: u32 },
}

/// Base64 text, read by byte position.
struct Base64<'a>(&'a [u8]);

impl ImageRule {
    pub fn of(family: Family, model: &str) -> ImageRule {
        match family {
            Family::ClaudeOld => ImageRule::Area { edge: 1568, cap: 1568 },
            Family::ClaudeNew => ImageRule::Area { edge: 2576, cap: 4784 },
            Family::Gemini if base_name(model).contains("gemini-3") => ImageRule::Flat { tokens: 1120 },
            Family::Gemini => ImageRule::Units { unit: 258 },
            Family::O200k | Family::Cl100k => Self::openai(&base_name(model)),
            Family::Mistral | Family::Other => ImageRule::Patches { cap: 1536, permille: 1000 },
        }
    }

    fn openai(name: &str) -> ImageRule {
        const RULES: [(&str, ImageRule); 13] = [
            ("gpt-4o-mini", ImageRule::Tiles { base: 2833, per_tile: 5667 }),
            ("gpt-4.1-mini", ImageRule::Patches { cap: 1536, permille: 1620 }),
            ("gpt-4.1-nano", ImageRule::Patches { cap: 1536, permille: 2460 }),
            ("gpt-4", ImageRule::Tiles { base: 85, per_tile: 170 }),
            ("gpt-5-mini", ImageRule::Patches { cap: 1536, permille: 1620 }),
            ("gpt-5-nano", ImageRule::Patches { cap: 1536, permille: 2460 }),
            ("gpt-5.1", ImageRule::Tiles { base: 70, per_tile: 140 }),
            ("gpt-5.", ImageRule::Patches { cap: 2500, permille: 1200 }),
            ("gpt-5", ImageRule::Tiles { base: 70, per_tile: 140 }),
            ("gpt-", ImageRule::Patches { cap: 2500, permille: 1200 }),
            ("o4-mini", ImageRule::Patches { cap: 1536, permille: 1720 }),
            ("computer-use", ImageRule::Tiles { base: 65, per_tile: 129 }),
            ("", ImageRule::Tiles { base: 75, per_tile: 150 }),
        ];
        let found = RULES.iter().find(|(prefix, _)| name.starts_with(prefix));
        found.map_or(ImageRule::Tiles { base: 75, per_tile: 150 }, |(_, rule)| *rule)
    }

    /// Tokens of one image; `is_low` is OpenAI's `detail: low`.
    pub fn tokens(self, size: Option<Size>, is_low: bool) -> u64 {
        let Some(size) = size else { return self.max() };
        let (width, height) = (u64::from(size.width.max(1)), u64::from(size.height.max(1)));
        let tokens = match self {
            ImageRule::Tiles { base, .. } if is_low => u64::from(base),
            ImageRule::Tiles { base, per_tile } => {
                let (width, height) = fit(width, height, 2048);
                let shortest = width.min(height);
                let scale = |side: u64| if shortest > 768 { side * 768 / shortest } else { side };
                let tiles = scale(width).div_ceil(512) * scale(height).div_ceil(512);
                u64::from(base) + u64::from(per_tile) * tiles
            }
            ImageRule::Patches { cap, permille } => {
                let patches = (width.div_ceil(32) * height.div_ceil(32)).min(u64::from(cap));
                (patches * u64::from(permille)).div_ceil(1000)
            }
            ImageRule::Area { edge, cap } => {
                let (width, height) = fit(width, height, u64::from(edge));
                (width * height).div_ceil(750).min(u64::from(cap))
            }
            ImageRule::Units { unit } if width <= 384 && height <= 384 => u64::from(unit),
            ImageRule::Units { unit } => {
                u64::from(unit) * (width.div_ceil(768) * height.div_ceil(768)).min(16)
            }
            ImageRule::Flat { tokens } => u64::from(tokens),
        };
        tokens.min(self.max())
    }

    /// The most one image can cost.
    pub fn max(self) -> u64 {
        match self {
            // 768 by 2048: two rows of four.
            ImageRule::Tiles { base, per_tile } => u64::from(base) + 8 * u64::from(per_tile),
            ImageRule::Patches { cap, permille } => (u64::from(cap) * u64::from(permille)).div_ceil(1000),
            ImageRule::Area { cap, .. } => u64::from(cap),
            ImageRule::Units { unit } => 16 * u64::from(unit),
            ImageRule::Flat { tokens } => u64::from(tokens),
        }
    }

    /// The most one image can cost with any model of the family.
    pub fn family_max(family: Family) -> u64 {
        match family {
            Family::ClaudeOld | Family::ClaudeNew => 4784,
            Family::Gemini => 16 * 258,
            // gpt-4o-mini's tiles; dearer than 10,000 patches at 1.2.
            Family::O200k | Family::Cl100k => 2833 + 8 * 5667,
            Family::Mistral | Family::Other => 16_384,
        }
    }
}

impl Size {
    /// The size of a PNG, JPEG, GIF or WebP from its header.
    pub fn of_base64(text: &str) -> Option<Size> {
        let data = Base64(text.as_bytes());
        match data.array::<4>(0)? {
            [0x89, b'P', b'N', b'G'] => {
                let (width, height) = (data.array(16)?, data.array(20)?);
                Some(Size { width: u32::from_be_bytes(width), height: u32::from_be_bytes(height) })
            }
            [b'G', b'I', b'F', b'8'] => Size::from_u16(data.le16(6)?, data.le16(8)?),
            [0xff, 0xd8, ..] => Size::of_jpeg(&data),
            [b'R', b'I', b'F', b'F'] => Size::of_webp(&data),
            _ => None,
        }
    }

    fn from_u16(width: u16, height: u16) -> Option<Size> {
        Some(Size { width: width.into(), height: height.into() })
    }

    /// Walks the segments to the frame header.
    fn of_jpeg(data: &Base64<'_>) -> Option<Size> {
        const SEGMENTS_MAX: usize = 64;
        let mut at = 2;
        for _ in 0..SEGMENTS_MAX {
            let [0xff, marker] = data.array::<2>(at)? else { return None };
            let [high, low] = data.array::<2>(at + 2)?;
            // All frame headers but the Huffman, arithmetic and JPG extension segments among them.
            if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
                let (height, width) = (data.array(at + 5)?, data.array(at + 7)?);
                return Size::from_u16(u16::from_be_bytes(width), u16::from_be_bytes(height));
            }
            at += 2 + usize::from(u16::from_be_bytes([high, low]));
        }
        None
    }

    fn of_webp(data: &Base64<'_>) -> Option<Size> {
        match data.array::<4>(12)? {
            [b'V', b'P', b'8', b' '] => Size::from_u16(data.le16(26)? & 0x3fff, data.le16(28)? & 0x3fff),
            [b'V', b'P', b'8', b'L'] => {
                let bits = u32::from_le_bytes(data.array(21)?);
                Some(Size { width: (bits & 0x3fff) + 1, height: (bits >> 14 & 0x3fff) + 1 })
            }
            [b'V', b'P', b'8', b'X'] => {
                let side = |[a, b, c]: [u8; 3]| u32::from_le_bytes([a, b, c, 0]) + 1;
                Some(Size { width: side(data.array(24)?), height: side(data.array(27)?) })
            }
            _ => None,
        }
    }
}

impl Base64<'_> {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        for (byte, at) in bytes.iter_mut().zip(at..) {
            *byte = self.byte(at)?;
        }
        Some(bytes)
    }

    fn le16(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    /// Byte `at` of what the text encodes; `None` past the end or in anything but plain base64.
    fn byte(&self, at: usize) -> Option<u8> {
        let (first, offset) = (at / 3 * 4 + at % 3, at % 3);
        let value = |at: usize| self.0.get(at).copied().and_then(sextet);
        let both = u16::from(value(first)?) << 6 | u16::from(value(first + 1)?);
        Some((both >> (4 - 2 * offset)) as u8)
    }
}

fn sextet(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Scales down to a longest side of `edge`, keeping the proportions.
fn fit(width: u64, height: u64, edge: u64) -> (u64, u64) {
    let longest = width.max(height);
    if longest <= edge {
        (width, height)
    } else {
        ((width * edge / longest).max(1), (height * edge / longest).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(bytes: &[u8]) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let word =
                group.iter().fold(0u32, |word, b| word << 8 | u32::from(*b)) << (8 * (3 - group.len()));
            for at in 0..=group.len() {
                text.push(LETTERS[(word >> (18 - 6 * at) & 63) as usize] as char);
            }
        }
        text
    }

    #[test]
    fn sizes_are_read_from_the_headers_of_four_formats() {
        let png =
            [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &640u32.to_be_bytes(), &480u32.to_be_bytes()].concat();
        let gif = b"GIF89a\x80\x02\xe0\x01".to_vec();
        // A 70,000-byte preview would not fit one segment: two of them before the frame header.
        let exif = [&b"\xff\xe1\xff\xff"[..], &[0; 65533]].concat();
        let jpeg = [&b"\xff\xd8"[..], &exif, &exif, b"\xff\xc2\0\x11\x08\x01\xe0\x02\x80\x03"].concat();
        let vp8x = [&b"RIFF....WEBPVP8X\x0a\0\0\0\0\0\0\0"[..], &[0x7f, 2, 0, 0xdf, 1, 0]].concat();
        let bits = (639u32 | 479 << 14).to_le_bytes();
        let vp8l = [&b"RIFF....WEBPVP8L....\x2f"[..], &bits].concat();
        let vp8 = [&b"RIFF....WEBPVP8 ..........\x80\x02\xe0\x01"[..]].concat();
        for image in [png, gif, jpeg, vp8x, vp8l, vp8] {
            let text = encode(&image);
            assert_eq!(Size::of_base64(&text), Some(Size { width: 640, height: 480 }), "{}", &text[..12]);
            // Cut anywhere inside the header it is unknown, not a panic.
            for end in 0..text.len().min(60) {
                assert_eq!(
                    Size::of_base64(&text[..end.min(text.len() - 2)]).filter(|s| s.width != 640),
                    None
                );
            }
        }
        assert_eq!(Size::of_base64("not base64!"), None);
    }

    #[test]
    fn documented_examples_cost_what_the_vendors_say() {
        let size = |width, height| Some(Size { width, height });
        let gpt4o = ImageRule::of(Family::O200k, "gpt-4o");
        assert_eq!(gpt4o.tokens(size(1024, 1024), false), 765);
        assert_eq!(gpt4o.tokens(size(2048, 4096), false), 1105);
        assert_eq!(gpt4o.tokens(size(4096, 8192), true), 85);
        assert_eq!(ImageRule::of(Family::O200k, "gpt-4.1-mini").tokens(size(1024, 1024), false), 1659);
        assert_eq!(ImageRule::of(Family::ClaudeOld, "").tokens(size(1000, 1000), false), 1334);
        assert_eq!(ImageRule::of(Family::Gemini, "gemini-2.5-pro").tokens(size(384, 384), false), 258);
        assert_eq!(ImageRule::of(Family::Gemini, "gemini-2.5-pro").tokens(size(960, 540), false), 516);
    }

    #[test]
    fn no_size_costs_more_than_the_maximum_of_rule_and_family() {
        for (family, model) in [
            (Family::O200k, "gpt-4o-mini"),
            (Family::O200k, "gpt-5.6"),
            (Family::ClaudeOld, ""),
            (Family::ClaudeNew, ""),
            (Family::Gemini, "gemini-3-pro"),
            (Family::Other, "qwen"),
        ] {
            let rule = ImageRule::of(family, model);
            assert!(rule.max() <= ImageRule::family_max(family));
            assert_eq!(rule.tokens(None, true), rule.max());
            for (width, height) in [(0, 0), (1, u32::MAX), (u32::MAX, u32::MAX), (769, 769), (2048, 768)] {
                assert!(rule.tokens(Some(Size { width, height }), false) <= rule.max());
            }
        }
    }
}
