//! Hand-over of the listeners to a new process: the files beside the upgrade socket, and the
//! controller behind `tidegate upgrade`.
//!
//! Order: the new process checks its configuration and waits on the socket; only then is the old
//! one told. A new process that fails before that leaves the old one serving.

use super::ServeError;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why an upgrade did not happen. The old process serves on in every case.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    #[error("no running tidegate found: {0} does not name a live process. Start it with `tidegate serve`")]
    NothingRuns(PathBuf),
    #[error("cannot start the new process: {0}")]
    Start(std::io::Error),
    #[error("the new process ended before it took over ({0}); the old one serves on")]
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

pub(super) fn write_pid(socket: &Path) {
    let file = pid_file(socket);
    let fresh = file.with_extension("pid.new");
    let written = fs::write(&fresh, format!("{}\n", std::process::id()));
    if let Err(error) = written.and_then(|()| fs::rename(&fresh, &file)) {
        log::warn!("cannot write {}: {error}; `tidegate upgrade` will not find this process", file.display());
    }
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
    fs::read_to_string(file).ok()?.trim().parse().ok()
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
    let old = read_pid(&file).filter(|pid| is_tidegate(*pid));
    let old = old.ok_or_else(|| UpgradeError::NothingRuns(file.clone()))?;
    let mut child = start_new(config).map_err(UpgradeError::Start)?;
    wait_for(&mut child, patience, || is_awaited(socket))?;
    signal_quit(old)?;
    let new = child.id();
    wait_for(&mut child, patience, || read_pid(&file) == Some(new))?;
    Ok((old, new))
}

fn start_new(config: &Path) -> std::io::Result<Child> {
    use std::os::unix::process::CommandExt;
    Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg("--config")
        .arg(config)
        .arg("--upgrade")
        .stdin(Stdio::null())
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

/// A process id can have been given to another program since the file was written.
fn is_tidegate(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "tidegate")
}

fn signal_quit(pid: u32) -> Result<(), UpgradeError> {
    let sent = Command::new("kill").arg("-QUIT").arg(pid.to_string()).status();
    match sent {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(UpgradeError::Signal(pid, std::io::Error::other(status.to_string()))),
        Err(error) => Err(UpgradeError::Signal(pid, error)),
    }
}
