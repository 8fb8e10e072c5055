//! Which bytes of a chunk go down.

use crate::dialect::tap::{EventClass, StreamFault};
use bytes::Bytes;

/// Bytes to pass on: nearly always one piece, the chunk itself.
#[derive(Default)]
pub enum Pieces {
    #[default]
    None,
    One(Bytes),
    Many(Vec<Bytes>),
}

/// What the events of one chunk decided about its bytes.
pub struct Cuts {
    /// End of the last whole event seen.
    pub event_end: usize,
    /// Start of what is to be passed on and has not been cut off yet.
    pub from: usize,
    /// What was held belongs to an event that is not passed on.
    pub drops_held: bool,
    pub segments: Vec<(usize, usize)>,
    pub fault: Option<StreamFault>,
    pub has_content: bool,
}

impl Pieces {
    pub fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        *self = match std::mem::take(self) {
            Pieces::None => Pieces::One(piece),
            Pieces::One(first) => Pieces::Many(vec![first, piece]),
            Pieces::Many(mut all) => {
                all.push(piece);
                Pieces::Many(all)
            }
        };
    }

    /// All of it in one piece.
    pub fn into_bytes(self) -> Option<Bytes> {
        match self {
            Pieces::None => None,
            Pieces::One(piece) => Some(piece),
            Pieces::Many(all) => Some(Bytes::from(all.concat())),
        }
    }
}

impl Cuts {
    pub fn new() -> Self {
        Self {
            event_end: 0,
            from: 0,
            drops_held: false,
            segments: Vec::new(),
            fault: None,
            has_content: false,
        }
    }

    pub fn take(&mut self, class: EventClass, end: usize, hides_usage: bool) {
        let start = self.event_end;
        self.event_end = end;
        match class {
            EventClass::Fault(fault) => {
                self.leave_out(start, end);
                self.fault = Some(fault);
            }
            EventClass::UsageOnly if hides_usage => self.leave_out(start, end),
            EventClass::Content => self.has_content = true,
            _ => {}
        }
    }

    fn leave_out(&mut self, start: usize, end: usize) {
        // The chunk's first event may have begun in earlier chunks, whose bytes are held.
        self.drops_held |= start == 0;
        if self.from < start {
            self.segments.push((self.from, start));
        }
        self.from = end;
    }
}

/// All of them in one piece.
pub fn joined(pieces: Vec<Bytes>) -> Bytes {
    match <[Bytes; 1]>::try_from(pieces) {
        Ok([piece]) => piece,
        Err(pieces) => Bytes::from(pieces.concat()),
    }
}
