//! `tidegate audit`: the audit log, asked of the store itself.

use crate::assemble;
use crate::config;
use crate::store::{AuditVerdict, StoreError};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "Example:\n  tidegate audit verify --config conf/tidegate.toml\n\n\
    Exit code 0: whole, 1: not, or not readable.")]
pub struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Check that no entry was changed, taken out or cut off.
    #[command(after_help = "Example:\n  tidegate audit verify --config conf/tidegate.toml")]
    Verify(Verify),
}

#[derive(Args)]
struct Verify {
    /// The configuration file, which names the store.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Audit {
    pub fn run(self) -> ExitCode {
        match self.verb {
            Verb::Verify(verify) => verify.run(),
        }
    }
}

impl Verify {
    fn run(self) -> ExitCode {
        let config = match config::load(&self.config, &config::process_env) {
            Ok(config) => config,
            Err(report) => {
                eprint!("{}", report.render(super::wants_color()));
                return ExitCode::from(2);
            }
        };
        let Some(settings) = &config.store else {
            return super::fail(&format!("{} has no [store]", self.config.display()));
        };
        let (store, _bank) = match assemble::open_store(settings) {
            Ok(opened) => opened,
            Err(error) => return super::fail(&error),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let verdict = match runtime {
            Ok(runtime) => runtime.block_on(store.verify_audit()),
            Err(error) => return super::fail(&error),
        };
        tell(verdict)
    }
}

fn tell(verdict: Result<AuditVerdict, StoreError>) -> ExitCode {
    match verdict {
        Err(error) => super::fail(&error.told()),
        Ok(AuditVerdict { entries, broken: Some((sequence, what)), .. }) => super::fail(&format!(
            "entry {sequence}: {what}; the {entries} before it are as they were written"
        )),
        Ok(AuditVerdict { head: None, .. }) => {
            println!("the audit log is empty");
            ExitCode::SUCCESS
        }
        Ok(AuditVerdict { entries, head: Some(head), .. }) => {
            println!("{entries} entries, all as they were written\nhash of the last: {head}");
            ExitCode::SUCCESS
        }
    }
}
