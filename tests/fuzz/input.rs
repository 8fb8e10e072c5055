//! What a target makes of the bytes that an engine gives it.
//!
//! Random bytes hardly ever spell a protocol, so most targets read them as choices: of words, of
//! changes to something valid, of places to cut.

use std::time::Duration;

/// How long a target runs in an ordinary test run; `BOLERO_RANDOM_TEST_TIME_MS` wins over it.
pub const MOMENT: Duration = Duration::from_millis(300);
/// Bytes an engine gives at most.
pub const BYTES_MAX: usize = 768;

/// One input, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Any number, for the target to choose an option with.
    pub choice: usize,
    cuts: &'a [u8],
    pub bytes: &'a [u8],
}

impl<'a> Input<'a> {
    /// Short inputs are made often: engines like long ones, and it is the short ones that end early.
    pub fn new(raw: &'a [u8]) -> Self {
        let [choice, length, cuts, rest @ ..] = raw else { return Self { choice: 0, cuts: &[], bytes: raw } };
        let rest = if *length < 160 { &rest[..rest.len().min(usize::from(*length))] } else { rest };
        let (cuts, bytes) = rest.split_at(rest.len().min(usize::from(cuts % 9)));
        Self { choice: usize::from(*choice), cuts, bytes }
    }

    /// The same choices, made of other bytes.
    pub fn with<'b>(&self, bytes: &'b [u8]) -> Input<'b>
    where
        'a: 'b,
    {
        Input { choice: self.choice, cuts: self.cuts, bytes }
    }

    /// `whole` in the pieces in which it might have come from a network, none of them empty.
    pub fn pieces<'b>(&self, whole: &'b [u8]) -> Vec<&'b [u8]> {
        let lengths = self.cuts.iter().map(|cut| 1 + usize::from(*cut) % 48).cycle();
        let mut pieces = Vec::new();
        let mut rest = whole;
        for length in lengths {
            if rest.is_empty() {
                break;
            }
            let (piece, tail) = rest.split_at(length.min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        // Without a cut it comes byte by byte.
        pieces.extend(rest.chunks(1));
        pieces
    }

    /// A text of `words`, one a byte; the last sixteenth of byte values stands for the byte after it.
    pub fn spelt(&self, words: &[&str]) -> Vec<u8> {
        spell(self.bytes, words)
    }

    /// `valid` with a few changes, none for one input in four.
    pub fn changed(&self, valid: &[u8], words: &[&str]) -> Vec<u8> {
        let mut bytes = valid.to_vec();
        let changes = if self.choice.is_multiple_of(4) { &[] } else { self.bytes };
        for change in changes.chunks_exact(4).take(6) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % (bytes.len() + 1);
            let len = usize::from(change[2] & 0x1F);
            let end = bytes.len().min(at + len);
            let word = words[usize::from(change[3]) % words.len()].as_bytes();
            match change[2] >> 5 {
                0 | 1 => drop(bytes.splice(at..at, word.iter().copied())),
                2 => drop(bytes.splice(at..end, word.iter().copied())),
                3 => drop(bytes.drain(at..end)),
                4 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
                5 => drop(bytes.splice(at..bytes.len().min(at + 1), word.iter().take(1).copied())),
                6 => drop(bytes.splice(at..at, [change[3]])),
                _ => bytes.truncate(at.max(1)),
            }
        }
        bytes
    }
}

fn spell(bytes: &[u8], words: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut bytes = bytes.iter();
    while let Some(&byte) = bytes.next() {
        if byte >= 0xF0 {
            text.extend(bytes.next());
        } else {
            text.extend_from_slice(words[usize::from(byte) % words.len()].as_bytes());
        }
    }
    text
}

/// Gives a target the inputs of its engine, or those of a sequence that is the same at every run.
macro_rules! each_input {
    ($bytes_max:expr, $target:expr) => {
        match crate::sequence::Sequence::wanted() {
            Some(sequence) => sequence.run($bytes_max, $target),
            None => bolero::check!()
                .with_test_time(crate::input::MOMENT)
                .with_max_len($bytes_max)
                .for_each($target),
        }
    };
}
pub(crate) use each_input;
