//! Server-sent events.

use crate::input::{BYTES_MAX, Input, each_input};
use tidegate::framing::sse::{SseError, SseScanner};

const WORDS: [&str; 26] = [
    "data: ",
    "data:",
    "data",
    "event: ",
    "event:",
    "event",
    "id: 1",
    "retry: 5",
    ": comment",
    "\n",
    "\n\n",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\r\r",
    "{\"a\":1}",
    "[DONE]",
    "x",
    "message_stop",
    "\u{feff}",
    "\u{e9}",
    "data :x",
    " data: x",
    "datax",
    ":",
    "",
];

type Event = (Option<Vec<u8>>, Vec<u8>);

/// What a scanner says of a stream in pieces: the events, the one without its end, the error.
#[derive(Debug, PartialEq)]
struct Reading {
    events: Vec<Event>,
    unfinished: Option<Event>,
    error: Option<SseError>,
}

fn read(pieces: &[&[u8]], bytes_max: usize) -> Reading {
    let mut scanner = SseScanner::new(bytes_max);
    let mut reading = Reading { events: Vec::new(), unfinished: None, error: None };
    for piece in pieces {
        let mut last_end = 0;
        let fed = scanner.feed(piece, |event, end| {
            assert!(last_end < end && end <= piece.len(), "ends go forward inside the piece");
            last_end = end;
            assert!(event.data.len() <= bytes_max);
            reading.events.push((event.name.map(<[u8]>::to_vec), event.data.to_vec()));
        });
        assert!(scanner.pending_len() <= bytes_max, "what is held is bounded");
        assert!(!scanner.is_at_boundary() || scanner.pending_len() == 0);
        if let Err(error) = fed {
            assert_eq!(scanner.feed(b"data: x\n\n", |_, _| panic!("no event after an error")), Err(error));
            reading.error = Some(error);
            return reading;
        }
    }
    scanner.finish(|event| {
        reading.unfinished = Some((event.name.map(<[u8]>::to_vec), event.data.to_vec()));
    });
    reading
}

/// The same by the letter of the standard, with the whole stream at hand and no bound.
fn read_by_the_standard(stream: &[u8]) -> Reading {
    let stream = stream.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(stream);
    let mut lines = vec![Vec::new()];
    let mut bytes = stream.iter().peekable();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\n' => lines.push(Vec::new()),
            b'\r' => {
                bytes.next_if(|next| **next == b'\n');
                lines.push(Vec::new());
            }
            _ => lines.last_mut().unwrap().push(byte),
        }
    }
    let last = lines.pop().unwrap();
    let mut events = Vec::new();
    let (mut name, mut data): (Option<Vec<u8>>, Option<Vec<u8>>) = (None, None);
    for line in lines {
        if line.is_empty() {
            events.extend(data.take().map(|data| (name.take(), data)));
            name = None;
        } else {
            field(&line, &mut name, &mut data);
        }
    }
    field(&last, &mut name, &mut data);
    Reading { events, unfinished: data.map(|data| (name, data)), error: None }
}

fn field(line: &[u8], name: &mut Option<Vec<u8>>, data: &mut Option<Vec<u8>>) {
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let value = line.get(colon + 1..).unwrap_or_default();
    let value = value.strip_prefix(b" ").unwrap_or(value);
    match &line[..colon] {
        b"event" => *name = Some(value.to_vec()).filter(|name| !name.is_empty()),
        b"data" => match data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => *data = Some(value.to_vec()),
        },
        _ => {}
    }
}

fn check(input: Input<'_>, stream: &[u8]) {
    let whole = read(&[stream], usize::MAX);
    assert_eq!(whole, read_by_the_standard(stream), "whole: {:?}", String::from_utf8_lossy(stream));
    let cut = read(&input.pieces(stream), usize::MAX);
    assert_eq!(cut, whole, "cut: {:?}", String::from_utf8_lossy(stream));
}

#[test]
fn sse_reads_the_same_events_wherever_the_stream_is_cut() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        check(input, input.bytes);
        check(input, &input.spelt(&WORDS));
    });
}

/// Where the bound is met may depend on whether a CR's LF came with it, by that one byte; what was
/// read before the error may not depend on anything.
#[test]
fn sse_holds_its_bound_and_reports_only_events_of_the_stream() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let stream = input.spelt(&WORDS);
        let unbounded = read_by_the_standard(&stream);
        for bytes_max in [8, 40, 100] {
            for pieces in [vec![stream.as_slice()], input.pieces(&stream)] {
                let reading = read(&pieces, bytes_max);
                assert!(
                    unbounded.events.starts_with(&reading.events),
                    "{:?}",
                    String::from_utf8_lossy(&stream)
                );
                assert!(reading.error.is_some() || reading.events == unbounded.events);
            }
        }
    });
}
