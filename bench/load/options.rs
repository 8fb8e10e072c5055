//! The command line of the load client.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Loads a proxy in front of the simulator, and tells what a client sees.
#[derive(Parser)]
#[command(name = "load", after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub mode: Mode,
}

const EXAMPLES: &str = "\
Examples:
  load requests --url http://127.0.0.1:8080/v1/chat/completions --body body.json --key K --seconds 5
  load streams --url http://127.0.0.1:8080/v1/chat/completions --body stream.json --streams 200
  load streams --burst --spread-ms 100 --tokens 1 ...   open all, again and again: the first byte
  load hold --streams 1000 ...              prints `held 1000`, then keeps them until stdin closes";

#[derive(Subcommand)]
pub enum Mode {
    /// Closed loop: each connection sends its next request when the answer is whole, or when its turn
    /// at `--rate` comes after that.
    Requests(Requests),
    /// Streams of stamped events: delay per event, first byte.
    Streams(Streams),
    /// Streams that are held open after their first event, to weigh them.
    Hold(Hold),
}

/// Where to, and what to send.
#[derive(Args)]
pub struct Call {
    /// `http://ADDRESS:PORT/PATH`, the address in numbers.
    #[arg(long)]
    pub url: String,
    /// A file with the request's body.
    #[arg(long, value_name = "FILE")]
    pub body: PathBuf,
    /// Sent as `authorization: Bearer KEY`.
    #[arg(long)]
    pub key: Option<String>,
    /// One more request header, `NAME:VALUE`; may be repeated.
    #[arg(long = "header", value_name = "NAME:VALUE")]
    pub headers: Vec<String>,
    /// Puts a new number into every `0000000000` of the body for each request, so that no two are alike.
    #[arg(long)]
    pub vary: bool,
}

#[derive(Args)]
pub struct Requests {
    #[command(flatten)]
    pub call: Call,
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// Requests a second over all connections, at most what the proxy takes; all it takes when left out.
    #[arg(long)]
    pub rate: Option<f64>,
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
}

#[derive(Args)]
pub struct Streams {
    #[command(flatten)]
    pub call: Call,
    /// Streams open at a time.
    #[arg(long, default_value_t = 200)]
    pub streams: usize,
    /// Content events of a stream.
    #[arg(long, default_value_t = 100)]
    pub tokens: u64,
    /// Time between content events.
    #[arg(long, default_value_t = 20)]
    pub every_ms: u64,
    /// The first streams' starts are spread over this long; 0 opens all at once, and what is seen then
    /// is mostly the queue of this client.
    #[arg(long, default_value_t = 1000)]
    pub spread_ms: u64,
    /// No new stream begins after this long; those begun are played to their end.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// One stream a slot, then waits until all have ended, and again.
    #[arg(long)]
    pub burst: bool,
}

#[derive(Args)]
pub struct Hold {
    #[command(flatten)]
    pub call: Call,
    #[arg(long, default_value_t = 1000)]
    pub streams: usize,
    /// Held at most this long.
    #[arg(long, default_value_t = 60.0)]
    pub seconds: f64,
}
