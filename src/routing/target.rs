//! A target: a provider and the model it is asked for.

use crate::types::Ticks;

/// One way to serve a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index of the provider.
    pub provider: usize,
    /// The upstream's model name; `None` sends the name the client asked for.
    pub model: Option<String>,
}

/// Whether a target or a credential may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    Ready,
    Cooling { until: Ticks },
}

impl TargetState {
    pub fn is_ready(self) -> bool {
        self == TargetState::Ready
    }

    /// The state of something that needs both.
    pub fn and(self, other: TargetState) -> TargetState {
        match (self, other) {
            (TargetState::Cooling { until: a }, TargetState::Cooling { until: b }) => {
                TargetState::Cooling { until: a.max(b) }
            }
            (TargetState::Ready, state) | (state, TargetState::Ready) => state,
        }
    }

    /// The state of something that needs one of two: a provider with several credentials.
    pub fn or(self, other: TargetState) -> TargetState {
        match (self, other) {
            (TargetState::Cooling { until: a }, TargetState::Cooling { until: b }) => {
                TargetState::Cooling { until: a.min(b) }
            }
            _ => TargetState::Ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn both_needed_wait_for_the_later_and_one_needed_for_the_sooner() {
        let cooling =
            |seconds| TargetState::Cooling { until: Ticks::from_start(Duration::from_secs(seconds)) };
        assert_eq!(cooling(1).and(cooling(2)), cooling(2));
        assert_eq!(cooling(1).or(cooling(2)), cooling(1));
        assert_eq!(TargetState::Ready.and(cooling(2)), cooling(2));
        assert_eq!(cooling(2).or(TargetState::Ready), TargetState::Ready);
    }
}
