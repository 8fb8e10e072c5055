//! Server-sent events out of a byte stream, wherever the network cut it.
//!
//! Not a re-framer: the bytes themselves are relayed elsewhere and never changed here. The scanner says
//! what an event holds and where it ends. An event that lies whole in one chunk with one data line, which
//! is nearly every event there is, is handed out as slices of that chunk, without a copy.
//!
//! Invariant: the events reported do not depend on the cuts. At most `event_bytes_max` bytes of an
//! unfinished event are held, and no more than 4 KiB of spare room once it is done.
//!
//! A line may end in LF, CRLF or a bare CR, so a CR at the end of a chunk may or may not be followed by
//! its LF. A blank line ended by such a CR completes the event at once (waiting for the next chunk would
//! delay the last event of a bare-CR stream for ever); an LF that then starts the next chunk belongs to
//! it and starts nothing. `end` counts that LF when it came in the same chunk.

use std::borrow::Cow;

use memchr::memchr2;
use thiserror::Error;

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];
/// Room kept between two events that had to be put together from several chunks.
const SPARE_BYTES_MAX: usize = 4 * 1024;

/// One event that has at least one `data` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// Value of the last `event` line; `None` when there is none or it is empty.
    pub name: Option<&'a [u8]>,
    /// Values of the `data` lines, joined with LF.
    pub data: &'a [u8],
}

/// Why a stream cannot be read further. The scanner stays in error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SseError {
    /// One event, its line ends and comments included, is longer than the bound.
    #[error("a server-sent event is longer than the limit")]
    EventTooLong,
}

/// Finds the events of one stream.
#[derive(Debug)]
pub struct SseScanner {
    event_bytes_max: usize,
    /// Raw bytes of the unfinished event. Non-empty only between two calls of `feed`.
    partial: Vec<u8>,
    /// How much of a byte order mark the stream has begun with; 3 also once there can be none.
    bom_matched: usize,
    /// The last byte fed was the CR of a blank line; an LF that comes next belongs to it.
    after_blank_cr: bool,
    /// The line before that blank one ended in CRLF, so the LF is to be expected.
    uses_crlf: bool,
    is_failed: bool,
}

impl SseScanner {
    /// `event_bytes_max` bounds one event as it is on the wire, terminator included.
    pub fn new(event_bytes_max: usize) -> Self {
        Self {
            event_bytes_max,
            partial: Vec::new(),
            bom_matched: 0,
            after_blank_cr: false,
            uses_crlf: false,
            is_failed: false,
        }
    }

    /// Reads the next bytes of the stream; calls `on_event(event, end)` for each event completed in
    /// them, where `end` is the offset in `chunk` just past the event's blank line. Blocks without a
    /// data line (only comments or an event name) end like events but are not reported.
    pub fn feed(
        &mut self,
        chunk: &[u8],
        mut on_event: impl FnMut(SseEvent<'_>, usize),
    ) -> Result<(), SseError> {
        if self.is_failed {
            return Err(SseError::EventTooLong);
        }
        let mut pos = 0;
        if self.bom_matched < BOM.len() {
            pos = self.skip_bom(chunk);
        }
        if !chunk.is_empty() {
            // If this starts with the LF of that CR, it reads as one more blank line, which changes nothing.
            self.after_blank_cr = false;
        }
        if !self.partial.is_empty() {
            match self.complete_partial(chunk, pos, &mut on_event)? {
                Some(end) => pos = end,
                None => return Ok(()),
            }
        }
        let rest_start = self.scan_whole(chunk, pos, &mut on_event)?;
        let rest = chunk.get(rest_start..).unwrap_or_default();
        if rest.len() > self.event_bytes_max {
            return Err(self.fail());
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    /// Whether the bytes fed so far end between two events, so that a comment may be put in here. After
    /// a blank line ended by CR whose LF is still to be expected (the line before ended in CRLF) it says
    /// no; in a stream of bare CRs it says yes.
    pub fn is_at_boundary(&self) -> bool {
        let is_in_bom = self.bom_matched > 0 && self.bom_matched < BOM.len();
        let awaits_lf = self.after_blank_cr && self.uses_crlf;
        self.partial.is_empty() && !is_in_bom && !awaits_lf && !self.is_failed
    }

    /// How many of the last bytes fed belong to an event that is not complete.
    pub fn pending_len(&self) -> usize {
        self.partial.len()
    }

    /// The stream has ended: reports an event that lacks its blank line, if it has a data line. Nothing
    /// tells whether its last line is whole, so the caller must be ready for half a value.
    pub fn finish(&mut self, mut on_event: impl FnMut(SseEvent<'_>)) {
        let bytes = std::mem::take(&mut self.partial);
        let mut fields = Fields::default();
        let mut pos = 0;
        while let Some((line, next)) = next_line(&bytes, pos) {
            fields.add_line(line);
            pos = next;
        }
        fields.add_line(bytes.get(pos..).unwrap_or_default());
        if let Some(event) = fields.event() {
            on_event(event);
        }
    }

    /// Returns the offset at which the text of the stream starts. Bytes of earlier chunks that looked
    /// like the start of a mark and were none are the start of the first line.
    fn skip_bom(&mut self, chunk: &[u8]) -> usize {
        let mut matched_here = 0;
        for &byte in chunk {
            if BOM.get(self.bom_matched) == Some(&byte) {
                matched_here += 1;
                self.bom_matched += 1;
                continue;
            }
            if self.bom_matched == BOM.len() {
                break;
            }
            let matched_before = self.bom_matched - matched_here;
            self.partial.extend_from_slice(BOM.get(..matched_before).unwrap_or_default());
            self.bom_matched = BOM.len();
            return 0;
        }
        matched_here
    }

    /// Looks in the chunk for the end of the event begun in earlier ones; returns its offset.
    fn complete_partial(
        &mut self,
        chunk: &[u8],
        start: usize,
        on_event: &mut impl FnMut(SseEvent<'_>, usize),
    ) -> Result<Option<usize>, SseError> {
        let last = self.partial.last().copied();
        let mut pos = start;
        if last == Some(b'\r') && chunk.get(pos) == Some(&b'\n') {
            pos += 1;
        }
        let mut is_line_start = matches!(last, Some(b'\r' | b'\n'));
        let mut end = None;
        while let Some((line, next)) = next_line(chunk, pos) {
            if line.is_empty() && is_line_start {
                end = Some(next);
                break;
            }
            is_line_start = true;
            pos = next;
        }
        let piece = chunk.get(start..end.unwrap_or(chunk.len())).unwrap_or_default();
        if self.partial.len() + piece.len() > self.event_bytes_max {
            return Err(self.fail());
        }
        self.partial.extend_from_slice(piece);
        let Some(end) = end else { return Ok(None) };

        let mut bytes = std::mem::take(&mut self.partial);
        let mut fields = Fields::default();
        let mut pos = 0;
        while let Some((line, next)) = next_line(&bytes, pos) {
            fields.add_line(line);
            pos = next;
        }
        if let Some(event) = fields.event() {
            on_event(event, end);
        }
        if end == chunk.len() {
            self.note_chunk_end(&bytes);
        }
        bytes.clear();
        if bytes.capacity() <= SPARE_BYTES_MAX {
            self.partial = bytes;
        }
        Ok(Some(end))
    }

    /// Reads whole events from `pos` on. Returns where the first unfinished one starts.
    fn scan_whole(
        &mut self,
        chunk: &[u8],
        mut pos: usize,
        on_event: &mut impl FnMut(SseEvent<'_>, usize),
    ) -> Result<usize, SseError> {
        let mut event_start = pos;
        let mut fields = Fields::default();
        while let Some((line, next)) = next_line(chunk, pos) {
            if !line.is_empty() {
                fields.add_line(line);
                pos = next;
                continue;
            }
            if next - event_start > self.event_bytes_max {
                return Err(self.fail());
            }
            if let Some(event) = fields.event() {
                on_event(event, next);
            }
            fields = Fields::default();
            event_start = next;
            pos = next;
        }
        if event_start == chunk.len() {
            self.note_chunk_end(chunk);
        }
        Ok(event_start)
    }

    /// `bytes` end the chunk just fed, and between two events.
    fn note_chunk_end(&mut self, bytes: &[u8]) {
        let mut back = bytes.iter().rev();
        if back.next() == Some(&b'\r') {
            self.after_blank_cr = true;
            // With nothing before it in this chunk, what was known still holds.
            self.uses_crlf = back.next().map_or(self.uses_crlf, |&before| before == b'\n');
        }
    }

    fn fail(&mut self) -> SseError {
        self.is_failed = true;
        self.partial = Vec::new();
        SseError::EventTooLong
    }
}

/// The fields of one event as its lines are read.
#[derive(Default)]
struct Fields<'a> {
    name: Option<&'a [u8]>,
    data: Option<Cow<'a, [u8]>>,
}

impl<'a> Fields<'a> {
    fn add_line(&mut self, line: &'a [u8]) {
        if let Some(value) = field_value(line, b"data") {
            match &mut self.data {
                None => self.data = Some(Cow::Borrowed(value)),
                Some(data) => {
                    let joined = data.to_mut();
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                }
            }
        } else if let Some(value) = field_value(line, b"event") {
            self.name = Some(value).filter(|name| !name.is_empty());
        }
    }

    fn event(&self) -> Option<SseEvent<'_>> {
        self.data.as_deref().map(|data| SseEvent { name: self.name, data })
    }
}

/// The value of a line if it is of that field: after the colon and at most one space. A line that is
/// the field's name alone has an empty value.
fn field_value<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(field)?;
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}

/// The line that starts at `pos`, without its end, and where the next one starts. `None` while the
/// line has no end.
fn next_line(bytes: &[u8], pos: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(pos..)?;
    let len = memchr2(b'\n', b'\r', rest)?;
    let (line, end) = rest.split_at_checked(len)?;
    let end_len = if end.starts_with(b"\r\n") { 2 } else { 1 };
    Some((line, pos + len + end_len))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1024;

    type Owned = (Option<Vec<u8>>, Vec<u8>);

    fn owned(event: SseEvent<'_>) -> Owned {
        (event.name.map(<[u8]>::to_vec), event.data.to_vec())
    }

    /// Events and the absolute offsets at which they end, the final unterminated one without offset.
    fn scan<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Owned>, Vec<usize>) {
        let mut scanner = SseScanner::new(MAX);
        let (mut events, mut ends, mut fed) = (Vec::new(), Vec::new(), 0);
        for chunk in chunks {
            scanner
                .feed(chunk, |event, end| {
                    events.push(owned(event));
                    ends.push(fed + end);
                })
                .unwrap();
            fed += chunk.len();
        }
        scanner.finish(|event| events.push(owned(event)));
        (events, ends)
    }

    fn data_of(bytes: &[u8]) -> Vec<String> {
        scan([bytes]).0.into_iter().map(|(_, data)| String::from_utf8(data).unwrap()).collect()
    }

    fn is_at_boundary_after(chunks: &[&[u8]]) -> bool {
        let mut scanner = SseScanner::new(MAX);
        for chunk in chunks {
            scanner.feed(chunk, |_, _| {}).unwrap();
        }
        scanner.is_at_boundary()
    }

    /// A small repeatable generator; nothing here needs more.
    fn next_random(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        *state >> 33
    }

    #[test]
    fn an_event_within_one_chunk_is_a_slice_of_it() {
        let chunk = b"event: delta\ndata: {\"a\":1}\n\n";
        let range = chunk.as_ptr_range();
        let mut seen = 0;
        let mut scanner = SseScanner::new(MAX);
        scanner
            .feed(chunk, |event, end| {
                assert_eq!(event, SseEvent { name: Some(b"delta"), data: b"{\"a\":1}" });
                assert!(range.contains(&event.data.as_ptr()));
                assert_eq!(end, chunk.len());
                seen += 1;
            })
            .unwrap();
        assert_eq!(seen, 1);
    }

    #[test]
    fn fields_are_read_by_the_rules_of_event_streams() {
        assert_eq!(data_of(b"data:no space\n\ndata: one\n\ndata:  two\n\n"), ["no space", "one", " two"]);
        assert_eq!(data_of(b"data: a\ndata:\ndata: b\n\n"), ["a\n\nb"]);
        assert_eq!(data_of(b"data\n\n"), [""]);
        assert_eq!(data_of(b": note\nid: 7\nretry: 9\ndatum: x\n data: x\ndata: y\n\n"), ["y"]);
        assert_eq!(scan([&b"event: a\nevent: b\ndata: x\n\n"[..]]).0, [(Some(b"b".to_vec()), b"x".to_vec())]);
        assert_eq!(scan([&b"event:\ndata: x\n\n"[..]]).0, [(None, b"x".to_vec())]);
    }

    #[test]
    fn a_name_does_not_outlive_its_event() {
        let events = scan([&b"event: a\n\ndata: x\n\n"[..]]).0;
        assert_eq!(events, [(None, b"x".to_vec())]);
    }

    #[test]
    fn blocks_without_data_are_boundaries_but_no_events() {
        assert_eq!(data_of(b": ping\n\nevent: x\n\n\n\n"), Vec::<String>::new());
        assert!(is_at_boundary_after(&[b": ping\n\n"]));
        assert!(!is_at_boundary_after(&[b": ping\n"]));
        assert!(!is_at_boundary_after(&[b"data: x"]));
        assert!(!is_at_boundary_after(&[b"data: x\n"]));
        assert!(is_at_boundary_after(&[b"data: x\n\n"]));
        assert!(is_at_boundary_after(&[]));
    }

    #[test]
    fn every_line_end_and_mixtures_of_them_end_lines() {
        for text in ["data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r"] {
            assert_eq!(data_of(text.as_bytes()), ["a", "b"], "{text:?}");
        }
        assert_eq!(data_of(b"data: a\r\n\ndata: b\n\rdata: c\r\r\n"), ["a", "b", "c"]);
    }

    #[test]
    fn an_end_is_never_between_cr_and_lf_of_one_chunk() {
        let (_, ends) = scan([&b"data: a\r\n\r\ndata: b\r\r\n"[..]]);
        assert_eq!(ends, [11, 21]);
    }

    #[test]
    fn a_cr_at_the_end_of_a_chunk_completes_the_event_and_its_lf_starts_nothing() {
        let (events, ends) = scan([&b"data: a\r\n\r"[..], b"\ndata: b\r\n\r\n"]);
        assert_eq!(events.len(), 2);
        assert_eq!(ends, [10, 22]);
        assert!(!is_at_boundary_after(&[b"data: a\r\n\r"]), "the LF is still to come");
        assert!(is_at_boundary_after(&[b"data: a\r\n\r", b"\n"]));
        assert!(!is_at_boundary_after(&[b"data: a\r\n", b"\r"]));
        assert!(is_at_boundary_after(&[b"data: a\r\r"]), "a stream of bare CRs has boundaries too");
        assert!(is_at_boundary_after(&[b"data: a\r", b"\r"]));
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_start_only() {
        let bytes = b"\xEF\xBB\xBFdata: a\n\n\xEF\xBB\xBFdata: b\n\n";
        for cut in 0..5 {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(scan([head, tail]).0, [(None, b"a".to_vec())], "cut at {cut}");
        }
        let (events, _) = scan(b"\xEF\xBBdata: a\ndata: b\n\n".chunks(1));
        assert_eq!(events, [(None, b"b".to_vec())], "the first line is no data line");
        assert!(!is_at_boundary_after(&[b"\xEF"]));
    }

    #[test]
    fn the_end_of_the_stream_reports_an_event_without_its_blank_line() {
        assert_eq!(data_of(b"data: a\n\ndata: [DONE]"), ["a", "[DONE]"]);
        assert_eq!(data_of(b"data: a\n"), ["a"]);
        assert_eq!(data_of(b"event: a\n"), Vec::<String>::new());
    }

    #[test]
    fn an_event_over_the_bound_is_an_error_whole_or_in_pieces() {
        let event = [b"data: ".as_slice(), &[b'x'; 92], b"\n\n"].concat();
        for cut in 1..=event.len() {
            let mut scanner = SseScanner::new(100);
            assert!(event.chunks(cut).all(|chunk| scanner.feed(chunk, |_, _| {}).is_ok()), "cut {cut}");
            let mut scanner = SseScanner::new(99);
            assert!(event.chunks(cut).any(|chunk| scanner.feed(chunk, |_, _| {}).is_err()), "cut {cut}");
            assert_eq!(scanner.feed(b"\n\n", |_, _| {}), Err(SseError::EventTooLong), "it stays in error");
            assert!(!scanner.is_at_boundary());
        }
        assert_eq!(SseScanner::new(99).feed(&[b'x'; 100], |_, _| {}), Err(SseError::EventTooLong));
    }

    #[test]
    fn room_for_a_big_event_is_given_back() {
        let mut scanner = SseScanner::new(1 << 20);
        scanner.feed(b"data: ", |_, _| {}).unwrap();
        scanner.feed(&vec![b'x'; 500_000], |_, _| {}).unwrap();
        assert_eq!(scanner.pending_len(), 500_006);
        let mut seen = 0;
        scanner.feed(b"\n\ndata: y", |event, _| seen += event.data.len()).unwrap();
        assert_eq!((seen, scanner.pending_len()), (500_000, 7));
        assert!(scanner.partial.capacity() <= SPARE_BYTES_MAX);
    }

    #[test]
    fn cuts_do_not_change_the_events() {
        let pieces: [&[u8]; 12] = [
            b"data: x",
            b"data:",
            b"event: n",
            b": c",
            b"\n",
            b"\r\n",
            b"\r",
            b"\n\n",
            b"\r\n\r\n",
            b"\r\r",
            "\u{feff}é😀".as_bytes(),
            b"id: 4",
        ];
        let mut state = 7;
        for round in 0..3000 {
            let count = next_random(&mut state) as usize % 24;
            let stream: Vec<u8> = (0..count)
                .flat_map(|_| pieces[next_random(&mut state) as usize % pieces.len()])
                .copied()
                .collect();
            let (whole, whole_ends) = scan([&stream[..]]);
            let (single, _) = scan(stream.chunks(1));
            assert_eq!(whole, single, "round {round}: {:?}", String::from_utf8_lossy(&stream));
            let mut chunks = Vec::new();
            let mut rest = &stream[..];
            while !rest.is_empty() {
                let (chunk, tail) = rest.split_at(1 + next_random(&mut state) as usize % rest.len());
                chunks.push(chunk);
                rest = tail;
            }
            let (cut, cut_ends) = scan(chunks);
            assert_eq!(whole, cut, "round {round}: {:?}", String::from_utf8_lossy(&stream));
            for (a, b) in whole_ends.iter().zip(&cut_ends) {
                assert!(a == b || (*a == b + 1 && stream[b - 1..*a] == *b"\r\n"), "round {round}");
            }
        }
    }
}
