//! Routing alone: what choosing among twenty targets costs by each balance, with all filters, and what
//! a condition costs. Times are of the processor, so that a busy machine measures the same. Printed as
//! one line of JSON.

use std::hint::black_box;
use std::time::Duration;
use tidegate::dialect::wants::Wants;
use tidegate::routing::{
    Abilities, Ask, Balance, Condition, CooldownRules, CooldownSet, DataRules, Facts, LiveSet, Look, Needs,
    PrefixIndex, PriceTag, Prompt, TargetState, Tree, Verdict, affinity, group, plan, price,
};
use tidegate::types::Ticks;

const TARGETS: usize = 20;
const PLANS: u64 = 200_000;

struct World {
    cooldowns: CooldownSet,
    live: LiveSet,
    abilities: Vec<Abilities>,
    tags: [PriceTag; 1],
    rules: [DataRules; 1],
}

fn main() {
    let world = world();
    let costs: Vec<String> = group::BALANCES
        .iter()
        .map(|(word, balance)| format!("\"{word}_ns\": {:.0}", plans(&world, *balance)))
        .collect();
    let [hash, find, keep] = prefixes();
    println!(
        "{{{}, \"condition_ns\": {:.0}, \"prefix_hash_16k_ns\": {hash:.0}, \"prefix_find_ns\": {find:.0}, \"prefix_keep_ns\": {keep:.0}}}",
        costs.join(", "),
        conditions()
    );
}

fn world() -> World {
    let keys: Vec<(String, CooldownRules)> =
        (0..TARGETS).map(|index| (format!("provider/{index}"), CooldownRules::default())).collect();
    let live = LiveSet::new(keys.iter().map(|(key, _)| key.as_str()), None);
    let now = Ticks::from_start(Duration::from_secs(100));
    for index in 0..TARGETS {
        if let Some(cell) = live.get(index) {
            cell.note_success(true, Duration::from_millis(100 + index as u64 * 40), now);
            cell.note_headroom(0.5, Duration::from_secs(60), now);
        }
    }
    let abilities = (0..TARGETS).map(|index| Abilities {
        context: Some(128_000),
        lacks: if index % 5 == 4 { Wants::IMAGE } else { Wants::default() },
        region: Some("eu-west-1".into()),
        zero_retention: true,
    });
    World {
        cooldowns: CooldownSet::new(&keys, None, 7),
        live,
        abilities: abilities.collect(),
        tags: [PriceTag { above: 0, input: 2_500_000, cache_read: 250_000, output: 10_000_000 }],
        rules: [DataRules { regions: vec!["eu".into()], zero_retention: true }],
    }
}

/// Nanoseconds of one plan, everything that a request looks at included.
fn plans(world: &World, balance: Balance) -> f64 {
    let tree = Tree::flat(balance, (0..TARGETS).map(|index| (1 + index as u32 % 4, 1 + index as u32 / 10)));
    let needs = Needs { input: 20_000, output: 4_000, wants: Wants::TOOLS.or(Wants::IMAGE) };
    let now = Ticks::from_start(Duration::from_secs(101));
    let look = |target: usize| {
        let judged = world.abilities.get(target).and_then(|able| able.judge(&needs, &world.rules));
        let verdict = match (judged, world.cooldowns.state(target, now)) {
            (Some(verdict), _) => verdict,
            (None, TargetState::Ready) => Verdict::Ready,
            (None, TargetState::Cooling { .. }) => Verdict::Cooling,
        };
        let seen = world.live.get(target).map(|cell| cell.measured(now)).unwrap_or_default();
        Look {
            verdict,
            busy: seen.busy,
            seconds: seen.first,
            errors: seen.errors,
            price: price::effective(&world.tags, needs.input, 500.0, 0.3),
            headroom: seen.headroom,
            cached: if target.is_multiple_of(3) { 0.5 } else { 0.0 },
            warmth: world.cooldowns.warmth(target, now),
            identity: target as u64,
            ..Look::default()
        }
    };
    timed(PLANS, |turn| {
        let session = Some(affinity::hash(&turn.to_le_bytes()));
        let ask = Ask { turn, random: turn, session, ..Ask::default() };
        black_box(plan(&tree, &ask, look, |_| true).len());
    })
}

/// Nanoseconds of what the balance `prefix` adds to a plan, with prompts of 16 KiB in an index that is full:
/// hashing one, finding who has it, keeping who was asked.
fn prefixes() -> [f64; 3] {
    const CONVERSATIONS: u64 = 1024;
    let index = PrefixIndex::default();
    let identities: Vec<u64> = (1..=TARGETS as u64).collect();
    let slots = index.assign(&identities, 4096);
    let text = |conversation: u64| {
        let own = (0..1024_u64).flat_map(move |word| (word * conversation).to_le_bytes());
        [vec![b's'; 8192], own.collect()].concat()
    };
    let texts: Vec<Vec<u8>> = (1..=CONVERSATIONS).map(text).collect();
    let prompts: Vec<Prompt> = texts.iter().map(|text| Prompt::of(&[text])).collect();
    let at = |turn: u64| (turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) % CONVERSATIONS) as usize;
    let keep = timed(PLANS / 4, |turn| {
        if let (Some(prompt), Some(slot)) = (prompts.get(at(turn)), slots.get(at(turn) % TARGETS)) {
            index.record(*slot, prompt);
        }
    });
    let find = timed(PLANS, |turn| {
        if let Some(prompt) = prompts.get(at(turn)) {
            black_box(index.matched(prompt).share(0));
        }
    });
    let hash = timed(PLANS / 4, |turn| {
        if let Some(text) = texts.get(at(turn)) {
            black_box(Prompt::of(&[text]).blocks().len());
        }
    });
    [hash, find, keep]
}

fn conditions() -> f64 {
    let source = "input_tokens > 1000 && 'batch' in tags && headers['x-plan'] == 'gold'";
    let Ok(condition) = Condition::new(source) else { return f64::NAN };
    let header = |_: &str| Some(b"gold".as_slice());
    let facts = Facts {
        model: "gpt-5",
        endpoint: "chat_completions",
        is_stream: true,
        needs: Needs { input: 20_000, ..Needs::default() },
        header: &header,
        key: "ci",
        tenant: "",
        team: "",
        app: "",
        claim: &|_| None,
        tags: &["batch"],
        unix: 0,
        is_budget_spent: false,
        region: "",
        zero_retention: false,
    };
    timed(PLANS / 4, |_| {
        black_box(condition.holds(&facts).is_ok());
    })
}

fn timed(times: u64, mut work: impl FnMut(u64)) -> f64 {
    (0..times / 10).for_each(&mut work);
    let before = processor_time();
    (0..times).for_each(&mut work);
    (processor_time() - before).as_nanos() as f64 / times as f64
}

/// Of this process.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}
