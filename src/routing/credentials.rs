//! Which of a provider's credentials a call uses.

use super::TargetState;
use crate::types::Ticks;

/// The choice among a provider's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialPick {
    /// By index.
    Use(usize),
    /// All are set aside; the first comes back then.
    Cooling { until: Ticks },
    /// The provider has none: it is called without.
    Keyless,
}

/// Picks one of `count`, each in turn by `turn` (a counter of the provider), passing over those that
/// are set aside. `claim` is asked about them in order until it says `Ready`
/// ([`CooldownSet::claim`](super::CooldownSet::claim)), each at most once.
pub fn pick_credential(
    count: usize,
    turn: u64,
    mut claim: impl FnMut(usize) -> TargetState,
) -> CredentialPick {
    if count == 0 {
        return CredentialPick::Keyless;
    }
    let first = (turn % count as u64) as usize;
    let mut soonest: Option<Ticks> = None;
    for index in (first..count).chain(0..first) {
        match claim(index) {
            TargetState::Ready => return CredentialPick::Use(index),
            TargetState::Cooling { until } => {
                soonest = Some(soonest.map_or(until, |soonest| soonest.min(until)));
            }
        }
    }
    soonest.map_or(CredentialPick::Keyless, |until| CredentialPick::Cooling { until })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn cooling(seconds: u64) -> TargetState {
        TargetState::Cooling { until: Ticks::from_start(Duration::from_secs(seconds)) }
    }

    #[test]
    fn credentials_take_turns() {
        let picks: Vec<_> = (5..9).map(|turn| pick_credential(3, turn, |_| TargetState::Ready)).collect();
        assert_eq!(picks, [2, 0, 1, 2].map(CredentialPick::Use));
    }

    #[test]
    fn one_set_aside_is_passed_over() {
        let claim = |index| if index == 1 { cooling(9) } else { TargetState::Ready };
        assert_eq!(pick_credential(3, 1, claim), CredentialPick::Use(2));
    }

    #[test]
    fn with_all_set_aside_the_soonest_is_told() {
        let until = Ticks::from_start(Duration::from_secs(4));
        let pick = pick_credential(3, 1, |index| cooling([9, 4, 7][index]));
        assert_eq!(pick, CredentialPick::Cooling { until });
    }

    #[test]
    fn a_provider_without_credentials_is_called_without() {
        assert_eq!(pick_credential(0, 7, |_| TargetState::Ready), CredentialPick::Keyless);
    }
}
