//! One value of the file with its place, and the plain types it can be asked for.

use super::collector::Collector;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A value and where it is.
pub(super) struct Value<'a> {
    pub(super) node: &'a DeValue<'a>,
    pub(super) span: Range<usize>,
    /// The key that names it; in an array the value itself.
    pub(super) head: Range<usize>,
    /// The table it lies in, as shown to the reader.
    pub(super) inside: String,
    /// Its own path, as shown to the reader.
    pub(super) path: String,
}

impl<'a> Value<'a> {
    /// Reports a problem with this value.
    pub(super) fn fail(&self, collector: &mut Collector<'_>, message: impl Into<String>) {
        collector.add(self.span.clone(), &self.inside, message.into(), None);
    }

    /// Reports a problem with this value and what to write instead.
    pub(super) fn fail_help(
        &self,
        collector: &mut Collector<'_>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        collector.add(self.span.clone(), &self.inside, message.into(), Some(help.into()));
    }

    /// Reports a problem with the key that names this value.
    pub(super) fn fail_head(
        &self,
        collector: &mut Collector<'_>,
        message: impl Into<String>,
        help: Option<&str>,
    ) {
        collector.add(self.head.clone(), &self.inside, message.into(), help.map(str::to_owned));
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.node {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        }
    }

    /// Reports that this value has the wrong type.
    pub(super) fn expected(&self, collector: &mut Collector<'_>, what: &str) {
        // A string or list where something else was wanted may be a secret in the wrong place.
        self.hide(collector);
        self.fail(collector, format!("expected {what}, found {}", self.kind()));
    }

    /// Keeps every string in this value that is no reference to a secret out of reports.
    pub(super) fn hide(&self, collector: &mut Collector<'_>) {
        hide(self.node, self.span.clone(), collector);
    }

    pub(super) fn string(&self, collector: &mut Collector<'_>, what: &str) -> Option<&'a str> {
        if let DeValue::String(text) = self.node {
            return Some(text.as_ref());
        }
        self.expected(collector, what);
        None
    }

    pub(super) fn boolean(&self, collector: &mut Collector<'_>) -> Option<bool> {
        if let DeValue::Boolean(value) = self.node {
            return Some(*value);
        }
        self.expected(collector, "true or false");
        None
    }

    pub(super) fn table(&self, collector: &mut Collector<'_>) -> Option<&'a DeTable<'a>> {
        if let DeValue::Table(table) = self.node {
            return Some(table);
        }
        self.expected(collector, "a table");
        None
    }

    /// The elements of an array.
    pub(super) fn elements(&self, collector: &mut Collector<'_>, what: &str) -> Option<Vec<Value<'a>>> {
        let DeValue::Array(array) = self.node else {
            self.expected(collector, what);
            return None;
        };
        let element = |(index, item): (usize, &'a toml::Spanned<DeValue<'a>>)| Value {
            node: item.get_ref(),
            span: item.span(),
            head: item.span(),
            inside: self.inside.clone(),
            path: format!("{}[{index}]", self.path),
        };
        Some(array.iter().enumerate().map(element).collect())
    }

    /// The elements of an array, each read by `read`; the ones it refuses are left out.
    pub(super) fn list<T>(
        &self,
        collector: &mut Collector<'_>,
        what: &str,
        mut read: impl FnMut(&Value<'a>, &mut Collector<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let elements = self.elements(collector, what)?;
        Some(elements.iter().filter_map(|element| read(element, collector)).collect())
    }
}

/// Depth is bounded by the TOML parser (80).
fn hide(node: &DeValue<'_>, span: Range<usize>, collector: &mut Collector<'_>) {
    match node {
        DeValue::String(text) if text.starts_with("env:") || text.starts_with("file:") => {}
        DeValue::String(_) => collector.mask(span),
        DeValue::Array(array) => array.iter().for_each(|item| hide(item.get_ref(), item.span(), collector)),
        DeValue::Table(table) => {
            table.values().for_each(|item| hide(item.get_ref(), item.span(), collector));
        }
        _ => {}
    }
}
