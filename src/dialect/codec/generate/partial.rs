//! A call's arguments that come value by value, each with its path (`partialArgs`, Vertex only).
//!
//! They are put together and told whole at the call's end: a client of another protocol takes pieces
//! of JSON text, and these are none. Invariant: at most [`BYTES_MAX`] are held.

use super::names::{get, text};
use crate::framing::json::{DEPTH_MAX, JsonWriter, Node};

/// Arguments larger than any tool takes.
pub(super) const BYTES_MAX: usize = 1024 * 1024;

/// Arguments so far.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    root: Option<Value>,
    bytes: usize,
}

#[derive(Debug)]
enum Value {
    Object(Vec<(String, Value)>),
    Array(Vec<Value>),
    /// Goes on as long as its path is told.
    Text(String),
    Raw(String),
    /// An element that was skipped, or a container nothing was put into yet.
    Nothing,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// The upstream's pieces make no arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nonsense;

impl Arguments {
    /// Adds the pieces of one `partialArgs`.
    pub(super) fn add(&mut self, pieces: &Node<'_>) -> Result<(), Nonsense> {
        for piece in pieces.items() {
            let path = text(piece, "jsonPath").unwrap_or_default();
            let steps = steps(&path).ok_or(Nonsense)?;
            self.bytes += piece.raw().len();
            if self.bytes > BYTES_MAX {
                return Err(Nonsense);
            }
            let place = place(self.root.get_or_insert(Value::Nothing), &steps)?;
            if let Some(more) = text(piece, "stringValue") {
                match place {
                    Value::Text(text) => text.push_str(&more),
                    other => *other = Value::Text(more.into_owned()),
                }
                continue;
            }
            let scalar = get(piece, "numberValue").or_else(|| get(piece, "boolValue"));
            *place = Value::Raw(scalar.map_or("null", Node::raw).to_owned());
        }
        Ok(())
    }

    /// The arguments as JSON; empty where none came.
    pub(super) fn finish(self) -> String {
        let mut out = Vec::new();
        if let Some(root) = &self.root {
            root.write(&mut JsonWriter::new(&mut out));
        }
        String::from_utf8(out).unwrap_or_default()
    }
}

impl Value {
    fn write(&self, w: &mut JsonWriter<'_>) {
        match self {
            Value::Object(fields) => w.object(|w| {
                for (key, value) in fields {
                    w.key(key);
                    value.write(w);
                }
            }),
            Value::Array(items) => w.array(|w| items.iter().for_each(|item| item.write(w))),
            Value::Text(text) => w.string(text),
            Value::Raw(json) => w.raw(json),
            Value::Nothing => w.null(),
        }
    }
}

/// The place of a path, made where it is not there yet.
fn place<'v>(root: &'v mut Value, steps: &[Step]) -> Result<&'v mut Value, Nonsense> {
    let mut value = root;
    for step in steps {
        value = match step {
            Step::Key(key) => {
                if !matches!(value, Value::Object(_)) {
                    *value = Value::Object(Vec::new());
                }
                let Value::Object(fields) = value else { return Err(Nonsense) };
                let at = fields.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
                    fields.push((key.clone(), Value::Nothing));
                    fields.len() - 1
                });
                fields.get_mut(at).map(|(_, value)| value)
            }
            Step::Index(index) => {
                if !matches!(value, Value::Array(_)) {
                    *value = Value::Array(Vec::new());
                }
                let Value::Array(items) = value else { return Err(Nonsense) };
                if *index == items.len() {
                    items.push(Value::Nothing);
                }
                items.get_mut(*index)
            }
        }
        .ok_or(Nonsense)?;
    }
    Ok(value)
}

/// A path of RFC 9535 as far as it names one value: `$.a.b[0]['c d']`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() >= DEPTH_MAX {
            return None;
        }
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (key, more) = name.split_at_checked(end)?;
            steps.push(Step::Key(key.to_owned()));
            rest = more;
            continue;
        }
        let inner = rest.strip_prefix('[')?;
        let (step, more) = match inner.chars().next()? {
            quote @ ('\'' | '"') => quoted(inner.strip_prefix(quote)?, quote)?,
            _ => {
                let (digits, more) = inner.split_once(']')?;
                (Step::Index(digits.parse().ok()?), more)
            }
        };
        steps.push(step);
        rest = more;
    }
    Some(steps)
}

/// A key between quotes, and what stands behind its bracket.
fn quoted(text: &str, quote: char) -> Option<(Step, &str)> {
    let mut key = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => key.push(letters.next()?.1),
            _ if letter == quote => {
                let more = text.get(at + quote.len_utf8()..)?.strip_prefix(']')?;
                return Some((Step::Key(key), more));
            }
            _ => key.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    fn put(pieces: &[&str]) -> Result<String, Nonsense> {
        let mut arguments = Arguments::default();
        for piece in pieces {
            arguments.add(&parse(piece, Duplicates::Refuse).unwrap())?;
        }
        Ok(arguments.finish())
    }

    #[test]
    fn values_find_their_places() {
        let made = put(&[
            r#"[{"jsonPath":"$.r.list[0].amount","stringValue":"16 ","willContinue":true}]"#,
            r#"[{"jsonPath":"$.r.list[0].amount","stringValue":"oz"},{"jsonPath":"$.r.list[1].n","numberValue":1.50}]"#,
            r#"[{"jsonPath":"$.r['a.b \\'c\\'']","boolValue":true},{"jsonPath":"$[\"x\"]","nullValue":"NULL_VALUE"}]"#,
            r#"[{"jsonPath":"$.empty","stringValue":""}]"#,
        ]);
        assert_eq!(
            made.unwrap(),
            r#"{"r":{"list":[{"amount":"16 oz"},{"n":1.50}],"a.b 'c'":true},"x":null,"empty":""}"#
        );
        assert_eq!(put(&[]).unwrap(), "");
    }

    #[test]
    fn nonsense_is_named_and_bounded() {
        for piece in [
            r#"[{"stringValue":"x"}]"#,
            r#"[{"jsonPath":"a","stringValue":"x"}]"#,
            r#"[{"jsonPath":"$.a[7]","stringValue":"x"}]"#,
            r#"[{"jsonPath":"$.a[-1]","stringValue":"x"}]"#,
            r#"[{"jsonPath":"$['a","stringValue":"x"}]"#,
        ] {
            assert_eq!(put(&[piece]), Err(Nonsense), "{piece}");
        }
        let long = format!(r#"[{{"jsonPath":"$.a","stringValue":"{}"}}]"#, "x".repeat(600_000));
        assert_eq!(put(&[&long, &long]), Err(Nonsense));
        let deep = format!(r#"[{{"jsonPath":"${}","stringValue":"x"}}]"#, ".a".repeat(200));
        assert_eq!(put(&[&deep]), Err(Nonsense));
    }
}
