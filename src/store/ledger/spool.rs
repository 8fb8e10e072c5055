//! Calls on disk, while the store does not take them.
//!
//! A folder of files that only grow, the newest of which is written to. What one flush brings is
//! written and synced at once, before the flush is over: a crash loses what came since, and nothing
//! that is here. Each process locks the files it holds, so that a new one takes over those of one
//! that has gone, and of no other. Invariant: beyond its bound the oldest file goes, and its calls are
//! counted as lost.

use super::counters::Counters;
use super::record;
use crate::govern::Call;
use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file this long is not written to any more.
const FILE_BYTES: u64 = 4 * 1024 * 1024;
const SUFFIX: &str = "calls";

#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    bytes_max: u64,
    /// The oldest first; the last one is written to while it is short.
    files: VecDeque<Held>,
    next: u64,
    counters: Counters,
}

/// A file and its lock, which lasts as long as it is open.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    file: File,
    bytes: u64,
    is_open: bool,
}

impl Spool {
    /// Takes over what an earlier process has left. `seed` differs between processes.
    ///
    /// # Errors
    /// A folder that cannot be made or read.
    pub fn open(folder: &Path, bytes_max: u64, seed: u64, counters: Counters) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == SUFFIX) {
                paths.push(path);
            }
        }
        paths.sort();
        let files = paths.into_iter().filter_map(Held::take_over).collect();
        let spool = Self { folder: folder.to_owned(), bytes_max, files, next: seed, counters };
        spool.count();
        Ok(spool)
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Writes calls and syncs them. What the disk does not take is lost, and counted.
    pub fn append(&mut self, calls: &[Call], now_ms: u64) -> io::Result<()> {
        let done = calls.chunks(1000).try_for_each(|chunk| self.append_chunk(chunk, now_ms));
        self.bound();
        self.count();
        done
    }

    fn append_chunk(&mut self, calls: &[Call], now_ms: u64) -> io::Result<()> {
        let mut bytes = Vec::new();
        calls.iter().for_each(|call| record::write(call, &mut bytes));
        match self.write(&bytes, now_ms) {
            Ok(()) => {
                self.counters.spooled.inc_by(calls.len() as u64);
                Ok(())
            }
            Err(error) => {
                self.counters.dropped.inc_by(calls.len() as u64);
                Err(error)
            }
        }
    }

    fn write(&mut self, bytes: &[u8], now_ms: u64) -> io::Result<()> {
        if !self.files.back().is_some_and(|held| held.is_open && held.bytes < FILE_BYTES) {
            self.next = self.next.wrapping_add(1);
            let path = self.folder.join(format!("{now_ms:020}-{:016x}.{SUFFIX}", self.next));
            let file = OpenOptions::new().create_new(true).read(true).append(true).mode(0o600).open(&path)?;
            file.try_lock()?;
            self.files.push_back(Held { path, file, bytes: 0, is_open: true });
        }
        let Some(held) = self.files.back_mut() else { return Ok(()) };
        let written = held.file.write_all(bytes).and_then(|()| held.file.sync_data());
        match &written {
            Ok(()) => held.bytes += bytes.len() as u64,
            // Cut back to what is whole; where that fails too, nothing is added behind it.
            Err(_) => held.is_open = held.file.set_len(held.bytes).is_ok(),
        }
        written
    }

    /// The oldest file and its calls. They stay in it until [`Spool::remove`].
    pub fn oldest(&mut self) -> Option<(PathBuf, Vec<Call>)> {
        let held = self.files.front_mut()?;
        // What is added from now on goes to another file.
        held.is_open = false;
        Some((held.path.clone(), held.calls()))
    }

    /// Once its calls are in the store. It may have gone before, to make room.
    pub fn remove(&mut self, path: &Path) {
        if self.files.front().is_some_and(|held| held.path == path)
            && let Some(held) = self.files.pop_front()
        {
            held.remove();
        }
        self.count();
    }

    fn bound(&mut self) {
        while self.bytes() > self.bytes_max
            && let Some(mut held) = self.files.pop_front()
        {
            let lost = held.calls().len();
            log::error!("the spool is full: the {lost} oldest calls are lost");
            self.counters.dropped.inc_by(lost as u64);
            held.remove();
        }
    }

    fn bytes(&self) -> u64 {
        self.files.iter().map(|held| held.bytes).sum()
    }

    fn count(&self) {
        self.counters.spool_bytes.set(i64::try_from(self.bytes()).unwrap_or(i64::MAX));
    }
}

impl Held {
    /// None for a file that somebody else holds, or that cannot be read.
    fn take_over(path: PathBuf) -> Option<Self> {
        let file = OpenOptions::new().read(true).append(true).open(&path).ok()?;
        file.try_lock().ok()?;
        let bytes = file.metadata().ok()?.len();
        Some(Self { path, file, bytes, is_open: false })
    }

    fn calls(&mut self) -> Vec<Call> {
        let mut bytes = Vec::new();
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| (&self.file).read_to_end(&mut bytes));
        if let Err(error) = read {
            log::error!("{} cannot be read: {error}", self.path.display());
        }
        let (calls, torn) = record::read(&bytes);
        if torn > 0 {
            log::warn!("{} ends with {torn} bytes that are no calls", self.path.display());
        }
        calls
    }

    fn remove(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::error!("{} cannot be removed: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::calls;
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tidegate-spool-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn open(folder: &Path, bytes_max: u64) -> Spool {
        Spool::open(folder, bytes_max, 1, Counters::unregistered().unwrap()).unwrap()
    }

    #[test]
    fn what_is_written_outlives_the_process_that_wrote_it() {
        let folder = folder("outlives");
        let made = calls(30);
        let mut spool = open(&folder, 1 << 20);
        spool.append(&made[..10], 5).unwrap();
        spool.append(&made[10..20], 6).unwrap();
        assert!(open(&folder, 1 << 20).is_empty(), "it is locked while its writer lives");
        drop(spool);
        let mut spool = open(&folder, 1 << 20);
        spool.append(&made[20..], 7).unwrap();
        let mut read = Vec::new();
        while let Some((path, mut calls)) = spool.oldest() {
            read.append(&mut calls);
            spool.remove(&path);
        }
        assert_eq!(read, made);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn beyond_its_bound_the_oldest_go_and_are_counted() {
        let folder = folder("bound");
        let made = calls(40_000);
        let mut spool = open(&folder, 2 * FILE_BYTES);
        for (at, chunk) in made.chunks(1000).enumerate() {
            spool.append(chunk, at as u64).unwrap();
            assert!(spool.bytes() <= 2 * FILE_BYTES);
        }
        let lost = spool.counters.dropped.get() as usize;
        assert!(lost > 0 && lost < made.len());
        let mut read = Vec::new();
        while let Some((path, mut calls)) = spool.oldest() {
            read.append(&mut calls);
            spool.remove(&path);
        }
        assert_eq!(read, made[lost..]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn calls_that_come_while_the_oldest_are_delivered_are_not_removed_with_them() {
        let folder = folder("between");
        let made = calls(4);
        let mut spool = open(&folder, 1 << 20);
        spool.append(&made[..2], 1).unwrap();
        let (first, read) = spool.oldest().unwrap();
        assert_eq!(read, made[..2]);
        spool.append(&made[2..], 2).unwrap();
        spool.remove(&first);
        let (second, read) = spool.oldest().unwrap();
        assert_eq!(read, made[2..]);
        // One that has gone already takes no other with it.
        spool.remove(&first);
        assert_eq!(spool.oldest().unwrap().0, second);
        fs::remove_dir_all(&folder).unwrap();
    }
}
