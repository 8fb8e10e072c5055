//! Calls and usage as files: CSV (RFC 4180) or one JSON object a line, page by page.

use super::ledger::write_line;
use super::{CallQuery, Store, StoreError, UsageQuery, UsageRow};
use crate::govern::Call;
use serde_json::{Map, Value};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Jsonl,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Calls(CallQuery),
    Usage(UsageQuery),
}

/// An export under way. Holds one page at a time.
#[derive(Debug)]
pub struct Export {
    store: Arc<dyn Store>,
    asked: Asked,
    format: Format,
    has_begun: bool,
    is_over: bool,
}

impl Format {
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Jsonl => "application/x-ndjson",
        }
    }
}

impl Export {
    /// The query's limit is the size of a page.
    pub fn new(store: Arc<dyn Store>, asked: Asked, format: Format) -> Self {
        Self { store, asked, format, has_begun: false, is_over: false }
    }

    /// The next piece of the file; None after the last.
    ///
    /// # Errors
    /// The store's: what came before is a beginning of the file and no more.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let (rows, next) = match &self.asked {
            Asked::Calls(query) => {
                let page = self.store.calls(query).await?;
                (page.calls.iter().map(call).collect::<Vec<_>>(), page.next)
            }
            Asked::Usage(query) => {
                let page = self.store.usage(query).await?;
                (page.rows.iter().map(|row| usage(query, row)).collect(), page.next)
            }
        };
        self.is_over = next.is_none();
        match &mut self.asked {
            Asked::Calls(query) => query.after = next,
            Asked::Usage(query) => query.after = next,
        }
        let mut out = Vec::new();
        if self.format == Format::Csv && !self.has_begun {
            let names =
                rows.first().map(|row| row.iter().map(|(name, _)| Value::from(name.as_str())).collect());
            let names: Vec<Value> = names.unwrap_or_default();
            csv_line(names.iter(), &mut out);
        }
        self.has_begun = true;
        for row in rows {
            match self.format {
                Format::Csv => csv_line(row.iter().map(|(_, value)| value), &mut out),
                Format::Jsonl => {
                    let row: Map<String, Value> = row.into_iter().collect();
                    out.extend(Value::Object(row).to_string().bytes().chain([b'\n']));
                }
            }
        }
        Ok(Some(out))
    }
}

/// Cells by their column.
pub type Row = Vec<(String, Value)>;

/// A call as a row of a file, by column.
pub fn call(call: &Call) -> Row {
    let mut bytes = Vec::new();
    write_line(call, &mut bytes);
    let row: Map<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
    row.into_iter().collect()
}

fn usage(query: &UsageQuery, row: &UsageRow) -> Row {
    let mut cells: Row = Vec::new();
    let mut cell = |name: &str, value: Value| cells.push((name.to_owned(), value));
    if let Some(from_ms) = row.from_ms {
        cell("from_ms", from_ms.into());
    }
    for (dimension, text) in query.group_by.iter().zip(&row.group) {
        cell(dimension.as_str(), text.as_str().into());
    }
    let sums = &row.sums;
    let numbers = [
        ("calls", sums.calls),
        ("rejected", sums.rejected),
        ("failed", sums.failed),
        ("aborted", sums.aborted),
        ("unpriced", sums.unpriced),
        ("estimated", sums.estimated),
        ("input", sums.usage.input),
        ("cache_read", sums.usage.cache_read),
        ("cache_write_5m", sums.usage.cache_write_5m),
        ("cache_write_1h", sums.usage.cache_write_1h),
        ("audio_input", sums.usage.audio_input),
        ("image_input", sums.usage.image_input),
        ("output", sums.usage.output),
        ("reasoning", sums.usage.reasoning),
        ("audio_output", sums.usage.audio_output),
        ("image_output", sums.usage.image_output),
        ("duration_ms", sums.duration_ms),
    ];
    numbers.into_iter().for_each(|(name, number)| cell(name, number.into()));
    cell("cost_usd", sums.cost.to_string().into());
    cell("charged_usd", sums.charged().to_string().into());
    cells
}

/// One line of CSV.
pub fn csv_line<'v>(values: impl Iterator<Item = &'v Value>, out: &mut Vec<u8>) {
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match value {
            Value::Null => {}
            Value::String(text) => csv_text(text, out),
            other => out.extend(other.to_string().bytes()),
        }
    }
    out.extend(b"\r\n");
}

/// Clients choose some of these texts, and spreadsheets run what begins like a formula: an apostrophe
/// in front makes it a text again.
fn csv_text(text: &str, out: &mut Vec<u8>) {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_quoted = is_formula || text.contains([',', '"', '\n', '\r']);
    if !is_quoted {
        return out.extend(text.bytes());
    }
    out.push(b'"');
    if is_formula {
        out.push(b'\'');
    }
    out.extend(text.replace('"', "\"\"").bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_client_is_no_formula_and_no_second_cell() {
        let values = ["gpt-5", "a,b", "say \"hi\"", "=HYPERLINK(1)", "-1", "two\nlines"].map(Value::from);
        let mut out = Vec::new();
        csv_line(values.iter().chain([&Value::Null, &Value::from(7)]), &mut out);
        let expected = "gpt-5,\"a,b\",\"say \"\"hi\"\"\",\"'=HYPERLINK(1)\",\"'-1\",\"two\nlines\",,7\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
