//! How many bytes are held, told by what holds them: shared pieces count once, and as long as anybody
//! has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The sum of all weights taken on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale(Arc<AtomicUsize>);

/// Bytes on a scale until dropped.
#[derive(Debug)]
pub(super) struct Weight {
    scale: Scale,
    bytes: usize,
}

impl Scale {
    pub(super) fn weigh(&self, bytes: usize) -> Weight {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Weight { scale: self.clone(), bytes }
    }

    pub(super) fn total(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Weight {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.scale.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_piece_counts_once_and_until_the_last_of_its_holders_lets_go() {
        let scale = Scale::default();
        let first = Arc::new(scale.weigh(10));
        let (second, other) = (first.clone(), scale.weigh(5));
        assert_eq!((scale.total(), other.bytes()), (15, 5));
        drop(first);
        assert_eq!(scale.total(), 15);
        drop(second);
        assert_eq!(scale.total(), 5);
    }
}
