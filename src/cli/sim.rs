//! `tidegate sim`.

use crate::sim::{self, Scenario, SimOptions};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = sim::HELP)]
pub struct Sim {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9100", value_name = "ADDR")]
    listen: SocketAddr,
    /// A scenario file (TOML): delays and faults by model.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Threads, each with its own accept loop.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Keep the last requests, bodies included, for /sim/requests.
    #[arg(long)]
    capture: bool,
}

impl Sim {
    pub fn run(self) -> ExitCode {
        let scenario = match self.scenario.as_ref().map(std::fs::read_to_string).transpose() {
            Ok(text) => text.map_or(Ok(Scenario::default()), |text| Scenario::from_toml(&text)),
            Err(error) => return super::fail(&error),
        };
        let scenario = match scenario {
            Ok(scenario) => scenario,
            Err(error) => return super::fail(&error),
        };
        let options = SimOptions {
            listen: self.listen,
            threads: self.threads.max(1),
            scenario,
            capture: self.capture,
            counter: None,
        };
        let ran =
            sim::run(options, |address| eprintln!("simulator on http://{address}, counts at /sim/stats"));
        match ran {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::fail(&error),
        }
    }
}
