//! Events of a stream, one at a time, before they are written.

/// What an event is, for faults that count or leave out events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Before any content: a role, a message's start.
    Preamble,
    /// Model output.
    Content,
    /// Ends a block; says nothing about the whole.
    Closing,
    /// Says how the whole ended: finish reason, usage.
    Verdict,
    /// The very last event by which a client knows the stream is complete.
    Terminal,
}

/// An event whose data was put into the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: Kind,
    /// For the `event:` line; empty where the dialect has none.
    pub name: &'static str,
}

/// The events of one answer in order.
pub trait EventSource: Send {
    /// Puts the next event's data into the empty `data`. `None`: no more.
    fn next(&mut self, data: &mut String) -> Option<Event>;

    /// Puts the data of an error event at this place into the empty `data`; gives its name.
    fn fail(&mut self, data: &mut String) -> &'static str;
}

impl Event {
    pub fn new(kind: Kind, name: &'static str) -> Self {
        Self { kind, name }
    }
}

/// Cuts text into pieces of at most `chars` characters.
pub fn fragments(text: &str, chars: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(chars.max(1)).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_put_together_are_the_text() {
        let text = "{\"ort\":\"Köln\u{1F600}\"}";
        assert_eq!(fragments(text, 5).concat(), text);
        assert!(fragments(text, 5).len() > 2);
    }
}
