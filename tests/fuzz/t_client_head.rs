//! Heads of client requests, taken apart: the same as a second reader does, whatever the cuts.

use crate::input::{BYTES_MAX, Input, each_input};
use crate::t_strict_head::{VALID, WORDS};
use bytes::BytesMut;
use tidegate::framing::client_head::{Arrived, ClientHead};
use tidegate::framing::http1_head::{parse_head, take_head};
use tidegate::framing::strict_head::{HeadFault, check};
use tidegate::framing::{BodyFraming, HeadProgress};

const FIELDS_MAX: usize = 512;

fn taken(bytes: &[u8]) -> (Result<Option<Box<ClientHead>>, HeadFault>, BytesMut) {
    let mut read = BytesMut::from(bytes);
    let head = ClientHead::take(&mut read).map(|arrived| match arrived {
        Arrived::NeedMore => None,
        Arrived::Head(head) => Some(head),
    });
    (head, read)
}

fn hold(bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    let (head, rest) = taken(bytes);
    let head = match head {
        Ok(Some(head)) => head,
        Ok(None) => {
            assert_eq!(check(bytes), Err(HeadFault::NoEnd), "{shown:?}");
            return assert_eq!(&rest[..], bytes, "nothing is taken of half a head: {shown:?}");
        }
        Err(fault) => return assert_eq!(check(bytes), Err(fault), "{shown:?}"),
    };
    assert_eq!(check(bytes), Ok(()), "{shown:?}");
    assert_eq!(&bytes[head.len()..], &rest[..], "{shown:?}");

    let mut slots = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut slots);
    assert_eq!(request.parse(bytes), Ok(httparse::Status::Complete(head.len())), "{shown:?}");
    assert_eq!(request.method, Some(head.method.as_str()), "{shown:?}");
    assert_eq!(request.path.map(str::as_bytes), Some(head.target()), "{shown:?}");
    let theirs: Vec<_> = request.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
    assert_eq!(head.fields().collect::<Vec<_>>(), theirs, "{shown:?}");
    for (name, _) in &theirs {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let same = theirs.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
        let values: Vec<_> = same.map(|(_, value)| *value).collect();
        assert_eq!(head.values(&name).collect::<Vec<_>>(), values, "{name} in {shown:?}");
    }
    let length = head.values("content-length").next().map(|digits| {
        digits.iter().fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    });
    let framing = match (length, head.has("transfer-encoding")) {
        (_, true) => BodyFraming::Chunked,
        (Some(length), false) => BodyFraming::Length(length),
        (None, false) => BodyFraming::Empty,
    };
    assert_eq!(head.framing, framing, "{shown:?}");
    if head.target().starts_with(b"/") {
        let query = head.query().map(|query| format!("?{query}")).unwrap_or_default();
        assert_eq!(format!("{}{query}", head.path()).as_bytes(), head.target(), "{shown:?}");
    } else {
        assert!(head.path().is_empty() || head.path().starts_with('/'), "{shown:?}");
    }
    for cut in 0..head.len() {
        assert!(matches!(taken(&bytes[..cut]).0, Ok(None)), "{cut} bytes of {shown:?}");
    }
}

#[test]
fn client_head_is_taken_apart_as_another_reader_does() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let valid = VALID[input.choice / 4 % VALID.len()].as_bytes();
        assert!(matches!(taken(valid).0, Ok(Some(_))));
        hold(input.bytes);
        hold(&input.spelt(&WORDS));
        hold(&input.changed(valid, &WORDS));
    });
}

#[test]
fn http1_head_taken_out_of_its_buffer_is_the_same_head() {
    const RESPONSE: &str =
        "HTTP/1.1 200 OK\r\ncontent-type: a\r\ncontent-length: 12\r\nx-a: \t b \r\n\r\n{\"a\":1}";
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let bytes = input.changed(RESPONSE.as_bytes(), &WORDS);
        let mut read = BytesMut::from(&bytes[..]);
        match (take_head(&mut read, false), parse_head(&bytes, false)) {
            (Ok(HeadProgress::Head(mine, len)), Ok(HeadProgress::Head(other, same))) => {
                assert_eq!((len, mine.status, mine.framing), (same, other.status, other.framing));
                assert_eq!(mine.fields, other.fields);
                assert_eq!(&read[..], &bytes[len..]);
            }
            (Ok(HeadProgress::Interim(mine, len)), Ok(HeadProgress::Interim(other, same))) => {
                assert_eq!((mine, len, &read[..]), (other, same, &bytes[len..]));
            }
            (Ok(HeadProgress::NeedMore), Ok(HeadProgress::NeedMore)) => assert_eq!(&read[..], &bytes[..]),
            (Err(mine), Err(other)) => assert_eq!(mine, other),
            (mine, other) => panic!("{mine:?}, {other:?}"),
        }
    });
}
