//! Content codings.

use crate::input::{BYTES_MAX, Input, each_input};
use std::io::Write;
use tidegate::framing::coding::ContentCoding;
use tidegate::framing::inflate::{InflateError, StreamInflater, inflate_all};

const CODINGS: [ContentCoding; 5] = [
    ContentCoding::Identity,
    ContentCoding::Gzip,
    ContentCoding::Deflate,
    ContentCoding::Brotli,
    ContentCoding::Zstd,
];
const OUT_MAX: usize = 4096;

fn pack(coding: ContentCoding, plain: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::fast();
    match coding {
        ContentCoding::Identity => plain.to_vec(),
        ContentCoding::Gzip => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), level);
            packer.write_all(plain).unwrap();
            packer.finish().unwrap()
        }
        ContentCoding::Deflate => {
            let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), level);
            packer.write_all(plain).unwrap();
            packer.finish().unwrap()
        }
        ContentCoding::Brotli => {
            let mut packer = brotli::CompressorWriter::new(Vec::new(), 4096, 1, 16);
            packer.write_all(plain).unwrap();
            packer.into_inner()
        }
        ContentCoding::Zstd => zstd::stream::encode_all(plain, 1).unwrap(),
    }
}

/// Through a [`StreamInflater`], with [`OUT_MAX`] bytes in all.
fn inflate_pieces(coding: ContentCoding, pieces: &[&[u8]]) -> Result<Vec<u8>, InflateError> {
    let (mut inflater, mut out) = (StreamInflater::new(coding), Vec::new());
    for piece in pieces {
        let room = OUT_MAX - out.len();
        let fed = inflater.feed(piece, &mut out, room);
        assert!(out.len() <= OUT_MAX, "output is bounded");
        if let Err(error) = fed {
            assert_eq!(inflater.feed(b"", &mut out, 0), Err(error), "it stays in error");
            return Err(error);
        }
    }
    inflater.finish()?;
    Ok(out)
}

fn check(input: Input<'_>, coding: ContentCoding, packed: &[u8]) {
    let whole = inflate_all(coding, packed, OUT_MAX);
    assert!(whole.as_ref().is_ok_and(|out| out.len() <= OUT_MAX) || whole.is_err());
    let cut = inflate_pieces(coding, &input.pieces(packed));
    // Of a body that is both corrupt and too large, the cuts decide which is seen first.
    assert_eq!(cut.as_ref().ok(), whole.as_ref().ok(), "{coding:?}: {cut:?}, {whole:?}");
}

#[test]
fn inflate_is_bounded_and_the_same_wherever_the_body_is_cut() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let coding = CODINGS[input.choice % CODINGS.len()];
        check(input, coding, input.bytes);
        let times = 1 + input.choice % 64;
        let packed = pack(coding, &input.bytes.repeat(times));
        check(input, coding, &packed);
        check(input, coding, &input.changed(&packed, &["\0", "\u{ff}", "\u{1f}\u{8b}\u{8}"]));
    });
}

#[test]
fn inflate_gives_back_what_was_packed() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let coding = CODINGS[input.choice % CODINGS.len()];
        let packed = pack(coding, input.bytes);
        assert_eq!(inflate_all(coding, &packed, OUT_MAX).as_deref(), Ok(input.bytes), "{coding:?}");
        let is_packed = coding != ContentCoding::Identity;
        let cut = inflate_all(coding, &packed[..packed.len().saturating_sub(1)], OUT_MAX);
        assert!(!is_packed || cut.is_err(), "{coding:?}: a body cut short is corrupt");
        let room = input.bytes.len().saturating_sub(1);
        let bombed = inflate_all(coding, &packed, room);
        assert!(input.bytes.is_empty() || bombed == Err(InflateError::TooLarge), "{coding:?}: {bombed:?}");
    });
}
