//! A strict walk over JSON text: every byte is held against RFC 8259, nothing is built or decoded.
//!
//! Why not `serde_json`: it skips values without a depth limit, so that the limit costs a second
//! pass; the two together took twice the time of this one. Invariants: accepts exactly what
//! `serde_json` accepts (a property test holds it to that) down to `JSON_DEPTH_MAX` levels; never
//! recurses and never allocates.

use crate::framing::json::plain_len;
use crate::types::bounds::JSON_DEPTH_MAX;

#[cfg(test)]
mod tests;

/// Why and where the walk stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub what: FaultKind,
    /// Bytes from the start of the text.
    pub at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// What should have stood there, or what should not.
    Syntax(&'static str),
    TooDeep,
}

type Step<T> = Result<T, Fault>;

/// Where the walk stands in a text.
pub(super) struct Walk<'a> {
    text: &'a str,
    rest: &'a [u8],
}

/// Which of the open containers are objects, the innermost in the lowest bit.
#[derive(Default)]
struct Open {
    objects: u128,
    count: usize,
}

// One bit a level.
const _: () = assert!(JSON_DEPTH_MAX <= u128::BITS as usize);

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, rest: text.as_bytes() }
    }

    /// Bytes walked so far.
    pub(super) fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn fault<T>(&self, what: FaultKind) -> Step<T> {
        Err(Fault { what, at: self.at() })
    }

    fn expected<T>(&self, what: &'static str) -> Step<T> {
        self.fault(FaultKind::Syntax(if self.rest.is_empty() { "it ends too early" } else { what }))
    }

    /// The next byte that is not white space, left in place.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some((byte, tail)) = self.rest.split_first() {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.rest = tail;
        }
        None
    }

    /// Steps over `byte`, where it is next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.step();
        }
        is_next
    }

    #[inline]
    fn step(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Step<()> {
        if self.peek().is_some() { self.expected("something follows the value") } else { Ok(()) }
    }

    /// The fault of an object that goes on without a comma.
    pub(super) fn unclosed(&self) -> Fault {
        let what = if self.rest.is_empty() { "it ends too early" } else { "expected `,` or `}`" };
        Fault { what: FaultKind::Syntax(what), at: self.at() }
    }

    /// A key and its colon; gives the key raw, with its quotes.
    #[inline]
    pub(super) fn key(&mut self) -> Step<&'a str> {
        if self.peek() != Some(b'"') {
            return self.expected("expected a field name in quotes");
        }
        let start = self.at();
        self.step();
        self.string()?;
        let raw = self.text.get(start..self.at()).unwrap_or_default();
        if !self.take(b':') {
            return self.expected("expected `:`");
        }
        Ok(raw)
    }

    /// One value inside of `depth` open containers; gives it raw.
    pub(super) fn value(&mut self, depth: usize) -> Step<&'a str> {
        self.peek();
        let start = self.at();
        let mut open = Open::default();
        loop {
            let is_opened = self.value_start(depth, &mut open)?;
            if is_opened {
                continue;
            }
            if self.closes(&mut open)? {
                return Ok(self.text.get(start..self.at()).unwrap_or_default());
            }
        }
    }

    /// A scalar, an empty container, or the start of a container up to its first value; true for
    /// the last.
    #[inline]
    fn value_start(&mut self, depth: usize, open: &mut Open) -> Step<bool> {
        let Some(byte) = self.peek() else { return self.expected("") };
        match byte {
            b'"' => {
                self.step();
                self.string()?;
            }
            b'{' | b'[' => {
                if depth + open.count >= JSON_DEPTH_MAX {
                    return self.fault(FaultKind::TooDeep);
                }
                self.step();
                // In ASCII a closing bracket is two after its opening one.
                if !self.take(byte + 2) {
                    open.count += 1;
                    open.objects = open.objects << 1 | u128::from(byte == b'{');
                    if byte == b'{' {
                        self.key()?;
                    }
                    return Ok(true);
                }
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => return self.expected("expected a value"),
        }
        Ok(false)
    }

    /// After a value: closes what ends here, up to the next comma. True when nothing is open.
    #[inline]
    fn closes(&mut self, open: &mut Open) -> Step<bool> {
        while open.count > 0 {
            let is_object = open.objects & 1 == 1;
            match self.peek() {
                Some(b',') => {
                    self.step();
                    if is_object {
                        self.key()?;
                    }
                    return Ok(false);
                }
                Some(b'}') if is_object => {}
                Some(b']') if !is_object => {}
                _ if is_object => return self.expected("expected `,` or `}`"),
                _ => return self.expected("expected `,` or `]`"),
            }
            self.step();
            open.objects >>= 1;
            open.count -= 1;
        }
        Ok(true)
    }

    /// A string after its opening quote.
    #[inline]
    fn string(&mut self) -> Step<()> {
        loop {
            self.rest = self.rest.get(plain_len(self.rest)..).unwrap_or_default();
            match self.rest.first() {
                Some(b'"') => {
                    self.step();
                    return Ok(());
                }
                Some(b'\\') => {
                    self.step();
                    self.escape()?;
                }
                _ => return self.expected("a control character must be escaped in a string"),
            }
        }
    }

    #[inline]
    fn escape(&mut self) -> Step<()> {
        match self.rest.split_first() {
            Some((b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', tail)) => self.rest = tail,
            Some((b'u', tail)) => match tail.split_at_checked(4) {
                Some((digits, tail)) if digits.iter().all(u8::is_ascii_hexdigit) => self.rest = tail,
                _ => return self.expected("`\\u` must be followed by four hex digits"),
            },
            _ => return self.expected("no such escape"),
        }
        Ok(())
    }

    fn number(&mut self) -> Step<()> {
        if self.rest.first() == Some(&b'-') {
            self.step();
        }
        match self.digits() {
            Some([]) | None => return self.expected("expected a digit"),
            Some([b'0', _, ..]) => return self.expected("a number must not start with 0"),
            Some(_) => {}
        }
        if self.rest.first() == Some(&b'.') {
            self.step();
            if self.digits().is_none_or(<[u8]>::is_empty) {
                return self.expected("expected a digit");
            }
        }
        if let Some(b'e' | b'E') = self.rest.first() {
            self.step();
            if let Some(b'+' | b'-') = self.rest.first() {
                self.step();
            }
            if self.digits().is_none_or(<[u8]>::is_empty) {
                return self.expected("expected a digit");
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> Option<&'a [u8]> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(digits)
    }

    fn literal(&mut self, literal: &[u8]) -> Step<()> {
        match self.rest.strip_prefix(literal) {
            Some(tail) => {
                self.rest = tail;
                Ok(())
            }
            None => self.fault(FaultKind::Syntax("expected a value")),
        }
    }
}
