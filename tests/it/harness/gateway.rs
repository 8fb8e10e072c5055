//! The gateway under test: the binary, as a process of its own.

use super::metrics::Exposition;
use super::{Answer, Config, Connection, PATIENCE, Request, eventually, free_addr, until};
use serde_json::Value;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A port can be taken between finding it and listening on it.
const STARTS_MAX: usize = 4;

/// A running gateway. Killed, and its folder removed, when dropped.
pub struct Gateway {
    child: Child,
    dir: PathBuf,
    addr: SocketAddr,
    admin: SocketAddr,
    tls: SocketAddr,
}

impl Gateway {
    /// Starts the binary and waits until it accepts connections.
    #[track_caller]
    pub fn start(config: Config) -> Self {
        Self::start_while(config, |_| {})
    }

    /// As [`Gateway::start`], with something done to it while it starts.
    #[track_caller]
    pub fn start_while(config: Config, work: impl Fn(&Self)) -> Self {
        for _ in 0..STARTS_MAX {
            let mut gateway = Self::spawn(&config);
            work(&gateway);
            if gateway.comes_up(&config) {
                return gateway;
            }
            assert!(gateway.stderr().contains("cannot listen"), "the gateway ended:\n{}", gateway.stderr());
        }
        panic!("no free ports in {STARTS_MAX} starts");
    }

    /// Where clients connect (plain HTTP/1.1).
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where `/metrics`, `/livez` and `/readyz` are.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where TLS clients connect, with [`Config::tls`].
    pub fn tls(&self) -> SocketAddr {
        self.tls
    }

    /// Its folder: configuration, access log, stderr.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, such as "TERM".
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Waits until the process has ended.
    #[track_caller]
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        eventually("the gateway ended", within, || self.child.try_wait().unwrap())
    }

    /// Replaces the configuration file. It is loaded when it is looked at next, or at SIGHUP.
    pub fn reconfigure(&self, config: &Config) {
        self.write_files(config);
    }

    /// Sends a request on a connection of its own and reads the answer's head.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        let mut connection = Connection::open(self.addr);
        connection.send(request);
        connection.answer()
    }

    /// A path of the admin listener: status and body.
    #[track_caller]
    pub fn admin_get(&self, path: &str) -> (u16, String) {
        let mut connection = Connection::open(self.admin);
        connection.send(&Request::get(path).header("connection", "close"));
        let mut answer = connection.answer();
        let body = answer.body();
        (answer.status, String::from_utf8(body).unwrap())
    }

    /// The sum of a metric's series that have all these labels. Fails where no series has this name.
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        Exposition(self.admin_get("/metrics").1).sum(name, labels)
    }

    /// Waits until a metric has this value.
    #[track_caller]
    pub fn metric_becomes(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let mut last = f64::NAN;
        let what = format!("{name}{labels:?} is {value}");
        let is_so = || {
            last = self.metric(name, labels);
            last == value
        };
        until(&what, PATIENCE, is_so);
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// The access log so far, oldest first.
    pub fn log_lines(&self) -> Vec<Value> {
        let text = fs::read(self.dir.join("access.log")).unwrap_or_default();
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(&[][..], |end| &text[..end]);
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// The log line of an answer's request, waited for.
    #[track_caller]
    pub fn log_of(&self, answer: &Answer) -> Value {
        let id = answer.header("x-tidegate-request-id").expect("a request id").to_owned();
        self.log_where("the request's line", |line| line["request_id"] == id.as_str())
    }

    /// The first log line that is so, waited for.
    #[track_caller]
    pub fn log_where(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(what, PATIENCE, || self.log_lines().into_iter().find(|line| is_so(line)))
    }

    /// All log lines, once there are this many.
    #[track_caller]
    pub fn log_when(&self, count: usize) -> Vec<Value> {
        eventually("enough log lines", PATIENCE, || Some(self.log_lines()).filter(|l| l.len() >= count))
    }

    /// What it said on stderr.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.join("stderr.log")).unwrap_or_default()).into_owned()
    }

    fn spawn(config: &Config) -> Self {
        let dir = make_folder();
        // At its end, so that processes which follow one another do not write over each other.
        let stderr = OpenOptions::new().create(true).append(true).open(dir.join("stderr.log")).unwrap();
        let (addr, admin, tls) = (free_addr(), free_addr(), free_addr());
        let mut command = Command::new(config.binary.as_deref().unwrap_or(env!("CARGO_BIN_EXE_tidegate")));
        command
            .args(["serve", "--config", "gateway.toml"])
            .envs(config.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        write_files(config, &dir, &[("{addr}", addr), ("{admin}", admin), ("{tls}", tls)]);
        let child = command.spawn().unwrap();
        Self { child, dir, addr, admin, tls }
    }

    fn write_files(&self, config: &Config) {
        let places = [("{addr}", self.addr), ("{admin}", self.admin), ("{tls}", self.tls)];
        write_files(config, &self.dir, &places);
    }

    fn comes_up(&mut self, config: &Config) -> bool {
        let mut waits_for = vec![self.admin];
        waits_for.extend(config.is_plain.then_some(self.addr));
        waits_for.extend(config.has_tls.then_some(self.tls));
        let end = Instant::now() + 2 * PATIENCE;
        while Instant::now() < end {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            waits_for.retain(|addr| TcpStream::connect(addr).is_err());
            if waits_for.is_empty() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the gateway does not accept connections:\n{}", self.stderr());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            let told = self.stderr();
            let from = told.len().saturating_sub(8000);
            eprintln!("--- stderr of the gateway:\n{}", told.get(from..).unwrap_or(&told));
        }
        let _left_behind = fs::remove_dir_all(&self.dir);
    }
}

fn make_folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("tidegate-it-{}-{number}", std::process::id()));
    let _from_a_killed_run = fs::remove_dir_all(&dir);
    DirBuilder::new().mode(0o700).create(&dir).unwrap();
    dir
}

fn write_files(config: &Config, dir: &Path, places: &[(&str, SocketAddr)]) {
    let mut text = config.text().replace("{dir}", &dir.display().to_string());
    for (name, addr) in places {
        text = text.replace(name, &addr.to_string());
    }
    for (name, content) in config.files.iter().map(|(n, c)| (n.as_str(), c)).chain([("gateway.toml", &text)])
    {
        // Written aside and renamed: a reload must never see half a file.
        let aside = dir.join(format!("{name}.new"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        fs::set_permissions(&aside, Permissions::from_mode(0o600)).unwrap();
        fs::rename(aside, dir.join(name)).unwrap();
    }
}
