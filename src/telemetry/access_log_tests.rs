//! Tests of the access log through real files and pipes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::access_log::{AccessLog, LogCounters};
use super::entry::Entry;
use super::metrics::Metrics;
use super::sink::{LogSink, OpenSink};
use crate::types::ids::RequestIds;

const LONG: Duration = Duration::from_secs(30);
const BUFFER: usize = 256 * 1024;

/// A directory of its own for each test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tidegate-log-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn pipe(&self) -> PathBuf {
        let path = self.path("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn counters() -> LogCounters {
    Metrics::new().unwrap().log_counters()
}

/// Records `count` entries whose `bytes_in` number them from `first`.
fn record(log: &AccessLog, first: u64, count: u64) {
    let ids = RequestIds::new(first);
    for serial in first..first + count {
        let user_agent = Some(&b"a client with a name of usual length/1.0"[..]);
        log.record(&Entry { bytes_in: serial, user_agent, ..Entry::new(ids.next(), serial) });
    }
}

/// The `bytes_in` of each line; every line must be whole.
fn serials(text: &str) -> Vec<u64> {
    assert!(text.is_empty() || text.ends_with('\n'));
    let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["bytes_in"].as_u64();
    text.lines().map(|line| number(line).unwrap()).collect()
}

#[test]
fn lines_reach_a_file_whole_and_in_order_of_their_thread() {
    let (folder, counters) = (Folder::new(), counters());
    let path = folder.path("access.log");
    fs::write(&path, "{\"bytes_in\":0}\n").unwrap();
    let log = AccessLog::start(LogSink::File(path.clone()), BUFFER, counters.clone()).unwrap();
    record(&log, 1, 100);
    assert!(log.flush(LONG));
    assert_eq!(serials(&fs::read_to_string(&path).unwrap()), (0..=100).collect::<Vec<_>>());
    assert_eq!((counters.lines.get(), counters.dropped.get()), (100, 0));
}

#[test]
fn threads_log_at_once_and_no_line_is_lost_or_mixed() {
    let (folder, counters) = (Folder::new(), counters());
    let path = folder.path("access.log");
    let log = AccessLog::start(LogSink::File(path.clone()), 64 << 20, counters.clone()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = &log;
            scope.spawn(move || record(log, thread * 2_000, 2_000));
        }
    });
    assert!(log.flush(LONG));
    let mut got = serials(&fs::read_to_string(&path).unwrap());
    got.sort_unstable();
    assert_eq!(got, (0..16_000).collect::<Vec<_>>());
    assert_eq!(counters.dropped.get(), 0);
}

#[test]
fn a_pipe_without_a_reader_drops_at_the_bound_counts_and_recovers() {
    let (folder, counters) = (Folder::new(), counters());
    let path = folder.pipe();
    let log = AccessLog::start(LogSink::File(path.clone()), BUFFER, counters.clone()).unwrap();
    record(&log, 0, 50_000);
    assert!(!log.flush(Duration::from_millis(1)), "nothing can have been written");
    assert_eq!(counters.lines.get(), 0);
    let dropped = counters.dropped.get();
    assert!(dropped > 0, "the bound was reached");

    let mut reader = File::open(&path).unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    assert!(log.flush(LONG));
    drop(log);
    let got = serials(&reading.join().unwrap());
    assert_eq!(got.len() as u64, 50_000 - dropped, "every line was written or counted as dropped");
    assert!(got.is_sorted());
    assert_eq!(counters.lines.get(), 50_000 - dropped);
}

#[test]
fn a_full_pipe_that_blocks_its_writer_does_not_block_requests() {
    let counters = counters();
    let (reader, writer) = std::io::pipe().unwrap();
    // Unlike a path, this one blocks: the writer thread is stuck in its write.
    let sink = OpenSink::on(File::from(OwnedFd::from(writer)));
    let log = AccessLog::start_on(sink, BUFFER, counters.clone()).unwrap();
    record(&log, 0, 50_000);
    assert!(!log.flush(Duration::from_millis(1)));
    assert!(counters.dropped.get() > 0);

    let mut lines = BufReader::new(reader).lines();
    let first = lines.next().unwrap().unwrap();
    assert_eq!(serials(&format!("{first}\n")), [0]);
    let reading = std::thread::spawn(move || lines.map(|line| line.unwrap() + "\n").collect::<String>());
    assert!(log.flush(LONG), "it goes on once somebody reads");
    drop(log);
    let got = serials(&reading.join().unwrap());
    assert_eq!(1 + got.len() as u64 + counters.dropped.get(), 50_000);
}

#[test]
fn a_full_disk_loses_lines_and_not_the_process() {
    let counters = counters();
    let log = AccessLog::start(LogSink::File("/dev/full".into()), BUFFER, counters.clone()).unwrap();
    record(&log, 0, 50_000);
    assert!(!log.flush(Duration::from_millis(20)));
    assert_eq!(counters.lines.get(), 0);
    assert!(counters.dropped.get() > 40_000);
}

#[test]
fn a_path_that_cannot_be_opened_is_tried_again() {
    let (folder, counters) = (Folder::new(), counters());
    let path = folder.path("not-yet/access.log");
    let log = AccessLog::start(LogSink::File(path.clone()), BUFFER, counters).unwrap();
    record(&log, 0, 3);
    assert!(!log.flush(Duration::from_millis(20)));
    fs::create_dir(folder.path("not-yet")).unwrap();
    assert!(log.flush(LONG));
    assert_eq!(serials(&fs::read_to_string(&path).unwrap()), [0, 1, 2]);
}

#[test]
fn a_rotated_file_is_opened_anew() {
    let (folder, counters) = (Folder::new(), counters());
    let (path, rotated) = (folder.path("access.log"), folder.path("access.log.1"));
    let log = AccessLog::start(LogSink::File(path.clone()), BUFFER, counters).unwrap();
    record(&log, 0, 5);
    assert!(log.flush(LONG));
    fs::rename(&path, &rotated).unwrap();
    record(&log, 5, 5);
    assert!(log.flush(LONG));
    assert_eq!(serials(&fs::read_to_string(&rotated).unwrap()).len(), 10, "until told, the old file");
    log.reopen();
    record(&log, 10, 5);
    assert!(log.flush(LONG));
    assert_eq!(serials(&fs::read_to_string(&path).unwrap()), [10, 11, 12, 13, 14]);
    assert_eq!(serials(&fs::read_to_string(&rotated).unwrap()).len(), 10);
}

#[test]
fn a_log_that_is_off_does_nothing_and_flushes_at_once() {
    let counters = counters();
    let log = AccessLog::start(LogSink::Off, BUFFER, counters.clone()).unwrap();
    record(&log, 0, 10);
    assert!(log.flush(Duration::ZERO));
    assert_eq!((counters.lines.get(), counters.dropped.get()), (0, 0));
}

#[test]
fn a_dropped_log_writes_what_it_holds_and_ends_its_thread() {
    let counters = counters();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let sink = OpenSink::on(File::from(OwnedFd::from(writer)));
    let log = Arc::new(AccessLog::start_on(sink, BUFFER, counters).unwrap());
    record(&log, 0, 7);
    drop(log);
    // The end of the pipe is reached only when the thread has closed its side.
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(serials(&text).len(), 7);
}
