//! Answers made by hand, as an upstream of each protocol writes them: whole, and streamed in the
//! manners that are seen in the wild. Nothing of the product is used.

mod chat;
mod cohere;
mod converse;
mod generate;
mod messages;
mod ollama;
mod responses;

use crate::facts::Counts;
use crate::frames::Frame;
use serde_json::Value;
use tidegate::types::Protocol;

/// One answer.
#[derive(Clone, Debug)]
pub struct Made {
    pub name: &'static str,
    pub pieces: Vec<Piece>,
    /// The upstream's own word for its end.
    pub stop: &'static str,
    pub usage: Counts,
}

#[derive(Clone, Debug)]
pub enum Piece {
    Think(&'static str),
    Text(&'static str),
    Refusal(&'static str),
    /// Id, name, arguments as text.
    Call(&'static str, &'static str, &'static str),
}

/// How it is streamed.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Characters of a delta.
    pub every: usize,
    /// Deltas of calls that stand beside each other come in turns.
    pub interleaves: bool,
    /// Empty deltas, pings and events nobody knows stand between the others.
    pub pads: bool,
    /// Responses: how arguments come.
    pub told: Told,
    /// Usage comes in pieces or again and again, and not in the last event alone.
    pub repeats_usage: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Deltas,
    Done,
    Both,
}

impl Manner {
    pub const PLAIN: Manner =
        Manner { every: 5, interleaves: false, pads: false, told: Told::Both, repeats_usage: false };

    pub const ALL: [Manner; 6] = [
        Manner::PLAIN,
        Manner { every: 1, interleaves: true, ..Manner::PLAIN },
        Manner { pads: true, interleaves: true, ..Manner::PLAIN },
        Manner { every: 1000, repeats_usage: true, ..Manner::PLAIN },
        Manner { every: 3, told: Told::Done, ..Manner::PLAIN },
        Manner { every: 2, told: Told::Deltas, pads: true, repeats_usage: true, ..Manner::PLAIN },
    ];
}

impl Made {
    /// What `protocol` can say of it: kinds it has no place for are left out, the order is its own.
    pub fn fit(&self, protocol: Protocol) -> Made {
        let mut made = self.clone();
        let has_refusals = matches!(protocol, Protocol::Chat | Protocol::Responses);
        made.pieces.retain(|piece| has_refusals || !matches!(piece, Piece::Refusal(_)));
        if matches!(protocol, Protocol::Chat | Protocol::Cohere | Protocol::Ollama) {
            made.pieces.sort_by_key(|piece| match piece {
                Piece::Think(_) => 0,
                Piece::Text(_) | Piece::Refusal(_) => 1,
                Piece::Call(..) => 2,
            });
        }
        made
    }
}

/// The whole answer's body.
pub fn whole(protocol: Protocol, made: &Made) -> Value {
    match protocol {
        Protocol::Chat => chat::whole(made),
        Protocol::Responses => responses::whole(made),
        Protocol::Messages => messages::whole(made),
        Protocol::Generate => generate::whole(made),
        Protocol::Converse => converse::whole(made),
        Protocol::Cohere => cohere::whole(made),
        Protocol::Ollama => ollama::whole(made),
    }
}

/// The stream's frames.
pub fn stream(protocol: Protocol, made: &Made, manner: Manner) -> Vec<Frame> {
    match protocol {
        Protocol::Chat => chat::stream(made, manner),
        Protocol::Responses => responses::stream(made, manner),
        Protocol::Messages => messages::stream(made, manner),
        Protocol::Generate => generate::stream(made, manner),
        Protocol::Converse => converse::stream(made, manner),
        Protocol::Cohere => cohere::stream(made, manner),
        Protocol::Ollama => ollama::stream(made, manner),
    }
}

/// The word for a normal end, and for one that asks for tools.
pub fn end_word(protocol: Protocol, has_calls: bool) -> &'static str {
    match (protocol, has_calls) {
        (Protocol::Chat, false) => "stop",
        (Protocol::Chat, true) => "tool_calls",
        (Protocol::Responses, _) => "completed",
        (Protocol::Messages | Protocol::Converse, false) => "end_turn",
        (Protocol::Messages | Protocol::Converse, true) => "tool_use",
        (Protocol::Generate, _) => "STOP",
        (Protocol::Cohere, false) => "COMPLETE",
        (Protocol::Cohere, true) => "TOOL_CALL",
        (Protocol::Ollama, _) => "stop",
    }
}

/// The bytes of a stream, and their type.
pub fn bytes(protocol: Protocol, frames: &[Frame]) -> (Vec<u8>, &'static str) {
    let mut out = Vec::new();
    for frame in frames {
        let name = frame.name.as_deref();
        match protocol {
            Protocol::Converse => out.extend(message(name.unwrap_or_default(), frame.data.as_bytes())),
            Protocol::Ollama => out.extend(format!("{}\n", frame.data).bytes()),
            Protocol::Generate => out.extend(format!("data: {}\r\n\r\n", frame.data).bytes()),
            _ => {
                out.extend(name.map(|name| format!("event: {name}\n")).unwrap_or_default().bytes());
                out.extend(format!("data: {}\n\n", frame.data).bytes());
            }
        }
    }
    let kind = match protocol {
        Protocol::Converse => "application/vnd.amazon.eventstream",
        Protocol::Ollama => "application/x-ndjson",
        _ => "text/event-stream",
    };
    (out, kind)
}

/// One AWS event stream message.
pub fn message(name: &str, data: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    let is_exception = name.ends_with("Exception");
    let (kind, naming) = match is_exception {
        true => ("exception", ":exception-type"),
        false => ("event", ":event-type"),
    };
    for (key, value) in [(naming, name), (":content-type", "application/json"), (":message-type", kind)] {
        headers.push(key.len() as u8);
        headers.extend(key.bytes());
        headers.push(7);
        headers.extend((value.len() as u16).to_be_bytes());
        headers.extend(value.bytes());
    }
    let total = (16 + headers.len() + data.len()) as u32;
    let mut out = total.to_be_bytes().to_vec();
    out.extend((headers.len() as u32).to_be_bytes());
    out.extend(crate::frames::crc32(&out).to_be_bytes());
    out.extend(headers);
    out.extend(data);
    out.extend(crate::frames::crc32(&out).to_be_bytes());
    out
}

fn pieces(text: &str, every: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(every.max(1)).map(|piece| piece.iter().collect()).collect()
}

/// Runs of pieces: calls beside each other are one run, everything else is a run of its own.
fn runs(made: &Made) -> Vec<&[Piece]> {
    made.pieces.chunk_by(|a, b| matches!((a, b), (Piece::Call(..), Piece::Call(..)))).collect()
}

/// Who speaks next where several calls stream: in turns, or one after the other. Each is the place
/// in the run and the piece of its arguments.
fn turns(run: &[Piece], manner: Manner) -> Vec<(usize, String)> {
    let cut: Vec<Vec<String>> = run
        .iter()
        .map(|piece| match piece {
            Piece::Call(_, _, arguments) => pieces(arguments, manner.every),
            _ => Vec::new(),
        })
        .collect();
    let mut all: Vec<(usize, usize, String)> = Vec::new();
    for (place, cut) in cut.into_iter().enumerate() {
        all.extend(cut.into_iter().enumerate().map(|(round, piece)| (round, place, piece)));
    }
    if manner.interleaves {
        all.sort_by_key(|(round, place, _)| (*round, *place));
    }
    all.into_iter().map(|(_, place, piece)| (place, piece)).collect()
}

fn frame(name: Option<&str>, data: &Value) -> Frame {
    Frame { name: name.map(str::to_owned), data: data.to_string() }
}
