//! The catalogue in the binary.

use super::Catalog;
use once_cell::sync::Lazy;

/// Made by `scripts/catalog`; never edited by hand.
static FILE: &[u8] = include_bytes!("data/catalog.json.zst");

static BUILTIN: Lazy<Catalog> = Lazy::new(|| Catalog::load(FILE).unwrap_or_else(|_| Catalog::empty()));

impl Catalog {
    /// The catalogue this binary carries: read at first use, shared from then on. A test holds it to
    /// being readable.
    pub fn builtin() -> Self {
        BUILTIN.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_the_binary_is_read_whole_and_small() {
        let read = Catalog::load(FILE).map(|catalog| catalog.providers().len());
        assert!(read.as_ref().is_ok_and(|providers| *providers > 0), "{read:?}");
        assert!(FILE.len() <= 500 * 1024, "{} bytes", FILE.len());
    }
}
