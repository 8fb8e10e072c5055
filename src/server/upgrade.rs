//! Hand-over of the listeners to a new process: the files beside the upgrade socket, and the
//! controller behind `tidegate upgrade`.
//!
//! Order: the new process checks its configuration and waits on the socket; only then is the old
//! one told. A new process that fails before that leaves the old one serving. Pingora looks for the
//! old one's answer at once and then after a second, so that is what a hand-over takes; the other
//! order would take as long.
//!
//! Invariant: a process is signalled only while it holds the lock of the pid file that names it,
//! whatever its binary is called and whoever has had its id before.

use super::ServeError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why an upgrade did not happen. The old process serves on in every case.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    #[error(
        "no running tidegate found: {0} names no process that serves now. Start one with `tidegate serve`"
    )]
    NothingRuns(PathBuf),
    #[error("cannot start the new process: {0}")]
    Start(std::io::Error),
    #[error(
        "the new process ended before it took over ({0}); the old one serves on. Why is in its log, where the \
         running process writes its standard error"
    )]
    NewEnded(std::process::ExitStatus),
    #[error("the new process did not get ready in time; the old one serves on")]
    TooSlow,
    #[error("cannot signal the running process {0}: {1}")]
    Signal(u32, std::io::Error),
}

/// Makes the socket's folder, 0700: whoever can reach the socket can take the listeners.
pub(super) fn prepare_folder(socket: &Path) -> Result<(), ServeError> {
    let Some(folder) = socket.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    let fault = |cause| ServeError::UpgradeFolder { path: folder.to_owned(), cause };
    if !folder.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fault)?;
    }
    let mode = fs::metadata(folder).map_err(fault)?.mode();
    if mode & 0o022 != 0 {
        let cause =
            std::io::Error::other(format!("mode {:o} lets others write there; make it 0700", mode & 0o777));
        return Err(fault(cause));
    }
    Ok(())
}

/// The file that names the serving process: beside the socket, `.pid`.
pub fn pid_file(socket: &Path) -> PathBuf {
    socket.with_extension("pid")
}

/// Writes the pid file. What it gives holds the file's lock: the process keeps it until its end.
pub(super) fn write_pid(socket: &Path) -> Option<File> {
    let file = pid_file(socket);
    let held = lock_and_write(&file.with_extension("pid.new"), &file);
    if let Err(error) = &held {
        log::warn!("cannot write {}: {error}; `tidegate upgrade` will not find this process", file.display());
    }
    held.ok()
}

/// Locked before it has its name: whoever finds it finds it locked.
fn lock_and_write(fresh: &Path, file: &Path) -> std::io::Result<File> {
    let mut held = File::create(fresh)?;
    held.try_lock()?;
    writeln!(held, "{}", std::process::id())?;
    fs::rename(fresh, file)?;
    Ok(held)
}

/// Removes the pid file if it still names this process.
pub(super) fn remove_pid(socket: &Path) {
    let file = pid_file(socket);
    if read_pid(&file) == Some(std::process::id()) {
        // Nobody is left to be told; the next start overwrites it.
        let _ = fs::remove_file(file);
    }
}

fn read_pid(file: &Path) -> Option<u32> {
    parse_pid(&fs::read_to_string(file).ok()?)
}

fn parse_pid(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}

/// The process that serves: the one that wrote the file and still holds it. An id that was given to
/// another program since is not taken for it.
fn serving_pid(file: &Path) -> Option<u32> {
    let mut file = File::open(file).ok()?;
    let is_held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    parse_pid(&text).filter(|_| is_held)
}

/// Whether some process listens on the upgrade socket.
pub(super) fn is_awaited(socket: &Path) -> bool {
    let Ok(table) = fs::read_to_string("/proc/net/unix") else { return false };
    let Ok(socket) = std::path::absolute(socket) else { return false };
    // Columns: Num RefCount Protocol Flags Type St Inode Path; flag 0x10000 is "accepts".
    table.lines().any(|line| {
        let mut columns = line.split_ascii_whitespace();
        let accepts = columns.nth(3).is_some_and(|flags| flags == "00010000");
        let path = columns.nth(3).map(PathBuf::from);
        accepts && path.and_then(|path| std::path::absolute(path).ok()).is_some_and(|path| path == socket)
    })
}

/// Starts `serve --upgrade` and waits until it has taken over. Gives the old and the new process id.
///
/// # Errors
/// [`UpgradeError`]; the old process serves on.
pub fn hand_over(config: &Path, socket: &Path, patience: Duration) -> Result<(u32, u32), UpgradeError> {
    let file = pid_file(socket);
    let old = serving_pid(&file).ok_or_else(|| UpgradeError::NothingRuns(file.clone()))?;
    let mut child = start_new(config, old).map_err(UpgradeError::Start)?;
    wait_for(&mut child, patience, || is_awaited(socket))?;
    signal_quit(old)?;
    let new = child.id();
    wait_for(&mut child, patience, || read_pid(&file) == Some(new))?;
    Ok((old, new))
}

fn start_new(config: &Path, old: u32) -> std::io::Result<Child> {
    use std::os::unix::process::CommandExt;
    Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg("--config")
        .arg(config)
        .arg("--upgrade")
        .stdin(Stdio::null())
        .stdout(output_of(old, 1))
        .stderr(output_of(old, 2))
        // Of its own group, so that the terminal's Ctrl-C does not reach it.
        .process_group(0)
        .spawn()
}

fn wait_for(child: &mut Child, patience: Duration, is_done: impl Fn() -> bool) -> Result<(), UpgradeError> {
    let mut waited = Duration::ZERO;
    while !is_done() {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(UpgradeError::NewEnded(status));
        }
        if waited >= patience {
            // It would otherwise take the listeners from a process that nobody tells.
            let _ = child.kill();
            return Err(UpgradeError::TooSlow);
        }
        std::thread::sleep(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
    Ok(())
}

/// Where `pid` writes its standard output (1) or standard error (2), for the new process: logs go on
/// where they were. What cannot be opened again (a socket, as of the systemd journal) is ours
/// instead, unless that is a pipe: its reader would wait for the new process's end.
fn output_of(pid: u32, descriptor: u8) -> Stdio {
    if let Ok(file) = open_again(Path::new(&format!("/proc/{pid}/fd/{descriptor}"))) {
        return file.into();
    }
    let ours = fs::metadata(format!("/proc/self/fd/{descriptor}"));
    if ours.is_ok_and(|ours| ours.file_type().is_fifo()) { Stdio::null() } else { Stdio::inherit() }
}

fn open_again(path: &Path) -> std::io::Result<File> {
    if fs::metadata(path)?.file_type().is_fifo() {
        // Opening a pipe that nobody reads would wait for a reader; this fails instead.
        OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    }
    // Never at the start of a file, over what is there; and no terminal comes to rule the process.
    OpenOptions::new().append(true).custom_flags(libc::O_NOCTTY).open(path)
}

fn signal_quit(pid: u32) -> Result<(), UpgradeError> {
    let sent = Command::new("kill").arg("-QUIT").arg(pid.to_string()).status();
    match sent {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(UpgradeError::Signal(pid, std::io::Error::other(status.to_string()))),
        Err(error) => Err(UpgradeError::Signal(pid, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tidegate-{name}-{}", std::process::id()));
        let _from_an_earlier_run = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn a_pid_file_names_a_process_only_while_that_holds_it() {
        let folder = folder("pid-file");
        let socket = folder.join("upgrade.sock");
        let file = pid_file(&socket);
        assert_eq!(serving_pid(&file), None, "no file");
        fs::write(&file, format!("{}\n", std::process::id())).unwrap();
        assert_eq!(serving_pid(&file), None, "a live process that never wrote the file");
        let held = write_pid(&socket).unwrap();
        assert_eq!(serving_pid(&file), Some(std::process::id()));
        assert_eq!(serving_pid(&file), Some(std::process::id()), "asking changes nothing");
        drop(held);
        assert_eq!((serving_pid(&file), read_pid(&file)), (None, Some(std::process::id())));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_output_is_opened_again_at_its_end_and_a_pipe_without_a_reader_is_not() {
        let folder = folder("output");
        let path = folder.join("log");
        fs::write(&path, "old\n").unwrap();
        writeln!(open_again(&path).unwrap(), "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\nnew\n");
        let pipe = folder.join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(open_again(&pipe).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
