//! Where log lines go: a standard stream or a file.
//!
//! Not here: buffering and retrying (`drain`). Used by the writer thread alone. Invariant: opening
//! a file never blocks, not even on a pipe without a reader.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSink {
    Stdout,
    Stderr,
    /// No access log.
    Off,
    /// Appended to; made with mode 0640 if absent. May be a named pipe.
    File(PathBuf),
}

/// A sink and its file once open.
#[derive(Debug)]
pub(super) struct OpenSink {
    kind: LogSink,
    file: Option<File>,
}

impl OpenSink {
    pub fn new(kind: LogSink) -> Self {
        Self { kind, file: None }
    }

    #[cfg(test)]
    pub fn on(file: File) -> Self {
        Self { kind: LogSink::Stdout, file: Some(file) }
    }

    /// Forgets an open file, so that the next write opens its path anew. Standard streams stay.
    pub fn reopen(&mut self) {
        if matches!(self.kind, LogSink::File(_)) {
            self.file = None;
        }
    }

    /// One write; gives how much was taken. Opens what is not open.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        let written = file.write(bytes);
        // After an error a path is opened anew: the disk may be another, the pipe have a new reader.
        let is_usable = match &written {
            Ok(_) => true,
            Err(error) => is_passing(error) || !matches!(self.kind, LogSink::File(_)),
        };
        self.file = is_usable.then_some(file);
        written
    }

    fn open(&self) -> io::Result<File> {
        match &self.kind {
            // The descriptor itself: the library's handles buffer by line and hold a lock.
            LogSink::Stdout => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            LogSink::Stderr => Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?)),
            LogSink::Off => Err(io::ErrorKind::NotFound.into()),
            // Non-blocking matters for pipes only: opened otherwise, one without a reader waits.
            LogSink::File(path) => OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o640)
                .custom_flags(libc::O_NONBLOCK)
                .open(path),
        }
    }
}

/// Whether the same write may do better in a moment, without anything having changed for the worse.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
