//! `tidegate upgrade`.

use crate::config;
use crate::server::upgrade;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args)]
#[command(after_help = "Example:\n  tidegate upgrade --config conf/tidegate.toml\n\n\
    The new process checks the file and gets ready before the old one is told; if it fails, the old\n\
    one serves on. It takes over after about a second. Streams under way end in the old process,\n\
    within [server.drain] streams_max.\n\n\
    The new process writes its logs where the old one does: its standard output and standard error\n\
    are opened again (a file at its end: start the first one with >>). Where that cannot be, as with\n\
    the systemd journal, they are this command's own, or nowhere if those are pipes.")]
pub struct Upgrade {
    /// The configuration file, for the new process.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How long the new process may take to get ready, in seconds.
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    patience: u64,
}

impl Upgrade {
    pub fn run(self) -> ExitCode {
        let config = match config::load(&self.config, &config::process_env) {
            Ok(config) => config,
            Err(report) => {
                eprint!("{}", report.render(super::wants_color()));
                return ExitCode::from(2);
            }
        };
        let patience = Duration::from_secs(self.patience);
        match upgrade::hand_over(&self.config, &config.server.upgrade.socket, patience) {
            Ok((old, new)) => {
                println!("process {new} has taken over from {old}, which ends with its last stream");
                ExitCode::SUCCESS
            }
            Err(error) => super::fail(&error),
        }
    }
}
