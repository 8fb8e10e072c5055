//! The order of the members of one priority, by each balance.
//!
//! Pure: what is known of a member comes in, a place in a sequence and a seed too. Invariant: every
//! member stays in the order exactly once.

use super::affinity::distance;
use super::group::Balance;
use super::look::Look;
use super::numbers::Numbers;

/// A busy target keeps its sessions up to this share of the load that is its own.
const LOAD_BOUND: f32 = 1.25;
/// Calls under way below which no target is overloaded: a small pool must not scatter its sessions.
const LOAD_FLOOR: f32 = 8.0;
/// What is expected of a target that was never measured, in seconds: little, so that it is tried.
const UNMEASURED: f32 = 0.001;
/// How much worse a target is whose calls all fail.
const ERROR_WEIGHT: f32 = 20.0;
/// How much of a call's work is saved where all of its prompt is cached: the answer is still to be written. So
/// a target may have ten times the calls of another before that one takes over what is cached here.
const CACHED_WORTH: f32 = 0.9;

/// A member of a group, with what its order depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Candidate {
    /// Its place in the group.
    pub place: u8,
    pub weight: f32,
    pub priority: u32,
    /// Left alone for failures, and asked only because too many are.
    pub is_out: bool,
    pub look: Look,
    /// The lower the better; what it means depends on the balance.
    pub score: f32,
}

/// Where in its sequence a choice stands. Of two groups inside each other, the inner one's is what the
/// outer choice has left over, so that the two do not move in step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turn {
    count: u64,
    /// 0 to 1.
    unit: f64,
}

impl Turn {
    /// Steps of the golden ratio: any stretch of them is spread evenly, so weights are kept to over
    /// short times too, and whatever members come and go.
    pub(super) fn of(count: u64) -> Self {
        Self { count, unit: unit(count.wrapping_mul(0x9e37_79b9_7f4a_7c15)) }
    }

    pub(super) fn drawn(numbers: &mut Numbers) -> Self {
        Self { count: numbers.below(u64::MAX), unit: unit(numbers.below(u64::MAX)) }
    }
}

fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Orders `tier`; gives what is left of `turn` for the group that comes first.
pub(super) fn arrange(
    tier: &mut [Candidate],
    balance: Balance,
    session: Option<u64>,
    turn: Turn,
    numbers: &mut Numbers,
) -> Turn {
    if tier.len() < 2 {
        return turn;
    }
    match (balance, session) {
        (Balance::RoundRobin, _) => {
            let count = tier.len() as u64;
            tier.rotate_left((turn.count % count) as usize);
            Turn { count: turn.count / count, unit: turn.unit }
        }
        (Balance::Sticky, Some(session)) => {
            by_session(tier, session);
            spare_the_overloaded(tier);
            turn
        }
        (Balance::Split, Some(session)) => {
            by_session(tier, session);
            turn
        }
        (Balance::Weighted | Balance::Sticky | Balance::Split, _) => by_weight(tier, turn, numbers),
        (Balance::UsageAware, _) => {
            for candidate in tier.iter_mut() {
                candidate.score = 1.0 - candidate.look.headroom;
                candidate.weight *= candidate.look.headroom.max(0.0001);
            }
            by_weight(tier, turn, numbers)
        }
        (Balance::LeastBusy, _) => {
            by_score(tier, numbers, |c| c.look.busy as f32 / (c.weight * c.look.warmth));
            turn
        }
        (Balance::Prefix, _) => {
            by_score(tier, numbers, work_left);
            spare_the_overloaded(tier);
            turn
        }
        (Balance::Cheapest, _) => {
            // Nobody's price comes last: it may be any.
            by_score(tier, numbers, |c| c.look.price.unwrap_or(f32::MAX));
            turn
        }
        (Balance::Fastest, _) => {
            two_choices(tier, numbers);
            turn
        }
    }
}

/// Draws one after the other to the front, each with a chance of its weight over the weights not drawn
/// yet: the first by `turn`, the others by chance.
fn by_weight(tier: &mut [Candidate], turn: Turn, numbers: &mut Numbers) -> Turn {
    let mut rest = turn;
    let mut next = turn.unit;
    for from in 0..tier.len().saturating_sub(1) {
        let Some(open) = tier.get_mut(from..) else { break };
        let total: f64 = open.iter().map(warm_weight).sum();
        let (mut drawn, mut taken) = (next * total, open.len() - 1);
        for (place, candidate) in open.iter().enumerate() {
            let weight = warm_weight(candidate);
            if drawn < weight {
                taken = place;
                if from == 0 {
                    rest.unit = drawn / weight;
                }
                break;
            }
            drawn -= weight;
        }
        // The order of the others is kept: the sequence needs the same line each time.
        if let Some(passed) = open.get_mut(..=taken) {
            passed.rotate_right(1);
        }
        next = unit(numbers.below(u64::MAX));
    }
    rest
}

fn warm_weight(candidate: &Candidate) -> f64 {
    f64::from(candidate.weight * candidate.look.warmth)
}

/// The lowest score first; of equal ones by chance and weight.
fn by_score(tier: &mut [Candidate], numbers: &mut Numbers, score: impl Fn(&Candidate) -> f32) {
    let turn = Turn::drawn(numbers);
    by_weight(tier, turn, numbers);
    tier.iter_mut().for_each(|candidate| candidate.score = score(candidate));
    tier.sort_by(|a, b| a.score.total_cmp(&b.score));
}

/// The better of two that are drawn by weight, the other one next, then the rest, the best first. Two
/// are enough to keep off slow targets, and many nodes that know the same do not all run to one.
fn two_choices(tier: &mut [Candidate], numbers: &mut Numbers) {
    for candidate in tier.iter_mut() {
        let look = &candidate.look;
        let seconds = look.seconds.unwrap_or(UNMEASURED).max(UNMEASURED);
        let waiting = look.busy as f32 + 1.0;
        candidate.score = seconds * waiting * (1.0 + ERROR_WEIGHT * look.errors) / look.warmth.max(0.01);
    }
    let turn = Turn::drawn(numbers);
    by_weight(tier, turn, numbers);
    let (drawn, rest) = tier.split_at_mut(2.min(tier.len()));
    drawn.sort_by(|a, b| a.score.total_cmp(&b.score));
    rest.sort_by(|a, b| a.score.total_cmp(&b.score));
}

/// Calls there with this one, each by what of it is left to do. With nothing cached: by load.
fn work_left(candidate: &Candidate) -> f32 {
    let look = &candidate.look;
    // Of idle ones none is better, so that weight and warmth decide by chance.
    let load = look.busy as f32 / (candidate.weight * look.warmth.max(0.01)) + 1.0;
    load * look.pressure * (1.0 - CACHED_WORTH * look.cached)
}

fn by_session(tier: &mut [Candidate], session: u64) {
    for candidate in tier.iter_mut() {
        candidate.score = distance(session, candidate.look.identity, candidate.weight);
    }
    tier.sort_by(|a, b| a.score.total_cmp(&b.score));
}

/// Targets that have more than their share of the load, and a quarter, come after all others.
fn spare_the_overloaded(tier: &mut [Candidate]) {
    let load: f32 = tier.iter().map(|candidate| candidate.look.busy as f32).sum::<f32>() + 1.0;
    let total: f32 = tier.iter().map(|candidate| candidate.weight).sum();
    let is_overloaded = |candidate: &Candidate| {
        let own = (LOAD_BOUND * load * candidate.weight / total).ceil();
        candidate.look.busy as f32 >= own.max(LOAD_FLOOR)
    };
    // Stable: among each other both keep the order of the session.
    tier.sort_by_key(is_overloaded);
}
