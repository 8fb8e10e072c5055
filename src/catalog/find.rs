//! From a name to a row: the rules, and nothing else, decide.
//!
//! Within a provider, the first that finds something:
//! 1. the id of a row, whatever its case;
//! 2. a name that a row states as another of its own;
//! 3. the same two after a wrapper is taken off: `models/…`, `…/models/…`, a Bedrock ARN;
//! 4. a dated name (`-2026-11-21`, `-20261121`, `@20261121`) finds the row without the date, and a
//!    name without a date the newest dated row, but only where all dated rows of that name cost the
//!    same: otherwise which one is meant would be a guess.
//!
//! Never: beginnings, pieces, fine-tuned models by their base, or another provider's price.

use super::row::Row;
use super::table::Table;
use super::{Catalog, Model};

/// By which rule a row was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Its id.
    Id,
    /// A name it states.
    Alias,
    /// Its id or alias inside a wrapper.
    Wrapped,
    /// A date was left out or added.
    Dated,
}

/// A row and how it was found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    pub model: Model<'a>,
    pub how: Match,
}

impl Match {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Match::Id => "id",
            Match::Alias => "alias",
            Match::Wrapped => "wrapped",
            Match::Dated => "dated",
        }
    }
}

impl Catalog {
    /// The row of `name` at `provider` (a catalogue id, or the name of a configured provider that has
    /// rows of its own). Rows of the configuration come first.
    pub fn find(&self, provider: &str, name: &str) -> Option<Found<'_>> {
        let tables = || self.tables().filter_map(|table| Some((table, table.provider(provider)?)));
        let found = |table, (row, how)| Some(Found { model: Model::new(table, row)?, how });
        tables()
            .find_map(|(table, provider)| found(table, stated(table, provider, name)?))
            .or_else(|| tables().find_map(|(table, provider)| found(table, derived(table, provider, name)?)))
    }

    /// The row of a bare name, for the traits of the model, never for a price: who serves it is not
    /// said. The configuration's row, else the one of the only maker that has it, else the only row of
    /// that name. `MAKER/NAME` is understood too.
    pub fn find_name(&self, name: &str) -> Option<Found<'_>> {
        let own = self.tables().filter(|table| table.is_own);
        let mut rows = own.flat_map(|table| table.anywhere(name).filter_map(|row| Model::new(table, row)));
        if let Some(model) = rows.next() {
            return rows.next().is_none().then_some(Found { model, how: Match::Id });
        }
        let makers = || self.providers().iter().filter(|provider| provider.is_maker);
        if let Some((maker, rest)) = name.split_once('/')
            && makers().any(|provider| &*provider.id == maker)
            && let Some(found) = self.find(maker, rest)
        {
            return Some(found);
        }
        let mut found = makers().filter_map(|maker| self.find(&maker.id, name));
        if let Some(first) = found.next() {
            return found.next().is_none().then_some(first);
        }
        let mut rows =
            self.tables().flat_map(|table| table.anywhere(name).filter_map(|row| Model::new(table, row)));
        let model = rows.next()?;
        rows.next().is_none().then_some(Found { model, how: Match::Id })
    }
}

/// Rules 1 and 2.
fn stated<'t>(table: &'t Table, provider: u16, name: &str) -> Option<(&'t Row, Match)> {
    let by_id = table.named(provider, name).map(|row| (row, Match::Id));
    by_id.or_else(|| table.aliased(provider, name).map(|row| (row, Match::Alias)))
}

/// Rules 3 and 4.
fn derived<'t>(table: &'t Table, provider: u16, name: &str) -> Option<(&'t Row, Match)> {
    let bare = unwrapped(name);
    if bare.len() != name.len()
        && let Some((row, _)) = stated(table, provider, bare)
    {
        return Some((row, Match::Wrapped));
    }
    let base = without_date(bare).unwrap_or(bare);
    let mut dated = table
        .beginning(provider, base)
        .filter(|row| table.id(row).get(base.len()..).is_some_and(|rest| without_date(rest) == Some("")));
    let plain = if base == bare { None } else { stated(table, provider, base).map(|(row, _)| row) };
    // Dates of one form sort by time.
    let newest = dated.clone().max_by_key(|row| digits(table.id(row)));
    let row = plain.or(if base == bare { newest } else { None })?;
    dated.all(|other| other.prices == row.prices).then_some((row, Match::Dated))
}

fn digits(id: &str) -> String {
    id.chars().rev().filter(char::is_ascii_digit).take(8).collect::<Vec<_>>().into_iter().rev().collect()
}

/// The name inside `models/NAME`, `publishers/x/models/NAME` or an ARN of Bedrock.
fn unwrapped(name: &str) -> &str {
    if name.starts_with("arn:") {
        let is_model = [":inference-profile/", ":foundation-model/"];
        return is_model.iter().find_map(|kind| name.rsplit_once(kind)).map_or(name, |(_, rest)| rest);
    }
    name.strip_prefix("models/")
        .or_else(|| name.rsplit_once("/models/").map(|(_, rest)| rest))
        .unwrap_or(name)
}

/// What stands before a date at the end, if there is one.
pub(super) fn without_date(name: &str) -> Option<&str> {
    let form = |pattern: &str| -> Option<&str> {
        let (rest, date) = name.split_at_checked(name.len().checked_sub(pattern.len())?)?;
        let fits = date.bytes().zip(pattern.bytes()).all(|(b, form)| match form {
            b'0' => b.is_ascii_digit(),
            b'-' => b == b'-',
            _ => b == form,
        });
        let numbers: String = date.chars().filter(char::is_ascii_digit).collect();
        let (year, day) = numbers.split_at_checked(4)?;
        let (month, day) = day.split_at_checked(2)?;
        let is_day = super::Day::of(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).is_some();
        (fits && is_day).then_some(rest)
    };
    form("-0000-00-00").or_else(|| form("-00000000")).or_else(|| form("@00000000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_exist_are_dates() {
        for (name, rest) in [
            ("gpt-5-2025-08-07", Some("gpt-5")),
            ("claude-sonnet-4-5-20250929", Some("claude-sonnet-4-5")),
            ("claude-sonnet-4-5@20250929", Some("claude-sonnet-4-5")),
            ("-2025-08-07", Some("")),
            ("mistral-large-2512", None),
            ("gpt-4-0613", None),
            ("x-2025-13-07", None),
            ("x-12345678", None),
            ("x2025-08-07", None),
            ("模型", None),
        ] {
            assert_eq!(without_date(name), rest, "{name}");
        }
    }

    #[test]
    fn wrappers_of_vendors_are_known() {
        for (name, bare) in [
            ("models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5",
                "us.anthropic.claude-opus-5",
            ),
            ("arn:aws:bedrock:us-east-1::foundation-model/zai.glm-5.3", "zai.glm-5.3"),
            (
                "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x",
                "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x",
            ),
            ("openai/gpt-5", "openai/gpt-5"),
        ] {
            assert_eq!(unwrapped(name), bare);
        }
    }
}
