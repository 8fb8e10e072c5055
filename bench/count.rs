//! The exact count alone: how long 4 KiB of prose take, in the median of many, printed as one line of
//! JSON for `scripts/bench`. Every text is new, so nothing is remembered from the one before.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the machine's clock")]

use std::time::{Duration, Instant};
use tidegate::meter::{Counter, Encoding, FactorTable, Family};

const TEXTS: usize = 2_000;
const TEXT_BYTES: usize = 4 * 1024;
const SENTENCE: &str = "The harbour office keeps a tide table for every berth, and each entry names the hour, \
                        the depth over the sill and the wind that was forecast when it was written. ";

fn main() {
    if Encoding::O200k.warm().is_err() {
        eprintln!("the vocabulary did not load");
        return;
    }
    let counter = Counter::new(FactorTable::default(), 0);
    let mut spans: Vec<Duration> = (0..TEXTS).map(|number| time_one(&counter, number)).collect();
    spans.sort_unstable();
    let median = spans.get(TEXTS / 2).copied().unwrap_or_default();
    println!("{{\"exact_4k_us\": {:.1}}}", median.as_secs_f64() * 1e6);
}

fn time_one(counter: &Counter, number: usize) -> Duration {
    let mut text = format!("[{number:010}] ");
    while text.len() < TEXT_BYTES {
        text.push_str(SENTENCE);
    }
    text.truncate(TEXT_BYTES);
    let begun = Instant::now();
    std::hint::black_box(counter.count_text(Family::O200k, std::hint::black_box(&text)));
    begun.elapsed()
}
