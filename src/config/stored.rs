//! Providers and models that are kept in the store: the same tables as in the file.
//!
//! They are written as text that stands behind the file's, and read with it by the same readers: what
//! holds for the one holds for the other, a model of the store may name a provider of the file, and
//! nothing is in both. Invariant: they never change what the file says.

use super::collector::Collector;
use super::file::FILE_BYTES_MAX;
use super::reader::join;
use super::report::{Problem, Report};
use crate::govern::Kind;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub kind: Kind,
    pub name: String,
    /// As the file would have it.
    pub table: Map<String, Value>,
}

/// Where a secret, or a file of one, is named by a table of the store.
pub(super) struct Named {
    span: Range<usize>,
    path: String,
    /// `env:NAME` or `file:PATH`.
    reference: String,
}

/// The section of the file that has tables of this kind.
const fn section(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Provider => Some("providers"),
        Kind::Model => Some("models"),
        Kind::Tenant | Kind::Team | Kind::App | Kind::Key | Kind::User | Kind::Plan | Kind::Subscription => {
            None
        }
    }
}

/// The path that reports give such a table: `models."gpt-5.2"`.
pub fn path_of(kind: Kind, name: &str) -> String {
    join(section(kind).unwrap_or_default(), name)
}

/// All of them as TOML, behind `offset` blanks and a line's end: its places are those of a text that
/// stands behind another one of that length.
///
/// # Errors
/// The report of what cannot be written.
pub(super) fn behind(name: &str, offset: usize, stored: &[Stored]) -> Result<String, Report> {
    let fault = |path: String, message: String| {
        let Report { mut problems, .. } = Report::without_place(name, message, None);
        problems.iter_mut().for_each(|problem: &mut Problem| problem.path.clone_from(&path));
        Report { name: name.to_owned(), problems, left_out: 0 }
    };
    if stored.is_empty() {
        return Ok(String::new());
    }
    let mut text = String::with_capacity(offset + 256 * stored.len());
    text.extend(std::iter::repeat_n(' ', offset));
    for kind in [Kind::Provider, Kind::Model] {
        let of_kind: Vec<&Stored> = stored.iter().filter(|stored| stored.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        text.push_str(&format!("\n[{}]\n", section(kind).unwrap_or_default()));
        for stored in of_kind {
            let told = |message: &str| fault(path_of(kind, &stored.name), message.to_owned());
            push_string(&mut text, &stored.name);
            text.push_str(" = ");
            push_table(&mut text, &stored.table).map_err(told)?;
            text.push('\n');
            if text.len() > offset + FILE_BYTES_MAX {
                return Err(told("with this, providers and models of the store are more than 4 MiB"));
            }
        }
    }
    Ok(text)
}

fn push_table(text: &mut String, table: &Map<String, Value>) -> Result<(), &'static str> {
    text.push('{');
    for (at, (name, value)) in table.iter().enumerate() {
        text.push_str(if at > 0 { ", " } else { " " });
        push_string(text, name);
        text.push_str(" = ");
        push_value(text, value)?;
    }
    text.push_str(" }");
    Ok(())
}

/// Depth is bounded by the JSON parser (128) and the TOML parser (80).
fn push_value(text: &mut String, value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Null => return Err("null is no value: leave out what is not set"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) if number.as_u64().is_some_and(|number| number > i64::MAX.unsigned_abs()) => {
            return Err("a number is too large");
        }
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(string) => push_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                push_value(text, item)?;
            }
            text.push(']');
        }
        Value::Object(table) => push_table(text, table)?,
    }
    Ok(())
}

/// A basic string of TOML 1.0.
fn push_string(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
}

/// Puts the tables of `stored` beside those of `file`. Gives the secrets they name.
pub(super) fn merge<'t>(
    file: &mut DeTable<'t>,
    stored: DeTable<'t>,
    collector: &mut Collector<'_>,
) -> Vec<Named> {
    let mut named = Vec::new();
    for (section, tables) in stored {
        let path = section.get_ref().to_string();
        gather(tables.get_ref(), tables.span(), &path, "", &mut named);
        let Some(there) = file.get_mut(section.get_ref().as_ref()) else {
            file.insert(section, tables);
            continue;
        };
        // What is no table is told by its reader.
        let (DeValue::Table(there), DeValue::Table(tables)) = (there.get_mut(), tables.into_inner()) else {
            continue;
        };
        for (name, table) in tables {
            if there.contains_key(name.get_ref().as_ref()) {
                let message = format!("{} is in the configuration file too", join(&path, name.get_ref()));
                let help = "the file owns it: take it out of one of them, or give it another name";
                collector.add(name.span(), &join(&path, name.get_ref()), message, Some(help.to_owned()));
            } else {
                there.insert(name, table);
            }
        }
    }
    named
}

/// References, and files whose name says that they hold something for nobody else.
fn gather(value: &DeValue<'_>, span: Range<usize>, path: &str, key: &str, named: &mut Vec<Named>) {
    match value {
        DeValue::String(text) => {
            let is_file = key.ends_with("_file") || key == "ca";
            let reference = match text.as_ref() {
                text if text.starts_with("env:") || text.starts_with("file:") => text.to_owned(),
                text if is_file => format!("file:{text}"),
                _ => return,
            };
            named.push(Named { span, path: path.to_owned(), reference });
        }
        DeValue::Array(items) => {
            items.iter().for_each(|item| gather(item.get_ref(), item.span(), path, key, named));
        }
        DeValue::Table(table) => {
            for (name, value) in table {
                let inner = match value.get_ref() {
                    DeValue::Table(_) => join(path, name.get_ref()),
                    _ => path.to_owned(),
                };
                gather(value.get_ref(), value.span(), &inner, name.get_ref(), named);
            }
        }
        _ => {}
    }
}

/// The texts of the file that are not of its providers and models: among them its own secrets.
pub(super) fn own_texts(file: &DeTable<'_>) -> BTreeSet<String> {
    fn walk(value: &Spanned<DeValue<'_>>, texts: &mut BTreeSet<String>) {
        match value.get_ref() {
            DeValue::String(text) => {
                texts.insert(text.clone().into_owned());
            }
            DeValue::Array(items) => items.iter().for_each(|item| walk(item, texts)),
            DeValue::Table(table) => table.values().for_each(|value| walk(value, texts)),
            _ => {}
        }
    }
    let mut texts = BTreeSet::new();
    for (section, value) in file {
        match (section.get_ref().as_ref(), value.get_ref()) {
            ("providers" | "models", _) => {}
            // What may be named is not in use by being listed.
            ("admin", DeValue::Table(table)) => {
                let own = table.iter().filter(|(key, _)| key.get_ref().as_ref() != "references");
                own.for_each(|(_, value)| walk(value, &mut texts));
            }
            _ => walk(value, &mut texts),
        }
    }
    texts
}

/// Who may make a provider may have its secret sent anywhere: so only what `allowed` lists, and never
/// what the gateway keeps for itself.
pub(super) fn check_named(
    named: Vec<Named>,
    own: &BTreeSet<String>,
    allowed: &[String],
    collector: &mut Collector<'_>,
) {
    for Named { span, path, reference } in named {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => reference.starts_with(beginning),
            None => *pattern == reference,
        };
        let is_own = own.contains(&reference)
            || reference.strip_prefix("file:").is_some_and(|file| own.contains(file));
        if is_own {
            let message = format!("`{}` is a secret of the gateway's own", super::near::quoted(&reference));
            collector.add(span, &path, message, None);
        } else if reference.contains("/../") || !allowed.iter().any(fits) {
            let message = format!(
                "`{}` may not be named by what is kept in the store",
                super::near::quoted(&reference)
            );
            let help = "`references` of [admin] lists what may be";
            collector.add(span, &path, message, Some(help.to_owned()));
        }
    }
}
