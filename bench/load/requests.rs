//! The closed loop: requests per second, latency, errors.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::clock::SimClock;
use crate::connection::{CallError, Connection};
use crate::options::Requests;
use crate::samples::Samples;
use crate::template::Template;

/// A worker that failed so often in a row has nothing to measure.
const FAILURES_MAX: u32 = 50;
/// How long answers may be late after the end before they count as errors.
const GRACE: Duration = Duration::from_secs(10);

/// What one connection's worker did.
#[derive(Default)]
struct Tally {
    latency: Samples,
    non_2xx: u64,
    errors: u64,
    last_error: Option<String>,
}

/// Runs the loop and reports.
pub async fn run(options: &Requests) -> Result<String, String> {
    let template = Template::new(&options.call, &[])?;
    let clock = Arc::new(SimClock::new());
    let started = clock.monotonic_ns();
    let end = started + (options.seconds * 1e9) as u64;
    let stride = options.connections.max(1) as u64;
    let mut workers = JoinSet::new();
    for lane in 0..stride {
        // Numbers go on from run to run: microseconds pass faster than requests.
        let first = started / 1000 + lane;
        let pace = options.rate.map(|rate| Pace::new(started, lane, stride, rate));
        workers.spawn(work(template.clone(), clock.clone(), end, first, stride, pace));
    }
    let mut sum = Tally::default();
    let is_late = tokio::time::timeout(Duration::from_secs_f64(options.seconds) + GRACE, async {
        while let Some(done) = workers.join_next().await {
            sum.add(done.map_err(|e| e.to_string())?);
        }
        Ok::<(), String>(())
    })
    .await;
    let stuck = workers.len() as u64;
    if let Ok(ended) = is_late {
        ended?;
    }
    let seconds = (clock.monotonic_ns() - started) as f64 / 1e9;
    let requests = sum.latency.total();
    Ok(json!({
        "requests": requests,
        "errors": sum.errors + stuck,
        "non_2xx": sum.non_2xx,
        "last_error": sum.last_error,
        "seconds": seconds,
        "rps": (requests as f64 / seconds).round(),
        "p50_us": sum.latency.quantile_us(0.5),
        "p99_us": sum.latency.quantile_us(0.99),
        "max_us": sum.latency.max_us(),
    })
    .to_string())
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.latency.merge(&other.latency);
        self.non_2xx += other.non_2xx;
        self.errors += other.errors;
        self.last_error = other.last_error.or(self.last_error.take());
    }
}

/// When one connection's requests are due.
struct Pace {
    /// Nanoseconds of the clock.
    due: u64,
    gap: u64,
}

impl Pace {
    fn new(started: u64, lane: u64, stride: u64, rate: f64) -> Self {
        let apart = 1e9 / rate.max(1.0);
        Self { due: started + (apart * lane as f64) as u64, gap: (apart * stride as f64) as u64 }
    }

    /// Until the next one is due. What was missed is not made up for.
    async fn wait(&mut self, now: u64) {
        if let Some(early) = self.due.checked_sub(now).filter(|early| *early > 0) {
            tokio::time::sleep(Duration::from_nanos(early)).await;
        }
        self.due = self.due.max(now) + self.gap;
    }
}

async fn work(
    mut template: Template,
    clock: Arc<SimClock>,
    end: u64,
    first: u64,
    stride: u64,
    mut pace: Option<Pace>,
) -> Tally {
    let mut tally = Tally::default();
    let mut connection = None;
    let mut number = first;
    let mut failures = 0;
    let mut now = clock.monotonic_ns();
    while now < end && failures < FAILURES_MAX {
        if let Some(pace) = &mut pace {
            pace.wait(now).await;
            now = clock.monotonic_ns();
        }
        let sent = now;
        let result = exchange(&mut connection, &mut template, number).await;
        now = clock.monotonic_ns();
        number += stride;
        match result {
            Ok(status) => {
                failures = 0;
                tally.latency.add(now - sent);
                tally.non_2xx += u64::from(!(200..300).contains(&status));
            }
            Err(e) => {
                failures += 1;
                tally.errors += 1;
                tally.last_error = Some(e.to_string());
                connection = None;
            }
        }
    }
    tally
}

/// One request on the connection, which is opened where there is none, and its whole answer.
async fn exchange(
    slot: &mut Option<Connection>,
    template: &mut Template,
    number: u64,
) -> Result<u16, CallError> {
    let connection = match slot {
        Some(connection) => connection,
        None => slot.insert(Connection::open(template.addr).await?),
    };
    connection.send(template.numbered(number)).await?;
    let mut answer = connection.head().await?;
    connection.skip(&mut answer).await?;
    if !answer.is_keep_alive {
        *slot = None;
    }
    Ok(answer.status)
}
