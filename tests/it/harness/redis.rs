//! A Redis of the test's own.

use super::until;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server process, killed when dropped.
pub struct Redis {
    process: Child,
    addr: SocketAddr,
}

impl Redis {
    /// None, with a notice, where the machine has no `redis-server`.
    pub fn start() -> Option<Self> {
        Self::start_at(super::free_addr())
    }

    /// At an address where one was before.
    pub fn start_at(addr: SocketAddr) -> Option<Self> {
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        let started = Command::new("redis-server")
            .args(["--bind", &ip, "--port", &port, "--save", "", "--appendonly", "no"])
            .args(["--protected-mode", "no"])
            .stdout(Stdio::null())
            .spawn();
        let Ok(process) = started else {
            println!("skipped: redis-server is not installed (apt-get install redis-server)");
            return None;
        };
        until("Redis listens", super::PATIENCE, || TcpStream::connect(addr).is_ok());
        Some(Self { process, addr })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Runs a command from outside, as words.
    pub fn command(&self, words: &[&str]) {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut text = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| text.push_str(&format!("${}\r\n{word}\r\n", word.len())));
        stream.write_all(text.as_bytes()).unwrap();
        let mut first = [0];
        stream.read_exact(&mut first).unwrap();
        assert_ne!(first[0], b'-', "Redis refused {words:?}");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
