//! Heads of client requests, held against a second reader.

use crate::input::{BYTES_MAX, Input, each_input};
use tidegate::framing::strict_head::{HeadFault, check};

pub const WORDS: [&str; 40] = [
    "GET ",
    "POST ",
    "POST /v1/chat/completions HTTP/1.1\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "/",
    "/v1/models?key=a",
    "http://a/v1",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    " HTTP/2.0\r\n",
    "HTTP/1.1",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\n\n",
    "\r",
    "Host: a\r\n",
    "host:",
    "Host : b\r\n",
    "content-length: 5\r\n",
    "Content-Length: 05",
    "Content-Length:+5",
    "content-length: 5, 5",
    "transfer-encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked",
    "transfer-encoding:\tChunked",
    "connection: close",
    " ",
    "\t",
    ":",
    ": y",
    "x: ",
    "x",
    "\r\n folded",
    "\u{e9}",
    "\0",
    "\u{b}",
    "\u{7f}",
    "\"",
    "",
];
pub const VALID: [&str; 3] = [
    "POST /v1/chat/completions HTTP/1.1\r\nHost: a:8080\r\nAuthorization: Bearer k\r\nContent-Length: 12\r\n\r\n",
    "POST /v1/files?a=b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nx-a: \t b c \r\n\r\n5\r\nabcde\r\n",
    "GET /v1/models HTTP/1.0\r\nx-api-key: k\r\n\r\n",
];
const FIELDS_MAX: usize = 512;

fn check_against_another_reader(raw: &[u8]) {
    let Ok(()) = check(raw) else { return };
    let shown = String::from_utf8_lossy(raw);
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(raw).unwrap_or_else(|error| panic!("{error}: {shown:?}"));
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n").expect("a blank line") + 4;
    assert_eq!(parsed, httparse::Status::Complete(end), "{shown:?}");

    let head = String::from_utf8_lossy(&raw[..end - 4]);
    let lines: Vec<&str> = head.split("\r\n").collect();
    let target = lines[0].split(' ').nth(1);
    assert_eq!(request.path, target, "{shown:?}");
    assert_eq!(request.headers.len(), lines.len() - 1, "a field a line: {shown:?}");

    let values = |name: &str| -> Vec<&[u8]> {
        request.headers.iter().filter(|f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value).collect()
    };
    let (lengths, encodings) = (values("content-length"), values("transfer-encoding"));
    assert!(lengths.len() + encodings.len() <= 1, "one length of the body: {shown:?}");
    assert!(lengths.iter().all(|length| length.iter().all(u8::is_ascii_digit)), "{shown:?}");
    assert!(encodings.iter().all(|encoding| encoding.eq_ignore_ascii_case(b"chunked")), "{shown:?}");
    let hosts = values("host").len();
    assert!(hosts == 1 || (hosts == 0 && request.version == Some(0)), "{hosts} hosts: {shown:?}");

    for len in 0..end {
        assert!(check(&raw[..len]).is_err(), "{len} bytes are no whole head: {shown:?}");
    }
    let with_body = [&raw[..end], b"\n\r\0 no head"].concat();
    assert_eq!(check(&with_body), Ok(()), "what follows is no head: {shown:?}");
}

#[test]
fn strict_head_passes_only_what_another_reader_reads_the_same() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let valid = VALID[input.choice / 4 % VALID.len()].as_bytes();
        assert_eq!(check(valid), Ok(()));
        check_against_another_reader(input.bytes);
        check_against_another_reader(&input.spelt(&WORDS));
        check_against_another_reader(&input.changed(valid, &WORDS));
    });
}

#[test]
fn strict_head_refuses_an_added_line_end_of_another_kind() {
    each_input!(16, |raw: &[u8]| {
        let input = Input::new(raw);
        let valid = VALID[input.choice % VALID.len()];
        let at = input.bytes.first().map_or(0, |byte| usize::from(*byte)) % valid.find("\r\n\r\n").unwrap();
        let end = if input.choice.is_multiple_of(2) { "\n" } else { "\r" };
        let changed = format!("{}{end}{}", &valid[..at], &valid[at..]);
        let fault = check(changed.as_bytes());
        let is_line_end = matches!(fault, Err(HeadFault::BareLineFeed | HeadFault::BareCarriageReturn));
        assert!(is_line_end, "{changed:?}: {fault:?}");
    });
}
