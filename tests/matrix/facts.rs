//! What an answer says, in a form every protocol's reader fills and nothing of the product knows.

use serde_json::Value;

/// One answer: its choices by index, and what it cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub choices: Vec<Facts>,
    pub usage: Option<Counts>,
    /// The upstream says that it failed.
    pub is_error: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Visible output, joined.
    pub text: String,
    pub thinking: String,
    pub refusal: String,
    pub calls: Vec<Call>,
    pub stop: Option<Class>,
    /// Kinds in order, equal neighbours once but for tools: `think,text,tool,tool`.
    pub order: Vec<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    pub id: String,
    pub name: String,
    /// As text, until [`Call::parsed`].
    pub arguments: String,
    pub is_free: bool,
}

/// The rows "finish" of the mapping table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Normal,
    Length,
    Tools,
    Blocked,
    Other,
}

/// Input and output are totals, the others parts of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub output: u64,
    pub reasoning: u64,
}

impl Answer {
    /// The choice of this index, made where it is new.
    pub fn choice(&mut self, index: usize) -> &mut Facts {
        while self.choices.len() <= index {
            self.choices.push(Facts::default());
        }
        &mut self.choices[index]
    }

    /// Once everything is read: calls make a normal end an end for tools, a refusal a blocked one; a
    /// usage of zeros is none.
    pub fn finished(mut self) -> Self {
        self.usage = self.usage.filter(|usage| *usage != Counts::default());
        for facts in &mut self.choices {
            if facts.stop == Some(Class::Normal) && !facts.calls.is_empty() {
                facts.stop = Some(Class::Tools);
            }
            if facts.stop == Some(Class::Normal) && !facts.refusal.is_empty() {
                facts.stop = Some(Class::Blocked);
            }
        }
        self
    }
}

impl Facts {
    pub fn text(&mut self, piece: &str) {
        if !piece.is_empty() {
            self.text.push_str(piece);
            self.kind("text");
        }
    }

    pub fn think(&mut self, piece: &str) {
        if !piece.is_empty() {
            self.thinking.push_str(piece);
            self.kind("think");
        }
    }

    pub fn refuse(&mut self, piece: &str) {
        if !piece.is_empty() {
            self.refusal.push_str(piece);
            self.kind("refusal");
        }
    }

    /// A call, and its number among the calls.
    pub fn call(&mut self, id: &str, name: &str, arguments: impl Into<String>) -> usize {
        let call = Call { id: id.into(), name: name.into(), arguments: arguments.into(), is_free: false };
        self.calls.push(call);
        self.order.push("tool");
        self.calls.len() - 1
    }

    fn kind(&mut self, kind: &'static str) {
        if self.order.last() != Some(&kind) {
            self.order.push(kind);
        }
    }
}

impl Call {
    /// Arguments as a value; text that is no JSON as a string behind a mark.
    pub fn parsed(&self) -> Value {
        if self.is_free {
            return serde_json::json!({ "free form": self.arguments });
        }
        if self.arguments.trim().is_empty() {
            return serde_json::json!({});
        }
        serde_json::from_str(&self.arguments)
            .unwrap_or_else(|_| serde_json::json!({ "no json": self.arguments }))
    }
}

/// The string there; "" for anything else.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_f64().map(|number| number as u64)).unwrap_or(0)
}

/// The first of these that is a number.
pub fn first_number(values: &[&Value]) -> u64 {
    values.iter().find(|value| value.is_number()).map_or(0, |value| number(value))
}

/// The first of these that is no empty string.
pub fn first_text<'v>(values: &[&'v Value]) -> &'v str {
    values.iter().map(|value| text(value)).find(|text| !text.is_empty()).unwrap_or_default()
}

/// Takes the larger of each class, as streams repeat them.
pub fn raise(usage: &mut Option<Counts>, seen: Counts) {
    let old = usage.unwrap_or_default();
    *usage = Some(Counts {
        input: old.input.max(seen.input),
        cache_read: old.cache_read.max(seen.cache_read),
        cache_write: old.cache_write.max(seen.cache_write),
        output: old.output.max(seen.output),
        reasoning: old.reasoning.max(seen.reasoning),
    });
}
