//! Listening: threads, each with an event loop of its own, around one listening socket.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::SimOptions;
use super::capture::Captured;
use super::connection;
use super::scenario::Scenario;
use super::script::ScriptedReply;
use super::shared::Shared;
use super::stats::StatsSnapshot;

/// Connections waiting to be accepted: load tests open hundreds at once.
const BACKLOG: u32 = 4096;
/// Pause after a failed accept (usually: out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
const THREADS_MAX: usize = 64;

/// A simulator in this process; it stops when this is dropped.
pub struct SimHandle {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// Runs a simulator until SIGINT or SIGTERM; `on_ready` gets its address.
pub fn run(options: SimOptions, on_ready: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let handle = start(options)?;
    on_ready(handle.addr());
    let runtime = event_loop()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    })
}

/// Starts a simulator on threads of its own; it accepts connections when this returns.
pub fn start(options: SimOptions) -> io::Result<SimHandle> {
    let threads = options.threads.clamp(1, THREADS_MAX);
    let listener = bind(options.listen)?;
    let addr = listener.local_addr()?;
    let shared = Arc::new(Shared::new(options, addr.port()));
    let (stop, _) = watch::channel(false);
    let mut handle = SimHandle { addr, shared, stop, threads: Vec::with_capacity(threads) };
    for number in 0..threads {
        let listener = listener.try_clone()?;
        let (shared, stop, runtime) = (handle.shared.clone(), handle.stop.subscribe(), event_loop()?);
        let body = move || runtime.block_on(accept_all(listener, shared, stop));
        handle.threads.push(std::thread::Builder::new().name(format!("sim-{number}")).spawn(body)?);
    }
    Ok(handle)
}

impl SimHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn stats(&self) -> StatsSnapshot {
        self.shared.stats.snapshot()
    }

    /// The requests it kept (with `capture` on), oldest first.
    pub fn requests(&self) -> Vec<Captured> {
        self.shared.capture.all()
    }

    /// Switches the keeping of requests.
    pub fn set_capture(&self, is_on: bool) {
        self.shared.capture.switch(is_on);
    }

    /// Forgets counts, kept requests and scripted answers; the scenario stays.
    pub fn reset(&self) {
        self.shared.reset();
    }

    pub fn set_scenario(&self, scenario: Scenario) {
        self.shared.set_scenario(scenario);
    }

    /// Adds answers that are used, in order, before any generated one.
    pub fn script(&self, replies: Vec<ScriptedReply>) {
        self.shared.scripts.add(replies);
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        let _all_stopped = self.stop.send(true);
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
    }
}

fn event_loop() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn bind(addr: SocketAddr) -> io::Result<StdListener> {
    // A socket of tokio's can set the backlog, which the standard library's cannot.
    event_loop()?.block_on(async {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)?.into_std()
    })
}

async fn accept_all(listener: StdListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(e) => return log::error!("sim cannot listen: {e}"),
    };
    // Owns the connections: they end with this loop.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, shared.clone()));
                }
                Err(e) => {
                    log::warn!("sim cannot accept: {e}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}
