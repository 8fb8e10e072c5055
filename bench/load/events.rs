//! Finds the simulator's stamps and the last event in the content of a stream, whatever the cuts.

use memchr::memchr;
use memchr::memmem::Finder;

/// A line longer than this is dropped: nothing the simulator sends unasked is.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Reads a stream of events line by line.
pub struct Events {
    /// The line so far, where a cut fell into it.
    partial: Vec<u8>,
    stamp: Finder<'static>,
    /// Events with an object in them, stamped or not.
    pub count: u64,
    pub is_done: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self { partial: Vec::new(), stamp: Finder::new(b"\"sim_ns\":"), count: 0, is_done: false }
    }
}

impl Events {
    /// Calls `seen` with each stamp of `content`.
    pub fn feed(&mut self, content: &[u8], mut seen: impl FnMut(u64)) {
        let mut rest = content;
        while let Some(at) = memchr(b'\n', rest) {
            let Some((line, after)) = rest.split_at_checked(at + 1) else { break };
            if self.partial.is_empty() {
                self.line(line, &mut seen);
            } else {
                self.partial.extend_from_slice(line);
                let whole = std::mem::take(&mut self.partial);
                self.line(&whole, &mut seen);
                self.partial = whole;
                self.partial.clear();
            }
            rest = after;
        }
        if self.partial.len() + rest.len() <= LINE_BYTES_MAX {
            self.partial.extend_from_slice(rest);
        }
    }

    fn line(&mut self, line: &[u8], seen: &mut impl FnMut(u64)) {
        if line.starts_with(b"data: [DONE]") || line.starts_with(b"event: message_stop") {
            self.is_done = true;
        }
        self.count += u64::from(line.starts_with(b"data: {"));
        if let Some(at) = self.stamp.find(line) {
            let digits = line.iter().skip(at + self.stamp.needle().len()).take_while(|b| b.is_ascii_digit());
            seen(digits.fold(0, |stamp: u64, digit| {
                stamp.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0')))
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_and_the_end_are_found_at_every_cut() {
        let wire = b"data: {\"sim_ns\":123,\"a\":1}\n\ndata: {\"sim_ns\":4567}\n\ndata: [DONE]\n\n";
        for step in 1..wire.len() {
            let (mut events, mut stamps) = (Events::default(), Vec::new());
            for piece in wire.chunks(step) {
                events.feed(piece, |stamp| stamps.push(stamp));
            }
            assert_eq!((stamps.as_slice(), events.is_done), ([123, 4567].as_slice(), true), "{step}");
        }
    }

    #[test]
    fn a_stream_cut_before_its_end_is_not_done() {
        let mut events = Events::default();
        events.feed(b"data: {\"sim_ns\":1}\n\ndata: [DON", |_| {});
        assert!(!events.is_done);
    }
}
