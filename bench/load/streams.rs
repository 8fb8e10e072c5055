//! Streams of stamped events: how late each event comes, how long the first byte takes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::clock::SimClock;
use crate::connection::{CallError, Connection};
use crate::events::Events;
use crate::options::Streams;
use crate::samples::Samples;
use crate::template::Template;

/// A slot that failed so often in a row has nothing to measure.
const FAILURES_MAX: u32 = 5;
/// How long streams may be late after their end before they count as errors.
const GRACE: Duration = Duration::from_secs(10);
/// Between two bursts, so that the connections of the last one are gone.
const BURST_PAUSE: Duration = Duration::from_millis(100);

/// What one slot's streams did.
#[derive(Default)]
struct Tally {
    delay: Samples,
    /// From before the connection is opened to the first event.
    first_byte: Samples,
    /// From the request's last byte sent to the first event.
    first_byte_connected: Samples,
    complete: u64,
    /// Events, stamped or not: what comes through a translation has no stamp.
    events: u64,
    without_done: u64,
    non_2xx: u64,
    errors: u64,
    last_error: Option<String>,
}

/// Runs the streams and reports.
pub async fn run(options: &Streams) -> Result<String, String> {
    let headers = [
        "x-sim-stamp: 1".to_owned(),
        format!("x-sim-tokens: {}", options.tokens),
        format!("x-sim-delay-token-ms: {}", options.every_ms),
    ];
    let template = Template::new(&options.call, &headers)?;
    let clock = Arc::new(SimClock::new());
    let started = clock.monotonic_ns();
    let end = started + (options.seconds * 1e9) as u64;
    let mut sum = Tally::default();
    loop {
        round(options, &template, &clock, end, &mut sum).await?;
        if !options.burst || clock.monotonic_ns() >= end {
            break;
        }
        tokio::time::sleep(BURST_PAUSE).await;
    }
    let seconds = (clock.monotonic_ns() - started) as f64 / 1e9;
    Ok(sum.report(seconds))
}

/// All slots once; without bursts a slot goes on until the end.
async fn round(
    options: &Streams,
    template: &Template,
    clock: &Arc<SimClock>,
    end: u64,
    sum: &mut Tally,
) -> Result<(), String> {
    let mut slots = JoinSet::new();
    let count = options.streams.max(1) as u64;
    // In a burst each slot has one stream: the end is behind it.
    let end = if options.burst { 0 } else { end };
    for lane in 0..count {
        let (template, clock) = (template.clone(), clock.clone());
        let wait = Duration::from_micros(options.spread_ms * 1000 * lane / count);
        slots.spawn(async move {
            tokio::time::sleep(wait).await;
            slot(template, &clock, end, lane, count).await
        });
    }
    let playing = Duration::from_millis(options.tokens * options.every_ms + options.spread_ms);
    let limit = Duration::from_secs_f64(options.seconds) + playing + GRACE;
    let joined = tokio::time::timeout(limit, async {
        while let Some(done) = slots.join_next().await {
            sum.add(done.map_err(|e| e.to_string())?);
        }
        Ok::<(), String>(())
    })
    .await;
    sum.errors += slots.len() as u64;
    joined.unwrap_or(Ok(()))
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.delay.merge(&other.delay);
        self.first_byte.merge(&other.first_byte);
        self.first_byte_connected.merge(&other.first_byte_connected);
        self.complete += other.complete;
        self.events += other.events;
        self.without_done += other.without_done;
        self.non_2xx += other.non_2xx;
        self.errors += other.errors;
        self.last_error = other.last_error.or(self.last_error.take());
    }

    fn report(&self, seconds: f64) -> String {
        json!({
            "streams": self.complete,
            "events": self.events,
            "chunks": self.delay.total(),
            "without_done": self.without_done,
            "errors": self.errors,
            "non_2xx": self.non_2xx,
            "last_error": self.last_error,
            "seconds": seconds,
            "delay_p50_us": self.delay.quantile_us(0.5),
            "delay_p99_us": self.delay.quantile_us(0.99),
            "delay_max_us": self.delay.max_us(),
            "first_byte_p50_us": self.first_byte.quantile_us(0.5),
            "first_byte_p99_us": self.first_byte.quantile_us(0.99),
            "first_byte_connected_p50_us": self.first_byte_connected.quantile_us(0.5),
            "first_byte_connected_p99_us": self.first_byte_connected.quantile_us(0.99),
        })
        .to_string()
    }
}

/// Stream after stream, one at least.
async fn slot(mut template: Template, clock: &SimClock, end: u64, first: u64, stride: u64) -> Tally {
    let mut tally = Tally::default();
    let mut number = clock.monotonic_ns() / 1000 + first;
    let mut failures = 0;
    while failures < FAILURES_MAX {
        match stream(&mut template, clock, number, &mut tally).await {
            Ok(()) => failures = 0,
            Err(e) => {
                failures += 1;
                tally.errors += 1;
                tally.last_error = Some(e.to_string());
            }
        }
        number += stride;
        if clock.monotonic_ns() >= end {
            break;
        }
    }
    tally
}

/// One stream on a connection of its own, to its end.
async fn stream(
    template: &mut Template,
    clock: &SimClock,
    number: u64,
    tally: &mut Tally,
) -> Result<(), CallError> {
    let opened = clock.monotonic_ns();
    let mut connection = Connection::open(template.addr).await?;
    connection.send(template.numbered(number)).await?;
    let sent = clock.monotonic_ns();
    let mut answer = connection.head().await?;
    if !(200..300).contains(&answer.status) {
        tally.non_2xx += 1;
        return connection.skip(&mut answer).await;
    }
    let mut events = Events::default();
    let mut is_first = true;
    loop {
        let more = connection
            .content(&mut answer, &mut |content| {
                let now = clock.monotonic_ns();
                events.feed(content, |stamp| {
                    if std::mem::take(&mut is_first) {
                        tally.first_byte.add(now - opened);
                        tally.first_byte_connected.add(now - sent);
                    }
                    tally.delay.add(now.saturating_sub(stamp));
                });
            })
            .await?;
        if !more {
            break;
        }
    }
    tally.complete += 1;
    tally.events += events.count;
    tally.without_done += u64::from(!events.is_done);
    Ok(())
}
