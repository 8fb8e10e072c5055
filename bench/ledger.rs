//! How fast calls become rows, and how long questions about them take.
//!
//! `cargo run --release --example ledger -- sqlite:/tmp/bench/tidegate.db [MILLIONS]`, or with the address
//! of an empty PostgreSQL database. Calls are of twenty tenants, a thousand keys and six models, in the
//! order of time; each batch is one transaction of rows and roll-ups. First, calls as they come at twenty
//! thousand a second: rows a second are printed. Then so many millions (default 1) over thirty days, and
//! for each kind of question the slowest of three askings.
#![expect(clippy::expect_used, reason = "a measurement that cannot be made ends")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate::govern::{Call, Outcome};
use tidegate::store::{Bucket, CallQuery, Dimension, Options, Store, StoreUrl, UsageQuery, open};
use tidegate::types::ids::RequestIds;
use tidegate::types::{Money, Usage};

const BATCH: usize = 5_000;
/// Calls of the first part, and how many of them a millisecond.
const RATE: (u64, u64) = (400_000, 20);
const DAY: u64 = 86_400_000;
const START: u64 = 20_000 * DAY;
const SPAN: u64 = 30 * DAY;

/// Texts that many calls share, as in the gateway.
struct Names {
    tenants: Vec<Arc<str>>,
    teams: Vec<Arc<str>>,
    apps: Vec<Arc<str>>,
    keys: Vec<Arc<str>>,
    models: Vec<Arc<str>>,
    providers: Vec<Arc<str>>,
}

fn names(prefix: &str, count: usize) -> Vec<Arc<str>> {
    (0..count).map(|at| Arc::from(format!("{prefix}_{at:08x}"))).collect()
}

impl Names {
    fn new() -> Self {
        Self {
            tenants: names("ten", 20),
            teams: names("team", 60),
            apps: names("app", 200),
            keys: names("key", 1000),
            models: names("model", 6),
            providers: names("provider", 3),
        }
    }

    /// A key lies in one app, that in one team, and so on; it calls two models, one provider each.
    fn call(&self, ids: &RequestIds, at: u64, at_ms: u64) -> Call {
        let dice = mix(at);
        let pick = |list: &[Arc<str>], number: u64| list.get(number as usize % list.len()).cloned();
        let key = dice % 1000;
        let model = (key + (dice >> 32) % 2) % 6;
        Call {
            id: ids.next(),
            at_ms,
            tenant: pick(&self.tenants, key % 20),
            team: pick(&self.teams, key % 60),
            app: pick(&self.apps, key % 200),
            key: pick(&self.keys, key).unwrap_or_else(|| Arc::from("")),
            model: pick(&self.models, model),
            endpoint: "chat_completions".into(),
            provider: pick(&self.providers, model),
            upstream_model: pick(&self.models, model),
            attempts: 1,
            usage: Usage {
                input: 900 + dice % 1000,
                cache_read: dice % 500,
                output: 200 + dice % 300,
                reasoning: dice % 100,
                ..Usage::default()
            },
            cost: Some(Money::from_pico(1_000_000_000 + dice % 1_000_000_000)),
            margin: Money::ZERO,
            duration_ms: 1800,
            first_token_ms: Some(400),
            status: 200,
            outcome: if dice.is_multiple_of(50) { Outcome::Failed } else { Outcome::Ok },
            reason: None,
            is_stream: true,
            generation: 1,
        }
    }
}

/// SplitMix64.
fn mix(at: u64) -> u64 {
    let z = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("an address: sqlite:PATH or postgres://…");
    let millions: f64 = arguments.next().map_or(1.0, |text| text.parse().expect("millions of rows"));
    let url = StoreUrl::parse(&url).expect("an address");
    let (store, _bank) = open(&url, &Options::default()).await.expect("the store opens");
    let (rated, each_ms) = RATE;
    fill(&*store, rated, |at| START + SPAN + at / each_ms).await;
    let total = (millions * 1e6) as u64;
    fill(&*store, total, |at| START + (u128::from(at) * u128::from(SPAN) / u128::from(total)) as u64).await;
    ask(&*store).await;
}

async fn fill(store: &dyn Store, total: u64, at_ms: impl Fn(u64) -> u64) {
    let (names, ids) = (Names::new(), RequestIds::new(total));
    let (mut spent, mut part) = (Duration::ZERO, Duration::ZERO);
    let (mut at, mut begun) = (0, 0);
    while at < total {
        let end = (at + BATCH as u64).min(total);
        let batch: Vec<Call> = (at..end).map(|at| names.call(&ids, at, at_ms(at))).collect();
        let start = Instant::now();
        store.append_calls(&batch).await.expect("calls are added");
        part += start.elapsed();
        at = end;
        if at - begun >= total / 10 || at == total {
            println!("{at:>9} rows, {:>7.0} rows/s", (at - begun) as f64 / part.as_secs_f64());
            (spent, part, begun) = (spent + part, Duration::ZERO, at);
        }
    }
    println!("{total} rows: {:.0} rows/s\n", total as f64 / spent.as_secs_f64().max(f64::EPSILON));
}

async fn ask(store: &dyn Store) {
    use Dimension::{App, Key, Model, Provider, Team, Tenant};
    let whole = UsageQuery { from_ms: START, to_ms: START + SPAN, limit: 1000, ..UsageQuery::default() };
    let ragged = UsageQuery { from_ms: START + 5_000_000, to_ms: START + SPAN - 5_000_000, ..whole.clone() };
    let group = |query: &UsageQuery, group_by: &[Dimension]| UsageQuery {
        group_by: group_by.to_vec(),
        ..query.clone()
    };
    let by = |query: UsageQuery, bucket| UsageQuery { bucket: Some(bucket), ..query };
    let only = |query: UsageQuery, dimension, text: &str| {
        let filters = vec![(dimension, text.to_owned())];
        UsageQuery { filters, ..query }
    };
    let day = UsageQuery { to_ms: START + DAY, ..whole.clone() };
    let asked = [
        ("everything in one sum", whole.clone()),
        ("by tenant", group(&whole, &[Tenant])),
        ("by tenant, ragged edges", group(&ragged, &[Tenant])),
        ("by key, ragged edges", group(&ragged, &[Key])),
        ("by key and model, ragged edges", group(&ragged, &[Key, Model])),
        ("by team and model", group(&whole, &[Team, Model])),
        ("hours of everything", by(whole.clone(), Bucket::Hour)),
        ("hours by model and provider", by(group(&whole, &[Model, Provider]), Bucket::Hour)),
        ("hours by tenant", by(group(&whole, &[Tenant]), Bucket::Hour)),
        ("hours by key", by(group(&whole, &[Key]), Bucket::Hour)),
        ("hours of one key", by(only(whole.clone(), Key, "key_00000007"), Bucket::Hour)),
        ("hours of one model by app", by(only(group(&whole, &[App]), Model, "model_00000001"), Bucket::Hour)),
        ("hours of one tenant by key", by(only(group(&whole, &[Key]), Tenant, "ten_00000001"), Bucket::Hour)),
        ("minutes of a day of everything", by(day.clone(), Bucket::Minute)),
        ("minutes of a day by key", by(group(&day, &[Key]), Bucket::Minute)),
        ("days by key and model", by(group(&whole, &[Key, Model]), Bucket::Day)),
    ];
    for (what, query) in &asked {
        let mut slowest = Duration::ZERO;
        let mut rows = 0;
        for _ in 0..3 {
            let start = Instant::now();
            rows = store.usage(query).await.expect("an answer").rows.len();
            slowest = slowest.max(start.elapsed());
        }
        println!("{:>6.0} ms  {rows:>4} rows  {what}", slowest.as_secs_f64() * 1e3);
    }
    let calls = CallQuery { from_ms: START, to_ms: START + SPAN, limit: 100, ..CallQuery::default() };
    let filtered =
        |dimension, text: &str| CallQuery { filters: vec![(dimension, text.to_owned())], ..calls.clone() };
    let asked = [
        ("the newest calls", calls.clone()),
        ("the newest calls of a key", filtered(Key, "key_00000007")),
        ("the newest calls of a tenant", filtered(Tenant, "ten_00000001")),
        ("the newest calls of a model", filtered(Model, "model_00000001")),
        ("the newest calls of nobody", filtered(Key, "nobody")),
        ("the newest failed calls", CallQuery { outcome: Some(Outcome::Failed), ..calls.clone() }),
    ];
    for (what, query) in &asked {
        let start = Instant::now();
        let rows = store.calls(query).await.expect("an answer").calls.len();
        println!("{:>6.0} ms  {rows:>4} rows  {what}", start.elapsed().as_secs_f64() * 1e3);
    }
}
