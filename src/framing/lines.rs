//! NDJSON: one JSON document a line.
//!
//! Invariant: a line is handed on whole and without its end; at most one is buffered, to a bound.

/// Cuts a stream into lines. Blank ones are left out.
pub struct LineScanner {
    held: Vec<u8>,
    line_bytes_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than {0} bytes")]
pub struct LineTooLong(pub usize);

impl LineScanner {
    pub fn new(line_bytes_max: usize) -> Self {
        Self { held: Vec::new(), line_bytes_max }
    }

    /// Whether the bytes so far end with a line's end.
    pub fn is_at_boundary(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes bytes; hands on each line that is now whole, and the offset in `bytes` behind its end.
    ///
    /// # Errors
    /// [`LineTooLong`]; the stream cannot be read on after it.
    pub fn feed(&mut self, bytes: &[u8], mut on_line: impl FnMut(&[u8], usize)) -> Result<(), LineTooLong> {
        let mut from = 0;
        for at in memchr::memchr_iter(b'\n', bytes) {
            let part = bytes.get(from..at).unwrap_or_default();
            from = at + 1;
            if self.held.len() + part.len() > self.line_bytes_max {
                return Err(LineTooLong(self.line_bytes_max));
            }
            if self.held.is_empty() {
                hand_on(part, from, &mut on_line);
            } else {
                self.held.extend_from_slice(part);
                let line = std::mem::take(&mut self.held);
                hand_on(&line, from, &mut on_line);
            }
        }
        let rest = bytes.get(from..).unwrap_or_default();
        if self.held.len() + rest.len() > self.line_bytes_max {
            return Err(LineTooLong(self.line_bytes_max));
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }

    /// The bytes ended: hands on a last line that has no end.
    pub fn finish(&mut self, mut on_line: impl FnMut(&[u8])) {
        let line = std::mem::take(&mut self.held);
        hand_on(&line, 0, &mut |line, _| on_line(line));
    }
}

fn hand_on(line: &[u8], end: usize, on_line: &mut impl FnMut(&[u8], usize)) {
    let line = line.trim_ascii();
    if !line.is_empty() {
        on_line(line, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut scanner = LineScanner::new(64);
        let mut seen = Vec::new();
        for piece in pieces {
            scanner.feed(piece, |line, _| seen.push(String::from_utf8_lossy(line).into_owned())).unwrap();
        }
        scanner.finish(|line| seen.push(String::from_utf8_lossy(line).into_owned()));
        seen
    }

    #[test]
    fn lines_are_the_same_however_they_were_cut() {
        let bytes = b"{\"a\":1}\r\n\n {\"b\":\"\xc3\xa9\"}\n{\"c\":3}";
        let whole = lines(&[bytes]);
        assert_eq!(whole, ["{\"a\":1}", "{\"b\":\"é\"}", "{\"c\":3}"]);
        for cut in 0..=bytes.len() {
            assert_eq!(lines(&[&bytes[..cut], &bytes[cut..]]), whole);
        }
    }

    #[test]
    fn a_line_has_a_bound_whether_it_ends_or_not() {
        let mut scanner = LineScanner::new(4);
        assert_eq!(scanner.feed(b"12345\n", |_, _| {}), Err(LineTooLong(4)));
        let mut scanner = LineScanner::new(4);
        scanner.feed(b"123", |_, _| {}).unwrap();
        assert_eq!(scanner.feed(b"45", |_, _| {}), Err(LineTooLong(4)));
    }

    #[test]
    fn offsets_point_behind_the_line() {
        let mut ends = Vec::new();
        LineScanner::new(64).feed(b"ab\n\ncd\nef", |_, end| ends.push(end)).unwrap();
        assert_eq!(ends, [3, 7]);
    }
}
