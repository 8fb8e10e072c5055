//! SplitMix64's end: each bit of a number moves half of the bits of what comes out. For dice, hashes and
//! keys of tables, never for secrets.

/// What a counter goes on by between two numbers of SplitMix64.
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

pub fn mix(number: u64) -> u64 {
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of SplitMix64 with seed 0, as its authors' code prints them.
    #[test]
    fn it_is_the_published_function() {
        let mut seed = 0_u64;
        let next = std::iter::from_fn(|| {
            seed = seed.wrapping_add(GOLDEN);
            Some(mix(seed))
        });
        let known = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!(next.take(3).collect::<Vec<_>>(), known);
    }
}
