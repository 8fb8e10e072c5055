//! Readers of frames: SSE, JSON lines, `application/vnd.amazon.eventstream`. Written for whole bodies.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub name: Option<String>,
    pub data: String,
}

impl Frame {
    /// Its data as JSON; null for what is none (`[DONE]`).
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or(Value::Null)
    }
}

/// Server-sent events, lines ended by LF, CRLF or CR.
pub fn sse(body: &[u8]) -> Vec<Frame> {
    let body = String::from_utf8(body.to_vec()).expect("UTF-8").replace("\r\n", "\n").replace('\r', "\n");
    let mut frames = Vec::new();
    for block in body.split("\n\n") {
        let (mut name, mut data) = (None, Vec::new());
        for line in block.split('\n') {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = Some(value.to_owned()),
                "data" => data.push(value),
                _ => {}
            }
        }
        if !data.is_empty() {
            frames.push(Frame { name, data: data.join("\n") });
        }
    }
    frames
}

/// One JSON value a line.
pub fn lines(body: &[u8]) -> Vec<Frame> {
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    let full = body.lines().filter(|line| !line.trim().is_empty());
    full.map(|line| Frame { name: None, data: line.to_owned() }).collect()
}

/// Elements of one JSON array.
pub fn array(body: &Value) -> Vec<Frame> {
    let elements = body.as_array().expect("an array");
    elements.iter().map(|element| Frame { name: None, data: element.to_string() }).collect()
}

/// `{"name": payload}` a line: event streams as the recorder decoded them.
pub fn decoded_lines(body: &[u8]) -> Vec<Frame> {
    let name_and_data = |frame: Frame| {
        let value = frame.json();
        let (name, data) = value.as_object().and_then(|object| object.iter().next()).expect("one member");
        Frame { name: Some(name.clone()), data: data.to_string() }
    };
    lines(body).into_iter().map(name_and_data).collect()
}

/// AWS event stream messages; both checksums must be right.
pub fn eventstream(body: &[u8]) -> Vec<Frame> {
    let mut rest = body;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let word = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
        let (total, headers) = (word(0) as usize, word(4) as usize);
        assert_eq!(crc32(&rest[..8]), word(8), "prelude checksum");
        assert_eq!(crc32(&rest[..total - 4]), word(total - 4), "message checksum");
        let name = event_name(&rest[12..12 + headers]);
        let data = String::from_utf8(rest[12 + headers..total - 4].to_vec()).expect("UTF-8");
        frames.push(Frame { name, data });
        rest = &rest[total..];
    }
    frames
}

fn event_name(mut headers: &[u8]) -> Option<String> {
    let mut name = None;
    while !headers.is_empty() {
        let key_length = headers[0] as usize;
        let key = &headers[1..1 + key_length];
        assert_eq!(headers[1 + key_length], 7, "a string header");
        let at = key_length + 4;
        let length = u16::from_be_bytes([headers[at - 2], headers[at - 1]]) as usize;
        if key == b":event-type" || key == b":exception-type" {
            name = Some(String::from_utf8(headers[at..at + length].to_vec()).unwrap());
        }
        headers = &headers[at + length..];
    }
    name
}

pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn the_checksum_is_that_of_ieee() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn events_are_cut_at_empty_lines_of_any_kind() {
    let frames = sse(b": hello\n\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\ndata: [DONE]\n\n");
    assert_eq!(
        frames,
        [Frame { name: Some("a".into()), data: "1\n2".into() }, Frame { name: None, data: "[DONE]".into() }]
    );
}
