//! Undoes content codings, bounded.
//!
//! Two uses: a whole body at once ([`inflate_all`]), and a copy of a stream that is only listened to
//! ([`StreamInflater`]). Invariant: output never exceeds what the caller allows, whatever the ratio; the
//! decoder stops there, so a bomb costs the time of `bytes_max` bytes. Beside the output a decoder holds
//! its window, touched only as far as output has been made: 32 KiB for gzip and deflate, at most 8 MiB
//! for zstd and 16 MiB for brotli (the larger ones those formats also know are refused).

use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, HeapAlloc, HuffmanCode};
use flate2::{Decompress, Status};
use thiserror::Error;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, Operation};

pub use super::coding::{ContentCoding, Unsupported};
use super::gzip::{Gunzip, run_deflate};

/// The window of zstd, as a power of two, that RFC 9659 allows as a content coding.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Output asked of a decoder at once.
const STRIDE_BYTES_MIN: usize = 1024;
const STRIDE_BYTES_MAX: usize = 32 * 1024;

/// Why a body does not inflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InflateError {
    #[error("inflated body is longer than the limit")]
    TooLarge,
    /// Not in its coding, cut short, or followed by something else.
    #[error("body does not decode as its content-encoding says")]
    Corrupt,
    /// No decoder can be had.
    #[error("unsupported content-encoding")]
    Unsupported,
}

impl From<Unsupported> for InflateError {
    fn from(_: Unsupported) -> Self {
        InflateError::Unsupported
    }
}

/// Undoes one coding over a stream of chunks. Stays in error after the first.
pub struct StreamInflater {
    engine: Result<Engine, InflateError>,
}

/// What one call of a decoder took and made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) read: usize,
    pub(super) written: usize,
}

enum Engine {
    Identity,
    Gzip(Box<Gunzip>),
    Deflate(Deflate),
    Brotli(Box<Unbrotli>),
    Zstd(Zstd),
}

/// Inflates a whole body, to at most `bytes_max` bytes. A body cut short is corrupt, as is an empty one
/// in any coding but identity.
pub fn inflate_all(coding: ContentCoding, input: &[u8], bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    let mut inflater = StreamInflater::new(coding);
    let mut out = Vec::new();
    inflater.feed(input, &mut out, bytes_max)?;
    inflater.finish()?;
    Ok(out)
}

impl StreamInflater {
    pub fn new(coding: ContentCoding) -> Self {
        let engine = match coding {
            ContentCoding::Identity => Ok(Engine::Identity),
            ContentCoding::Gzip => Ok(Engine::Gzip(Box::new(Gunzip::new()))),
            ContentCoding::Deflate => Ok(Engine::Deflate(Deflate::Unknown { held: None })),
            ContentCoding::Brotli => Ok(Engine::Brotli(Box::new(Unbrotli::new()))),
            ContentCoding::Zstd => Zstd::new().map(Engine::Zstd),
        };
        Self { engine }
    }

    /// Appends to `out` everything that can be known from the stream up to the end of `chunk`, at most
    /// `bytes_max` bytes of it. More than that is [`InflateError::TooLarge`], with `out` filled so far.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>, bytes_max: usize) -> Result<(), InflateError> {
        let engine = self.engine.as_mut().map_err(|error| *error)?;
        let outcome = drive(engine, chunk, out, bytes_max);
        if let Err(error) = outcome {
            self.engine = Err(error);
        }
        outcome
    }

    /// The stream has ended: an error if it may not end here.
    pub fn finish(&self) -> Result<(), InflateError> {
        let engine = self.engine.as_ref().map_err(|error| *error)?;
        if engine.is_complete() { Ok(()) } else { Err(InflateError::Corrupt) }
    }
}

fn drive(engine: &mut Engine, chunk: &[u8], out: &mut Vec<u8>, bytes_max: usize) -> Result<(), InflateError> {
    let len_max = out.len().saturating_add(bytes_max);
    let mut input = chunk;
    // A decoder that did not fill the room it had has nothing more to say about the input it took.
    let mut is_drained = true;
    while !(input.is_empty() && is_drained) {
        let used = out.len();
        let room = len_max - used;
        let step = if room == 0 {
            let step = engine.step(input, &mut [0])?;
            if step.written > 0 {
                return Err(InflateError::TooLarge);
            }
            is_drained = true;
            step
        } else {
            let wanted = input.len().saturating_mul(4).clamp(STRIDE_BYTES_MIN, STRIDE_BYTES_MAX);
            let stride = wanted.min(room);
            grow(out, stride, len_max);
            let step = engine.step(input, out.get_mut(used..).unwrap_or_default());
            let written = step.as_ref().map_or(0, |step| step.written);
            out.truncate(used + written);
            is_drained = written < stride;
            step?
        };
        if step.read == 0 && step.written == 0 && !input.is_empty() {
            return Err(InflateError::Corrupt);
        }
        input = input.get(step.read..).unwrap_or_default();
    }
    Ok(())
}

/// Lengthens `out` by `stride`, doubling its capacity where needed but never past `len_max`.
fn grow(out: &mut Vec<u8>, stride: usize, len_max: usize) {
    let len = out.len() + stride;
    if len > out.capacity() {
        let capacity = out.capacity().saturating_mul(2).min(len_max).max(len);
        out.reserve_exact(capacity - out.len());
    }
    out.resize(len, 0);
}

impl Engine {
    /// Takes what it can of `input` and fills what it can of `out`, which is not empty.
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, InflateError> {
        match self {
            Engine::Identity => {
                let written = out.iter_mut().zip(input).map(|(slot, &byte)| *slot = byte).count();
                Ok(Step { read: written, written })
            }
            Engine::Gzip(gunzip) => gunzip.step(input, out),
            Engine::Deflate(deflate) => deflate.step(input, out),
            Engine::Brotli(unbrotli) => unbrotli.step(input, out),
            Engine::Zstd(zstd) => zstd.step(input, out),
        }
    }

    fn is_complete(&self) -> bool {
        match self {
            Engine::Identity => true,
            Engine::Gzip(gunzip) => gunzip.is_complete(),
            Engine::Deflate(deflate) => matches!(deflate, Deflate::Ended),
            Engine::Brotli(unbrotli) => unbrotli.is_ended,
            Engine::Zstd(zstd) => zstd.is_between_frames,
        }
    }
}

/// zlib or raw deflate, told apart by the first two bytes.
enum Deflate {
    Unknown { held: Option<u8> },
    Running(Decompress),
    Ended,
}

impl Deflate {
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, InflateError> {
        if let Deflate::Unknown { held } = *self {
            let mut known = held.into_iter().chain(input.iter().copied());
            let (first, second) = (known.next(), known.next());
            let (Some(first), Some(second)) = (first, second) else {
                *self = Deflate::Unknown { held: first };
                return Ok(Step { read: input.len(), written: 0 });
            };
            // RFC 1950: method 8, and the two bytes are a multiple of 31.
            let is_zlib = first & 0x0F == 8 && u16::from_be_bytes([first, second]) % 31 == 0;
            let mut inner = Decompress::new(is_zlib);
            if held.is_some() {
                // One byte is too little to make output of.
                run_deflate(&mut inner, &[first], out)?;
            }
            *self = Deflate::Running(inner);
        }
        let Deflate::Running(inner) = self else {
            let is_garbage = !input.is_empty();
            return if is_garbage { Err(InflateError::Corrupt) } else { Ok(Step { read: 0, written: 0 }) };
        };
        let (step, status) = run_deflate(inner, input, out)?;
        if status == Status::StreamEnd {
            *self = Deflate::Ended;
        }
        Ok(step)
    }
}

struct Unbrotli {
    state: BrotliState<HeapAlloc<u8>, HeapAlloc<u32>, HeapAlloc<HuffmanCode>>,
    is_ended: bool,
}

impl Unbrotli {
    fn new() -> Self {
        // Strict: without the "large window" extension, which would let a header ask for a gigabyte.
        let state = BrotliState::new_strict(HeapAlloc::default(), HeapAlloc::default(), HeapAlloc::default());
        Self { state, is_ended: false }
    }

    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, InflateError> {
        if self.is_ended {
            let is_garbage = !input.is_empty();
            return if is_garbage { Err(InflateError::Corrupt) } else { Ok(Step { read: 0, written: 0 }) };
        }
        let (mut in_left, mut read) = (input.len(), 0);
        let (mut out_left, mut written, mut total) = (out.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut in_left,
            &mut read,
            input,
            &mut out_left,
            &mut written,
            out,
            &mut total,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultFailure => return Err(InflateError::Corrupt),
            BrotliResult::ResultSuccess => self.is_ended = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
        }
        Ok(Step { read, written })
    }
}

struct Zstd {
    decoder: ZstdDecoder<'static>,
    is_between_frames: bool,
}

impl Zstd {
    fn new() -> Result<Self, InflateError> {
        let mut decoder = ZstdDecoder::new().map_err(|_| InflateError::Unsupported)?;
        decoder
            .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))
            .map_err(|_| InflateError::Unsupported)?;
        Ok(Self { decoder, is_between_frames: false })
    }

    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, InflateError> {
        let status = self.decoder.run_on_buffers(input, out).map_err(|_| InflateError::Corrupt)?;
        let step = Step { read: status.bytes_read, written: status.bytes_written };
        if step.read > 0 || step.written > 0 {
            self.is_between_frames = status.remaining == 0;
        }
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;

    use super::*;

    const CODINGS: [ContentCoding; 4] =
        [ContentCoding::Gzip, ContentCoding::Deflate, ContentCoding::Brotli, ContentCoding::Zstd];

    fn pack(coding: ContentCoding, plain: &[u8]) -> Vec<u8> {
        let level = Compression::fast();
        match coding {
            ContentCoding::Identity => plain.to_vec(),
            ContentCoding::Gzip => {
                let mut encoder = flate2::GzBuilder::new()
                    .filename("n")
                    .comment("c")
                    .extra(vec![7; 300])
                    .write(Vec::new(), level);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            ContentCoding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            ContentCoding::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 22);
                encoder.write_all(plain).unwrap();
                encoder.into_inner()
            }
            ContentCoding::Zstd => zstd::stream::encode_all(plain, 3).unwrap(),
        }
    }

    fn sample(len: usize) -> Vec<u8> {
        let mut state = 5_u64;
        let mut random = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as u8
        };
        (0..len).map(|at| if at % 7 < 4 { b'a' } else { random() }).collect()
    }

    fn feed_in_pieces(coding: ContentCoding, packed: &[u8], piece: usize) -> Result<Vec<u8>, InflateError> {
        let (mut inflater, mut out) = (StreamInflater::new(coding), Vec::new());
        for chunk in packed.chunks(piece) {
            inflater.feed(chunk, &mut out, 1 << 20)?;
        }
        inflater.finish()?;
        Ok(out)
    }

    #[test]
    fn every_coding_comes_back_whole_and_in_pieces() {
        for coding in CODINGS.into_iter().chain([ContentCoding::Identity]) {
            for len in [0, 1, 100, 70_000] {
                let plain = sample(len);
                let packed = pack(coding, &plain);
                assert_eq!(inflate_all(coding, &packed, len), Ok(plain.clone()), "{coding:?} {len}");
                for piece in [1, 2, 7, 1000] {
                    let found = feed_in_pieces(coding, &packed, piece);
                    assert!(found.as_ref() == Ok(&plain), "{coding:?} {len} by {piece}");
                }
            }
        }
    }

    #[test]
    fn the_limit_is_exact_and_bounds_the_allocation() {
        for coding in CODINGS.into_iter().chain([ContentCoding::Identity]) {
            let packed = pack(coding, &sample(100_000));
            assert_eq!(inflate_all(coding, &packed, 99_999), Err(InflateError::TooLarge), "{coding:?}");
            assert_eq!(inflate_all(coding, &packed, 0), Err(InflateError::TooLarge), "{coding:?}");
            let out = inflate_all(coding, &packed, 100_000).unwrap();
            assert!(out.capacity() <= 100_000, "{coding:?} {}", out.capacity());
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit_and_the_inflater_stays_stopped() {
        for coding in CODINGS {
            let packed = pack(coding, &vec![0; 64 << 20]);
            assert!(packed.len() < 1 << 20, "{coding:?} is a bomb");
            let (mut inflater, mut out) = (StreamInflater::new(coding), Vec::new());
            assert_eq!(inflater.feed(&packed, &mut out, 1 << 20), Err(InflateError::TooLarge), "{coding:?}");
            assert_eq!((out.len(), out.capacity()), (1 << 20, 1 << 20), "{coding:?}");
            assert_eq!(inflater.feed(b"", &mut out, 1 << 20), Err(InflateError::TooLarge));
            assert_eq!(inflater.finish(), Err(InflateError::TooLarge));
        }
    }

    #[test]
    fn what_is_cut_short_or_followed_by_something_is_corrupt() {
        for coding in CODINGS {
            let plain = sample(500);
            let packed = pack(coding, &plain);
            for len in 0..packed.len() {
                let found = inflate_all(coding, &packed[..len], 1000);
                assert_eq!(found, Err(InflateError::Corrupt), "{coding:?} cut at {len} of {}", packed.len());
            }
            for garbage in [&b"x"[..], b"\0", b"garbage that is longer than any head"] {
                let bytes = [&packed[..], garbage].concat();
                assert_eq!(inflate_all(coding, &bytes, 1000), Err(InflateError::Corrupt), "{coding:?}");
                for piece in [1, 3] {
                    assert_eq!(
                        feed_in_pieces(coding, &bytes, piece),
                        Err(InflateError::Corrupt),
                        "{coding:?}"
                    );
                }
            }
            assert_eq!(
                inflate_all(coding, b"{\"a\": \"plain\"}", 1000),
                Err(InflateError::Corrupt),
                "{coding:?}"
            );
        }
    }

    #[test]
    fn a_wrong_checksum_is_corrupt() {
        for back in 1..=8 {
            let mut packed = pack(ContentCoding::Gzip, b"hello");
            let at = packed.len() - back;
            packed[at] ^= 1;
            assert_eq!(inflate_all(ContentCoding::Gzip, &packed, 100), Err(InflateError::Corrupt));
        }
        let mut packed = pack(ContentCoding::Deflate, b"hello");
        *packed.last_mut().unwrap() ^= 1;
        assert_eq!(inflate_all(ContentCoding::Deflate, &packed, 100), Err(InflateError::Corrupt));
    }

    #[test]
    fn members_and_frames_in_a_row_are_joined_within_the_limit() {
        for coding in [ContentCoding::Gzip, ContentCoding::Zstd] {
            let both = [pack(coding, b"hello "), pack(coding, b""), pack(coding, b"world")].concat();
            assert_eq!(inflate_all(coding, &both, 11), Ok(b"hello world".to_vec()));
            assert_eq!(inflate_all(coding, &both, 10), Err(InflateError::TooLarge));
            assert_eq!(feed_in_pieces(coding, &both, 1), Ok(b"hello world".to_vec()));
        }
    }

    #[test]
    fn deflate_without_its_wrapper_is_accepted() {
        for level in [0, 1, 9] {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::new(level));
            encoder.write_all(&sample(3000)).unwrap();
            let packed = encoder.finish().unwrap();
            assert_eq!(inflate_all(ContentCoding::Deflate, &packed, 3000), Ok(sample(3000)), "level {level}");
            assert_eq!(feed_in_pieces(ContentCoding::Deflate, &packed, 1), Ok(sample(3000)), "level {level}");
        }
    }

    #[test]
    fn windows_that_would_take_too_much_memory_are_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(24).unwrap();
        encoder.write_all(&sample(100)).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(inflate_all(ContentCoding::Zstd, &packed, 1000), Err(InflateError::Corrupt));

        let params = brotli::enc::BrotliEncoderParams {
            large_window: true,
            lgwin: 28,
            ..brotli::enc::BrotliEncoderParams::default()
        };
        let mut packed = Vec::new();
        brotli::BrotliCompress(&mut &sample(100)[..], &mut packed, &params).unwrap();
        assert_eq!(inflate_all(ContentCoding::Brotli, &packed, 1000), Err(InflateError::Corrupt));
    }

    #[test]
    fn a_flushed_event_is_heard_before_the_stream_goes_on() {
        let event = b"data: {\"a\":1}\n\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
        let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 22);
        let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        let mut inflaters =
            [ContentCoding::Gzip, ContentCoding::Brotli, ContentCoding::Zstd].map(StreamInflater::new);
        for _ in 0..3 {
            let mut chunks = Vec::new();
            gzip.write_all(event).unwrap();
            gzip.flush().unwrap();
            chunks.push(std::mem::take(gzip.get_mut()));
            brotli.write_all(event).unwrap();
            brotli.flush().unwrap();
            chunks.push(std::mem::take(brotli.get_mut()));
            zstd.write_all(event).unwrap();
            zstd.flush().unwrap();
            chunks.push(std::mem::take(zstd.get_mut()));
            for (inflater, chunk) in inflaters.iter_mut().zip(chunks) {
                let mut out = Vec::new();
                inflater.feed(&chunk, &mut out, 1000).unwrap();
                assert_eq!(out, event);
                assert_eq!(inflater.finish(), Err(InflateError::Corrupt), "it has not ended");
            }
        }
    }

    #[test]
    fn damaged_input_never_panics_and_never_passes_the_limit() {
        let mut state = 9_u64;
        for coding in CODINGS {
            let packed = pack(coding, &sample(2000));
            for _ in 0..3000 {
                let mut bytes = packed.clone();
                for _ in 0..3 {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let at = (state >> 33) as usize % bytes.len();
                    bytes[at] ^= 1 << ((state >> 20) % 8);
                }
                let (mut inflater, mut out) = (StreamInflater::new(coding), Vec::new());
                let outcome = inflater.feed(&bytes, &mut out, 2500);
                assert!(out.len() <= 2500 && out.capacity() <= 2500, "{coding:?} {outcome:?}");
            }
        }
    }

    #[test]
    fn an_inflater_may_move_between_threads() {
        fn check<T: Send>() {}
        check::<StreamInflater>();
    }
}
