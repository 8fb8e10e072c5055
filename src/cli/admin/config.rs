//! `tidegate config`: the history of configurations.

use super::client::Client;
use super::{At, print_table, show};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "Example:\n  tidegate config history\n  tidegate config diff 12 14\n  tidegate config rollback 12\n\n\
    What the configuration file says is not gone back to: change it there."
)]
pub struct Config {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Configurations that came into force, the newest first.
    #[command(after_help = "Example:\n  tidegate config history")]
    History,
    /// What differs between two of them.
    #[command(after_help = "Example:\n  tidegate config diff 12 14")]
    Diff { from: u64, to: u64 },
    /// Providers and models of the store as they were in one of them.
    #[command(after_help = "Example:\n  tidegate config rollback 12")]
    Rollback { to: u64 },
}

impl Config {
    pub fn run(self) -> ExitCode {
        let Self { at, verb } = self;
        let outcome = Client::new(&at.admin).and_then(|client| match verb {
            Verb::History => client.get("config/history"),
            Verb::Diff { from, to } => client.get(&format!("config/history/{from}/diff/{to}")),
            Verb::Rollback { to } => client.post("config/rollback", &json!({ "to": to })),
        });
        match outcome {
            Ok(answer) if !at.json => tell(&answer),
            other => show(other, &[], true),
        }
    }
}

/// For a person: a list of configurations, or of changes.
fn tell(answer: &Value) -> ExitCode {
    let list = |name: &str| answer.get(name).and_then(Value::as_array);
    if let Some(items) = list("items") {
        print_table(&["number", "at_ms", "cause", "digest"], items);
        return ExitCode::SUCCESS;
    }
    let changes = list("changes").map(Vec::as_slice).unwrap_or_default();
    if changes.is_empty() {
        println!("no difference");
    } else {
        print_table(&["change", "origin", "path", "before", "after"], changes);
    }
    if let Some(of_file) = answer.get("of_file") {
        let note = of_file.get("note").and_then(Value::as_str).unwrap_or_default();
        println!("\n{note}:");
        for path in of_file.get("paths").and_then(Value::as_array).into_iter().flatten() {
            println!("  {}", path.as_str().unwrap_or_default());
        }
    }
    ExitCode::SUCCESS
}
