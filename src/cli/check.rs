//! `tidegate check`.

use crate::config::{self, SecretPolicy};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  tidegate check conf/*.toml\n  tidegate check --secrets conf/tidegate.toml   also fetch the secrets, as `serve` does"
)]
pub struct Check {
    /// Files to check.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Resolve secrets and look at the files a configuration names.
    #[arg(long)]
    secrets: bool,
}

impl Check {
    pub fn run(self) -> ExitCode {
        let policy = if self.secrets { SecretPolicy::Resolve } else { SecretPolicy::Syntax };
        let mut problems = 0;
        for file in &self.files {
            match config::check(file, &config::process_env, policy) {
                Ok(found) => {
                    println!(
                        "{}: ok ({} providers, {} models, {} keys{})",
                        file.display(),
                        found.providers,
                        found.models,
                        found.keys,
                        if self.secrets { "" } else { "; secrets not resolved" }
                    );
                    found.mirrors.iter().for_each(|mirror| println!("  mirror: {mirror}"));
                }
                Err(report) => {
                    problems += report.len();
                    eprint!("{}", report.render(super::wants_color()));
                }
            }
        }
        if problems == 0 {
            return ExitCode::SUCCESS;
        }
        let s = if problems == 1 { "" } else { "s" };
        eprintln!("{problems} problem{s} found");
        ExitCode::from(2)
    }
}
