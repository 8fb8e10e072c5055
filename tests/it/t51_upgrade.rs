//! T51: `tidegate upgrade` puts a new process in the place of the old one, whatever the binary is
//! called, and holds nothing of the caller's open.

use crate::harness::{Config, Gateway, PATIENCE, Sim, Wire};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

/// A name as operators give: not the built one.
fn renamed(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_tidegate"));
    let link = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    let _from_a_killed_run = fs::remove_file(&link);
    std::os::unix::fs::symlink(built, &link).unwrap();
    link
}

/// Runs `upgrade` as `$(…)` does: until it has ended and its output is closed.
#[track_caller]
fn upgrade(binary: &Path, gateway: &Gateway) -> Output {
    let mut command = Command::new(binary);
    command.args(["upgrade", "--config", "gateway.toml"]).current_dir(gateway.dir());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    receiver.recv_timeout(3 * PATIENCE).expect("the command ends, and its output with it")
}

/// The process that took over; killed when dropped.
struct Taker(u32);

impl Taker {
    fn of(gateway: &Gateway) -> Self {
        let text = fs::read_to_string(gateway.dir().join("run/upgrade.pid")).unwrap();
        Self(text.trim().parse().unwrap())
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        let _ended_already = Command::new("kill").args(["-KILL", &self.0.to_string()]).status();
    }
}

#[test]
fn t51_a_binary_of_any_name_is_upgraded_and_the_caller_waits_for_nothing_else() {
    let sim = Sim::start();
    let binary = renamed("edge-gateway");
    let config = Config::new().provider("a", Wire::Chat, sim.addr()).model("m", &["a"]);
    let config = config.table("log").set("level = \"info\"").binary(binary.to_str().unwrap());
    let mut gateway = Gateway::start(config);
    let old = gateway.pid();
    let done = upgrade(&binary, &gateway);
    let taker = Taker::of(&gateway);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(
        said,
        format!("process {} has taken over from {old}, which ends with its last stream\n", taker.0)
    );
    assert_ne!(taker.0, old);
    assert!(gateway.ended(4 * PATIENCE).success());
    assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 200, "the new one serves");
    // The new one's log goes on in the old one's, and the usual wait is told as no error.
    let log = gateway.stderr();
    assert!(log.contains("waiting for the running process"), "{log}");
    assert!(log.contains("handing the listeners over"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    fs::remove_file(binary).unwrap();
}

#[test]
fn t51_a_pid_file_that_names_a_stranger_signals_nobody() {
    let sim = Sim::start();
    let config = Config::new().provider("a", Wire::Chat, sim.addr()).model("m", &["a"]);
    let mut gateway = Gateway::start(config);
    let pid_file = gateway.dir().join("run/upgrade.pid");
    gateway.signal("KILL");
    gateway.ended(PATIENCE);
    let mut stranger = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
    for id in [gateway.pid(), stranger.id()] {
        fs::write(&pid_file, format!("{id}\n")).unwrap();
        let done = upgrade(Path::new(env!("CARGO_BIN_EXE_tidegate")), &gateway);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains("no running tidegate found"), "{id}: {said}");
    }
    assert!(stranger.try_wait().unwrap().is_none(), "it was not signalled");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
