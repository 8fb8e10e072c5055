//! Limits and budgets alone: what a call of a caller with three levels of limits and two of budgets
//! pays for them, what a hundred thousand keys cost in memory and at a reload, and how long a look-up
//! takes. Times are of the processor, so that a busy machine measures the same. Printed as one line of
//! JSON.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tidegate::govern::{Budget, BudgetUnit, Limit, LimitUnit, OnExhausted, OnUnpriced, Window};
use tidegate::limits::{Ask, Level, Limits, Price, ScopeSpec, Settlement};
use tidegate::types::{Money, Ticks};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CALLS: u64 = 1_000_000;
const KEYS: usize = 100_000;
const BUDGETS: usize = 10_000;
/// 2026-11-21T12:00:00Z.
const NOON: u64 = 1_795_262_400;

fn main() {
    let call_ns = calls(&governed());
    let free_ns = calls(&Limits::none());
    let before = resident();
    let (limits, first_ms) = many(None);
    let (limits, again_ms) = many(Some(&limits));
    let fresh = resident() - before;
    let lookup_ns = lookups(&limits);
    use_all(&limits);
    let used = resident() - before;
    println!(
        "{{\"call_ns\": {call_ns:.0}, \"free_call_ns\": {free_ns:.0}, \"lookup_ns\": {lookup_ns:.0}, \
         \"build_ms\": {first_ms:.0}, \"rebuild_ms\": {again_ms:.0}, \"mib_unused\": {fresh:.1}, \
         \"mib_all_used\": {used:.1}}}"
    );
}

fn limit(unit: LimitUnit, per: Option<Window>, amount: u64) -> Limit {
    Limit { unit, per, amount, model: None }
}

fn budget(name: &str, per: Window) -> Budget {
    Budget {
        name: name.to_owned(),
        unit: BudgetUnit::Usd(Money::MAX),
        per,
        time_zone: "Europe/Berlin".to_owned(),
        model: None,
        alerts: vec![50, 90],
        on_exhausted: OnExhausted::Reject,
        on_unpriced: OnUnpriced::Refuse,
    }
}

/// Key, team and tenant with requests, tokens and calls at once; team and tenant with money.
fn governed() -> Limits {
    let limits = || {
        vec![
            limit(LimitUnit::Requests, Some(Window::Minute), u64::MAX),
            limit(LimitUnit::Tokens, Some(Window::Minute), u64::MAX),
            limit(LimitUnit::Concurrent, None, u64::MAX),
        ]
    };
    let spec = |level: Level, budgets| ScopeSpec::new(level.as_str().into(), level, limits(), budgets);
    let specs = [
        spec(Level::Key, Vec::new()),
        spec(Level::Team, vec![budget("daily", Window::Day)]),
        spec(Level::Tenant, vec![budget("monthly", Window::Month)]),
    ];
    build(&specs, [["key", "team", "tenant"]], None)
}

fn build<'k, const N: usize>(
    specs: &[ScopeSpec],
    keys: impl IntoIterator<Item = [&'k str; N]>,
    previous: Option<&Limits>,
) -> Limits {
    Limits::new(specs, keys, previous, Arc::default()).unwrap_or_else(|error| {
        eprintln!("{error}");
        Limits::none()
    })
}

fn ask(now: Ticks) -> Ask<'static> {
    Ask {
        model: "gpt-5",
        prompt: 1000,
        output: 256,
        is_stated: true,
        slice: 256,
        price: Some(Price { input: 1_250_000, output: 10_000_000 }),
        bound: Price::default(),
        now,
        wall: NOON,
        may_wait: true,
    }
}

/// Nanoseconds of one call from its head to its end.
fn calls(limits: &Limits) -> f64 {
    let none = limits.chain([]);
    let chain = limits.of_key(0).unwrap_or(&none);
    let begun = processor_ns();
    for number in 0..CALLS {
        let now = Ticks::from_start(Duration::from_micros(number * 20));
        let Ok(mut call) = limits.admit(black_box(chain), now, true) else { continue };
        if call.reserve(&ask(now)).is_err() {
            continue;
        }
        black_box(call.snapshot(now));
        let cost = Some(Money::from_pico(3_000_000_000));
        call.settle(Settlement::Used { tokens: 1200, cost }, now);
    }
    (processor_ns() - begun) / CALLS as f64
}

/// Every key with limits of its own in a team, every team with a budget, and how long that took to build.
fn many(previous: Option<&Limits>) -> (Limits, f64) {
    let keys = (0..KEYS).map(|number| {
        ScopeSpec::new(
            format!("key/key_{number:012}").into(),
            Level::Key,
            vec![
                limit(LimitUnit::Requests, Some(Window::Minute), 600),
                limit(LimitUnit::Tokens, Some(Window::Minute), 200_000),
            ],
            Vec::new(),
        )
    });
    let teams = (0..BUDGETS).map(|number| {
        ScopeSpec::new(
            format!("team/team_{number:012}").into(),
            Level::Team,
            Vec::new(),
            vec![budget("monthly", Window::Month)],
        )
    });
    let specs: Vec<ScopeSpec> = keys.chain(teams).collect();
    let teams = specs.get(KEYS..).unwrap_or_default();
    let chains: Vec<[&str; 2]> = specs
        .iter()
        .take(KEYS)
        .zip(teams.iter().cycle())
        .map(|(key, team)| [&*key.name, &*team.name])
        .collect();
    let begun = processor_ns();
    let limits = build(&specs, chains, previous);
    (limits, (processor_ns() - begun) / 1e6)
}

fn lookups(limits: &Limits) -> f64 {
    let names: Vec<String> = (0..KEYS).map(|number| format!("key/key_{number:012}")).collect();
    let begun = processor_ns();
    for name in &names {
        black_box(limits.scope(black_box(name)));
    }
    (processor_ns() - begun) / KEYS as f64
}

/// One call of every key.
fn use_all(limits: &Limits) {
    let now = Ticks::from_start(Duration::from_secs(5));
    for key in 0..KEYS {
        let Some(chain) = limits.of_key(key) else { continue };
        let Ok(mut call) = limits.admit(chain, now, true) else { continue };
        let _ = call.reserve(&ask(now));
        call.settle(Settlement::Used { tokens: 1200, cost: Some(Money::from_pico(3)) }, now);
    }
}

/// MiB in RAM.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
}

/// Time this thread has had of a processor.
fn processor_ns() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0)
}
