//! `tidegate check`.

use crate::assemble;
use crate::config::{self, SecretPolicy};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  tidegate check conf/*.toml\n  tidegate check --secrets conf/tidegate.toml   also fetch the secrets, as `serve` does"
)]
pub struct Check {
    /// Files to check.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Resolve secrets; all files a configuration names must be there.
    #[arg(long)]
    secrets: bool,
}

/// Tells what of a file has no effect: it can be served all the same.
fn warn(file: &Path) {
    let notices = config::outline(file).map_or_else(|_| Vec::new(), |config| assemble::notices(&config));
    for notice in notices {
        eprintln!("{}: warning: {notice}", file.display());
    }
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
                    warn(file);
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
