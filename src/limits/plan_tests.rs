//! Nodes and a bank on seeded schedules: requests and answers late, lost, repeated; nodes that die and
//! come back. The bank here is the contract's own arithmetic, a dozen lines.

use super::model_tests::Seeded;
use super::plan::{BudgetAnswer, BudgetAsk, LeaseAnswer, LeaseAsk, Round};
use super::tests::{at, concurrent, requests};
use super::*;
use crate::govern::{Budget, BudgetUnit, OnExhausted, OnUnpriced, Window};
use crate::types::{Money, Ticks};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const NOON: u64 = 1_795_262_400;

/// What each node of one account was granted and has spent.
#[derive(Default)]
struct Bank {
    nodes: BTreeMap<usize, (u64, u64)>,
    /// Held and wanted.
    leases: BTreeMap<String, BTreeMap<usize, (u64, u64)>>,
}

impl Bank {
    fn withdraw(&mut self, node: usize, ask: &BudgetAsk) -> BudgetAnswer {
        let others: u64 =
            self.nodes.iter().filter(|(n, _)| **n != node).map(|(_, (granted, _))| granted).sum();
        let (known, spent) = self.nodes.get(&node).copied().unwrap_or_default();
        let spent = spent.max(ask.spent);
        let held = known.max(ask.granted).max(spent);
        let granted = match ask.wanted {
            wanted if wanted <= held => wanted.max(spent),
            wanted => held.max(wanted.min(ask.amount.saturating_sub(others))),
        };
        self.nodes.insert(node, (granted, spent));
        let all = self.nodes.values().map(|(_, spent)| spent).sum();
        BudgetAnswer { account: ask.account.to_string(), window: ask.window, granted, spent: all }
    }

    fn lease(&mut self, node: usize, ask: &LeaseAsk) -> LeaseAnswer {
        let nodes = self.leases.entry(ask.name.clone()).or_default();
        let others = || nodes.iter().filter(|(n, _)| **n != node).map(|(_, lease)| lease);
        let held = ask.wanted.min(ask.amount.saturating_sub(others().map(|(held, _)| held).sum()));
        let lacks = held < ask.wanted || others().any(|(held, wanted)| held < wanted);
        nodes.insert(node, (held, ask.wanted));
        let fair = lacks.then(|| ask.amount / nodes.len() as u64);
        LeaseAnswer { name: ask.name.clone(), held, fair }
    }
}

struct Node {
    limits: Limits,
    open: Vec<(Reservation, u64)>,
}

fn shared(on_loss: OnLoss) -> Arc<Till> {
    let wait = Duration::from_millis(250);
    let till = Till::new(Sharing {
        has_bank: true,
        has_leases: true,
        on_loss,
        share: Some(333),
        wait,
        ..Sharing::default()
    });
    till.set_nodes(3);
    Arc::new(till)
}

fn node(amount: u64, on_loss: OnLoss) -> Node {
    let budget = Budget {
        name: "b".to_owned(),
        unit: BudgetUnit::Usd(Money::from_pico(amount)),
        per: Window::Day,
        time_zone: "UTC".to_owned(),
        model: None,
        alerts: Vec::new(),
        on_exhausted: OnExhausted::Reject,
        on_unpriced: OnUnpriced::Refuse,
    };
    let spec = ScopeSpec::new("key/k".into(), Level::Key, Vec::new(), vec![budget]);
    let limits = Limits::new(&[spec], [["key/k"]], None, shared(on_loss)).unwrap();
    Node { limits, open: Vec::new() }
}

fn ask(prompt: u64, now: Ticks, may_wait: bool) -> Ask<'static> {
    let price = Price { input: 1, output: 1 };
    Ask {
        model: "m",
        prompt,
        output: 0,
        is_stated: false,
        slice: 0,
        price: Some(price),
        bound: price,
        now,
        wall: NOON,
        may_wait,
    }
}

impl Node {
    fn begin(&mut self, prompt: u64, now: Ticks, may_wait: bool) -> Result<(), Refusal> {
        let mut call = self.limits.admit(self.limits.of_key(0).unwrap(), now, may_wait)?;
        call.reserve(&ask(prompt, now, may_wait))?;
        self.open.push((call, prompt));
        Ok(())
    }

    fn end(&mut self, place: usize, actual: u64, now: Ticks) {
        let (mut call, _) = self.open.swap_remove(place);
        call.settle(Settlement::Used { tokens: actual, cost: Some(Money::from_pico(actual)) }, now);
    }

    fn round(&self, now: Ticks) -> Round {
        self.limits.till().collect(now, NOON, false)
    }

    fn exchange(&self, bank: &mut Bank, number: usize, now: Ticks) {
        let round = self.round(now);
        let budgets: Vec<_> = round.budgets.iter().map(|ask| bank.withdraw(number, ask)).collect();
        let leases: Vec<_> = round.leases.iter().map(|ask| bank.lease(number, ask)).collect();
        self.limits.till().apply(&round, &budgets, &leases, now);
    }

    fn books(&self) -> (u64, u64, u64) {
        let mut inner = self.limits.scope("key/k").unwrap().state.lock();
        let purse = inner.accounts[0].current(NOON, at(0)).unwrap();
        (purse.granted, purse.spent, purse.reserved)
    }
}

#[test]
fn a_cold_purse_waits_for_its_first_grant_and_no_longer_than_it_may() {
    let mut bank = Bank::default();
    let mut cold = node(1000, OnLoss::LocalShare);
    assert_eq!(cold.begin(10, at(0), true), Err(Refusal::Waiting));
    cold.exchange(&mut bank, 0, at(0));
    assert_eq!(cold.begin(10, at(0), true), Ok(()));
    let mut unheard = node(1000, OnLoss::LocalShare);
    assert_eq!(unheard.begin(300, at(0), false), Ok(()), "its own share");
    assert!(matches!(unheard.begin(300, at(0), false), Err(Refusal::Budget(_))), "and no more");
    let mut closed = node(1000, OnLoss::FailClosed);
    assert_eq!(closed.begin(10, at(0), false), Err(Refusal::Unavailable(Level::Key)));
}

#[test]
fn an_empty_bank_is_told_at_once_and_not_waited_for_again() {
    let mut bank = Bank::default();
    bank.nodes.insert(7, (995, 995));
    let mut node = node(1000, OnLoss::LocalShare);
    assert_eq!(node.begin(10, at(0), true), Err(Refusal::Waiting));
    node.exchange(&mut bank, 0, at(0));
    assert!(matches!(node.begin(10, at(0), true), Err(Refusal::Budget(_))));
    assert_eq!(node.begin(5, at(0), true), Ok(()), "what it was lent is enough for this");
}

#[test]
fn an_idle_purse_goes_back_whole_and_is_looked_after_no_more() {
    let mut bank = Bank::default();
    let mut node = node(1000, OnLoss::LocalShare);
    let _ = node.begin(10, at(0), true);
    node.exchange(&mut bank, 0, at(0));
    node.begin(10, at(0), true).unwrap();
    node.end(0, 7, at(0));
    for second in 1..6 {
        node.exchange(&mut bank, 0, at(second));
    }
    assert_eq!((bank.nodes[&0], node.limits.till().active().len()), ((7, 7), 0));
    assert_eq!(node.begin(10, at(9), true), Err(Refusal::Waiting), "and asks anew when it is used");
}

#[test]
fn no_schedule_spends_more_than_the_budget_and_nearly_all_of_it_is_usable() {
    for seed in 0..12 {
        let mut random = Seeded(seed);
        let amount = 200_000;
        let mut bank = Bank::default();
        let mut nodes: Vec<Node> = (0..3).map(|_| node(amount, OnLoss::LocalShare)).collect();
        let mut millis = 0;
        // Requests on their way, and answers that never came.
        let mut late: Vec<(usize, Round, Vec<BudgetAnswer>)> = Vec::new();
        let dead_from = 4_000 + random.below(4_000);
        for _ in 0..40_000 {
            millis += random.below(5);
            let now = Ticks::from_start(Duration::from_millis(millis));
            let number = random.below(3) as usize;
            if number == 2 && millis > dead_from {
                continue;
            }
            let node = &mut nodes[number];
            match random.below(8) {
                0..4 => drop(node.begin(random.below(60) + 1, now, true)),
                4 | 5 if !node.open.is_empty() => {
                    let place = random.below(node.open.len() as u64) as usize;
                    let actual = random.below(node.open[place].1 + 1);
                    if random.below(6) == 0 {
                        drop(node.open.swap_remove(place))
                    } else {
                        node.end(place, actual, now)
                    }
                }
                6 => match random.below(10) {
                    // The request or its answer is lost.
                    0 => drop(node.round(now)),
                    1 if !late.iter().any(|(n, ..)| *n == number) => {
                        let round = node.round(now);
                        let answers = round.budgets.iter().map(|ask| bank.withdraw(number, ask)).collect();
                        late.push((number, round, answers));
                    }
                    // One at a time: a node waits for its answer, or gives it up.
                    _ => match late.iter().position(|(n, ..)| *n == number) {
                        Some(place) if random.below(2) == 0 => {
                            let (_, round, answers) = late.swap_remove(place);
                            node.limits.till().apply(&round, &answers, &[], now);
                        }
                        Some(place) => drop(late.swap_remove(place)),
                        None => node.exchange(&mut bank, number, now),
                    },
                },
                _ => {}
            }
            let granted: u64 = bank.nodes.values().map(|(granted, _)| granted).sum();
            assert!(granted <= amount, "seed {seed} at {millis}: {granted} are lent out");
            for (number, node) in nodes.iter().enumerate() {
                let (held, spent, reserved) = node.books();
                let lent = bank.nodes.get(&number).map_or(0, |(granted, _)| *granted);
                assert!(spent + reserved <= held && held <= lent, "seed {seed} at {millis}: node {number}");
            }
        }
        let spent: u64 = nodes.iter().map(|node| node.books().1 + node.books().2).sum();
        assert!(
            spent <= amount && spent * 100 >= amount * 98,
            "seed {seed}: {spent} of {amount} in {millis} ms"
        );
    }
}

#[test]
fn nodes_share_a_limit_and_never_exceed_it_together() {
    for seed in 0..5 {
        let mut random = Seeded(seed);
        let mut bank = Bank::default();
        let specs =
            [ScopeSpec::new("key/k".into(), Level::Key, vec![requests(300), concurrent(12)], Vec::new())];
        let mut nodes: Vec<Node> = (0..3)
            .map(|_| {
                let limits = Limits::new(&specs, [["key/k"]], None, shared(OnLoss::LocalShare)).unwrap();
                Node { limits, open: Vec::new() }
            })
            .collect();
        let mut admitted: Vec<u64> = Vec::new();
        let mut served = [0_u32; 3];
        let mut millis = 0;
        for step in 0..60_000_u64 {
            millis += random.below(6);
            let now = Ticks::from_start(Duration::from_millis(millis));
            let number = random.below(3) as usize;
            let node = &mut nodes[number];
            match step % 20 {
                0 => node.exchange(&mut bank, number, now),
                1..9 if !node.open.is_empty() => {
                    let place = random.below(node.open.len() as u64) as usize;
                    node.end(place, 0, now);
                }
                _ => {
                    if node.begin(0, now, true).is_ok() {
                        admitted.push(millis);
                        served[number] += 1;
                    }
                }
            }
            let open: usize = nodes.iter().map(|node| node.open.len()).sum();
            assert!(open <= 12, "seed {seed}: {open} at once");
        }
        let window = |end: &u64| {
            admitted.iter().filter(|at| (end.saturating_sub(60_000)..=*end).contains(*at)).count()
        };
        let worst = admitted.iter().step_by(7).map(window).max().unwrap();
        assert!((270..=300).contains(&worst), "seed {seed}: {worst} in a minute");
        assert!(served.iter().all(|calls| *calls > 100), "seed {seed}: nobody starves: {served:?}");
    }
}

#[test]
fn a_node_that_holds_all_of_a_limit_gives_others_their_part_under_load() {
    let specs = [ScopeSpec::new("key/k".into(), Level::Key, vec![requests(300)], Vec::new())];
    let node = || {
        let limits = Limits::new(&specs, [["key/k"]], None, shared(OnLoss::LocalShare)).unwrap();
        Node { limits, open: Vec::new() }
    };
    let (mut bank, mut nodes) = (Bank::default(), [node(), node()]);
    let mut served = [0_u32; 2];
    for tick in 0..3000_u64 {
        let now = Ticks::from_start(Duration::from_millis(tick * 100));
        for (number, node) in nodes.iter_mut().enumerate() {
            // The second one comes when the first has had everything for a minute.
            if number == 0 || tick > 600 {
                let let_in = (0..3).filter(|_| node.begin(0, now, true).is_ok()).count() as u32;
                served[number] += if tick > 2000 { let_in } else { 0 };
                node.open.clear();
                node.exchange(&mut bank, number, now);
            }
        }
    }
    // In a hundred seconds there are three hundred at least for both.
    assert!(served.iter().all(|calls| *calls >= 100), "{served:?}");
    assert!(served.iter().sum::<u32>() >= 280, "{served:?}");
}

#[test]
fn without_the_others_a_limit_is_its_share_or_closed() {
    for (on_loss, allowed) in [(OnLoss::LocalShare, 99), (OnLoss::FailClosed, 0)] {
        let spec = ScopeSpec::new("key/k".into(), Level::Key, vec![requests(300)], Vec::new());
        let limits = Limits::new(&[spec], [["key/k"]], None, shared(on_loss)).unwrap();
        let chain = limits.of_key(0).unwrap();
        assert!(matches!(limits.admit(chain, at(0), true), Err(Refusal::Waiting)));
        let unheard: Vec<_> = (0..300).filter_map(|_| limits.admit(chain, at(0), false).ok()).collect();
        assert_eq!(unheard.len(), allowed, "who may not wait is let in as without them");
        unheard.into_iter().for_each(Reservation::cancel);
        limits.till().set_lost(true);
        let calls: Vec<_> = (0..300).filter_map(|_| limits.admit(chain, at(0), true).ok()).collect();
        assert_eq!(calls.len(), allowed);
        limits.till().set_lost(false);
        assert!(matches!(limits.admit(chain, at(0), true), Err(Refusal::Waiting)));
    }
}
