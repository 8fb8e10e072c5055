//! `[server]`: where clients come in, and what holds for all of them.

use super::choice::choice;
use super::collector::Collector;
use super::drain::Drain;
use super::duration::{duration, duration_or_zero};
use super::listener::{TlsListener, listen};
use super::near::quoted;
use super::number::integer;
use super::reader::Reader;
use super::server_limits::ServerLimits;
use super::shed::Shed;
use super::value::Value;
use crate::types::cidr::Cidr;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a Unix socket address holds on Linux, its final zero left out.
const SOCKET_PATH_BYTES_MAX: usize = 107;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Plain HTTP/1.1.
    pub listen: Vec<SocketAddr>,
    /// 0: one per core.
    pub workers: usize,
    pub runtime: RuntimeKind,
    pub tls: Vec<TlsListener>,
    /// Idle time after which a kept-alive client connection is closed.
    pub keepalive_timeout: Duration,
    /// Between two keepalives of a stream that is silent; zero turns them off.
    pub stream_keepalive: Duration,
    pub limits: ServerLimits,
    pub drain: Drain,
    pub upgrade: Upgrade,
    pub client_ip: ClientIp,
    /// None: the gateway's own load is not looked at.
    pub shed: Option<Shed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeKind {
    ThreadPerCore,
    WorkStealing,
}

/// `[server.upgrade]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Over this the listeners are handed to a new process.
    pub socket: PathBuf,
}

/// `[server.client_ip]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientIp {
    /// Only these may speak through `X-Forwarded-For` and `Forwarded`.
    pub trusted_proxies: Vec<Cidr>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![Self::default_listen()],
            workers: 0,
            runtime: RuntimeKind::ThreadPerCore,
            tls: Vec::new(),
            keepalive_timeout: Duration::from_secs(60),
            stream_keepalive: Duration::from_secs(15),
            limits: ServerLimits::default(),
            drain: Drain::default(),
            upgrade: Upgrade::default(),
            client_ip: ClientIp::default(),
            shed: None,
        }
    }
}

impl Server {
    fn default_listen() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))
    }

    /// The section of the file; the defaults where there is none.
    pub(super) fn read(root: &mut Reader<'_, '_, '_>) -> Self {
        if let Some(server) = root.take("server", Self::read_table) {
            return server;
        }
        if !root.has("server") {
            // The first to claim, so it is free.
            let _ = root.collector.claim(Self::default_listen(), "server.listen".to_owned());
        }
        Self::default()
    }

    fn read_table(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let written = reader.take("listen", |v, c| v.list(c, "a list of addresses", listen));
        let tls =
            reader.or("tls", Vec::new(), |v, c| v.list(c, "tables `[[server.tls]]`", TlsListener::read));
        let has_any = reader.has("listen") || reader.has("tls");
        if has_any && reader.is_empty_at("listen") && reader.is_empty_at("tls") {
            reader.fail("nothing to listen on", Some("such as listen = [\"127.0.0.1:8080\"]"));
        }
        if !has_any && let Err(owner) = reader.collector.claim(Self::default_listen(), value.path.clone()) {
            reader.fail(format!("the default address is listened on already, by {owner}"), None);
        }
        let listen = if has_any { written.unwrap_or_default() } else { d.listen };
        let server = Self {
            listen,
            workers: reader.or("workers", d.workers, integer(0..=1024)),
            runtime: reader.or("runtime", d.runtime, choice(RUNTIMES, &[])),
            tls,
            keepalive_timeout: reader.or("keepalive_timeout", d.keepalive_timeout, duration),
            stream_keepalive: reader.or("stream_keepalive", d.stream_keepalive, duration_or_zero),
            limits: reader.or("limits", d.limits, ServerLimits::read),
            drain: reader.or("drain", d.drain, Drain::read),
            upgrade: reader.or("upgrade", d.upgrade, Upgrade::read),
            client_ip: reader.or("client_ip", d.client_ip, ClientIp::read),
            shed: reader.take("shed", Shed::read),
        };
        reader.done();
        Some(server)
    }
}

const RUNTIMES: &[(&str, RuntimeKind)] =
    &[("thread-per-core", RuntimeKind::ThreadPerCore), ("work-stealing", RuntimeKind::WorkStealing)];

impl Default for Upgrade {
    fn default() -> Self {
        Self { socket: PathBuf::from("run/tidegate-upgrade.sock") }
    }
}

impl Upgrade {
    fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let socket = reader.or("socket", Self::default().socket, socket);
        reader.done();
        Some(Self { socket })
    }
}

/// Whoever can connect to the socket is given the listeners, so its folder is the owner's only.
/// A folder that is not there yet is made so when it is needed.
fn socket(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<PathBuf> {
    let text = value.string(collector, "a path")?;
    if text.is_empty() || text.contains('\0') || text.len() > SOCKET_PATH_BYTES_MAX {
        let message = format!("the path of a socket has 1 to {SOCKET_PATH_BYTES_MAX} bytes");
        value.fail(collector, message);
        return None;
    }
    let folder = match Path::new(text).parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if collector.looks_outside()
        && let Ok(found) = folder.metadata()
        && (!found.is_dir() || found.permissions().mode() & 0o077 != 0)
    {
        let shown = quoted(&folder.display().to_string());
        value.fail(collector, format!("`{shown}` is no folder of the owner only: chmod 700"));
    }
    Some(PathBuf::from(text))
}

impl ClientIp {
    fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let trusted_proxies =
            reader.or("trusted_proxies", Vec::new(), |v, c| v.list(c, "a list of address ranges", cidr));
        reader.done();
        Some(Self { trusted_proxies })
    }
}

fn cidr(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Cidr> {
    let text = value.string(collector, "an address or a range such as \"10.0.0.0/8\"")?;
    let range = text.parse();
    if let Err(error) = &range {
        value.fail(collector, format!("`{}`: {error}", quoted(text)));
    }
    range.ok()
}
