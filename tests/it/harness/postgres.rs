//! A PostgreSQL database of a test's own, and a way to it that can be cut.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A database in the server that `TIDEGATE_TEST_POSTGRES` names; gone with the value.
pub struct Database {
    server: String,
    name: String,
}

/// Passes connections on, until it is cut.
pub struct Relay {
    addr: SocketAddr,
    ways: Arc<Mutex<Ways>>,
}

#[derive(Default)]
struct Ways {
    is_cut: bool,
    open: Vec<TcpStream>,
}

impl Database {
    /// None, with a notice, where no server is named.
    pub fn new() -> Option<Self> {
        let Ok(server) = std::env::var("TIDEGATE_TEST_POSTGRES") else {
            println!(
                "skipped: TIDEGATE_TEST_POSTGRES is not set (scripts/postgres start FOLDER prints an address)"
            );
            return None;
        };
        let name = format!("tg_it_{}_{}", std::process::id(), super::free_addr().port());
        let database = Self { server, name };
        database.run(&format!("CREATE DATABASE {}", database.name));
        Some(database)
    }

    /// Where the server is.
    pub fn addr(&self) -> SocketAddr {
        let host = self.server.split_once('@').unwrap().1;
        host.split('/').next().unwrap().parse().unwrap()
    }

    /// The address of the database for a client that goes through `way`.
    pub fn url(&self, way: SocketAddr) -> String {
        let user = self.server.split_once("://").unwrap().1.split('@').next().unwrap();
        format!("postgres://{user}@{way}/{}", self.name)
    }

    fn run(&self, sql: &str) {
        super::block_on(async {
            let mut connection =
                PgConnection::connect(&self.server).await.expect("TIDEGATE_TEST_POSTGRES is an address");
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        });
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

impl Relay {
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let ways = Arc::new(Mutex::new(Ways::default()));
        let shared = ways.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let mut ways = shared.lock().unwrap();
                let Some(server) = (!ways.is_cut).then(|| TcpStream::connect(target).ok()).flatten() else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    thread::spawn(move || pass(from, to));
                }
                ways.open.extend([client, server]);
            }
        });
        Self { addr, ways }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends what goes through it, and lets nothing through from now on.
    pub fn cut(&self) {
        let mut ways = self.ways.lock().unwrap();
        ways.is_cut = true;
        for stream in ways.open.drain(..) {
            let _ended_already = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.ways.lock().unwrap().is_cut = false;
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        let _ended_already = stream.shutdown(Shutdown::Both);
    }
}
