//! What `tidegate models` and `tidegate providers` share: which catalogue, search, tables.

use crate::catalog::Catalog;
use crate::config::CatalogSettings;
use clap::Args;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Default)]
pub struct From {
    /// Show the catalogue as this configuration has it: its file of facts, its own rows.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Show this file of facts, packed or not; it is checked on the way.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
}

impl From {
    /// The catalogue that was asked for, or the exit code after the problem was told.
    pub fn open(&self) -> Result<Catalog, ExitCode> {
        if let Some(path) = &self.config {
            let settings = CatalogSettings::of_file(path).map_err(|report| {
                eprint!("{}", report.render(super::wants_color()));
                ExitCode::from(2)
            })?;
            return Ok(settings.facts);
        }
        let Some(path) = &self.file else { return Ok(Catalog::builtin()) };
        let told = |error: &dyn std::fmt::Display| {
            eprintln!("error: {}: {error}", path.display());
            ExitCode::from(2)
        };
        let bytes = std::fs::read(path).map_err(|error| told(&error))?;
        Catalog::load(&bytes).map_err(|error| told(&error))
    }
}

/// Whether every word of `search` stands in one of `texts`, whatever its case.
pub fn matches(search: Option<&str>, texts: &[&str]) -> bool {
    let found = |word: &str| texts.iter().any(|text| text.to_lowercase().contains(word));
    search.is_none_or(|search| search.to_lowercase().split_whitespace().all(found))
}

/// Rows under a head, each column as wide as it must be. Columns in `right` are numbers.
pub fn table(head: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|name| name.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let names = head.iter().map(|name| (*name).to_owned()).collect();
    for row in std::iter::once(&names).chain(rows) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if right.contains(&column) {
                write!(line, "{cell:>width$}  ")
            } else {
                write!(line, "{cell:<width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `1 model`, `2 models`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Where the facts come from and of when they are.
pub fn origin(catalog: &Catalog) -> String {
    let sources = catalog.sources().iter().map(|source| {
        format!("{} {} ({}, as of {})", source.id, source.version, source.licence, source.as_of)
    });
    let made = catalog.made().map_or("without a date".to_owned(), |day| format!("of {day}"));
    format!("Catalogue {made}, from {}.\n", sources.collect::<Vec<_>>().join(", "))
}

/// Writes to standard output; a reader that has left (`| head`) is no error.
pub fn print(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    ExitCode::SUCCESS
}

/// One JSON array, an element a line.
pub fn json_lines(values: impl Iterator<Item = serde_json::Value>) -> String {
    let lines: Vec<String> = values.map(|value| value.to_string()).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_be_found_somewhere() {
        let texts = ["openai/gpt-5", "GPT-5"];
        for (search, found) in
            [(None, true), (Some("GPT openai"), true), (Some("gpt mistral"), false), (Some(""), true)]
        {
            assert_eq!(matches(search, &texts), found, "{search:?}");
        }
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".to_owned(), "10".to_owned()], vec!["bcd".to_owned(), "5".to_owned()]];
        assert_eq!(table(&["ID", "N"], &[1], &rows), "ID    N\na    10\nbcd   5\n");
    }
}
