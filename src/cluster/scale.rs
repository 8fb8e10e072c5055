//! Brings 64-bit numbers into the 52 bits that Lua's numbers hold exactly.
//!
//! Amounts beyond 2^52 (4,503 US dollars in pico dollars) are counted in units of 4,096. Invariant:
//! rounding is always against the spender: a budget is never larger for it.

/// What numbers of an account are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale(u64);

const EXACT: u64 = 1 << 52;
const COARSE: u64 = 1 << 12;

impl Scale {
    /// By the amount of the budget. Part of its account's key: a budget that grows across the border is
    /// told anew what its nodes hold.
    pub(super) fn of(amount: u64) -> Self {
        Self(if amount < EXACT { 1 } else { COARSE })
    }

    pub(super) fn suffix(self) -> &'static str {
        if self.0 == 1 { "" } else { ":k" }
    }

    /// For what may be used.
    pub(super) fn down(self, number: u64) -> u64 {
        (number / self.0).min(EXACT)
    }

    /// For what is used or held.
    pub(super) fn up(self, number: u64) -> u64 {
        number.div_ceil(self.0).min(EXACT)
    }

    pub(super) fn back(self, number: u64) -> u64 {
        number.saturating_mul(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_against_the_spender_and_fits_a_double() {
        for amount in [0, 1, EXACT - 1, EXACT, EXACT + 4095, u64::MAX] {
            let scale = Scale::of(amount);
            for number in [0, 1, 4095, 4096, amount / 3, amount] {
                assert!(scale.back(scale.down(number)) <= number, "{amount} {number}");
                assert!(scale.back(scale.up(number)) >= number, "{amount} {number}");
                assert!(scale.up(number) <= EXACT);
            }
        }
        assert_eq!((Scale::of(EXACT - 1).suffix(), Scale::of(EXACT).suffix()), ("", ":k"));
    }
}
