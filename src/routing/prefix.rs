//! What a prompt begins with, as numbers: one for each block of its bytes, which stands for that block
//! and all before it. Two prompts that begin alike have the same numbers up to where they part.
//!
//! Not here: who has seen which of them (`prefix_index`). Bytes and not tokens: counting would cost more than
//! the whole choice. Not secret: who makes up two prompts of one number spoils where they go, which
//! the bound on load limits.

/// Bytes of a block; about 64 tokens.
pub const BLOCK_BYTES: usize = 256;
/// Blocks of a prompt that are looked at: what two conversations have in common ends long before.
pub const BLOCKS_MAX: usize = 1024;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const LOW: u64 = 0xbf58_476d_1ce4_e5b9;
const HIGH: u64 = 0x94d0_49bb_1331_11eb;

/// The numbers of a prompt's whole blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt(Vec<u64>);

struct Chain {
    blocks: Vec<u64>,
    room: usize,
    state: u64,
    /// The beginning of a block that the next part goes on with.
    held: [u8; BLOCK_BYTES],
    filled: usize,
}

impl Prompt {
    /// Of all parts as if they were one text.
    pub fn of(parts: &[&[u8]]) -> Self {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let room = (bytes / BLOCK_BYTES).min(BLOCKS_MAX);
        let mut chain =
            Chain { blocks: Vec::with_capacity(room), room, state: SEED, held: [0; BLOCK_BYTES], filled: 0 };
        parts.iter().for_each(|part| chain.push(part));
        Self(chain.blocks)
    }

    pub fn blocks(&self) -> &[u64] {
        &self.0
    }
}

/// One number of all parts: of what a conversation begins with.
pub fn number(parts: &[&[u8]]) -> u64 {
    let of = |state: u64, part: &&[u8]| {
        let (words, rest) = part.as_chunks::<16>();
        let state = words.iter().fold(state, |state, word| mixed(state, u128::from_le_bytes(*word)));
        let mut last = [0; 16];
        last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
        mixed(state ^ part.len() as u64, u128::from_le_bytes(last))
    };
    parts.iter().fold(SEED, of)
}

impl Chain {
    fn push(&mut self, part: &[u8]) {
        let mut part = part;
        if self.filled > 0 {
            let (own, rest) = part.split_at_checked(BLOCK_BYTES - self.filled).unwrap_or((part, &[]));
            self.hold(own);
            if self.filled < BLOCK_BYTES {
                return;
            }
            let held = self.held;
            self.block(&held);
            self.filled = 0;
            part = rest;
        }
        let (whole, rest) = part.as_chunks::<BLOCK_BYTES>();
        for block in whole.iter().take(self.room - self.blocks.len()) {
            self.block(block);
        }
        self.hold(rest);
    }

    fn hold(&mut self, bytes: &[u8]) {
        if let Some(room) = self.held.get_mut(self.filled..self.filled + bytes.len()) {
            room.copy_from_slice(bytes);
            self.filled += bytes.len();
        }
    }

    fn block(&mut self, block: &[u8; BLOCK_BYTES]) {
        if self.blocks.len() < self.room {
            let (words, _) = block.as_chunks::<16>();
            self.state =
                words.iter().fold(self.state, |state, word| mixed(state, u128::from_le_bytes(*word)));
            self.blocks.push(self.state);
        }
    }
}

/// A product twice as wide as its factors, folded: each bit of the word moves half of the state.
fn mixed(state: u64, word: u128) -> u64 {
    let (low, high) = (word as u64, (word >> 64) as u64);
    let product = u128::from(low ^ state ^ LOW) * u128::from(high ^ state.rotate_left(32) ^ HIGH);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn text(bytes: usize, salt: u8) -> Vec<u8> {
        (0..bytes).map(|at| (at as u8).wrapping_mul(31) ^ (at >> 8) as u8 ^ salt).collect()
    }

    fn in_common(a: &Prompt, b: &Prompt) -> usize {
        a.blocks().iter().zip(b.blocks()).take_while(|(a, b)| a == b).count()
    }

    #[test]
    fn prompts_have_numbers_in_common_up_to_where_they_part_and_never_after() {
        let one = text(10 * BLOCK_BYTES, 1);
        for part in [0, 1, 255, 256, 257, 1000, 2559] {
            let mut other = one.clone();
            other[part] ^= 1;
            let (a, b) = (Prompt::of(&[&one]), Prompt::of(&[&other]));
            assert_eq!(in_common(&a, &b), part / BLOCK_BYTES, "{part}");
            assert!(a.blocks()[part / BLOCK_BYTES..].iter().all(|block| !b.blocks().contains(block)));
        }
    }

    #[test]
    fn where_parts_end_does_not_matter_and_what_fills_no_block_does_not_count() {
        let all = text(5 * BLOCK_BYTES + 17, 2);
        let whole = Prompt::of(&[&all]);
        assert_eq!(whole.blocks().len(), 5);
        for at in [0, 1, 255, 256, 300, 777, all.len()] {
            let (head, tail) = all.split_at(at);
            assert_eq!(Prompt::of(&[head, &[], tail]), whole, "{at}");
            let (middle, last) = tail.split_at(tail.len() * 2 / 3);
            assert_eq!(Prompt::of(&[head, middle, last]), whole, "{at} and {}", middle.len());
        }
        assert!(Prompt::of(&[&all[..255]]).blocks().is_empty());
    }

    #[test]
    fn a_prompt_has_no_more_blocks_than_are_looked_at() {
        let long = text((BLOCKS_MAX + 5) * BLOCK_BYTES, 3);
        let prompt = Prompt::of(&[&long]);
        assert_eq!((prompt.blocks().len(), prompt.0.capacity()), (BLOCKS_MAX, BLOCKS_MAX));
        let (head, tail) = long.split_at(BLOCKS_MAX * BLOCK_BYTES - 3);
        assert_eq!(Prompt::of(&[head, tail]), prompt);
    }

    #[test]
    fn numbers_do_not_meet() {
        let all: HashSet<u64> = (0..20_000_u32).map(|n| number(&[&n.to_le_bytes()])).collect();
        assert_eq!(all.len(), 20_000);
        assert_ne!(number(&[b"ab", b"c"]), number(&[b"a", b"bc"]));
        assert_eq!(number(&[b"ab", b"c"]), number(&[b"ab", b"c"]));
        let low: HashSet<u64> = all.iter().map(|number| number % 4).collect();
        assert_eq!(low.len(), 4);
    }
}
