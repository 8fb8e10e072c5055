//! Server-sent events with running numbers.

use crate::framing::json::JsonWriter;

/// Writes the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Frames {
    next: u64,
}

impl Frames {
    /// The number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// One event; `members` writes what follows its type and number. It stays on one line, whatever
    /// others wrote: [`JsonWriter::raw`] takes line ends out.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut JsonWriter<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        let number = self.next;
        self.next += 1;
        JsonWriter::new(out).object(|w| {
            w.field_str("type", kind);
            w.field_u64("sequence_number", number);
            members(w);
        });
        out.extend_from_slice(b"\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_and_stay_on_one_line() {
        let mut frames = Frames::default();
        let mut out = b"x".to_vec();
        frames.write(&mut out, "a", |w| w.field_raw("b", "{\r\n \"c\\n\":1\n}"));
        frames.write(&mut out, "d", |_| {});
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                "xevent: a\ndata: {\"type\":\"a\",\"sequence_number\":0,\"b\":{ \"c\\n\":1}}\n\n",
                "event: d\ndata: {\"type\":\"d\",\"sequence_number\":1}\n\n"
            )
        );
    }
}
