//! Conditions of the configuration, in CEL, over facts of a request.
//!
//! Compiled when a configuration is loaded, and tried once there, so that a misspelt name is a mistake
//! of the file. Bounded: a condition is short, and what it may cost is reckoned from its form before it
//! is taken. Invariant: what cannot be evaluated does not hold.

use super::needs::Needs;
use super::sense;
use crate::dialect::wants::Wants;
use crate::types::Claim;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::{Context, Env, ExecutionError, Program, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Longest condition.
pub const CONDITION_BYTES_MAX: usize = 1024;
/// Brackets inside of brackets.
const NESTING_MAX: usize = 32;
/// Steps one evaluation may take, reckoned ahead.
const COST_MAX: u64 = 20_000;
/// Elements that a list or a map of facts may have; what is beyond is left out.
pub const FACTS_MAX: usize = 64;
/// Bytes of a header's value that a condition sees.
const VALUE_BYTES_MAX: usize = 1024;

/// Names of all facts.
const NAMES: [&str; 17] = [
    "app",
    "budget_spent",
    "claims",
    "endpoint",
    "headers",
    "input_tokens",
    "key",
    "model",
    "needs",
    "output_tokens",
    "region",
    "stream",
    "tags",
    "team",
    "tenant",
    "time",
    "zdr",
];

/// What conditions can ask of a request.
#[derive(Clone, Copy)]
pub struct Facts<'r> {
    pub model: &'r str,
    pub endpoint: &'r str,
    pub is_stream: bool,
    pub needs: Needs,
    /// A header by its name in lower case. Credentials are none.
    pub header: &'r dyn Fn(&str) -> Option<&'r [u8]>,
    /// Of the caller; empty where it has none.
    pub key: &'r str,
    pub tenant: &'r str,
    pub team: &'r str,
    pub app: &'r str,
    /// Of the caller's token, by name.
    pub claim: &'r dyn Fn(&str) -> Option<&'r Claim>,
    /// The client's own words, by `x-tidegate-tags`.
    pub tags: &'r [&'r str],
    /// Seconds since 1970.
    pub unix: u64,
    /// A budget is spent, and this model stands in for the one asked for.
    pub is_budget_spent: bool,
    /// Where the client wants its data to stay; empty where it does not say.
    pub region: &'r str,
    pub zero_retention: bool,
}

/// Why a condition is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    #[error("a condition has at most {CONDITION_BYTES_MAX} bytes")]
    TooLong,
    #[error("brackets inside of brackets more than {NESTING_MAX} deep")]
    TooNested,
    #[error("one that asks for headers or claims has at most {FACTS_MAX} texts and names of members")]
    TooManyTexts,
    #[error("no CEL: {0}")]
    Syntax(String),
    #[error("it may take too long: lists inside of lists")]
    TooCostly,
    #[error("no fact or function is called `{0}`")]
    Unknown(String),
    #[error("there is no field `{0}` here: {1}")]
    NoField(String, String),
    #[error("headers are named in lower case: `{0}`")]
    UpperCase(String),
    #[error("it compares {0} with {1}, which are never the same")]
    Mixed(&'static str, &'static str),
    #[error("it is no condition: it is {0}, not true or false")]
    NoCondition(&'static str),
}

/// One condition, compiled.
pub struct Condition {
    source: Box<str>,
    program: Program,
    env: Arc<Env>,
    /// The facts it asks for.
    asks: Vec<&'static str>,
    /// Headers it may ask for, in lower case.
    headers: Vec<Box<str>>,
    /// Claims it may ask for.
    claims: Vec<Box<str>>,
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Condition({:?})", self.source)
    }
}

impl Condition {
    /// # Errors
    /// [`ConditionError`].
    pub fn new(source: &str) -> Result<Self, ConditionError> {
        if source.len() > CONDITION_BYTES_MAX {
            return Err(ConditionError::TooLong);
        }
        check_nesting(source)?;
        let env = Arc::new(Env::stdlib());
        let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
        let program = env.compile(source).map_err(|e| {
            let first = e.errors.first().map(|error| error.msg.clone());
            ConditionError::Syntax(first_line(first.unwrap_or_else(|| e.to_string())))
        })?;
        let mut survey = Survey::default();
        if survey.cost(program.expression()) > COST_MAX {
            return Err(ConditionError::TooCostly);
        }
        sense::check(program.expression(), &survey.bound)?;
        let asks: Vec<&str> = {
            let references = program.references();
            NAMES.into_iter().filter(|name| references.has_variable(name)).collect()
        };
        let asks_by_name = asks.iter().any(|name| matches!(*name, "headers" | "claims"));
        if asks_by_name && survey.texts.len() > FACTS_MAX {
            return Err(ConditionError::TooManyTexts);
        }
        let texts = || survey.texts.iter();
        let headers = match asks.contains(&"headers") {
            true => texts().map(|text| text.to_ascii_lowercase().into()).collect(),
            false => Vec::new(),
        };
        let claims = if asks.contains(&"claims") { texts().cloned().collect() } else { Vec::new() };
        let condition = Self { source: source.into(), program, env, asks, headers, claims };
        condition.try_out(&survey.bound)?;
        Ok(condition)
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// Headers whose values it may look at.
    pub fn headers(&self) -> &[Box<str>] {
        &self.headers
    }

    /// Claims it may look at.
    pub fn claims(&self) -> &[Box<str>] {
        &self.claims
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// Why it cannot be evaluated; it then does not hold.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, String> {
        match self.evaluate(facts) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it is {}", kind(&other))),
            Err(error) => Err(error.to_string()),
        }
    }

    fn evaluate(&self, facts: &Facts<'_>) -> Result<Value, ExecutionError> {
        let mut context = Context::with_env(self.env.clone());
        for name in &self.asks {
            context.add_variable_from_value(*name, self.fact(name, facts));
        }
        self.program.execute(&context)
    }

    fn fact(&self, name: &str, facts: &Facts<'_>) -> Value {
        match name {
            "app" => facts.app.into(),
            "budget_spent" => facts.is_budget_spent.into(),
            "claims" => self.claims_of(facts),
            "endpoint" => facts.endpoint.into(),
            "headers" => self.headers_of(facts),
            "input_tokens" => whole(facts.needs.input),
            "key" => facts.key.into(),
            "model" => facts.model.into(),
            "needs" => needs(facts.needs.wants),
            "output_tokens" => whole(facts.needs.output),
            "region" => facts.region.into(),
            "stream" => facts.is_stream.into(),
            "tags" => facts.tags.iter().take(FACTS_MAX).copied().collect::<Vec<&str>>().into(),
            "team" => facts.team.into(),
            "tenant" => facts.tenant.into(),
            "time" => time(facts.unix),
            "zdr" => facts.zero_retention.into(),
            _ => Value::Null,
        }
    }

    /// Those it may ask for that the request has, and that are text.
    fn headers_of(&self, facts: &Facts<'_>) -> Value {
        let value = |name: &str| {
            let value = (facts.header)(name)?;
            std::str::from_utf8(value.get(..VALUE_BYTES_MAX).unwrap_or(value)).ok()
        };
        let pairs = self.headers.iter().filter_map(|name| Some((name.to_string(), value(name)?)));
        pairs.collect::<HashMap<String, &str>>().into()
    }

    fn claims_of(&self, facts: &Facts<'_>) -> Value {
        let value = |claim: &Claim| match claim {
            Claim::Flag(flag) => (*flag).into(),
            Claim::Whole(number) => Value::Int(*number),
            Claim::Text(text) => (&**text).into(),
            Claim::Texts(texts) => texts.iter().map(|text| &**text).collect::<Vec<&str>>().into(),
        };
        let pairs = self.claims.iter().filter_map(|name| Some((&**name, value((facts.claim)(name)?))));
        pairs.collect::<HashMap<&str, Value>>().into()
    }

    /// Evaluates it once: a name that does not exist is never found otherwise until it denies.
    fn try_out(&self, bound: &BTreeSet<String>) -> Result<(), ConditionError> {
        let facts = Facts {
            model: "model",
            endpoint: "chat_completions",
            is_stream: false,
            needs: Needs::default(),
            header: &|_| None,
            key: "key",
            tenant: "",
            team: "",
            app: "",
            claim: &|_| None,
            tags: &[],
            unix: 0,
            is_budget_spent: false,
            region: "",
            zero_retention: false,
        };
        let references = self.program.references();
        if let Some(unknown) =
            references.variables().into_iter().find(|name| !is_name(name) && !bound.contains(*name))
        {
            return Err(ConditionError::Unknown(unknown.to_owned()));
        }
        match self.evaluate(&facts) {
            Ok(Value::Bool(_)) => Ok(()),
            Ok(other) => Err(ConditionError::NoCondition(kind(&other))),
            Err(ExecutionError::UndeclaredReference(name)) => {
                Err(ConditionError::Unknown(name.trim_matches('`').to_owned()))
            }
            // Only of these facts: a header that is not there, for one.
            Err(_) => Ok(()),
        }
    }
}

/// Facts, and what the macros of CEL bind and its types are called.
fn is_name(name: &str) -> bool {
    const TYPES: [&str; 9] = ["int", "uint", "double", "string", "bool", "bytes", "list", "map", "type"];
    NAMES.contains(&name) || TYPES.contains(&name)
}

fn whole(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn needs(wants: Wants) -> Value {
    let pairs = Wants::ALL.into_iter().map(|(word, want)| (word, wants.has(want)));
    pairs.collect::<HashMap<&str, bool>>().into()
}

/// UTC. Days of the week from 1, Monday, to 7.
fn time(unix: u64) -> Value {
    let days = unix / 86_400;
    let parts = [
        ("unix", unix),
        ("hour", unix / 3600 % 24),
        ("minute", unix / 60 % 60),
        // The first day of 1970 was a Thursday.
        ("weekday", (days + 3) % 7 + 1),
    ];
    parts.into_iter().map(|(name, part)| (name, whole(part))).collect::<HashMap<&str, Value>>().into()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "a list",
        Value::Map(_) | Value::Struct(_) => "a map",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::String(_) => "a text",
        Value::Null => "null",
        _ => "something else",
    }
}

/// The parser goes down one call for each bracket, each choice, and each sign of a row of signs. Texts are
/// looked at like the rest: what is a text is the parser's to say.
fn check_nesting(source: &str) -> Result<(), ConditionError> {
    let (mut brackets, mut choices, mut signs) = (0_usize, 0_usize, 0_usize);
    for byte in source.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        signs = if matches!(byte, b'!' | b'-') { signs + 1 } else { 0 };
        match byte {
            b'(' | b'[' | b'{' => brackets += 1,
            b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
            b'?' => choices += 1,
            _ => {}
        }
        if brackets + choices + signs > NESTING_MAX {
            return Err(ConditionError::TooNested);
        }
    }
    Ok(())
}

/// A walk over an expression.
#[derive(Default)]
struct Survey {
    /// Texts and fields: what of `headers` and `claims` may be asked for.
    texts: BTreeSet<Box<str>>,
    /// Names that the expression gives itself.
    bound: BTreeSet<String>,
}

impl Survey {
    /// Steps of an evaluation at most. A list or map of facts has at most [`FACTS_MAX`] elements.
    fn cost(&mut self, expr: &IdedExpr) -> u64 {
        let inner = match &expr.expr {
            Expr::Call(call) => {
                let target = call.target.as_ref().map_or(0, |target| self.cost(target));
                target.saturating_add(self.all(&call.args))
            }
            Expr::Comprehension(walk) => {
                let times = match &walk.iter_range.expr {
                    Expr::List(list) => list.elements.len() as u64,
                    _ => FACTS_MAX as u64,
                };
                self.bound
                    .extend([&walk.iter_var, &walk.accu_var].into_iter().chain(&walk.iter_var2).cloned());
                let step = self.cost(&walk.loop_cond).saturating_add(self.cost(&walk.loop_step));
                let around = [&walk.iter_range, &walk.accu_init, &walk.result].map(|part| self.cost(part));
                around.into_iter().fold(times.saturating_mul(step), u64::saturating_add)
            }
            Expr::List(list) => self.all(&list.elements),
            Expr::Map(map) => self.entries(map.entries.iter().map(|entry| &entry.expr)),
            Expr::Struct(made) => self.entries(made.entries.iter().map(|entry| &entry.expr)),
            Expr::Select(select) => {
                self.texts.insert(select.field.as_str().into());
                self.cost(&select.operand)
            }
            Expr::Literal(LiteralValue::String(text)) => {
                self.texts.insert(text.inner().into());
                0
            }
            _ => 0,
        };
        inner.saturating_add(1)
    }

    fn all(&mut self, parts: &[IdedExpr]) -> u64 {
        parts.iter().fold(0, |sum: u64, part| sum.saturating_add(self.cost(part)))
    }

    fn entries<'e>(&mut self, entries: impl Iterator<Item = &'e EntryExpr>) -> u64 {
        entries.fold(0, |sum: u64, entry| {
            sum.saturating_add(match entry {
                EntryExpr::MapEntry(entry) => self.cost(&entry.key).saturating_add(self.cost(&entry.value)),
                EntryExpr::StructField(field) => self.cost(&field.value),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T12:30:00Z, a Saturday.
    const NOON: u64 = 1_795_264_200;

    fn holds(source: &str) -> Result<bool, String> {
        let header = |name: &str| (name == "x-plan").then_some(b"gold".as_slice());
        let level = (Claim::Text("Gold".into()), Claim::Whole(3), Claim::Flag(true));
        let groups = Claim::Texts(["eu".into(), "Batch".into()].into());
        let claim = |name: &str| match name {
            "Plan" => Some(&level.0),
            "level" => Some(&level.1),
            "email_verified" => Some(&level.2),
            "groups" => Some(&groups),
            _ => None,
        };
        let facts = Facts {
            model: "gpt-5",
            endpoint: "chat_completions",
            is_stream: true,
            needs: Needs { input: 9000, output: 500, wants: Wants::TOOLS },
            header: &header,
            key: "ci",
            tenant: "acme",
            team: "",
            app: "",
            claim: &claim,
            tags: &["batch", "eu"],
            unix: NOON,
            is_budget_spent: false,
            region: "eu",
            zero_retention: false,
        };
        Condition::new(source).unwrap().holds(&facts)
    }

    #[test]
    fn every_fact_can_be_asked_for() {
        for source in [
            "model == 'gpt-5' && endpoint == 'chat_completions' && stream",
            "input_tokens > 8000 && output_tokens < 1000",
            "needs.tools && !needs.image",
            "headers['x-plan'] == 'gold'",
            "'x-plan' in headers && !('x-other' in headers)",
            "has(headers.other) || headers['X-Plan'.size() == 6 ? 'x-plan' : ''] == 'gold'",
            "key == 'ci' && tenant == 'acme' && team == '' && app == ''",
            "'batch' in tags && tags.exists(tag, tag.startsWith('e'))",
            "time.hour == 12 && time.minute == 30 && time.weekday == 6",
            "!budget_spent && region == 'eu' && !zdr",
            "model in ['gpt-5', 'gpt-4o']",
            "claims['Plan'] == 'Gold' && claims.level > 2 && claims.email_verified",
            "'Batch' in claims.groups && !('plan' in claims)",
        ] {
            assert_eq!(holds(source), Ok(true), "{source}");
        }
        assert_eq!(holds("input_tokens > 10000"), Ok(false));
    }

    #[test]
    fn what_cannot_be_evaluated_does_not_hold() {
        for source in [
            "headers['x-absent'] == 'a'",
            "claims.plan == 'Gold'",
            "claims.groups == 'eu' || claims.x",
            "input_tokens / (output_tokens - 500) > 1",
        ] {
            assert!(holds(source).is_err(), "{source}");
        }
    }

    #[test]
    fn mistakes_are_found_when_a_condition_is_made() {
        let fault = |source: &str| Condition::new(source).unwrap_err();
        assert!(matches!(fault("model =="), ConditionError::Syntax(_)));
        assert_eq!(fault("modell == 'a'"), ConditionError::Unknown("modell".into()));
        assert_eq!(fault("user.sub == 'a'"), ConditionError::Unknown("user".into()));
        assert_eq!(fault("input_tokens"), ConditionError::NoCondition("a number"));
        assert_eq!(fault("model"), ConditionError::NoCondition("a text"));
        assert!(matches!(fault("size_of(model) > 1"), ConditionError::Unknown(_)));
    }

    #[test]
    fn conditions_are_bounded_in_length_depth_and_cost() {
        let long = format!("model == '{}'", "a".repeat(CONDITION_BYTES_MAX));
        assert_eq!(Condition::new(&long).unwrap_err(), ConditionError::TooLong);
        let choices = format!("{}true", "zdr ? false : ".repeat(33));
        for deep in
            [format!("{}true{}", "(".repeat(33), ")".repeat(33)), format!("{}true", "! ".repeat(33)), choices]
        {
            assert_eq!(Condition::new(&deep).unwrap_err(), ConditionError::TooNested);
        }
        let names = (0..40).map(|at| format!("'a-b-{at}'")).collect::<Vec<_>>().join(", ");
        assert!(Condition::new(&format!("key in [{names}]")).is_ok(), "signs within texts are none");
        let many = (0..70).map(|at| format!("'{at}'")).collect::<Vec<_>>().join(", ");
        assert!(Condition::new(&format!("key in [{many}]")).is_ok());
        let asking = format!("key in [{many}] || headers['x-plan'] == 'gold'");
        assert_eq!(Condition::new(&asking).unwrap_err(), ConditionError::TooManyTexts);
        let once = "tags.all(a, a != '')";
        assert!(Condition::new(once).is_ok());
        let thrice = "tags.all(a, tags.all(b, tags.all(c, a + b != c)))";
        assert_eq!(Condition::new(thrice).unwrap_err(), ConditionError::TooCostly);
    }

    #[test]
    fn of_the_headers_only_those_it_names_are_read() {
        let condition = Condition::new("headers['x-plan'] == 'a' || headers.region == 'b'").unwrap();
        let names: Vec<&str> = condition.headers().iter().map(|name| &**name).collect();
        assert!(names.contains(&"x-plan") && names.contains(&"region") && names.len() <= 4, "{names:?}");
        assert!(Condition::new("model == 'x-api-key'").unwrap().headers().is_empty());
    }
}
