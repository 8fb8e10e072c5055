//! `tidegate route explain`.

use super::world::{self, Decided};
use crate::auth::CREDENTIAL_HEADERS;
use crate::cli::count::endpoint_of;
use crate::cli::facts::{print, table};
use crate::dialect::head;
use crate::dialect::wants::{Wants, wants};
use crate::meter::{Counter, FactorTable, Family};
use crate::routing::affinity::{Known, hash, session};
use crate::routing::{Recorded, Seen};
use crate::runtime::ModelPolicy;
use crate::telemetry::WallClock;
use crate::types::{Claim, Endpoint};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    tidegate route explain request.json --config conf/tidegate.toml\n  \
    tidegate route explain request.json --header 'x-session-id: s1' --tags batch\n  \
    tidegate route explain request.json --claim plan=gold --claim 'groups=[\"batch\"]'\n  \
    tidegate route explain request.json --state state.json --json\n\n\
    A state is a JSON list of what is known of targets:\n  \
    [{\"name\": \"openai/gpt-5.2\", \"state\": \"cooling\", \"busy\": 4, \"first\": 0.8},\n     \
    {\"name\": \"gpu1/qwen3-32b\", \"cached\": 0.9, \"load\": [3, 1, 0.5]}]\n  \
    `cached` is the part of the prompt it has, `load` calls of others, calls waiting, KV cache in use.")]
pub struct Explain {
    /// The body of a request.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "FILE", default_value = "conf/tidegate.toml")]
    config: PathBuf,
    /// The model asked for; by default the body's.
    #[arg(long)]
    model: Option<String>,
    /// A header of the request, as `name: value`; may be given again.
    #[arg(long, value_name = "LINE")]
    header: Vec<String>,
    /// The caller's key, by its id.
    #[arg(long, default_value = "")]
    key: String,
    /// What the caller's token claims, as `NAME=JSON`, or `NAME=text`; may be given again.
    #[arg(long, value_name = "CLAIM")]
    claim: Vec<String>,
    /// Where the caller belongs, by name.
    #[arg(long, default_value = "")]
    tenant: String,
    /// What the client would send as `x-tidegate-tags`.
    #[arg(long, default_value = "", value_delimiter = ',')]
    tags: Vec<String>,
    /// What the client would send as `x-tidegate-region`.
    #[arg(long, default_value = "")]
    region: String,
    /// The client wants its data kept nowhere.
    #[arg(long)]
    zdr: bool,
    /// Tokens of the prompt, in place of counting them.
    #[arg(long)]
    tokens: Option<u64>,
    /// What is known of the targets, as JSON.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Which of a sequence of calls it is, for balances that take turns.
    #[arg(long, default_value_t = 0)]
    turn: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub fn run(self) -> ExitCode {
        let routes = match world::open(&self.config) {
            Ok(routes) => routes,
            Err(code) => return code,
        };
        let recorded = match self.recorded() {
            Ok(recorded) => recorded,
            Err(error) => return crate::cli::fail(&error),
        };
        let Some(policy) = world::policy(&routes, &recorded.model) else {
            return crate::cli::fail(&format!("no model `{}` in {}", recorded.model, self.config.display()));
        };
        let recorded = Recorded { session: self.session(policy, &recorded), ..recorded };
        let decided = world::decide(&routes, policy, &recorded);
        let told = told(policy, &decided);
        if self.json {
            return print(&format!("{}\n", as_json(policy, &recorded, &decided, &told)));
        }
        print(&as_text(policy, &recorded, &decided, &told))
    }

    /// The request as the gateway would have recorded it.
    fn recorded(&self) -> Result<Recorded, String> {
        let shown = |path: &PathBuf, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let body = std::fs::read(&self.file).map_err(|error| shown(&self.file, &error))?;
        let endpoint = endpoint_of(&body).unwrap_or(Endpoint::ChatCompletions);
        let head = head::parse(endpoint, None, &body).map_err(|error| shown(&self.file, &error))?;
        let named = head.model.as_ref().map(|model| model.name.clone());
        let model = self.model.clone().or(named).ok_or("the body names no model: say --model")?;
        let counter = Counter::new(FactorTable::default(), 0);
        let input = match self.tokens {
            Some(tokens) => tokens,
            None => counter
                .count(endpoint, Family::of(&model), &model, &body)
                .map_or(body.len() as u64 / 4, |count| count.tokens),
        };
        let targets: Vec<Seen> = match &self.state {
            None => Vec::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| shown(path, &error))?;
                serde_json::from_str(&text).map_err(|error| shown(path, &error))?
            }
        };
        let pair = |line: &String| {
            let (name, value) = line.split_once(':').ok_or(format!("`{line}` is no `name: value`"))?;
            Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        };
        let mut headers: BTreeMap<String, String> =
            self.header.iter().map(pair).collect::<Result<_, String>>()?;
        // Conditions never see these.
        headers.retain(|name, _| {
            !CREDENTIAL_HEADERS.contains(&name.as_str()) && !name.starts_with("x-tidegate-")
        });
        cache_key(&mut headers, head.prompt_cache_key.as_deref());
        let claims = self.claim.iter().map(|text| claim(text)).collect::<Result<_, String>>()?;
        Ok(Recorded {
            model,
            endpoint: endpoint.as_str().to_owned(),
            stream: head.stream || endpoint == Endpoint::StreamGenerateContent,
            turn: self.turn,
            random: hash(&body) ^ self.turn,
            input,
            output: head.max_output.unwrap_or_default(),
            wants: wants(&body, Wants::EVERY).words().map(str::to_owned).collect(),
            key: self.key.clone(),
            tenant: self.tenant.clone(),
            claims,
            tags: self.tags.iter().map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect(),
            region: self.region.clone(),
            zdr: self.zdr,
            unix: WallClock.unix_ms() / 1000,
            headers,
            targets,
            ..Recorded::default()
        })
    }

    fn session(&self, policy: &ModelPolicy, recorded: &Recorded) -> Option<u64> {
        if !policy.route.uses.session {
            return None;
        }
        let known = Known {
            header: |name: &str| recorded.headers.get(name).map(String::as_bytes),
            prompt_cache_key: recorded.headers.get(CACHE_KEY).map(String::as_str),
            caller: Some(self.key.as_str()),
        };
        session(&policy.route.session_by, &known)
    }
}

/// No header can have this name.
const CACHE_KEY: &str = "(prompt_cache_key)";

fn claim(text: &str) -> Result<(String, Claim), String> {
    let (name, value) = text.split_once('=').ok_or(format!("`{text}` is no NAME=VALUE"))?;
    let claim = serde_json::from_str(value).unwrap_or_else(|_| Claim::Text(value.into()));
    Ok((name.to_owned(), claim))
}

fn cache_key(headers: &mut BTreeMap<String, String>, key: Option<&str>) {
    if let Some(key) = key {
        headers.insert(CACHE_KEY.to_owned(), key.to_owned());
    }
}

/// Why it is decided so, in one sentence.
fn told(policy: &ModelPolicy, decided: &Decided) -> String {
    let plan = &decided.plan;
    let name = |target: usize| policy.route.facts.get(target).map_or("", |facts| &facts.name);
    let Some(first) = plan.targets().next() else {
        return "nobody may serve it: see the reasons".to_owned();
    };
    let balance = if plan.is_balanced() { plan.balance().as_str() } else { "priority" };
    let others = plan.len() - 1;
    let mut why = match others {
        0 => format!("{} is the only candidate", name(first)),
        _ => format!("{} is first by {balance}, before {others} more", name(first)),
    };
    if plan.is_panic() {
        why += "; too many fail, so those that fail are asked too";
    }
    if plan.is_loosened() {
        why += "; none is believed to fit, so the provider is left to say so";
    }
    why
}

fn as_text(policy: &ModelPolicy, recorded: &Recorded, decided: &Decided, told: &str) -> String {
    let wants = if recorded.wants.is_empty() { "text".to_owned() } else { recorded.wants.join(", ") };
    let mut text = format!(
        "{} · {} · {} tokens in, {} out at most · needs {wants}\n",
        recorded.model,
        recorded.endpoint,
        recorded.input,
        if recorded.output == 0 { "any number".to_owned() } else { recorded.output.to_string() },
    );
    for (condition, held) in policy.route.conditions.iter().zip(&decided.conditions) {
        let held = match held {
            Ok(held) => held.to_string(),
            Err(why) => format!("false: {why}"),
        };
        text += &format!("when {} → {held}\n", condition.source());
    }
    let order: Vec<usize> = decided.plan.targets().collect();
    let place = |target: usize| order.iter().position(|other| *other == target);
    let mut targets: Vec<usize> = (0..policy.route.facts.len()).collect();
    targets.sort_by_key(|target| (place(*target).unwrap_or(usize::MAX), *target));
    let rows: Vec<Vec<String>> = targets.iter().map(|target| row(policy, decided, *target, place)).collect();
    let mut heads = vec!["#", "TARGET", "IS", "SCORE", "SECONDS", "$ EXPECTED"];
    if has_cached(decided) {
        heads.push("CACHED");
    }
    text += &table(&heads, &[3, 4, 5, 6], &rows);
    text + &format!("\n{told}\n")
}

fn row(
    policy: &ModelPolicy,
    decided: &Decided,
    target: usize,
    place: impl Fn(usize) -> Option<usize>,
) -> Vec<String> {
    let plan = &decided.plan;
    let look = decided.looks.get(target).copied().unwrap_or_default();
    let verdict = plan.verdicts().get(target).copied().unwrap_or_default();
    let is_in = place(target).is_some();
    let score = plan.score(target);
    let known = |value: Option<f32>, digits: usize| value.map_or("-".into(), |v| format!("{v:.digits$}"));
    let mut cells = vec![
        place(target).map_or("-".to_owned(), |place| (place + 1).to_string()),
        policy.route.facts.get(target).map(|facts| facts.name.to_string()).unwrap_or_default(),
        verdict.as_str().to_owned(),
        if is_in && score != 0.0 && score < f32::MAX { format!("{score:.4}") } else { "-".to_owned() },
        known(look.seconds, 3),
        known(look.price.map(|price| price / 1e12), 6),
    ];
    if has_cached(decided) {
        cells.push(format!("{:.0} %", look.cached * 100.0));
    }
    cells
}

/// Whether anything is known of what is cached.
fn has_cached(decided: &Decided) -> bool {
    decided.looks.iter().any(|look| look.cached > 0.0)
}

fn as_json(policy: &ModelPolicy, recorded: &Recorded, decided: &Decided, told: &str) -> Value {
    let plan = &decided.plan;
    let name = |target: usize| policy.route.facts.get(target).map(|facts| facts.name.to_string());
    let target = |(index, verdict): (usize, &crate::routing::Verdict)| {
        let look = decided.looks.get(index).copied().unwrap_or_default();
        json!({
            "target": name(index),
            "place": plan.targets().position(|other| other == index).map(|place| place + 1),
            "is": verdict.as_str(),
            "score": plan.score(index),
            "busy": look.busy,
            "cached": look.cached,
            "seconds": look.seconds,
            "expected_usd": look.price.map(|price| f64::from(price) / 1e12),
            "headroom": look.headroom,
        })
    };
    let condition = |(condition, held): (&crate::routing::Condition, &Result<bool, String>)| json!({ "when": condition.source(), "holds": *held == Ok(true), "error": held.as_ref().err() });
    json!({
        "request": recorded,
        "balance": plan.balance().as_str(),
        "order": plan.targets().filter_map(name).collect::<Vec<_>>(),
        "targets": plan.verdicts().iter().enumerate().map(target).collect::<Vec<_>>(),
        "conditions": policy.route.conditions.iter().zip(&decided.conditions).map(condition).collect::<Vec<_>>(),
        "told": plan.told().to_string(),
        "reason": told,
    })
}
