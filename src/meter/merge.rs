//! Counts the tokens of one pre-token by byte-pair merging.
//!
//! Not a general encoder: it never names the tokens. The lowest rank merges first, the leftmost of
//! equals. Invariant: no input makes it quadratic in the length of the text: short pieces are scanned,
//! at most [`SCAN_BYTES`] squared, longer ones go through a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::vocabulary::{NO_RANK, Vocabulary};

/// Up to here rescanning a flat array beats a heap.
const SCAN_BYTES: usize = 96;

/// One symbol of a long piece: its neighbours, where it starts, and the rank of joining it to the next.
#[derive(Clone, Copy)]
struct Symbol {
    previous: u32,
    next: u32,
    rank: u32,
}

/// Tokens of `piece`, which is one match of the vocabulary's pre-tokenizer.
pub(super) fn count(vocabulary: &Vocabulary, piece: &[u8]) -> u64 {
    match piece.len() {
        0 | 1 => piece.len() as u64,
        _ if vocabulary.rank(piece) != NO_RANK => 1,
        2..=SCAN_BYTES => count_by_scan(vocabulary, piece),
        _ => count_by_heap(vocabulary, piece),
    }
}

/// Symbol `i` is `piece[starts[i]..starts[i + 1]]`; `ranks[i]` is the rank of joining it to the next.
fn count_by_scan(vocabulary: &Vocabulary, piece: &[u8]) -> u64 {
    let mut starts = [0u8; SCAN_BYTES + 1];
    let mut ranks = [NO_RANK; SCAN_BYTES];
    for (start, place) in starts.iter_mut().zip(0u8..) {
        *start = place;
    }
    for (rank, pair) in ranks.iter_mut().zip(piece.windows(2)) {
        if let [a, b] = pair {
            *rank = vocabulary.pair(*a, *b);
        }
    }
    let mut symbols = piece.len();
    while let Some(live) = ranks.get(..symbols) {
        let lowest = live.iter().copied().min().unwrap_or(NO_RANK);
        if lowest == NO_RANK {
            break;
        }
        let Some(at) = live.iter().position(|&rank| rank == lowest) else { break };
        starts.copy_within(at + 2..symbols + 1, at + 1);
        ranks.copy_within(at + 1..symbols, at);
        symbols -= 1;
        let join = |at: usize| match (starts.get(at), starts.get(at + 2)) {
            (Some(&start), Some(&end)) if at + 2 <= symbols => {
                piece.get(usize::from(start)..usize::from(end)).map_or(NO_RANK, |b| vocabulary.rank(b))
            }
            _ => NO_RANK,
        };
        if let Some(rank) = ranks.get_mut(at) {
            *rank = join(at);
        }
        if let Some(rank) = at.checked_sub(1).and_then(|before| ranks.get_mut(before)) {
            *rank = join(at - 1);
        }
    }
    symbols as u64
}

/// `n log n`. Symbols are named by their first byte; a heap entry is stale when its rank is no longer
/// the symbol's.
fn count_by_heap(vocabulary: &Vocabulary, piece: &[u8]) -> u64 {
    let Ok(len) = u32::try_from(piece.len()) else { return piece.len() as u64 };
    let mut symbols: Vec<Symbol> =
        (0..len).map(|at| Symbol { previous: at.wrapping_sub(1), next: at + 1, rank: NO_RANK }).collect();
    let mut first_round = Vec::with_capacity(piece.len());
    for ((pair, symbol), at) in piece.windows(2).zip(symbols.iter_mut()).zip(0u32..) {
        if let [a, b] = pair {
            symbol.rank = vocabulary.pair(*a, *b);
            if symbol.rank != NO_RANK {
                first_round.push(Reverse(u64::from(symbol.rank) << 32 | u64::from(at)));
            }
        }
    }
    let mut heap = BinaryHeap::from(first_round);
    let mut count = u64::from(len);
    while let Some(Reverse(entry)) = heap.pop() {
        let (rank, at) = ((entry >> 32) as u32, entry as u32);
        let Some(symbol) = symbols.get(at as usize).copied().filter(|s| s.rank == rank) else { continue };
        let Some(joined) = symbols.get_mut(symbol.next as usize) else { continue };
        joined.rank = NO_RANK; // Gone: no entry of its own may match again.
        let after = joined.next;
        count -= 1;
        if let Some(left) = symbols.get_mut(at as usize) {
            left.next = after;
        }
        if let Some(right) = symbols.get_mut(after as usize) {
            right.previous = at;
        }
        for changed in [at, symbol.previous] {
            let Some(rank) = rank_with_next(vocabulary, piece, &symbols, changed) else { continue };
            if let Some(symbol) = symbols.get_mut(changed as usize) {
                symbol.rank = rank;
                if rank != NO_RANK {
                    heap.push(Reverse(u64::from(rank) << 32 | u64::from(changed)));
                }
            }
        }
    }
    count
}

/// `None` when there is no symbol `at`.
fn rank_with_next(vocabulary: &Vocabulary, piece: &[u8], symbols: &[Symbol], at: u32) -> Option<u32> {
    let next = symbols.get(at as usize)?.next;
    let Some(follower) = symbols.get(next as usize) else { return Some(NO_RANK) };
    Some(piece.get(at as usize..follower.next as usize).map_or(NO_RANK, |bytes| vocabulary.rank(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scan_and_heap_agree_on_every_length_around_the_switch() {
        let vocabulary = Vocabulary::parse(splintr::pretrained::O200K_BASE_VOCAB_PACKED).unwrap();
        let text = "Donaudampfschifffahrtsgesellschaftskapitänsmütze日本語のテキスト".repeat(4);
        for len in 2..=SCAN_BYTES {
            for start in [0, 3, 17, 51, 70] {
                let piece = &text.as_bytes()[start..start + len];
                assert_eq!(
                    count_by_scan(&vocabulary, piece),
                    count_by_heap(&vocabulary, piece),
                    "{start}+{len}"
                );
            }
        }
    }

    #[test]
    fn equal_ranks_merge_from_the_left() {
        // "aa" only: five letters are two merges and a rest.
        let vocabulary = Vocabulary::parse(b"SPLNTRV1\x02\0\0\0\x00\x01a\x01\x02aa").unwrap();
        assert_eq!(count(&vocabulary, b"aaaaa"), 3);
    }
}
