//! The framings of translated streams: JSON documents, lines, binary event streams.

use crate::input::{BYTES_MAX, Input, each_input};
use crate::json;
use serde_json::Value;
use std::collections::HashSet;
use tidegate::framing::eventstream::{EventStreamError, EventStreamScanner, write_message};
use tidegate::framing::json::{Duplicates, JsonWriter, Node, parse_bytes, path_at};
use tidegate::framing::lines::LineScanner;

const WORDS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u00e9",
    "\\ud83d",
    "\\ude00",
    "\\n",
    "\"a\"",
    "0",
    "-1.50e+3",
    "01",
    "1e400",
    "null",
    "true",
    "tru",
    " ",
    "\n",
    "\u{e9}\u{1f600}",
    "\u{1}",
];
const KEYS: [&str; 5] = ["\"a\"", "\"b\"", "\"a b\"", "\"\\u0061\"", "\"\""];

/// Nothing is deeper than the standard reader goes, and numbers are as it takes them.
fn compare(node: &Node<'_>, value: &Value) {
    match value {
        Value::Null => assert!(node.is_null()),
        Value::Bool(flag) => assert_eq!(node.as_bool(), Some(*flag)),
        Value::Number(number) => {
            assert!(node.is_number());
            if let Some(whole) = number.as_u64() {
                assert_eq!(node.as_u64(), Some(whole));
            }
        }
        Value::String(text) => assert_eq!(node.text().as_deref(), Some(text.as_str())),
        Value::Array(items) => {
            assert_eq!(node.items().len(), items.len());
            node.items().iter().zip(items).for_each(|(node, value)| compare(node, value));
        }
        Value::Object(members) => {
            for (key, value) in members {
                // A null says nothing: it is not found.
                match node.get(key) {
                    Some(inner) => compare(inner, value),
                    None => assert!(value.is_null()),
                }
            }
        }
    }
}

fn has_twice(node: &Node<'_>) -> bool {
    let mut seen = HashSet::new();
    node.entries().iter().any(|(key, inner)| !seen.insert(key.clone()) || has_twice(inner))
        || node.items().iter().any(has_twice)
}

fn check_json(bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    let ours = parse_bytes(bytes, Duplicates::LastCounts);
    let theirs = serde_json::from_slice::<Value>(bytes);
    match (&ours, &theirs) {
        (Ok(node), Ok(value)) => {
            compare(node, value);
            let start = node.at() as usize;
            assert_eq!(&bytes[start..start + node.raw().len()], node.raw().as_bytes(), "{shown:?}");
            let refuses = parse_bytes(bytes, Duplicates::Refuse).is_err();
            assert_eq!(refuses, serde_twice(bytes), "{shown:?}");
        }
        (Err(_), Err(_)) => {}
        // Numbers outside of a double, and halves of a character's pair, are taken here and refused there.
        (Ok(_), Err(error)) => {
            let why = error.to_string();
            let is_known =
                ["out of range", "surrogate", "hex escape"].iter().any(|known| why.contains(known));
            assert!(is_known, "{shown:?}: {error}");
        }
        (Err(error), Ok(_)) => panic!("{shown:?}: {error}"),
    }
    for at in [0, bytes.len() / 2, bytes.len()] {
        path_at(bytes, at as u32);
    }
}

fn serde_twice(bytes: &[u8]) -> bool {
    has_twice(&parse_bytes(bytes, Duplicates::LastCounts).unwrap())
}

#[test]
fn json_is_read_as_the_standard_reader_reads_it() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        check_json(input.bytes);
        check_json(&input.spelt(&WORDS));
        let valid = json::value(input.bytes, &KEYS);
        check_json(valid.as_bytes());
        check_json(&input.changed(valid.as_bytes(), &WORDS));
    });
}

#[test]
fn json_strings_are_written_as_the_standard_reader_reads_them() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let text = String::from_utf8_lossy(raw);
        let mut out = Vec::new();
        JsonWriter::new(&mut out).string(&text);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    });
}

fn lines(pieces: &[&[u8]], most: usize) -> (Vec<Vec<u8>>, bool) {
    let mut scanner = LineScanner::new(most);
    let mut all = Vec::new();
    for piece in pieces {
        let mut last = 0;
        let fed = scanner.feed(piece, |line, end| {
            assert!(last < end && end <= piece.len() && line.len() <= most);
            last = end;
            all.push(line.to_vec());
        });
        if fed.is_err() {
            return (all, false);
        }
    }
    scanner.finish(|line| all.push(line.to_vec()));
    (all, true)
}

#[test]
fn lines_are_the_same_wherever_they_are_cut() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        for stream in
            [input.bytes.to_vec(), input.spelt(&["\n", "\r\n", "\r", "{\"a\":1}", "", " ", "x", "\u{e9}"])]
        {
            let (whole, is_whole) = lines(&[&stream], usize::MAX);
            assert!(is_whole);
            assert_eq!(lines(&input.pieces(&stream), usize::MAX), (whole.clone(), true));
            let trimmed = |line: &[u8]| line.trim_ascii().to_vec();
            let plain: Vec<Vec<u8>> =
                stream.split(|byte| *byte == b'\n').map(trimmed).filter(|line| !line.is_empty()).collect();
            let full: Vec<Vec<u8>> =
                whole.iter().map(|line| trimmed(line)).filter(|line| !line.is_empty()).collect();
            assert_eq!(full, plain, "{:?}", String::from_utf8_lossy(&stream));
            let (some, _) = lines(&input.pieces(&stream), 8);
            assert!(whole.starts_with(&some) || some.len() <= whole.len());
        }
    });
}

type Read = (Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>, Option<EventStreamError>, bool);

fn messages(pieces: &[&[u8]]) -> Read {
    let mut scanner = EventStreamScanner::new();
    let mut all = Vec::new();
    for piece in pieces {
        let mut last = 0;
        let fed = scanner.feed(piece, |message, end| {
            assert!(last <= end && end <= piece.len());
            last = end;
            all.push((message.kind.to_vec(), message.name.to_vec(), message.payload.to_vec()));
        });
        if let Err(error) = fed {
            return (all, Some(error), false);
        }
    }
    (all, None, scanner.is_at_boundary())
}

#[test]
fn event_streams_are_the_same_wherever_they_are_cut_and_wrong_checksums_are_seen() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let (left, right) = input.bytes.split_at(input.bytes.len() / 2);
        let mut stream = Vec::new();
        let payloads = [left, right, b"{}"];
        for (name, payload) in
            ["contentBlockDelta", "metadata", "modelStreamErrorException"].into_iter().zip(payloads)
        {
            let kind = if name.ends_with("Exception") {
                ("exception", ":exception-type")
            } else {
                ("event", ":event-type")
            };
            write_message(
                &[(kind.1, name), (":content-type", "application/json"), (":message-type", kind.0)],
                payload,
                &mut stream,
            );
        }
        let (read, error, is_whole) = messages(&[&stream]);
        assert!(error.is_none() && is_whole);
        let told: Vec<&[u8]> = read.iter().map(|(.., payload)| payload.as_slice()).collect();
        assert_eq!(told, payloads);
        assert_eq!(messages(&input.pieces(&stream)), (read.clone(), None, true));
        for odd in [
            input.bytes.to_vec(),
            input.changed(&stream, &["\0", "\0\0\0\u{10}", "x", ":event-type", "\u{7}"]),
        ] {
            let (whole, error, _) = messages(&[&odd]);
            let (cut, error_cut, _) = messages(&input.pieces(&odd));
            assert_eq!((&whole, &error), (&cut, &error_cut));
            // A message with a changed byte in it is none of those that were written.
            assert!(whole.iter().all(|message| read.contains(message)) || odd == input.bytes);
        }
    });
}
