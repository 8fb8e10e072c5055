//! A byte-pair vocabulary as a lookup table: bytes of a token to its merge rank.
//!
//! Not a tokenizer: it neither cuts text nor merges. The token bytes stay in the embedded vocabulary
//! (read-only pages, shared between processes); only 4 bytes a token and 8 a hash slot are allocated.
//! Invariant: a rank is answered only after the bytes themselves were compared. A hash alone would let
//! a client craft text that counts as one token.

use thiserror::Error;

/// Rank of bytes that are no token.
pub(super) const NO_RANK: u32 = u32::MAX;

const MAGIC: &[u8] = b"SPLNTRV1";

/// The embedded vocabulary is not what this build expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VocabularyError {
    #[error("the embedded vocabulary is not in the packed format")]
    Format,
    #[error("the pre-tokenizer pattern of the vocabulary does not compile")]
    Pattern,
}

/// Ranks by token bytes.
pub(super) struct Vocabulary {
    data: &'static [u8],
    /// By rank: offset of the token's bytes in `data`, shifted left by 8, and their number.
    spans: Box<[u32]>,
    /// Open addressing, half empty: upper hash half and rank + 1; 0 is vacant.
    slots: Box<[u64]>,
    /// Ranks of the two-byte tokens, by those bytes: every merge starts with them.
    pairs: Box<[u32]>,
    longest: usize,
}

impl Vocabulary {
    /// Reads the packed form: magic, `u32` count, then per token varint rank, varint length, bytes.
    pub(super) fn parse(data: &'static [u8]) -> Result<Self, VocabularyError> {
        let rest = data.strip_prefix(MAGIC).ok_or(VocabularyError::Format)?;
        let (count, mut rest) = rest.split_first_chunk::<4>().ok_or(VocabularyError::Format)?;
        let count = u32::from_le_bytes(*count) as usize;
        if count > 1 << 20 {
            return Err(VocabularyError::Format);
        }
        let mut vocabulary = Self {
            data,
            spans: vec![0; count + 1024].into_boxed_slice(),
            slots: vec![0; (count * 2).next_power_of_two()].into_boxed_slice(),
            pairs: vec![NO_RANK; 1 << 16].into_boxed_slice(),
            longest: 0,
        };
        for _ in 0..count {
            let (rank, after) = varint(rest)?;
            let (len, after) = varint(after)?;
            let offset = data.len() - after.len();
            let (token, after) = after.split_at_checked(len as usize).ok_or(VocabularyError::Format)?;
            vocabulary.insert(token, rank, offset)?;
            rest = after;
        }
        Ok(vocabulary)
    }

    /// The rank of these bytes as one token, [`NO_RANK`] if they are none.
    #[inline]
    pub(super) fn rank(&self, bytes: &[u8]) -> u32 {
        if let [a, b] = bytes {
            return self.pair(*a, *b);
        }
        if bytes.len() > self.longest {
            return NO_RANK;
        }
        let hash = hash(bytes);
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        while let Some(&slot) = self.slots.get(at) {
            if slot == 0 {
                return NO_RANK;
            }
            let rank = (slot as u32).wrapping_sub(1);
            if slot >> 32 == hash >> 32 && self.token(rank) == Some(bytes) {
                return rank;
            }
            at = (at + 1) & mask;
        }
        NO_RANK
    }

    /// [`rank`](Self::rank) of two bytes.
    #[inline]
    pub(super) fn pair(&self, first: u8, second: u8) -> u32 {
        self.pairs.get(usize::from(first) << 8 | usize::from(second)).copied().unwrap_or(NO_RANK)
    }

    #[inline]
    fn token(&self, rank: u32) -> Option<&'static [u8]> {
        let span = *self.spans.get(rank as usize)?;
        let start = (span >> 8) as usize;
        self.data.get(start..start + (span & 0xff) as usize)
    }

    fn insert(&mut self, token: &[u8], rank: u32, offset: usize) -> Result<(), VocabularyError> {
        if token.is_empty() {
            return Ok(()); // A hole in the rank space: nothing spells it.
        }
        if token.len() > 0xff || offset > 0xff_ffff {
            return Err(VocabularyError::Format);
        }
        *self.spans.get_mut(rank as usize).ok_or(VocabularyError::Format)? =
            (offset as u32) << 8 | token.len() as u32;
        if let [a, b] = token {
            let pair = usize::from(*a) << 8 | usize::from(*b);
            *self.pairs.get_mut(pair).ok_or(VocabularyError::Format)? = rank;
        }
        self.longest = self.longest.max(token.len());
        let hash = hash(token);
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get_mut(at) {
            if *slot == 0 {
                *slot = hash >> 32 << 32 | u64::from(rank + 1);
                return Ok(());
            }
            at = (at + 1) & mask;
        }
        Err(VocabularyError::Format)
    }
}

fn varint(mut bytes: &[u8]) -> Result<(u32, &[u8]), VocabularyError> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = bytes.split_first().ok_or(VocabularyError::Format)?;
        value |= u32::from(byte & 0x7f) << shift;
        bytes = rest;
        if byte < 0x80 {
            return Ok((value, bytes));
        }
    }
    Err(VocabularyError::Format)
}

/// Folded multiplication, eight bytes a step. Only spreads keys: equality is decided on the bytes.
#[inline]
fn hash(mut bytes: &[u8]) -> u64 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = bytes.len() as u64;
    while let Some((word, rest)) = bytes.split_first_chunk::<8>() {
        state = fold(state ^ u64::from_le_bytes(*word), SPREAD);
        bytes = rest;
    }
    let mut tail = 0u64;
    if let Some((word, rest)) = bytes.split_first_chunk::<4>() {
        tail = u64::from(u32::from_le_bytes(*word));
        bytes = rest;
    }
    for &byte in bytes {
        tail = tail << 8 | u64::from(byte);
    }
    fold(state ^ tail.rotate_left(17), 0xd6e8_feb8_6659_fd93)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a ^ 0x2d35_8dcc_aa6c_78a5) * u128::from(b);
    wide as u64 ^ (wide >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_vocabulary_is_refused_not_half_loaded() {
        assert_eq!(Vocabulary::parse(b"SPLNTRV0\x01\0\0\0\0\x01a").err(), Some(VocabularyError::Format));
        assert_eq!(Vocabulary::parse(b"SPLNTRV1\x01\0\0\0\0\x02a").err(), Some(VocabularyError::Format));
        assert_eq!(Vocabulary::parse(b"SPLNTRV1\x02\0\0\0\0\x01a").err(), Some(VocabularyError::Format));
    }

    #[test]
    fn ranks_are_found_by_bytes_and_nothing_else_is() {
        let vocabulary = Vocabulary::parse(b"SPLNTRV1\x03\0\0\0\x00\x01a\x01\x02ab\x85\x01\x03abc").unwrap();
        assert_eq!(vocabulary.rank(b"a"), 0);
        assert_eq!(vocabulary.rank(b"ab"), 1);
        assert_eq!(vocabulary.rank(b"abc"), 133);
        assert_eq!(vocabulary.rank(b"ac"), NO_RANK);
        assert_eq!(vocabulary.rank(b"abcd"), NO_RANK);
    }
}
