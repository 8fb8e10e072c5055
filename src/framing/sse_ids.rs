//! Numbers the events of an SSE stream, so that a client can say which one it had last.
//!
//! Bytes are not changed but for one line more at the end of each event: `id: N`, counted up from 1. What
//! is no event for a client, such as a comment, has no number. Not here: the parsing of events (`sse`).
//! Invariant: cut between events wherever they may be, the same bytes give the same numbers.

use bytes::Bytes;

/// Numbers one stream.
#[derive(Debug, Default)]
pub struct EventIds {
    last: u64,
    /// The event under way has data.
    has_data: bool,
}

/// A numbered event, or what stands between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// None for what is no event.
    pub id: Option<u64>,
    pub bytes: Bytes,
}

impl EventIds {
    /// The number of the last event.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Numbers what is in `piece`, which begins and ends between two lines.
    pub fn number(&mut self, piece: &[u8]) -> Vec<Numbered> {
        let mut out: Vec<Numbered> = Vec::new();
        let mut event = Vec::with_capacity(piece.len() + 16);
        let mut rest = piece;
        while !rest.is_empty() {
            let (line, end, behind) = first_line(rest);
            rest = behind;
            if line.is_empty() && self.has_data {
                self.last += 1;
                let terminator = if end.is_empty() { b"\n".as_slice() } else { end };
                event.extend_from_slice(format!("id: {}", self.last).as_bytes());
                event.extend_from_slice(terminator);
            }
            self.has_data |= line.starts_with(b"data");
            event.extend_from_slice(line);
            event.extend_from_slice(end);
            if line.is_empty() {
                let id = std::mem::take(&mut self.has_data).then_some(self.last);
                out.push(Numbered { id, bytes: Bytes::from(std::mem::take(&mut event)) });
            }
        }
        if !event.is_empty() {
            out.push(Numbered { id: None, bytes: Bytes::from(event) });
        }
        out
    }
}

/// The first line, what ends it (LF, CR LF or CR), and what follows.
fn first_line(bytes: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let at = memchr::memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at_checked(at).unwrap_or((bytes, b""));
    let length = if rest.starts_with(b"\r\n") { 2 } else { rest.len().min(1) };
    let (end, behind) = rest.split_at_checked(length).unwrap_or((rest, b""));
    (line, end, behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(pieces: &[&str]) -> (String, Vec<Option<u64>>) {
        let mut ids = EventIds::default();
        let all: Vec<Numbered> = pieces.iter().flat_map(|piece| ids.number(piece.as_bytes())).collect();
        let text = all.iter().map(|n| std::str::from_utf8(&n.bytes).unwrap()).collect();
        (text, all.iter().map(|n| n.id).collect())
    }

    #[test]
    fn each_event_ends_with_its_number_in_its_own_line_ends() {
        let (text, ids) = numbered(&["event: a\ndata: 1\n\ndata: 2\r\n\r\n", "data: 3\r\r"]);
        assert_eq!(text, "event: a\ndata: 1\nid: 1\n\ndata: 2\r\nid: 2\r\n\r\ndata: 3\rid: 3\r\r");
        assert_eq!(ids, [Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn comments_and_events_without_data_have_none() {
        let (text, ids) = numbered(&[": keepalive\n\n", "data: 1\n\n", "retry: 5\n\n", "\n"]);
        assert_eq!(text, ": keepalive\n\ndata: 1\nid: 1\n\nretry: 5\n\n\n");
        assert_eq!(ids, [None, Some(1), None, None]);
    }

    #[test]
    fn the_number_of_the_provider_comes_first_and_so_does_not_count() {
        let (text, _) = numbered(&["id: theirs\ndata: 1\n\n"]);
        assert_eq!(text, "id: theirs\ndata: 1\nid: 1\n\n");
    }

    #[test]
    fn numbers_do_not_depend_on_how_events_come_together() {
        let events = ["data: 1\n\n", ": c\n\n", "event: x\ndata: 2\n\n", "data: 3\n\n"];
        let apart = numbered(&events);
        assert_eq!(numbered(&[&events.concat()]), apart);
        assert_eq!(numbered(&[&events[..2].concat(), &events[2..].concat()]), apart);
    }

    #[test]
    fn an_event_that_lacks_its_end_has_no_number_yet() {
        assert_eq!(numbered(&["data: 1\n"]), ("data: 1\n".into(), vec![None]));
    }
}
