//! The order in which a request tries its model's targets, and why.
//!
//! Not the attempts themselves, see [`AttemptOrder`](super::AttemptOrder). A pure function of the
//! groups, what is seen of each target, and two numbers; lives on the stack.

use super::balance::{Candidate, Turn, arrange};
use super::group::{Balance, Member, Place, Tree};
use super::look::{Look, Verdict};
use super::numbers::Numbers;
use super::told::Told;
use crate::types::Ticks;
use crate::types::bounds::TARGETS_MAX;

/// Targets by index, the first to be tried first; and of all others why they are not in it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    order: [u8; TARGETS_MAX],
    len: u8,
    /// Targets that were looked at.
    count: u8,
    verdicts: [Verdict; TARGETS_MAX],
    scores: [f32; TARGETS_MAX],
    /// Bit per target that is asked although it cools.
    out: u64,
    soonest: Option<Ticks>,
    balance: Balance,
    /// Whether a balance had anything to decide before the first target.
    is_balanced: bool,
    is_loosened: bool,
}

/// What a plan is made for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    /// How many plans the model had before: balances that take turns go by it.
    pub turn: u64,
    /// Any number that differs from request to request.
    pub random: u64,
    /// The session of the request.
    pub session: Option<u64>,
    pub panic: Panic,
    /// Whether targets that the catalogue believes unfit are asked where nobody else is left: then the
    /// provider says what is wrong, and not its catalogue.
    pub passes_unfit: bool,
}

/// When targets that cool for failures are asked all the same, behind those that are well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panic {
    /// Percent of the candidates above which so many failing looks like a fault of ours; 100: never.
    pub above: u8,
    /// Also where no other is left.
    pub last_resort: bool,
}

impl Default for Panic {
    fn default() -> Self {
        Self { above: 50, last_resort: false }
    }
}

impl Plan {
    fn new() -> Self {
        Self {
            order: [0; TARGETS_MAX],
            len: 0,
            count: 0,
            verdicts: [Verdict::Drained; TARGETS_MAX],
            scores: [0.0; TARGETS_MAX],
            out: 0,
            soonest: None,
            balance: Balance::Weighted,
            is_balanced: false,
            is_loosened: false,
        }
    }

    /// A plan of one target.
    pub fn only(target: usize) -> Self {
        let mut plan = Self::new();
        if let Ok(index) = u8::try_from(target) {
            plan.count = index.saturating_add(1).min(TARGETS_MAX as u8);
            plan.verdicts = [Verdict::Pinned; TARGETS_MAX];
            plan.judge(target, Verdict::Ready);
            plan.push(index);
        }
        plan
    }

    /// The plan of a model with one target: the same as any other, without the room for sixty-four.
    fn of_one(look: Look, ask: &Ask) -> Self {
        let mut plan = Self::new();
        plan.count = 1;
        plan.judge(0, look.verdict);
        if look.verdict.is_away() {
            plan.soonest = Some(look.until);
        }
        if asks_anyway(look.verdict, ask.panic.last_resort, 0) {
            plan.out = bit(0);
        }
        plan.is_loosened = look.verdict.is_belief() && ask.passes_unfit;
        if look.verdict.is_ready() || plan.is_panic() || plan.is_loosened {
            plan.push(0);
        }
        plan
    }

    /// Indexes into the model's targets.
    pub fn targets(&self) -> impl Iterator<Item = usize> + '_ {
        self.order.iter().take(self.len()).map(|index| usize::from(*index))
    }

    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// When the first of the targets left out for cooling is ready again. With an empty plan, this
    /// is what `Retry-After` says; `None` then means that no target can serve the request.
    pub fn soonest_recovery(&self) -> Option<Ticks> {
        self.soonest
    }

    /// Why each target is a candidate or not, by index.
    pub fn verdicts(&self) -> &[Verdict] {
        self.verdicts.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// What a target was ordered by; the lower the better. Zero where its balance knows no scores.
    pub fn score(&self, target: usize) -> f32 {
        self.scores.get(target).copied().unwrap_or_default()
    }

    /// Whether a target is left out only because it has no room now.
    pub fn has_full(&self) -> bool {
        self.verdicts().contains(&Verdict::Full)
    }

    /// Whether the target is asked although it cools.
    pub fn is_out(&self, target: usize) -> bool {
        bit(target) & self.out != 0
    }

    /// Whether targets are asked although they cool.
    pub fn is_panic(&self) -> bool {
        self.out != 0
    }

    /// Whether targets are asked that the catalogue believes unfit.
    pub fn is_loosened(&self) -> bool {
        self.is_loosened
    }

    /// Whether a balance put the first target first; else its place alone did.
    pub fn is_balanced(&self) -> bool {
        self.is_balanced
    }

    /// The balance that put the first target first.
    pub fn balance(&self) -> Balance {
        self.balance
    }

    pub(super) fn at(&self, place: usize) -> Option<usize> {
        self.order.get(..self.len())?.get(place).map(|index| usize::from(*index))
    }

    /// What is told of the choice.
    pub fn told(&self) -> Told {
        let mut told = Told {
            balance: self.balance,
            ready: self.len,
            all: self.count,
            is_panic: self.is_panic(),
            is_loosened: self.is_loosened,
            ..Told::default()
        };
        self.verdicts().iter().for_each(|verdict| told.count(*verdict));
        told
    }

    fn push(&mut self, index: u8) {
        let end = self.len();
        if let Some(place) = self.order.get_mut(end) {
            *place = index;
            self.len += 1;
        }
    }

    fn judge(&mut self, target: usize, verdict: Verdict) {
        if let Some(place) = self.verdicts.get_mut(target) {
            *place = verdict;
        }
    }
}

/// Whether a target is asked although something failed there, beside so many that are ready. A probe is
/// not a call: it keeps nobody from the last target there is.
fn asks_anyway(verdict: Verdict, is_panic: bool, ready: usize) -> bool {
    verdict.is_failing() && (is_panic || (ready == 0 && verdict == Verdict::Unhealthy))
}

fn bit(target: usize) -> u64 {
    u32::try_from(target).ok().and_then(|bit| 1_u64.checked_shl(bit)).unwrap_or(0)
}

/// Orders the targets of `tree`. `look` is asked once for each target that takes calls, by its index;
/// `allows` says of a condition, by its index, whether it holds. Targets beyond [`TARGETS_MAX`] are not
/// seen.
pub fn plan(tree: &Tree, ask: &Ask, look: impl Fn(usize) -> Look, allows: impl Fn(usize) -> bool) -> Plan {
    if let [Place { member: Member::Target(0), weight: 1.., when: None, .. }] = tree.places(0) {
        return Plan::of_one(look(0), ask);
    }
    let mut planner = Planner {
        tree,
        session: ask.session,
        looks: [Look::of(Verdict::Drained); TARGETS_MAX],
        numbers: Numbers::new(ask.random),
        plan: Plan::new(),
        is_first: true,
    };
    if let Some(all) = tree.groups().first() {
        planner.plan.balance = all.balance;
    }
    planner.look(0, false, &look, &allows);
    planner.loosen(ask);
    planner.order(0, Turn::of(ask.turn));
    planner.plan
}

struct Planner<'t> {
    tree: &'t Tree,
    session: Option<u64>,
    looks: [Look; TARGETS_MAX],
    numbers: Numbers,
    plan: Plan,
    /// No target is in the order yet.
    is_first: bool,
}

impl Planner<'_> {
    fn look(
        &mut self,
        group: usize,
        is_denied: bool,
        look: &impl Fn(usize) -> Look,
        allows: &impl Fn(usize) -> bool,
    ) {
        let tree = self.tree;
        for place in tree.places(group) {
            let is_closed = place.weight == 0;
            let is_denied =
                is_denied || (!is_closed && place.when.is_some_and(|when| !allows(usize::from(when))));
            match place.member {
                Member::Group(inner) if !is_closed => self.look(usize::from(inner), is_denied, look, allows),
                Member::Group(inner) => self.close(usize::from(inner)),
                Member::Target(target) => {
                    let target = usize::from(target);
                    let seen = match (is_closed, is_denied) {
                        (true, _) => Look::of(Verdict::Drained),
                        (_, true) => Look::of(Verdict::Denied),
                        _ => look(target),
                    };
                    self.note(target, seen);
                }
            }
        }
    }

    /// Counts the targets of a group of weight zero, which takes no calls.
    fn close(&mut self, group: usize) {
        let tree = self.tree;
        for place in tree.places(group) {
            match place.member {
                Member::Group(inner) => self.close(usize::from(inner)),
                Member::Target(target) => self.note(usize::from(target), Look::of(Verdict::Drained)),
            }
        }
    }

    fn note(&mut self, target: usize, look: Look) {
        let Some(place) = self.looks.get_mut(target) else { return };
        *place = look;
        self.plan.count = self.plan.count.max(target as u8 + 1);
        self.plan.judge(target, look.verdict);
        if look.verdict.is_away() {
            self.plan.soonest = Some(self.plan.soonest.map_or(look.until, |soonest| soonest.min(look.until)));
        }
    }

    /// Takes in targets that would otherwise not be asked: where too many cool for failures, and where
    /// nobody is left but those believed unfit.
    fn loosen(&mut self, ask: &Ask) {
        let of = |test: &dyn Fn(Verdict) -> bool| {
            self.plan.verdicts().iter().filter(|verdict| test(**verdict)).count()
        };
        let ready = of(&Verdict::is_ready);
        let away = of(&Verdict::is_away);
        let failing = of(&Verdict::is_failing);
        // They are well: they only have no room.
        let full = of(&|verdict| verdict == Verdict::Full);
        let is_panic = match ready + full {
            0 => ask.panic.last_resort,
            well => failing * 100 > (failing + well) * usize::from(ask.panic.above),
        };
        for (target, look) in self.looks.iter_mut().enumerate() {
            if asks_anyway(look.verdict, is_panic, ready + full) {
                look.verdict = Verdict::Ready;
                self.plan.out |= bit(target);
            }
        }
        if ready + full + away == 0 && ask.passes_unfit {
            for look in &mut self.looks {
                if look.verdict.is_belief() {
                    look.verdict = Verdict::Ready;
                    self.plan.is_loosened = true;
                }
            }
        }
    }

    fn order(&mut self, group: usize, turn: Turn) {
        let tree = self.tree;
        let Some(balance) = tree.groups().get(group).map(|group| group.balance) else { return };
        let places = tree.places(group);
        let mut room = [Candidate::default(); TARGETS_MAX];
        let mut count = 0;
        for (index, place) in places.iter().enumerate().filter(|(_, place)| place.weight > 0) {
            let Some((look, is_out)) = self.seen(place) else { continue };
            let Some(slot) = room.get_mut(count) else { break };
            let (weight, priority) = (place.weight as f32, place.priority);
            *slot = Candidate { place: index as u8, weight, priority, is_out, look, score: 0.0 };
            count += 1;
        }
        let ready = room.get_mut(..count).unwrap_or_default();
        ready.sort_unstable_by_key(|candidate| (candidate.priority, candidate.is_out, candidate.place));
        let mut next = turn;
        for tier in ready.chunk_by_mut(|a, b| (a.priority, a.is_out) == (b.priority, b.is_out)) {
            // Where nothing had to be decided, the balance of the first target's group would have.
            if self.is_first && (tier.len() > 1 || !self.plan.is_balanced) {
                self.plan.balance = balance;
                self.plan.is_balanced |= tier.len() > 1;
            }
            next = arrange(tier, balance, self.session, next, &mut self.numbers);
            for candidate in tier {
                self.emit(places.get(usize::from(candidate.place)), candidate.score, next);
                next = Turn::drawn(&mut self.numbers);
            }
        }
    }

    fn emit(&mut self, place: Option<&Place>, score: f32, turn: Turn) {
        match place.map(|place| place.member) {
            Some(Member::Target(target)) => {
                self.plan.push(target);
                self.is_first = false;
                if let Some(held) = self.plan.scores.get_mut(usize::from(target)) {
                    *held = score;
                }
            }
            Some(Member::Group(inner)) => self.order(usize::from(inner), turn),
            None => {}
        }
    }

    /// A member as its group sees it, and whether all of it is out; None where nothing of it is ready.
    fn seen(&self, place: &Place) -> Option<(Look, bool)> {
        match place.member {
            Member::Target(target) => {
                let look = self.looks.get(usize::from(target)).filter(|look| look.verdict.is_ready())?;
                Some((*look, self.plan.is_out(usize::from(target))))
            }
            Member::Group(inner) => {
                let inner = usize::from(inner);
                let open = self.tree.places(inner).iter().filter(|place| place.weight > 0);
                let seen = open.filter_map(|place| self.seen(place));
                let (look, is_out) = seen.reduce(|a, b| (a.0.with(b.0), a.1 && b.1))?;
                // A group's own name is its place in the file.
                let identity = (inner as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                Some((Look { identity, ..look }, is_out))
            }
        }
    }
}
