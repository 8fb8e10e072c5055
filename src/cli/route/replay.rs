//! `tidegate route replay`.

use super::world;
use crate::assemble::Routes;
use crate::cli::facts::{print, table};
use crate::routing::Recorded;
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

/// Bytes of a line that is read.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Who is counted where nobody may serve a call.
const NOBODY: &str = "(nobody)";

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    tidegate route replay logs/access.jsonl --config conf/next.toml\n  \
    tidegate route replay logs/access.jsonl --config conf/next.toml --json\n  \
    zcat logs/access.jsonl.gz | tidegate route replay - --config conf/next.toml\n\n\
    Decisions are in the access log with `log.routes = true`.")]
pub struct Replay {
    /// An access log; `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "FILE", default_value = "conf/tidegate.toml")]
    config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What of a line is looked at.
#[derive(Deserialize)]
struct Line {
    decision: Option<Recorded>,
}

/// What came of all of them.
#[derive(Default)]
struct Outcome {
    same: u64,
    moved: u64,
    /// Models that this configuration does not have.
    unknown: u64,
    /// Lines without a decision.
    without: u64,
    /// First targets, recorded and now.
    shares: BTreeMap<String, [u64; 2]>,
}

impl Replay {
    pub fn run(self) -> ExitCode {
        let routes = match world::open(&self.config) {
            Ok(routes) => routes,
            Err(code) => return code,
        };
        match self.all(&routes) {
            Ok(outcome) => print(&if self.json { outcome.as_json() } else { outcome.as_text() }),
            Err(error) => crate::cli::fail(&format!("{}: {error}", self.file.display())),
        }
    }

    fn all(&self, routes: &Routes) -> std::io::Result<Outcome> {
        let mut reader: Box<dyn BufRead> = match self.file.as_os_str() == "-" {
            true => Box::new(std::io::stdin().lock()),
            false => Box::new(BufReader::new(File::open(&self.file)?)),
        };
        let mut outcome = Outcome::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            if std::io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
                return Ok(outcome);
            }
            match serde_json::from_slice(&line).ok().and_then(|line: Line| line.decision) {
                Some(recorded) => outcome.add(routes, &recorded),
                None => outcome.without += 1,
            }
        }
    }
}

impl Outcome {
    fn add(&mut self, routes: &Routes, recorded: &Recorded) {
        let Some(policy) = world::policy(routes, &recorded.model) else {
            self.unknown += 1;
            return;
        };
        let decided = world::decide(routes, policy, recorded);
        let first = decided.plan.targets().next().and_then(|target| policy.route.facts.get(target));
        let now = first.map_or(NOBODY, |facts| &facts.name);
        let then = recorded.chosen.as_deref().unwrap_or(NOBODY);
        if now == then {
            self.same += 1
        } else {
            self.moved += 1
        }
        for (name, index) in [(then, 0), (now, 1)] {
            let counts = self.shares.entry(name.to_owned()).or_default();
            if let Some(count) = counts.get_mut(index) {
                *count += 1;
            }
        }
    }

    fn as_text(&self) -> String {
        let of =
            |count: u64| format!("{count} ({:.1} %)", 100.0 * count as f64 / self.decided().max(1) as f64);
        let row = |(name, [then, now]): (&String, &[u64; 2])| vec![name.clone(), of(*then), of(*now)];
        let rows: Vec<Vec<String>> = self.shares.iter().map(row).collect();
        let mut text = table(&["TARGET", "THEN", "NOW"], &[1, 2], &rows);
        text += &format!("\n{} decisions: {} the same, {} moved", self.decided(), self.same, self.moved);
        if self.unknown > 0 {
            text += &format!("; {} of models that are not configured", self.unknown);
        }
        if self.without > 0 {
            text += &format!("; {} lines without a decision", self.without);
        }
        text + "\n"
    }

    fn as_json(&self) -> String {
        let shares =
            self.shares.iter().map(|(name, [then, now])| json!({"target": name, "then": then, "now": now}));
        let all = json!({
            "decisions": self.decided(),
            "same": self.same,
            "moved": self.moved,
            "unknown_models": self.unknown,
            "lines_without": self.without,
            "targets": shares.collect::<Vec<_>>(),
        });
        format!("{all}\n")
    }

    fn decided(&self) -> u64 {
        self.same + self.moved
    }
}
