//! An inference server's own state, as vLLM has it: blocks of prompts in a cache, calls that run and calls
//! that wait. Part of a scenario; without it the simulator has neither.
//!
//! Invariants: never more blocks than its options say; what runs and what waits is what holds a [`Seat`]
//! or stands in line for one, however it ends.

use super::ask::Ask;
use super::json::put;
use super::text::{hash, mix};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a block: 16 tokens of 4 bytes.
const BLOCK_BYTES: usize = 64;
const TOKEN_BYTES: usize = 4;
const BLOCKS_MAX: usize = 1 << 20;
const SLOTS_MAX: usize = 1 << 16;

/// `[engine]` of a scenario.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineOptions {
    /// Blocks of 16 tokens that the cache holds, the longest unused out first.
    pub blocks: usize,
    /// What each token of a prompt takes that is not in the cache, before the first token of the answer.
    pub prefill_us: u64,
    /// Calls at once; the others wait in line.
    pub slots: usize,
}

/// The state.
#[derive(Debug)]
pub struct Engine {
    options: EngineOptions,
    cache: Mutex<Cache>,
    seats: Arc<Semaphore>,
    running: AtomicU64,
    waiting: AtomicU64,
    /// Prompt tokens, and those of them that were in the cache.
    queried: AtomicU64,
    hit: AtomicU64,
    /// Seconds since 1970.
    started: f64,
}

/// What a prompt costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefill {
    pub cached_tokens: u64,
    pub delay: Duration,
}

/// A place among the calls that run.
pub struct Seat {
    engine: Arc<Engine>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Blocks by when they were last used.
#[derive(Debug, Default)]
struct Cache {
    used: HashMap<u64, u64>,
    by_use: BTreeMap<u64, u64>,
    clock: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { blocks: 4096, prefill_us: 0, slots: SLOTS_MAX }
    }
}

impl Engine {
    /// `started`: seconds since 1970.
    pub fn new(options: EngineOptions, started: f64) -> Self {
        let slots = options.slots.clamp(1, SLOTS_MAX);
        let blocks = options.blocks.min(BLOCKS_MAX);
        Self {
            options: EngineOptions { blocks, slots, ..options },
            cache: Mutex::default(),
            seats: Arc::new(Semaphore::new(slots)),
            running: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            queried: AtomicU64::new(0),
            hit: AtomicU64::new(0),
            started,
        }
    }

    /// Reads a prompt: what is in the cache costs nothing, and all of it is there afterwards.
    pub fn prefill(&self, ask: &Ask<'_>) -> Prefill {
        let tools = ask.tools.map_or("", RawValue::get);
        let turns = ask.conversation();
        let text = [tools, turns.strip_suffix(']').unwrap_or(turns)].concat();
        let blocks = chain(text.as_bytes());
        let cached = {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            let cached = blocks.iter().take_while(|block| cache.used.contains_key(block)).count();
            // The first one last, so that the ends of prompts leave before their beginnings.
            blocks.iter().rev().for_each(|block| cache.touch(*block, self.options.blocks));
            cached
        };
        let tokens = text.len().div_ceil(TOKEN_BYTES) as u64;
        let cached_tokens = (cached * BLOCK_BYTES / TOKEN_BYTES) as u64;
        self.queried.fetch_add(tokens, Ordering::Relaxed);
        self.hit.fetch_add(cached_tokens, Ordering::Relaxed);
        let micros = tokens.saturating_sub(cached_tokens).saturating_mul(self.options.prefill_us);
        Prefill { cached_tokens, delay: Duration::from_micros(micros) }
    }

    /// Waits for a place. Dropping the wait leaves the line.
    pub async fn enter(self: Arc<Self>) -> Seat {
        let line = Line::new(&self.waiting);
        // Never closed.
        let permit = self.seats.clone().acquire_owned().await.ok();
        drop(line);
        self.running.fetch_add(1, Ordering::Relaxed);
        Seat { engine: self, _permit: permit }
    }

    /// What vLLM shows at `/metrics`, as far as anybody here reads it.
    pub fn exposition(&self) -> String {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let held = self.cache.lock().unwrap_or_else(PoisonError::into_inner).used.len();
        let used = held as f64 / self.options.blocks.max(1) as f64;
        let mut out = String::new();
        let labels = r#"{engine="0",model_name="sim"}"#;
        for (name, kind, value) in [
            ("vllm:num_requests_running", "gauge", read(&self.running) as f64),
            ("vllm:num_requests_waiting", "gauge", read(&self.waiting) as f64),
            ("vllm:kv_cache_usage_perc", "gauge", used),
            ("vllm:prefix_cache_queries_total", "counter", read(&self.queried) as f64),
            ("vllm:prefix_cache_hits_total", "counter", read(&self.hit) as f64),
        ] {
            put!(&mut out, "# HELP ", name, " Simulated.\n# TYPE ", name, " ", kind, "\n");
            out += &format!("{name}{labels} {value:?}\n");
        }
        out += &format!(
            "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {:?}\n",
            self.started
        );
        out
    }
}

/// One more in line until it is dropped.
struct Line<'e>(&'e AtomicU64);

impl<'e> Line<'e> {
    fn new(waiting: &'e AtomicU64) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.engine.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Cache {
    fn touch(&mut self, block: u64, blocks_max: usize) {
        self.clock += 1;
        if let Some(before) = self.used.insert(block, self.clock) {
            self.by_use.remove(&before);
        }
        self.by_use.insert(self.clock, block);
        while self.used.len() > blocks_max {
            let Some((_, oldest)) = self.by_use.pop_first() else { return };
            self.used.remove(&oldest);
        }
    }
}

/// A number for each whole block, which stands for all before it too.
fn chain(text: &[u8]) -> Vec<u64> {
    let (blocks, _) = text.as_chunks::<BLOCK_BYTES>();
    let next = |state: &mut u64, block: &[u8; BLOCK_BYTES]| {
        *state = mix(*state ^ hash(block));
        Some(*state)
    };
    blocks.iter().scan(0, next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(blocks: usize) -> Engine {
        Engine::new(EngineOptions { blocks, prefill_us: 10, slots: 1 }, 5.0)
    }

    fn cached(engine: &Engine, text: &str) -> u64 {
        let body = format!(r#"{{"messages":["{text}"]}}"#);
        engine.prefill(&Ask::read(body.as_bytes()).unwrap()).cached_tokens
    }

    #[test]
    fn a_prompt_costs_what_of_it_is_not_cached() {
        let engine = engine(1000);
        let body = format!(r#"{{"messages":["{}"]}}"#, "a".repeat(638));
        let ask = Ask::read(body.as_bytes()).unwrap();
        // 641 bytes with bracket and quotes: 161 tokens, 10 whole blocks.
        assert_eq!(engine.prefill(&ask), Prefill { cached_tokens: 0, delay: Duration::from_micros(1610) });
        assert_eq!(engine.prefill(&ask), Prefill { cached_tokens: 160, delay: Duration::from_micros(10) });
        assert_eq!(cached(&engine, &"a".repeat(200)), 48);
        assert_eq!(cached(&engine, &format!("b{}", "a".repeat(600))), 0);
    }

    #[test]
    fn the_cache_is_bounded_and_what_is_used_stays() {
        let engine = engine(30);
        let kept = "k".repeat(640);
        for round in 0..50 {
            cached(&engine, &kept);
            cached(&engine, &format!("{round}{}", "x".repeat(640)));
            let cache = engine.cache.lock().unwrap();
            assert!(cache.used.len() <= 30 && cache.used.len() == cache.by_use.len());
        }
        assert_eq!(cached(&engine, &kept), 160);
        assert_eq!(cached(&engine, &format!("0{}", "x".repeat(640))), 0);
    }

    #[tokio::test]
    async fn what_finds_no_place_waits_and_whoever_leaves_leaves_nothing() {
        let engine = Arc::new(engine(10));
        let seat = engine.clone().enter().await;
        let mut second = Box::pin(engine.clone().enter());
        assert!(futures_pending(&mut second).await);
        let shown = engine.exposition();
        assert!(shown.contains("num_requests_running{engine=\"0\",model_name=\"sim\"} 1.0"), "{shown}");
        assert!(shown.contains("num_requests_waiting{engine=\"0\",model_name=\"sim\"} 1.0"));
        drop(seat);
        drop(second.await);
        let third = engine.clone().enter().await;
        let mut fourth = Box::pin(engine.clone().enter());
        assert!(futures_pending(&mut fourth).await);
        drop((third, fourth));
        let shown = engine.exposition();
        assert!(shown.contains("waiting{engine=\"0\",model_name=\"sim\"} 0.0"), "{shown}");
        assert!(shown.contains("running{engine=\"0\",model_name=\"sim\"} 0.0"), "{shown}");
    }

    async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())
        })
        .await
    }
}
