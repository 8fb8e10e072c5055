//! Heads of upstream responses.

use crate::input::{BYTES_MAX, Input, each_input};
use tidegate::framing::http1_head::{BodyFraming, HeadError, HeadProgress, parse_head};

const WORDS: [&str; 40] = [
    "HTTP/1.1 ",
    "HTTP/1.0 ",
    "HTTP/1.2 ",
    "200 OK",
    "200",
    "204 ",
    "304 x",
    "100 Continue",
    "101 ",
    "502 Bad",
    "99",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "content-length: ",
    "Content-Length:",
    "5",
    "05",
    "+5",
    "5, 5",
    "18446744073709551616",
    "transfer-encoding: ",
    "Transfer-Encoding:",
    "chunked",
    "gzip, chunked",
    "Chunked",
    "connection: ",
    "close",
    "keep-alive",
    "x: ",
    "x",
    " ",
    "\t",
    ":",
    ": y",
    "\u{e9}",
    "content-type: text/plain",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n",
];
const VALID: [&str; 4] = [
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{\"a\":\"body\"}",
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.0 429 Too Many\r\nretry-after: 7\r\nconnection: keep-alive\r\nx-a: \"b\"\r\n\r\n",
];

const START_LINES: [&str; 10] = [
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 204 ",
    "HTTP/1.1 304 x",
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 99 x",
    "HTTP/1.1 1000 x",
    "HTTP/1.1  200 OK",
];
const NAMES: [&str; 8] = [
    "content-length",
    "Content-Length",
    "transfer-encoding",
    "connection",
    "x",
    "content-length ",
    "",
    "set-cookie",
];
const VALUES: [&str; 14] = [
    "5",
    "0",
    "7",
    "05",
    "+5",
    "5, 5",
    "",
    "chunked",
    "Chunked",
    "gzip, chunked",
    "close",
    "close, keep-alive",
    "18446744073709551616",
    "a\tb \u{e9}",
];

/// A head of whole lines, which random words seldom make.
fn head_of_lines(bytes: &[u8]) -> Vec<u8> {
    let pick =
        |table: &[&'static str], byte: Option<&u8>| table[usize::from(*byte.unwrap_or(&0)) % table.len()];
    let mut head = pick(&START_LINES, bytes.first()).to_owned();
    for line in bytes.get(1..).unwrap_or_default().chunks(2).take(6) {
        let space = if line[0] < 0xC0 { " " } else { "\t " };
        let (name, value) = (pick(&NAMES, line.first()), pick(&VALUES, line.get(1)));
        head.push_str(&format!("\r\n{name}:{space}{value}"));
    }
    (head + "\r\n\r\nbody").into_bytes()
}

/// What a head amounts to, fit for comparing.
#[derive(Debug, PartialEq)]
enum Answer {
    NeedMore,
    Interim(u16, usize),
    Head(u16, BodyFraming, bool, usize),
}

fn answer(bytes: &[u8], is_head_request: bool) -> Result<Answer, HeadError> {
    Ok(match parse_head(bytes, is_head_request)? {
        HeadProgress::NeedMore => Answer::NeedMore,
        HeadProgress::Interim(status, len) => Answer::Interim(status, len),
        HeadProgress::Head(head, len) => {
            assert!((200..=999).contains(&head.status));
            let values = |name: &str| head.fields.iter().filter(|(known, _)| known == name).count();
            match head.framing {
                BodyFraming::Chunked => {
                    assert_eq!((values("transfer-encoding"), values("content-length")), (1, 0));
                    assert_eq!(head.minor_version, 1, "HTTP/1.0 has no chunks");
                }
                BodyFraming::Length(_) => {
                    assert!(values("content-length") > 0 && values("transfer-encoding") == 0)
                }
                BodyFraming::UntilClose => {
                    assert_eq!((values("content-length"), values("transfer-encoding")), (0, 0));
                    assert!(!head.is_reusable, "the end of the connection ends the body");
                }
                BodyFraming::Empty => assert!(is_head_request || matches!(head.status, 204 | 304)),
            }
            Answer::Head(head.status, head.framing, head.is_reusable, len)
        }
    })
}

fn check(bytes: &[u8], is_head_request: bool) {
    let whole = answer(bytes, is_head_request);
    let shown = String::from_utf8_lossy(bytes);
    for len in 0..bytes.len() {
        let part = answer(&bytes[..len], is_head_request);
        match (&part, &whole) {
            (Ok(Answer::NeedMore), _) => {}
            // An answer once given is not taken back by bytes that come after.
            _ => assert_eq!(part.is_err(), whole.is_err(), "{len} bytes of {shown:?}: {part:?}, {whole:?}"),
        }
        if let Ok(Answer::Interim(_, taken) | Answer::Head(.., taken)) = &part {
            assert_eq!(part, whole, "{len} bytes of {shown:?}");
            assert!(*taken <= len);
        }
        if let Ok(Answer::Interim(_, taken) | Answer::Head(.., taken)) = &whole {
            assert_eq!(part == Ok(Answer::NeedMore), len < *taken, "{len} bytes of {shown:?}");
        }
    }
}

#[test]
fn http1_head_gives_the_same_answer_byte_by_byte() {
    each_input!(96, |raw: &[u8]| {
        let input = Input::new(raw);
        check(input.bytes, false);
        check(&input.spelt(&WORDS), input.choice.is_multiple_of(8));
        check(&head_of_lines(input.bytes), input.choice.is_multiple_of(8));
    });
}

#[test]
fn http1_head_reads_changed_heads_the_same_byte_by_byte() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let valid = VALID[input.choice / 4 % VALID.len()].as_bytes();
        assert!(!matches!(answer(valid, false), Ok(Answer::NeedMore) | Err(_)));
        check(&input.changed(valid, &WORDS), input.choice % 16 == 1);
    });
}
