//! `tidegate route`: why a request goes where it goes, and where recorded ones would have gone.

mod explain;
mod replay;
mod world;

use clap::{Args, Subcommand};
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = super::examples::ROUTE)]
pub struct Route {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show candidates, scores and the reason for one request.
    Explain(Box<explain::Explain>),
    /// Decide recorded requests again, with this configuration or another.
    Replay(replay::Replay),
}

impl Route {
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Explain(command) => command.run(),
            Command::Replay(command) => command.run(),
        }
    }
}
