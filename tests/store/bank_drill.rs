//! Nodes that spend, give back, forget answers, repeat themselves and die, in any order: what is spent
//! never exceeds the budget.

use crate::bank::ask;
use crate::harness::{Place, on_both};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidegate::store::{Bank, Withdrawal};

on_both!(any_interleaving_keeps_within_the_budget, nodes_that_race_for_real_keep_within_the_budget);

const AMOUNT: u64 = 1000;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// One life of a node, by its own reckoning.
#[derive(Default)]
struct Node {
    name: String,
    serial: u64,
    granted: u64,
    spent: u64,
    /// Everything it ever sent: any of it may arrive again, or late.
    sent: Vec<Withdrawal>,
}

impl Node {
    fn next(&mut self, budget: &str, wanted: u64) -> Withdrawal {
        self.serial += 1;
        let next = ask(budget, self.serial, self.granted, self.spent, wanted);
        // What it gives back it does not spend any more, from before it asks.
        self.granted = self.granted.min(wanted.max(self.spent));
        self.sent.push(next.clone());
        next
    }

    fn spend(&mut self, upto: u64) {
        self.spent += upto.min(self.granted - self.spent);
    }
}

async fn any_interleaving_keeps_within_the_budget(place: Place) {
    let opened = place.open().await;
    for seed in 0..12 {
        drill(&*opened.bank, seed).await;
    }
}

async fn drill(bank: &dyn Bank, seed: u64) {
    let mut dice = Dice(seed);
    let budget = format!("drill-{seed}");
    let born = |life: u64| Node { name: format!("node-{life}"), ..Node::default() };
    let mut lives = 3;
    let mut nodes = [born(0), born(1), born(2)];
    let mut spent_by_dead = 0;
    for step in 0..120 {
        let at = dice.roll(3) as usize;
        let node = &mut nodes[at];
        match dice.roll(10) {
            0..=3 => node.spend(dice.roll(80)),
            // It asks for more, or gives back; sometimes the answer is lost.
            4..=6 => {
                let wanted = if dice.roll(4) == 0 {
                    node.spent + dice.roll(30)
                } else {
                    node.granted + dice.roll(200)
                };
                let next = node.next(&budget, wanted);
                let grant = bank.withdraw(&node.name, &[next]).await.unwrap();
                if dice.roll(4) > 0 {
                    node.granted = grant[0].granted;
                }
            }
            // Something it sent once arrives again; nobody hears the answer.
            7 | 8 if !node.sent.is_empty() => {
                let again = node.sent[dice.roll(node.sent.len() as u64) as usize].clone();
                bank.withdraw(&node.name, &[again]).await.unwrap();
            }
            9 if dice.roll(4) == 0 => {
                spent_by_dead += node.spent;
                *node = born(lives);
                lives += 1;
            }
            _ => {}
        }
        let spent: u64 = nodes.iter().map(|node| node.spent).sum();
        let may_spend: u64 = nodes.iter().map(|node| node.granted).sum();
        assert!(spent_by_dead + spent <= AMOUNT, "seed {seed}, step {step}: {spent_by_dead} + {spent}");
        assert!(
            spent_by_dead + may_spend <= AMOUNT,
            "seed {seed}, step {step}: {spent_by_dead} + {may_spend}"
        );
    }
    // The bank knows of no less than was spent, once all have told it.
    let mut known = 0;
    for node in &mut nodes {
        let (spent, budget) = (node.spent, budget.clone());
        let last = node.next(&budget, spent);
        let grant = bank.withdraw(&node.name, &[last]).await.unwrap();
        assert!(grant[0].granted >= spent);
        known = grant[0].spent;
    }
    assert!(known >= nodes.iter().map(|node| node.spent).sum::<u64>());
}

async fn nodes_that_race_for_real_keep_within_the_budget(place: Place) {
    let spent = Arc::new(AtomicU64::new(0));
    let mut racing = tokio::task::JoinSet::new();
    for number in 0..3 {
        let (opened, spent) = (place.open().await, spent.clone());
        racing.spawn(async move {
            let mut node = Node { name: format!("node-{number}"), ..Node::default() };
            let mut dice = Dice(number);
            let mut refused = 0;
            while refused < 3 {
                let wanted = node.granted + 20;
                let next = node.next("race", wanted);
                let grant = opened.bank.withdraw(&node.name, &[next]).await.unwrap();
                node.granted = grant[0].granted;
                let before = node.spent;
                node.spend(dice.roll(40));
                refused += u64::from(node.spent == before);
                let all = spent.fetch_add(node.spent - before, Ordering::SeqCst) + node.spent - before;
                assert!(all <= AMOUNT, "{all}");
            }
        });
    }
    while let Some(done) = racing.join_next().await {
        done.unwrap();
    }
    assert!(spent.load(Ordering::SeqCst) > AMOUNT / 2);
}
