//! Gemini's streamed JSON array.

use crate::input::{BYTES_MAX, Input, each_input};
use crate::json;
use serde_json::value::RawValue;
use tidegate::dialect::tap::{ArrayError, ArrayScanner};

const WORDS: [&str; 20] = [
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\\",
    "\\\"",
    "\"a\"",
    "1",
    "-2.5e3",
    "null",
    "true",
    " ",
    "\r\n",
    "\u{e9}",
    "{\"text\":\"]},\"}",
    "[]",
    "x",
];
const KEYS: [&str; 4] = ["\"candidates\"", "\"text\"", "\"a]b\"", "\"\\\"}\""];

#[derive(Debug, PartialEq)]
struct Reading {
    elements: Vec<Vec<u8>>,
    end: Result<bool, ArrayError>,
}

fn read(pieces: &[&[u8]]) -> Reading {
    let mut scanner = ArrayScanner::new();
    let mut elements = Vec::new();
    for piece in pieces {
        let mut last_end = 0;
        let fed = scanner.feed(piece, |element, end| {
            assert!(last_end <= end && end <= piece.len());
            last_end = end;
            elements.push(element.to_vec());
        });
        if let Err(error) = fed {
            return Reading { elements, end: Err(error) };
        }
    }
    Reading { elements, end: Ok(scanner.is_closed()) }
}

fn check(input: Input<'_>, body: &[u8]) {
    let whole = read(&[body]);
    let shown = String::from_utf8_lossy(body);
    assert_eq!(read(&input.pieces(body)), whole, "{shown:?}");
    assert!(whole.elements.iter().map(Vec::len).sum::<usize>() <= body.len());
    if let Ok(expected) = serde_json::from_slice::<Vec<&RawValue>>(body) {
        let elements: Vec<&[u8]> = whole.elements.iter().map(Vec::as_slice).collect();
        let expected: Vec<&[u8]> = expected.iter().map(|element| element.get().as_bytes()).collect();
        assert_eq!(elements, expected, "{shown:?}");
        assert_eq!(whole.end, Ok(true), "{shown:?}");
    }
}

#[test]
fn gemini_array_gives_the_elements_that_a_json_reader_finds() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        check(input, input.bytes);
        check(input, &input.spelt(&WORDS));
        let (left, right) = input.bytes.split_at(input.bytes.len() / 2);
        let array = format!("[{} , {}]\n", json::value(left, &KEYS), json::value(right, &KEYS));
        check(input, array.as_bytes());
        check(input, &input.changed(array.as_bytes(), &WORDS));
    });
}
