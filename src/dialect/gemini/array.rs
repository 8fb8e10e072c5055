//! Splits the JSON array that `streamGenerateContent` answers without `alt=sse` into its elements,
//! while it grows.
//!
//! It knows brackets and strings only. Invariant: never more than one element, and never more than
//! [`SSE_EVENT_BYTES_MAX`] bytes, is held; an element that lies within one chunk is not copied.

use crate::types::bounds::SSE_EVENT_BYTES_MAX;

/// Why the bytes are no array of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArrayError {
    #[error("an element of the streamed array is too long")]
    ElementTooLong,
    #[error("the streamed body is not a json array")]
    NotAnArray,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing but white space yet.
    Before,
    /// In the array, outside of its elements.
    Between,
    /// In an element, `depth` brackets deep.
    Within,
    /// In a number or literal that is an element.
    Scalar,
    /// The array closed: nothing more may come.
    Closed,
}

/// Takes the body chunk by chunk. A body that is one object (as errors may be) is one element.
#[derive(Debug)]
pub struct ArrayScanner {
    place: Place,
    depth: u32,
    is_in_string: bool,
    is_escaped: bool,
    is_lone: bool,
    /// The start of an element whose end has not come.
    held: Vec<u8>,
}

impl Default for ArrayScanner {
    fn default() -> Self {
        Self::new()
    }
}

impl ArrayScanner {
    pub fn new() -> Self {
        Self {
            place: Place::Before,
            depth: 0,
            is_in_string: false,
            is_escaped: false,
            is_lone: false,
            held: Vec::new(),
        }
    }

    /// Calls `element` for every element that ends in `chunk`, with its bytes and the offset in
    /// `chunk` just behind it. After an error nothing more is to be fed.
    pub fn feed(&mut self, chunk: &[u8], mut element: impl FnMut(&[u8], usize)) -> Result<(), ArrayError> {
        let mut start = 0;
        for (at, byte) in chunk.iter().enumerate() {
            let was_outside = matches!(self.place, Place::Before | Place::Between);
            let has_ended = self.step(*byte)?;
            if was_outside && matches!(self.place, Place::Within | Place::Scalar) {
                start = at;
            }
            if let Some(end) = has_ended.end_at(at) {
                self.give(chunk.get(start..end).unwrap_or_default(), end, &mut element)?;
            }
        }
        if matches!(self.place, Place::Within | Place::Scalar) {
            self.hold(chunk.get(start..).unwrap_or_default())?;
        }
        Ok(())
    }

    /// The closing bracket came: a clean end.
    pub fn is_closed(&self) -> bool {
        self.place == Place::Closed
    }

    /// Whether the next byte would fall between two elements, where a client's parser allows white
    /// space.
    pub fn is_between_elements(&self) -> bool {
        matches!(self.place, Place::Before | Place::Between)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), ArrayError> {
        if self.held.len() + bytes.len() > SSE_EVENT_BYTES_MAX {
            return Err(ArrayError::ElementTooLong);
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    fn give(
        &mut self,
        bytes: &[u8],
        end: usize,
        element: &mut impl FnMut(&[u8], usize),
    ) -> Result<(), ArrayError> {
        if bytes.len() > SSE_EVENT_BYTES_MAX {
            return Err(ArrayError::ElementTooLong);
        }
        if self.held.is_empty() {
            element(bytes, end);
            return Ok(());
        }
        self.hold(bytes)?;
        element(&self.held, end);
        self.held.clear();
        // One long element must not cost its size for the rest of the stream.
        self.held.shrink_to(16 * 1024);
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<Ended, ArrayError> {
        match self.place {
            Place::Within => return Ok(self.step_within(byte)),
            Place::Scalar if !matches!(byte, b',' | b']' | b' ' | b'\n' | b'\r' | b'\t') => {
                return Ok(Ended::Not);
            }
            Place::Scalar => {
                self.place = if byte == b']' { Place::Closed } else { Place::Between };
                return Ok(Ended::Before);
            }
            _ => {}
        }
        match (self.place, byte) {
            (_, b' ' | b'\n' | b'\r' | b'\t') | (Place::Between, b',') => {}
            (Place::Before, b'[') => self.place = Place::Between,
            (Place::Between, b']') => self.place = Place::Closed,
            (Place::Before, b'{') => {
                self.is_lone = true;
                self.open();
            }
            (Place::Between, b'{' | b'[') => self.open(),
            (Place::Between, b'"') => {
                self.open();
                self.is_in_string = true;
                self.depth = 0;
            }
            (Place::Between, b'}') | (Place::Before | Place::Closed | Place::Within | Place::Scalar, _) => {
                return Err(ArrayError::NotAnArray);
            }
            (Place::Between, _) => self.place = Place::Scalar,
        }
        Ok(Ended::Not)
    }

    fn open(&mut self) {
        self.place = Place::Within;
        self.depth = 1;
    }

    fn step_within(&mut self, byte: u8) -> Ended {
        if self.is_in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.is_in_string = false,
                _ => return Ended::Not,
            }
            if self.is_in_string || self.depth > 0 {
                return Ended::Not;
            }
        } else {
            match byte {
                b'"' => self.is_in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.is_in_string || self.depth > 0 {
                return Ended::Not;
            }
        }
        self.place = if self.is_lone { Place::Closed } else { Place::Between };
        Ended::With
    }
}

/// Whether a byte ended an element.
enum Ended {
    Not,
    /// The byte is the element's last.
    With,
    /// The byte only showed that the element ended before it.
    Before,
}

impl Ended {
    fn end_at(&self, at: usize) -> Option<usize> {
        match self {
            Ended::Not => None,
            Ended::With => Some(at + 1),
            Ended::Before => Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> (Vec<String>, Result<bool, ArrayError>) {
        let mut scanner = ArrayScanner::new();
        let mut elements = Vec::new();
        for chunk in chunks {
            let fed =
                scanner.feed(chunk, |bytes, _| elements.push(String::from_utf8_lossy(bytes).into_owned()));
            if let Err(error) = fed {
                return (elements, Err(error));
            }
        }
        (elements, Ok(scanner.is_closed()))
    }

    const BODY: &str = "[{\"a\":\"]},\\\"[ é\\\\\"}\n,\r\n{\"b\":[1,{\"c\":null}]} , 12, \"s]\" ,[]]\n";

    #[test]
    fn elements_are_whole_wherever_the_chunks_are_cut() {
        let expected = ["{\"a\":\"]},\\\"[ é\\\\\"}", "{\"b\":[1,{\"c\":null}]}", "12", "\"s]\"", "[]"];
        let bytes = BODY.as_bytes();
        for cut in 0..=bytes.len() {
            let (elements, closed) = split(&[&bytes[..cut], &bytes[cut..]]);
            assert_eq!((&elements[..], closed), (&expected.map(String::from)[..], Ok(true)), "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(split(&single).0, expected);
    }

    #[test]
    fn the_offset_is_just_behind_the_element() {
        let mut scanner = ArrayScanner::new();
        let mut ends = Vec::new();
        scanner.feed(b"[{},{\"a\"", |_, end| ends.push(end)).unwrap();
        scanner.feed(b":1},\n", |_, end| ends.push(end)).unwrap();
        assert_eq!(ends, [3, 3]);
        assert!(scanner.is_between_elements() && !scanner.is_closed());
    }

    #[test]
    fn an_array_cut_short_is_not_closed() {
        for cut in 0..BODY.trim_end().len() {
            let (_, closed) = split(&[&BODY.as_bytes()[..cut]]);
            assert_eq!(closed, Ok(false), "cut at {cut}");
        }
    }

    #[test]
    fn an_object_alone_is_one_element() {
        let (elements, closed) = split(&[b" {\"error\":{\"code\":429}}\n"]);
        assert_eq!((elements[0].as_str(), closed), ("{\"error\":{\"code\":429}}", Ok(true)));
    }

    #[test]
    fn other_bodies_are_refused() {
        for body in ["<html>", "12", "[{}]x", "[}", "\"s\"", "[] []"] {
            assert_eq!(split(&[body.as_bytes()]).1, Err(ArrayError::NotAnArray), "{body}");
        }
    }

    #[test]
    fn an_endless_element_is_an_error_and_is_not_held() {
        let mut scanner = ArrayScanner::new();
        let mut fed = scanner.feed(b"[{\"a\":\"", |_, _| {});
        let mut chunks = 0;
        while fed.is_ok() && chunks < 100 {
            fed = scanner.feed(&[b'x'; 64 * 1024], |_, _| {});
            chunks += 1;
        }
        assert_eq!((fed, chunks), (Err(ArrayError::ElementTooLong), 16));
        assert!(scanner.held.len() <= SSE_EVENT_BYTES_MAX);
    }
}
