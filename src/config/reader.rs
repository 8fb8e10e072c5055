//! Reads one table key by key. What nobody asked for is an unknown key, so the readers themselves
//! are the list of keys and no second one can be wrong.
//!
//! serde is not used: it stops at the first error, and its errors know no spans inside enums.

use super::collector::Collector;
use super::near;
use super::value::Value;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A table being read. Ends with [`Reader::done`].
pub(super) struct Reader<'a, 'c, 'e> {
    table: &'a DeTable<'a>,
    head: Range<usize>,
    path: String,
    asked: Vec<&'static str>,
    pub(super) collector: &'c mut Collector<'e>,
}

impl<'a, 'c, 'e> Reader<'a, 'c, 'e> {
    /// The whole file.
    pub(super) fn root(table: &'a DeTable<'a>, collector: &'c mut Collector<'e>) -> Self {
        Self { table, head: 0..0, path: String::new(), asked: Vec::new(), collector }
    }

    /// The table that `value` is; None and a problem where it is none.
    pub(super) fn open(value: &Value<'a>, collector: &'c mut Collector<'e>) -> Option<Self> {
        let table = value.table(collector)?;
        let path = value.path.clone();
        Some(Self { table, head: value.head.clone(), path, asked: Vec::new(), collector })
    }

    /// The value of `key`, if it is there. Asking makes the key known.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.asked.push(key);
        #[cfg(test)]
        self.collector.asked.insert((self.path.clone(), key));
        let (name, item) = self.table.get_key_value(key)?;
        Some(Value {
            node: item.get_ref(),
            span: item.span(),
            head: name.span(),
            inside: self.path.clone(),
            path: join(&self.path, key),
        })
    }

    /// The value of `key` as `read` understands it; None where it is absent or wrong.
    pub(super) fn take<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'a>, &mut Collector<'e>) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        read(&value, self.collector)
    }

    /// Like [`Reader::take`], with what holds when the key is absent.
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Value<'a>, &mut Collector<'e>) -> Option<T>,
    ) -> T {
        self.take(key, read).unwrap_or(default)
    }

    /// Like [`Reader::take`], and absence is a problem.
    pub(super) fn need<T>(
        &mut self,
        key: &'static str,
        help: &str,
        read: impl FnOnce(&Value<'a>, &mut Collector<'e>) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.fail(format!("missing `{key}`"), Some(help));
        }
        self.take(key, read)
    }

    /// Whether the table has `key`. Does not make it known.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether the table has a table `key` that has `inner`. Makes neither known.
    pub(super) fn has_at(&self, key: &str, inner: &str) -> bool {
        match self.table.get(key).map(toml::Spanned::get_ref) {
            Some(DeValue::Table(table)) => table.contains_key(inner),
            _ => false,
        }
    }

    /// Whether `key` is absent, or a table or array without anything in it. Does not make it known.
    pub(super) fn is_empty_at(&self, key: &str) -> bool {
        match self.table.get(key).map(toml::Spanned::get_ref) {
            None => true,
            Some(DeValue::Table(table)) => table.is_empty(),
            Some(DeValue::Array(array)) => array.is_empty(),
            Some(_) => false,
        }
    }

    /// A problem with the table as a whole, shown at the key that names it.
    pub(super) fn fail(&mut self, message: impl Into<String>, help: Option<&str>) {
        self.collector.add(self.head.clone(), &self.path, message.into(), help.map(str::to_owned));
    }

    /// All entries, for tables whose keys are names the user chose.
    pub(super) fn entries(&self) -> Vec<(&'a str, Value<'a>)> {
        let entry = |(name, item): (&'a toml::Spanned<_>, &'a toml::Spanned<_>)| {
            let key: &'a std::borrow::Cow<'a, str> = name.get_ref();
            let value = Value {
                node: item.get_ref(),
                span: item.span(),
                head: name.span(),
                inside: self.path.clone(),
                path: join(&self.path, key),
            };
            (key.as_ref(), value)
        };
        self.table.iter().map(entry).collect()
    }

    /// Reports every key nobody asked for.
    pub(super) fn done(self) {
        for (key, value) in self.entries() {
            if self.asked.contains(&key) {
                continue;
            }
            let near = near::suffix(key, self.asked.iter().copied());
            let mut known = self.asked.clone();
            known.sort_unstable();
            let help = near.is_empty().then(|| format!("known here: {}", known.join(", ")));
            value.hide(self.collector);
            let message = format!("unknown field `{}`{near}", near::quoted(key));
            value.fail_head(self.collector, message, help.as_deref());
        }
    }
}

/// `models."gpt-5.2".limits`: a path as it would be written in TOML.
pub(super) fn join(path: &str, key: &str) -> String {
    let is_bare =
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let key = if is_bare { near::quoted(key) } else { format!("\"{}\"", near::quoted(key)) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::super::file::SecretPolicy;
    use super::*;

    #[test]
    fn what_nobody_asked_for_is_unknown() {
        let text = "a = 1\nbb = 2\n\"x y\" = \"sk-canary\"\n";
        let table = DeTable::parse(text).unwrap();
        let mut collector = Collector::new(SecretPolicy::Syntax, &|_| None);
        let mut reader = Reader::root(table.get_ref(), &mut collector);
        assert!(reader.value("a").is_some());
        assert!(reader.value("b").is_none());
        reader.done();
        let report = collector.finish("f", text, ()).unwrap_err();
        let messages: Vec<&str> = report.problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(messages, ["unknown field `bb`, did you mean `b`?", "unknown field `x y`"]);
        assert_eq!(report.problems[1].help.as_deref(), Some("known here: a, b"));
        assert!(!report.render(false).contains("canary"));
    }

    #[test]
    fn paths_are_written_as_toml_would() {
        assert_eq!(join("models", "gpt-5"), "models.gpt-5");
        assert_eq!(join("models", "gpt-5.2"), "models.\"gpt-5.2\"");
        assert_eq!(join("", "server"), "server");
    }
}
