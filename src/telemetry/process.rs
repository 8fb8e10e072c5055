//! What the kernel says about this process, read at each scrape.
//!
//! The names are the ones every Prometheus client library uses, without our prefix, so that stock
//! dashboards and alerts find them. Invariant: a figure that cannot be read is left out, never zero.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};

/// Kernel clock ticks a second in `/proc`: a fixed part of the interface to user space, whatever
/// the kernel's own timer does (proc(5), `USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// One reading. Fields are absent where the system has no `/proc`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessReading {
    /// Memory in RAM, bytes.
    pub resident_bytes: Option<u64>,
    /// CPU time used, user and system, seconds.
    pub cpu_seconds: Option<f64>,
    /// Open file descriptors.
    pub open_fds: Option<u64>,
    /// When the process started, seconds since 1970.
    pub start_unix_seconds: Option<f64>,
}

/// Hands the readings to the registry.
pub(super) struct ProcessCollector {
    descs: Vec<Desc>,
}

const FIGURES: [(&str, &str); 4] = [
    ("process_resident_memory_bytes", "Memory of this process in RAM."),
    ("process_cpu_seconds_total", "CPU time used by this process, user and system."),
    ("process_open_fds", "Open file descriptors."),
    ("process_start_time_seconds", "When this process started, in seconds since 1970."),
];

impl ProcessReading {
    /// Reads `/proc`. A few system calls: for scrapes, not for requests.
    pub fn take() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let system = fs::read_to_string("/proc/stat").unwrap_or_default();
        Self {
            resident_bytes: resident_bytes(&status),
            cpu_seconds: cpu_seconds(&stat),
            open_fds: open_fds(),
            start_unix_seconds: start_unix_seconds(&stat, &system),
        }
    }
}

/// Memory of this process in RAM, by one small read. Pages are 4 KiB on all that this is built for.
pub fn resident_bytes_now() -> Option<u64> {
    resident_pages(&fs::read_to_string("/proc/self/statm").ok()?).map(|pages| pages.saturating_mul(4096))
}

fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Field `number` of `/proc/self/stat`, counted from 1 as in proc(5). The second field, the
/// command, may hold spaces and brackets, so counting starts after its last bracket.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 14)? + stat_field(stat, 15)?) / TICKS_PER_SECOND)
}

fn start_unix_seconds(stat: &str, system: &str) -> Option<f64> {
    let boot = system.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(boot.trim().parse::<f64>().ok()? + stat_field(stat, 22)? / TICKS_PER_SECOND)
}

fn open_fds() -> Option<u64> {
    // Linux 6.2 and later give the count as the size; before that the entries must be counted,
    // without the one that listing them opens.
    match fs::metadata("/proc/self/fd").ok()?.len() {
        0 => Some((fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1)),
        count => Some(count),
    }
}

// === impl ProcessCollector ===

impl ProcessCollector {
    pub fn new() -> prometheus::Result<Self> {
        let desc = |(name, help): (&str, &str)| {
            Desc::new(name.to_owned(), help.to_owned(), Vec::new(), Default::default())
        };
        let descs: prometheus::Result<_> = FIGURES.into_iter().map(desc).collect();
        Ok(Self { descs: descs? })
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let reading = ProcessReading::take();
        let values = [
            reading.resident_bytes.map(|bytes| bytes as f64),
            reading.cpu_seconds,
            reading.open_fds.map(|count| count as f64),
            reading.start_unix_seconds,
        ];
        let read = FIGURES.into_iter().zip(values);
        read.filter_map(|((name, help), value)| Some(family(name, help, value?))).collect()
    }
}

fn family(name: &str, help: &str, value: f64) -> MetricFamily {
    let mut metric = Metric::default();
    let kind = if name.ends_with("_total") {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
        MetricType::COUNTER
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
        MetricType::GAUGE
    };
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(vec![metric]);
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "77 (tide) gate (x) S 1 77 77 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 4 0 12345 1 2";

    #[test]
    fn a_command_with_brackets_and_spaces_does_not_shift_the_fields() {
        assert_eq!(cpu_seconds(STAT), Some(3.0));
        assert_eq!(start_unix_seconds(STAT, "cpu 1 2\nbtime 1000\n"), Some(1123.45));
    }

    #[test]
    fn resident_memory_is_given_in_kibibytes() {
        assert_eq!(resident_bytes("VmHWM:\t 99 kB\nVmRSS:\t    2048 kB\n"), Some(2 * 1024 * 1024));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert_eq!(resident_bytes(""), None);
        assert_eq!(cpu_seconds("77 (x) S 1"), None);
        assert_eq!(start_unix_seconds(STAT, ""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_reads_itself() {
        let before = ProcessReading::take();
        let held: Vec<_> = (0..8).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let after = ProcessReading::take();
        assert!(before.resident_bytes.unwrap() > 500_000);
        assert!(after.cpu_seconds >= before.cpu_seconds);
        assert_eq!(after.start_unix_seconds, before.start_unix_seconds);
        // Other tests open and close files meanwhile, so only the order of size is sure.
        assert!(after.open_fds.unwrap() >= held.len() as u64);
    }
}
