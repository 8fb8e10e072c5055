//! Bodies of upstream responses.

use crate::input::{BYTES_MAX, Input, each_input};
use bytes::BytesMut;
use tidegate::framing::http1_body::{BodyDecoder, BodyError, Piece};
use tidegate::framing::http1_head::BodyFraming;

const WORDS: [&str; 26] = [
    "0",
    "1",
    "5",
    "a",
    "F",
    "10",
    "05",
    "ffffffffffffffff",
    "10000000000000000",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    ";",
    ";a=b",
    ";a=\"\r\n\"",
    " ",
    "\t",
    "hello",
    "x",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "1\r\na\r\n",
    "a: b\r\n",
    "-1",
    "0x5",
];

/// What came out: the body, whether it ended, what was left behind it.
#[derive(Debug, PartialEq)]
struct Decoded {
    body: Vec<u8>,
    end: Result<bool, BodyError>,
    rest: Vec<u8>,
}

fn decode(framing: BodyFraming, pieces: &[&[u8]]) -> Decoded {
    let mut decoder = BodyDecoder::new(framing);
    let mut buffer = BytesMut::new();
    let mut decoded = Decoded { body: Vec::new(), end: Ok(false), rest: Vec::new() };
    let mut came_in = 0;
    // An empty piece first: a body may have ended before any byte.
    for piece in std::iter::once(&&b""[..]).chain(pieces) {
        buffer.extend_from_slice(piece);
        came_in += piece.len();
        while decoded.end == Ok(false) {
            match decoder.decode(&mut buffer) {
                Ok(Piece::Data(data)) => {
                    decoded.body.extend_from_slice(&data);
                    let gone = decoded.body.len() + buffer.len();
                    assert!(!data.is_empty() && gone <= came_in, "no byte is made up");
                }
                Ok(Piece::NeedMore) => break,
                Ok(Piece::End) => decoded.end = Ok(true),
                Err(error) => decoded.end = Err(error),
            }
        }
    }
    assert_eq!(decoder.is_finished(), decoded.end == Ok(true), "{framing:?} {decoded:?}");
    if decoded.end == Ok(true) {
        decoded.rest = buffer.to_vec();
        assert_eq!(decoder.decode(&mut buffer), Ok(Piece::End));
    }
    decoded
}

fn check(input: Input<'_>, framing: BodyFraming, bytes: &[u8]) {
    let whole = decode(framing, &[bytes]);
    for pieces in [input.pieces(bytes), bytes.chunks(1).collect()] {
        assert_eq!(decode(framing, &pieces), whole, "{framing:?} {:?}", String::from_utf8_lossy(bytes));
    }
    match framing {
        BodyFraming::Empty => assert_eq!((whole.body.len(), &*whole.rest), (0, bytes)),
        BodyFraming::Length(len) => assert_eq!(whole.body.len() as u64, len.min(bytes.len() as u64)),
        BodyFraming::UntilClose => assert_eq!(whole.body, bytes),
        BodyFraming::Chunked => {}
    }
}

#[test]
fn http1_body_comes_out_the_same_wherever_it_is_cut() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let framings = [
            BodyFraming::Chunked,
            BodyFraming::Length(input.choice as u64),
            BodyFraming::Length(u64::MAX),
            BodyFraming::UntilClose,
            BodyFraming::Empty,
        ];
        for framing in framings {
            check(input, framing, input.bytes);
        }
        check(input, BodyFraming::Chunked, &input.spelt(&WORDS));
    });
}

#[test]
fn http1_body_gives_back_what_was_put_into_chunks() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let mut wire = Vec::new();
        for chunk in input.pieces(input.bytes) {
            let extension = if chunk.len() % 3 == 0 { ";x=\"y\"" } else { "" };
            wire.extend_from_slice(format!("{:X}{extension}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\nx-sum: 1\r\n\r\nHTTP/1.1 ");
        let decoded = decode(BodyFraming::Chunked, &input.pieces(&wire));
        let expected = Decoded { body: input.bytes.to_vec(), end: Ok(true), rest: b"HTTP/1.1 ".to_vec() };
        assert_eq!(decoded, expected);
        for len in [0, 1, wire.len() / 2, wire.len() - 10] {
            let cut = decode(BodyFraming::Chunked, &[&wire[..len]]);
            assert_eq!(cut.end, Ok(false), "{len} of {} bytes are no whole body", wire.len());
        }
    });
}
