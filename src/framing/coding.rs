//! The content codings that can be undone.
//!
//! Not the undoing, which is [`inflate`](super::inflate). A message in a coding that is not here, or in
//! several, is refused: nested codings multiply a bomb's ratio, and nobody sends them.

use thiserror::Error;

/// How the bytes of a body are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentCoding {
    Identity,
    Gzip,
    /// The zlib format; the raw deflate that some senders mean by it is accepted too.
    Deflate,
    Brotli,
    Zstd,
}

/// A `content-encoding` that is not one of [`ContentCoding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("unsupported content-encoding")]
pub struct Unsupported;

impl ContentCoding {
    /// Reads the value of a `content-encoding` field. An empty value names no coding.
    pub fn parse(value: &str) -> Result<Self, Unsupported> {
        const NAMES: [(&str, ContentCoding); 7] = [
            ("gzip", ContentCoding::Gzip),
            ("br", ContentCoding::Brotli),
            ("zstd", ContentCoding::Zstd),
            ("deflate", ContentCoding::Deflate),
            ("x-gzip", ContentCoding::Gzip),
            ("identity", ContentCoding::Identity),
            ("", ContentCoding::Identity),
        ];
        let value = value.trim_matches([' ', '\t']);
        let found = NAMES.iter().find(|(name, _)| value.eq_ignore_ascii_case(name));
        found.map(|&(_, coding)| coding).ok_or(Unsupported)
    }

    /// The name in `content-encoding`.
    pub fn as_str(self) -> &'static str {
        match self {
            ContentCoding::Identity => "identity",
            ContentCoding::Gzip => "gzip",
            ContentCoding::Deflate => "deflate",
            ContentCoding::Brotli => "br",
            ContentCoding::Zstd => "zstd",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_known_coding_is_read_whatever_its_case() {
        for coding in [
            ContentCoding::Identity,
            ContentCoding::Gzip,
            ContentCoding::Deflate,
            ContentCoding::Brotli,
            ContentCoding::Zstd,
        ] {
            assert_eq!(ContentCoding::parse(coding.as_str()), Ok(coding));
            assert_eq!(ContentCoding::parse(&coding.as_str().to_uppercase()), Ok(coding));
        }
        assert_eq!(ContentCoding::parse(" x-gzip\t"), Ok(ContentCoding::Gzip));
        assert_eq!(ContentCoding::parse(""), Ok(ContentCoding::Identity));
    }

    #[test]
    fn nested_and_unknown_codings_are_refused() {
        for value in
            ["gzip, br", "gzip,gzip", "identity, gzip", "compress", "gzipped", "br;q=1", "*", "aws-chunked"]
        {
            assert_eq!(ContentCoding::parse(value), Err(Unsupported), "{value}");
        }
    }
}
