//! Which targets of a model have lately been asked with a prompt that begins so, and so have it in their
//! cache.
//!
//! Approximate: what a server has thrown out of its cache is not told to anybody. Two generations in
//! place of a list by age: what is used is written into the newer one; when that is full, the older one
//! is dropped. Invariants: never more entries than it was given; a block is held only with all blocks
//! before it, for the same target, in the same generation.

use super::prefix::{BLOCKS_MAX, Prompt};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Targets of one index: one bit each.
const SLOTS: usize = u64::BITS as usize;
/// Entries of one index, whatever is asked for; one takes about 35 bytes.
pub const ENTRIES_MAX: usize = 1 << 20;

/// The blocks of a model's prompts.
#[derive(Debug, Default)]
pub struct PrefixIndex {
    table: Mutex<Table>,
    /// Bit per target of which there is anything: what is asked before the lock is taken.
    held: AtomicU64,
}

/// How much of a prompt each target has.
#[derive(Clone, Copy, Debug)]
pub struct Matched {
    blocks: [u16; SLOTS],
    total: u16,
}

#[derive(Debug)]
struct Table {
    /// Whose bit it is; zero is nobody's.
    owners: [u64; SLOTS],
    /// Of one generation.
    entries_max: usize,
    newer: Blocks,
    older: Blocks,
}

/// Bits of targets by block.
type Blocks = HashMap<u64, u64, BuildHasherDefault<AsItIs>>;

/// Keys are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

impl Default for Table {
    fn default() -> Self {
        Self {
            owners: [0; SLOTS],
            entries_max: BLOCKS_MAX,
            newer: Blocks::default(),
            older: Blocks::default(),
        }
    }
}

impl PrefixIndex {
    /// Gives each target its slot, by identities that are stable over reloads; those known before keep
    /// theirs, those that are gone are forgotten. `blocks` are remembered for each.
    pub fn assign(&self, identities: &[u64], blocks: usize) -> Vec<u8> {
        let mut table = self.table();
        let entries = blocks.saturating_mul(identities.len()).min(ENTRIES_MAX);
        table.entries_max = (entries / 2).max(BLOCKS_MAX);
        let gone = |owner: u64| owner != 0 && !identities.contains(&owner);
        let left: Vec<usize> = table
            .owners
            .iter()
            .enumerate()
            .filter(|(_, owner)| gone(**owner))
            .map(|(slot, _)| slot)
            .collect();
        for slot in left {
            table.clear(slot);
            if let Some(owner) = table.owners.get_mut(slot) {
                *owner = 0;
            }
        }
        identities.iter().map(|identity| table.slot(*identity)).collect()
    }

    /// What each target has of `prompt`.
    pub fn matched(&self, prompt: &Prompt) -> Matched {
        let blocks = prompt.blocks();
        let mut matched = Matched { blocks: [0; SLOTS], total: blocks.len() as u16 };
        if self.held.load(Ordering::Relaxed) == 0 {
            return matched;
        }
        let table = self.table();
        let at = |place: usize| blocks.get(place).map_or(0, |block| table.has(*block));
        // Who has a block has all before it, so the ends are found by halving.
        let (mut alive, mut known) = (at(0), 1);
        while alive != 0 {
            let rest = blocks.get(known..).unwrap_or_default();
            known += rest.partition_point(|block| table.has(*block) & alive == alive);
            let next = at(known) & alive;
            matched.end(alive & !next, known);
            alive = next;
            known += 1;
        }
        matched
    }

    /// The target is asked with `prompt` now.
    pub fn record(&self, slot: u8, prompt: &Prompt) {
        let bit = bit(slot);
        let mut table = self.table();
        let blocks = prompt.blocks();
        let has = |block: &u64| table.newer.get(block).is_some_and(|bits| bits & bit != 0);
        let known = blocks.partition_point(has);
        let mut fresh = blocks.get(known..).unwrap_or_default();
        if fresh.is_empty() {
            return;
        }
        if table.newer.len() + fresh.len() > table.entries_max {
            table.turn();
            // What the newer one holds, it holds from the first block on.
            fresh = blocks;
        }
        for block in fresh {
            *table.newer.entry(*block).or_default() |= bit;
        }
        self.held.fetch_or(bit, Ordering::Relaxed);
    }

    /// The target has lost its cache, or may have.
    pub fn forget(&self, slot: u8) {
        if self.held.load(Ordering::Relaxed) & bit(slot) != 0 {
            let mut table = self.table();
            table.clear(usize::from(slot));
            self.held.fetch_and(!bit(slot), Ordering::Relaxed);
        }
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        let table = self.table();
        table.newer.len() + table.older.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Matched {
    /// The part of the prompt, up to 1, that the target of this slot has.
    pub fn share(&self, slot: u8) -> f32 {
        let blocks = self.blocks.get(usize::from(slot)).copied().unwrap_or_default();
        if self.total == 0 { 0.0 } else { f32::from(blocks) / f32::from(self.total) }
    }

    /// Blocks that the target has, and all of the prompt.
    pub fn counts(&self, slot: u8) -> (u16, u16) {
        (self.blocks.get(usize::from(slot)).copied().unwrap_or_default(), self.total)
    }

    fn end(&mut self, targets: u64, blocks: usize) {
        let mut left = targets;
        while left != 0 {
            if let Some(place) = self.blocks.get_mut(left.trailing_zeros() as usize) {
                *place = blocks as u16;
            }
            left &= left - 1;
        }
    }
}

impl Table {
    fn has(&self, block: u64) -> u64 {
        let of = |blocks: &Blocks| blocks.get(&block).copied().unwrap_or_default();
        of(&self.newer) | of(&self.older)
    }

    /// The slot of an identity, a free one where it is new.
    fn slot(&mut self, identity: u64) -> u8 {
        let identity = identity.max(1);
        let place = |owner: u64| self.owners.iter().position(|held| *held == owner);
        let slot = place(identity).or_else(|| place(0)).unwrap_or_default();
        if let Some(owner) = self.owners.get_mut(slot) {
            *owner = identity;
        }
        slot as u8
    }

    fn turn(&mut self) {
        std::mem::swap(&mut self.newer, &mut self.older);
        self.newer.clear();
    }

    fn clear(&mut self, slot: usize) {
        let bit = bit(slot as u8);
        for blocks in [&mut self.newer, &mut self.older] {
            blocks.retain(|_, bits| {
                *bits &= !bit;
                *bits != 0
            });
        }
    }
}

fn bit(slot: u8) -> u64 {
    1_u64.checked_shl(u32::from(slot)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::numbers::Numbers;
    use super::super::prefix::BLOCK_BYTES;
    use super::*;

    /// A prompt of blocks that are these bytes all over.
    fn prompt(blocks: &[u32]) -> Prompt {
        let bytes: Vec<u8> =
            blocks.iter().flat_map(|block| block.to_le_bytes().repeat(BLOCK_BYTES / 4)).collect();
        Prompt::of(&[&bytes])
    }

    fn shares(index: &PrefixIndex, prompt: &Prompt, slots: &[u8]) -> Vec<u16> {
        let matched = index.matched(prompt);
        slots.iter().map(|slot| matched.counts(*slot).0).collect()
    }

    #[test]
    fn each_target_has_what_it_was_asked_with_up_to_where_prompts_part() {
        let index = PrefixIndex::default();
        let slots = index.assign(&[11, 12, 13], 4096);
        index.record(slots[0], &prompt(&[1, 2, 3, 4]));
        index.record(slots[1], &prompt(&[1, 2, 9]));
        assert_eq!(shares(&index, &prompt(&[1, 2, 3, 4, 5]), &slots), [4, 2, 0]);
        assert_eq!(shares(&index, &prompt(&[1, 2, 9, 4]), &slots), [2, 3, 0]);
        assert_eq!(shares(&index, &prompt(&[2, 3]), &slots), [0, 0, 0]);
        assert_eq!(index.matched(&prompt(&[1, 2, 7, 7])).share(slots[0]), 0.5);
        assert_eq!(index.matched(&prompt(&[])).share(slots[0]), 0.0);
    }

    /// The same by a walk over all that was ever recorded.
    #[test]
    fn halving_finds_what_a_walk_over_everything_finds() {
        let seed = 41;
        println!("seed {seed}");
        let mut numbers = Numbers::new(seed);
        let index = PrefixIndex::default();
        let identities: Vec<u64> = (1..=40).collect();
        let slots = index.assign(&identities, 100_000);
        let mut seen: Vec<(usize, Vec<u32>)> = Vec::new();
        for _ in 0..400 {
            let length = numbers.below(30) as usize;
            let blocks: Vec<u32> = (0..length).map(|_| numbers.below(2) as u32).collect();
            let asked = prompt(&blocks);
            let matched = index.matched(&asked);
            for (target, slot) in slots.iter().enumerate() {
                let of = seen.iter().filter(|(other, _)| *other == target);
                let common = of.map(|(_, held)| held.iter().zip(&blocks).take_while(|(a, b)| a == b).count());
                assert_eq!(usize::from(matched.counts(*slot).0), common.max().unwrap_or(0));
            }
            let target = numbers.below(40) as usize;
            index.record(slots[target], &asked);
            seen.push((target, blocks));
        }
    }

    #[test]
    fn it_never_holds_more_than_it_was_given_and_what_is_used_stays() {
        let index = PrefixIndex::default();
        let slots = index.assign(&[1], 3 * BLOCKS_MAX);
        let kept = prompt(&[7; 50]);
        for round in 0..2000_u32 {
            index.record(slots[0], &prompt(&[round + 100, 1, 2, 3, 4]));
            index.record(slots[0], &kept);
            assert!(index.len() <= 3 * BLOCKS_MAX, "{}", index.len());
            assert_eq!(index.matched(&kept).share(slots[0]), 1.0, "round {round}");
        }
        assert_eq!(index.matched(&prompt(&[100, 1, 2])).share(slots[0]), 0.0, "long not used");
        let long: Vec<u32> = (0..BLOCKS_MAX as u32).collect();
        index.record(slots[0], &prompt(&long));
        assert_eq!(index.matched(&prompt(&long)).share(slots[0]), 1.0);
        let large = PrefixIndex::default();
        large.assign(&[1; 64], usize::MAX);
        assert_eq!(large.table().entries_max, ENTRIES_MAX / 2);
    }

    #[test]
    fn a_conversation_that_grows_as_the_generations_change_is_whole_in_the_newer_one() {
        let index = PrefixIndex::default();
        let slots = index.assign(&[1], 3 * BLOCKS_MAX);
        let of = |from: u32, count: u32| prompt(&(from..from + count).collect::<Vec<_>>());
        index.record(slots[0], &of(0, 1000));
        index.record(slots[0], &of(5000, 536));
        let is_full = |table: MutexGuard<'_, Table>| table.newer.len() == table.entries_max;
        assert!(is_full(index.table()));
        let grown = of(0, 1001);
        index.record(slots[0], &grown);
        index.record(slots[0], &of(6000, 536));
        index.record(slots[0], &of(7000, 1000));
        assert_eq!(index.matched(&grown).share(slots[0]), 1.0);
    }

    #[test]
    fn a_target_that_lost_its_cache_is_forgotten_and_no_other() {
        let index = PrefixIndex::default();
        let slots = index.assign(&[1, 2], 4096);
        let asked = prompt(&[1, 2, 3]);
        slots.iter().for_each(|slot| index.record(*slot, &asked));
        index.forget(slots[0]);
        assert_eq!(shares(&index, &asked, &slots), [0, 3]);
        index.forget(slots[1]);
        assert!(index.is_empty());
        index.record(slots[0], &asked);
        assert_eq!(shares(&index, &asked, &slots), [3, 0]);
    }

    #[test]
    fn a_reload_keeps_the_targets_that_stay_and_gives_the_places_of_others_away_empty() {
        let index = PrefixIndex::default();
        let slots = index.assign(&[1, 2], 4096);
        let asked = prompt(&[1, 2, 3]);
        slots.iter().for_each(|slot| index.record(*slot, &asked));
        let next = index.assign(&[3, 2], 4096);
        assert_eq!(next[1], slots[1]);
        assert_eq!(shares(&index, &asked, &next), [0, 3]);
        let many: Vec<u64> = (1..=64).collect();
        let mut all = index.assign(&many, 4096);
        all.sort_unstable();
        assert_eq!(all, (0..64).collect::<Vec<u8>>());
    }
}
