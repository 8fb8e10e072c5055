//! `tidegate usage export`: calls or sums as a file, page by page, from where it was left.
//!
//! Invariant: a page is written whole before the next is asked for, so what is in the file and the
//! cursor that is told belong together.

use super::client::Client;
use super::{flattened, words};
use crate::store::export::csv_line;
use crate::types::percent;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Rows of one page: an answer stays well within what is read of one.
const PAGE: usize = 100;

#[derive(Args)]
#[command(after_help = "Example:\n  tidegate usage export --since 30d --output calls.csv\n\n\
    An export that ends early says how to go on with the same file.")]
pub struct Export {
    #[arg(long, value_enum, default_value_t = Form::Csv)]
    format: Form,
    /// Sums by these instead of single calls: tenant, team, app, key, model, provider, parted by commas.
    #[arg(long, value_name = "DIMENSIONS")]
    by: Option<String>,
    /// With `--by`: minute, hour or day, one row for each.
    #[arg(long, requires = "by")]
    bucket: Option<String>,
    /// How far back, such as 30d.
    #[arg(long, default_value = "30d", conflicts_with = "from_ms")]
    since: String,
    /// From when, in milliseconds since 1970.
    #[arg(long, value_name = "MS")]
    from_ms: Option<u64>,
    /// Up to when; now, unless given.
    #[arg(long, value_name = "MS")]
    to_ms: Option<u64>,
    /// Where the last export ended: its rows are added to the output.
    #[arg(long, value_name = "CURSOR", requires = "from_ms", requires = "to_ms")]
    after: Option<String>,
    /// A file instead of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Csv,
    Jsonl,
}

/// Where rows go, and how.
struct Sink<W: Write> {
    to: W,
    form: Form,
    /// The columns: those of the first row.
    columns: Option<Vec<String>>,
    has_head: bool,
}

impl Export {
    /// Asks the admin API at `admin`.
    pub fn run(&self, admin: &str) -> ExitCode {
        match self.write(admin) {
            Ok(count) => {
                eprintln!("{count} rows");
                ExitCode::SUCCESS
            }
            Err(error) => crate::cli::fail(&error),
        }
    }

    fn write(&self, admin: &str) -> Result<u64, String> {
        let client = Client::new(admin)?;
        let to_ms = self.to_ms.unwrap_or_else(|| crate::telemetry::WallClock.unix_ms());
        let from_ms = match self.from_ms {
            Some(from_ms) => from_ms,
            None => to_ms.saturating_sub(words::seconds(&self.since)?.saturating_mul(1000)),
        };
        let to: Box<dyn Write> = match &self.output {
            None => Box::new(std::io::stdout().lock()),
            Some(path) => Box::new(self.file(path).map_err(|error| format!("{}: {error}", path.display()))?),
        };
        let mut sink =
            Sink { to: BufWriter::new(to), form: self.format, columns: None, has_head: self.after.is_some() };
        let mut cursor = self.after.clone();
        let mut count = 0;
        loop {
            let page = self.page(&client, (from_ms, to_ms), cursor.as_deref());
            let written = page.and_then(|page| Ok((sink.write(&page)?, page)));
            let (rows, page) =
                written.map_err(|error| resume(&error, (from_ms, to_ms), cursor.as_deref()))?;
            count += rows;
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                return Ok(count);
            }
        }
    }

    /// A new file, or the one to go on with.
    fn file(&self, path: &PathBuf) -> std::io::Result<File> {
        let mut options = OpenOptions::new();
        match self.after {
            Some(_) => options.append(true),
            None => options.write(true).create_new(true),
        };
        options.open(path)
    }

    fn page(
        &self,
        client: &Client,
        (from_ms, to_ms): (u64, u64),
        cursor: Option<&str>,
    ) -> Result<Value, String> {
        let path = if self.by.is_some() { "usage" } else { "calls" };
        let mut url = format!("{path}?from_ms={from_ms}&to_ms={to_ms}&limit={PAGE}");
        let texts =
            [("group_by", self.by.as_deref()), ("bucket", self.bucket.as_deref()), ("cursor", cursor)];
        for (name, text) in texts {
            if let Some(text) = text {
                url.push_str(&format!("&{name}={}", percent::encoded(text)));
            }
        }
        client.get(&url)
    }
}

/// An error, and how to go on after it.
fn resume(error: &str, (from_ms, to_ms): (u64, u64), cursor: Option<&str>) -> String {
    let after = cursor.map(|cursor| format!(" --after '{cursor}'")).unwrap_or_default();
    format!(
        "{error}\nto go on: the same command with --from-ms {from_ms} --to-ms {to_ms}{after} and without --since"
    )
}

impl<W: Write> Sink<W> {
    /// A page's rows.
    fn write(&mut self, page: &Value) -> Result<u64, String> {
        let items = flattened(page.get("items").cloned().unwrap_or_default());
        let rows = items.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut out = Vec::new();
        for row in rows.iter().filter_map(Value::as_object) {
            match self.form {
                Form::Csv => self.csv(row, &mut out),
                Form::Jsonl => out.extend(format!("{}\n", Value::Object(row.clone())).bytes()),
            }
        }
        self.to.write_all(&out).and_then(|()| self.to.flush()).map_err(|error| error.to_string())?;
        Ok(rows.len() as u64)
    }

    fn csv(&mut self, row: &Map<String, Value>, out: &mut Vec<u8>) {
        let columns = self.columns.get_or_insert_with(|| row.keys().cloned().collect());
        if !std::mem::replace(&mut self.has_head, true) {
            let head: Vec<Value> = columns.iter().map(|column| column.as_str().into()).collect();
            csv_line(head.iter(), out);
        }
        csv_line(columns.iter().map(|column| row.get(column).unwrap_or(&Value::Null)), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(form: Form, has_head: bool, pages: &[Value]) -> String {
        let mut sink = Sink { to: Vec::new(), form, columns: None, has_head };
        for page in pages {
            sink.write(page).unwrap();
        }
        String::from_utf8(sink.to).unwrap()
    }

    #[test]
    fn pages_make_one_file_with_one_head_and_a_resumed_one_has_none() {
        let page = |at: u64| json!({ "items": [{ "id": format!("r{at}"), "model": "=1+1", "cost": null }] });
        let head = "cost,id,model\r\n";
        let rows = ",r1,\"'=1+1\"\r\n,r2,\"'=1+1\"\r\n";
        assert_eq!(written(Form::Csv, false, &[page(1), page(2)]), format!("{head}{rows}"));
        assert_eq!(written(Form::Csv, true, &[page(1), page(2)]), rows);
        let lines = written(Form::Jsonl, false, &[page(1), page(2)]);
        assert_eq!(lines.lines().count(), 2);
        let sums = json!({ "items": [{ "group": { "key": "k" }, "calls": 2, "from_ms": 5 }] });
        assert_eq!(written(Form::Csv, false, &[sums]), "calls,from_ms,key\r\n2,5,k\r\n");
    }

    #[test]
    fn who_is_cut_off_is_told_how_to_go_on() {
        let told = resume("the store is not available (503)", (1, 2), Some("99.req_1"));
        assert!(told.contains("--from-ms 1 --to-ms 2 --after '99.req_1'"), "{told}");
    }
}
