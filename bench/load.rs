//! The load client of `scripts/bench`: HTTP/1.1 by hand over tokio, one thread, so that what it costs
//! is small and the same for every proxy measured. `load --help` shows the modes; each ends with one
//! line of JSON on stdout.
//!
//! It is not a general tool: it knows the simulator's stamps (`sim_ns`) and headers, and nothing of TLS.
//!
//! Invariant: what is printed was seen by this client. A request without its whole answer is an error,
//! never a fast request.

// The simulator's clock by its file, not through the library: this binary then links without the
// gateway, and both processes still read the monotonic clock in the same way.
#[expect(dead_code, reason = "wall time and HTTP dates are for the simulator")]
#[path = "../src/sim/clock.rs"]
mod clock;
#[path = "load/connection.rs"]
mod connection;
#[path = "load/events.rs"]
mod events;
#[path = "load/hold.rs"]
mod hold;
#[path = "load/options.rs"]
mod options;
#[path = "load/requests.rs"]
mod requests;
#[path = "load/response.rs"]
mod response;
#[path = "load/samples.rs"]
mod samples;
#[path = "load/streams.rs"]
mod streams;
#[path = "load/template.rs"]
mod template;

use std::process::ExitCode;

use clap::Parser;

use options::{Cli, Mode};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return fail(&e.to_string()),
    };
    let ran = runtime.block_on(async {
        match cli.mode {
            Mode::Requests(options) => requests::run(&options).await,
            Mode::Streams(options) => streams::run(&options).await,
            Mode::Hold(options) => hold::run(&options).await,
        }
    });
    // Not waited for: a thread may still sit in a read of stdin.
    runtime.shutdown_background();
    match ran {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(wrong) => fail(&wrong),
    }
}

fn fail(wrong: &str) -> ExitCode {
    eprintln!("load: {wrong}");
    ExitCode::FAILURE
}
