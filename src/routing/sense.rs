//! What a condition can never mean: a field that no fact has, a header named as none is, a number that is
//! compared with a text.
//!
//! Found in the form of the expression, where evaluating it once shows nothing: what is missing may be
//! missing in that one request only. Not here: whether it is CEL at all (`condition`). Invariant: what is
//! not known for certain passes.

use super::condition::ConditionError;
use crate::dialect::wants::Wants;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use std::collections::BTreeSet;

/// Fields of `time`.
const TIME: [&str; 4] = ["unix", "hour", "minute", "weekday"];
const COMPARISONS: [&str; 6] = ["_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"];

/// What something in a condition is, where that is certain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Flag,
}

/// Looks through a condition. `bound`: names it gives itself.
///
/// # Errors
/// What in it can never be.
pub fn check(expr: &IdedExpr, bound: &BTreeSet<String>) -> Result<(), ConditionError> {
    Sense { bound }.walk(expr)
}

struct Sense<'b> {
    bound: &'b BTreeSet<String>,
}

impl Sense<'_> {
    fn walk(&self, expr: &IdedExpr) -> Result<(), ConditionError> {
        match &expr.expr {
            Expr::Call(call) => {
                self.call(&call.func_name, &call.args)?;
                call.target.iter().map(|target| &**target).chain(&call.args).try_for_each(|e| self.walk(e))
            }
            Expr::Select(select) => {
                self.field(&select.operand, &select.field)?;
                self.walk(&select.operand)
            }
            Expr::Comprehension(walk) => {
                let parts =
                    [&walk.iter_range, &walk.accu_init, &walk.loop_cond, &walk.loop_step, &walk.result];
                parts.into_iter().try_for_each(|part| self.walk(part))
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.walk(element)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(made) => made.entries.iter().try_for_each(|entry| self.entry(&entry.expr)),
            _ => Ok(()),
        }
    }

    fn entry(&self, entry: &EntryExpr) -> Result<(), ConditionError> {
        match entry {
            EntryExpr::MapEntry(entry) => self.walk(&entry.key).and_then(|()| self.walk(&entry.value)),
            EntryExpr::StructField(field) => self.walk(&field.value),
        }
    }

    fn call(&self, name: &str, args: &[IdedExpr]) -> Result<(), ConditionError> {
        let [one, two] = args else { return Ok(()) };
        match name {
            "_[_]" | "_[?_]" => text_of(two).map_or(Ok(()), |field| self.field(one, field)),
            "@in" => {
                let elements = match &two.expr {
                    Expr::List(list) => list.elements.as_slice(),
                    _ => &[],
                };
                elements.iter().try_for_each(|element| self.compare(one, element))?;
                text_of(one).map_or(Ok(()), |field| self.field(two, field))
            }
            name if COMPARISONS.contains(&name) => self.compare(one, two),
            _ => Ok(()),
        }
    }

    fn compare(&self, one: &IdedExpr, two: &IdedExpr) -> Result<(), ConditionError> {
        match (self.kind(one), self.kind(two)) {
            (Some(one), Some(two)) if one != two => Err(ConditionError::Mixed(one.word(), two.word())),
            _ => Ok(()),
        }
    }

    /// Of the facts with fields of their own: whether they have this one.
    fn field(&self, of: &IdedExpr, field: &str) -> Result<(), ConditionError> {
        let known: Vec<&str> = match self.fact(of) {
            Some("needs") => Wants::ALL.iter().map(|(word, _)| *word).collect(),
            Some("time") => TIME.to_vec(),
            Some("headers") if field.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                return Err(ConditionError::UpperCase(field.to_ascii_lowercase()));
            }
            _ => return Ok(()),
        };
        match known.contains(&field) {
            true => Ok(()),
            false => Err(ConditionError::NoField(field.to_owned(), known.join(", "))),
        }
    }

    /// The fact that this is.
    fn fact<'e>(&self, expr: &'e IdedExpr) -> Option<&'e str> {
        match &expr.expr {
            Expr::Ident(name) if !self.bound.contains(name) => Some(name),
            _ => None,
        }
    }

    fn kind(&self, expr: &IdedExpr) -> Option<Kind> {
        match &expr.expr {
            Expr::Literal(LiteralValue::String(_)) => Some(Kind::Text),
            Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)) => {
                Some(Kind::Number)
            }
            Expr::Literal(LiteralValue::Boolean(_)) => Some(Kind::Flag),
            Expr::Ident(_) => match self.fact(expr)? {
                "app" | "endpoint" | "key" | "model" | "region" | "team" | "tenant" => Some(Kind::Text),
                "input_tokens" | "output_tokens" => Some(Kind::Number),
                "budget_spent" | "stream" | "zdr" => Some(Kind::Flag),
                _ => None,
            },
            Expr::Select(select) if select.test => Some(Kind::Flag),
            Expr::Select(select) => self.kind_in(&select.operand),
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                ("_[_]", [of, _]) => self.kind_in(of),
                ("size", _) => Some(Kind::Number),
                ("!_" | "_&&_" | "_||_" | "@in", _) => Some(Kind::Flag),
                (name, _) if COMPARISONS.contains(&name) => Some(Kind::Flag),
                _ => None,
            },
            _ => None,
        }
    }

    /// What is in a fact with fields or elements.
    fn kind_in(&self, of: &IdedExpr) -> Option<Kind> {
        match self.fact(of)? {
            "headers" | "tags" => Some(Kind::Text),
            "needs" => Some(Kind::Flag),
            "time" => Some(Kind::Number),
            _ => None,
        }
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Flag => "what is true or false",
        }
    }
}

fn text_of(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::routing::{Condition, ConditionError};

    #[test]
    fn a_field_that_no_fact_has_is_a_mistake() {
        for source in
            ["needs.tool", "needs['vision']", "!has(needs.tool)", "time.day == 1", "'tool' in needs"]
        {
            let fault = Condition::new(source).unwrap_err();
            assert!(matches!(fault, ConditionError::NoField(..)), "{source}: {fault}");
        }
        let fault = Condition::new("stream && needs.tool").unwrap_err().to_string();
        assert_eq!(fault, "there is no field `tool` here: tools, json, image, audio, pdf, video");
    }

    #[test]
    fn a_header_is_named_in_lower_case() {
        for source in ["headers['X-Plan'] == 'a'", "'X-Plan' in headers", "headers.Plan == 'a'"] {
            assert!(matches!(Condition::new(source).unwrap_err(), ConditionError::UpperCase(_)), "{source}");
        }
        assert!(Condition::new("claims['Plan'] == 'A' && headers['x-plan'] == 'A'").is_ok());
    }

    #[test]
    fn things_of_two_kinds_are_never_equal() {
        for source in [
            "input_tokens > '1000'",
            "model == 5",
            "headers['x-plan'] == 1",
            "stream == 'true'",
            "time.hour in ['12']",
            "tags[0] == 1 || zdr",
            "size(model) == 'a'",
            "tags.exists(tag, input_tokens == tag + '') && model != true",
        ] {
            let fault = Condition::new(source).unwrap_err();
            assert!(matches!(fault, ConditionError::Mixed(..)), "{source}: {fault}");
        }
        for source in [
            "input_tokens > 1000 && output_tokens < 1.5",
            "claims.level == 3 || claims.level == 'three'",
            "tags.exists(model, model == 'a')",
            "'a' in tags && size(tags) > 1 && (stream == true) == !zdr",
        ] {
            assert!(Condition::new(source).is_ok(), "{source}");
        }
    }
}
