//! `tidegate tenants|teams|apps|keys|users|plans|subscriptions|usage|config`: clients of the admin API.

mod client;
mod config;
mod export;
mod table;
mod words;

pub use config::Config;

use super::examples;
use crate::types::percent;
use clap::{Args, Subcommand};
use client::Client;
use http::Method;
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// A kind of thing, as the command line and the API name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    Tenants,
    Teams,
    Apps,
    Keys,
    Users,
    Plans,
    Subscriptions,
}

/// What is done with things of one kind.
#[derive(Args)]
pub struct Things {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    verb: Verb,
}

/// Which admin API, and how its answers are shown.
#[derive(Args)]
struct At {
    /// Address of the admin API; its token comes from TIDEGATE_ADMIN_TOKEN.
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:9090")]
    admin: String,
    /// JSON as the API answers it.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Show all, or those of one tenant, team or app.
    #[command(after_help = examples::LIST)]
    List(Box<Fields>),
    /// Show one, by id or name.
    #[command(after_help = examples::GET)]
    Get { id: String },
    /// Make one. A key's secret or a user's token is shown this once.
    #[command(after_help = examples::CREATE)]
    Create {
        name: Option<String>,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Change what is named and keep the rest.
    #[command(after_help = examples::SET)]
    Set {
        id: String,
        #[command(flatten)]
        fields: Box<Fields>,
    },
    /// Close it, and all in it.
    #[command(after_help = examples::BLOCK)]
    Block { id: String },
    /// Open it again.
    #[command(after_help = examples::UNBLOCK)]
    Unblock { id: String },
    /// Delete it; refused while anything lies in it.
    #[command(after_help = examples::DELETE)]
    Delete { id: String },
    /// A new secret for a key, or token for a user.
    #[command(after_help = examples::ROTATE)]
    Rotate {
        id: String,
        /// How long a key's old secret stays good, such as 24h.
        #[arg(long, value_name = "TIME")]
        grace: Option<String>,
    },
    /// Open a plan's models to the app that asked.
    #[command(after_help = examples::APPROVE)]
    Approve { id: String },
    /// Refuse a request.
    #[command(after_help = examples::REFUSE)]
    Refuse {
        id: String,
        #[arg(long)]
        reason: String,
    },
    /// End an approved subscription.
    #[command(after_help = examples::REVOKE)]
    Revoke {
        id: String,
        #[arg(long)]
        reason: String,
    },
}

/// What can be said of a thing. Which of it a kind has, the API knows.
#[derive(Args, Default)]
struct Fields {
    /// The tenant it lies in, by id or name.
    #[arg(long)]
    tenant: Option<String>,
    /// The team it lies in; a key's goes into the team's app `default`.
    #[arg(long)]
    team: Option<String>,
    /// The app it lies in, by id or name.
    #[arg(long)]
    app: Option<String>,
    /// The plan to subscribe to.
    #[arg(long)]
    plan: Option<String>,
    /// owner, admin, developer, auditor or billing.
    #[arg(long)]
    role: Option<String>,
    /// Who an identity provider says a user is: its `iss`, and the claim that names users.
    #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"])]
    identity: Vec<String>,
    /// A model it may use, or a pattern with `*`. Several times for several.
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// Such as 25/month in US dollars, or 1000000tokens/day.
    #[arg(long = "budget", value_name = "BUDGET")]
    budgets: Vec<String>,
    /// Such as 60requests/minute, 200000tokens/minute or 8concurrent.
    #[arg(long = "limit", value_name = "LIMIT")]
    limits: Vec<String>,
    /// NAME=VALUE.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// A key ends after this, such as 90d.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Added to the provider's price by a plan, in hundredths of a percent.
    #[arg(long, value_name = "BP")]
    margin: Option<u32>,
    /// A plan's subscriptions wait for an approval.
    #[arg(long)]
    needs_approval: bool,
    /// Words to go with it.
    #[arg(long)]
    reason: Option<String>,
}

/// `tidegate usage`.
#[derive(Args)]
pub struct Usage {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    verb: Option<UsageVerb>,
    /// tenant, team, app, key, model, provider; several parted by commas.
    #[arg(long, default_value = "model")]
    by: String,
    /// minute, hour or day: one row for each.
    #[arg(long)]
    bucket: Option<String>,
    /// How far back, such as 30d.
    #[arg(long, default_value = "30d")]
    since: String,
}

#[derive(Subcommand)]
enum UsageVerb {
    /// Write calls, or sums of them, as CSV or one JSON object a line.
    Export(export::Export),
}

impl Noun {
    const fn path(self) -> &'static str {
        match self {
            Noun::Tenants => "tenants",
            Noun::Teams => "teams",
            Noun::Apps => "apps",
            Noun::Keys => "keys",
            Noun::Users => "users",
            Noun::Plans => "plans",
            Noun::Subscriptions => "subscriptions",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Noun::Tenants => "ten_",
            Noun::Teams => "team_",
            Noun::Apps => "app_",
            Noun::Keys => "key_",
            Noun::Users => "usr_",
            Noun::Plans => "plan_",
            Noun::Subscriptions => "sub_",
        }
    }

    /// Where things of this kind lie.
    const fn parent(self) -> Option<(&'static str, Noun)> {
        match self {
            Noun::Tenants => None,
            Noun::Teams | Noun::Users | Noun::Plans => Some(("tenant", Noun::Tenants)),
            Noun::Apps => Some(("team", Noun::Teams)),
            Noun::Keys | Noun::Subscriptions => Some(("app", Noun::Apps)),
        }
    }

    const fn columns(self) -> &'static [&'static str] {
        match self {
            Noun::Tenants => &["id", "name", "status"],
            Noun::Teams => &["id", "name", "status", "tenant"],
            Noun::Apps => &["id", "name", "status", "team"],
            Noun::Keys => &["id", "name", "status", "app", "expires_ms"],
            Noun::Users => &["id", "name", "status", "role", "tenant"],
            Noun::Plans => &["id", "name", "status", "tenant", "margin_bp", "needs_approval"],
            Noun::Subscriptions => &["id", "plan", "state", "app", "reason"],
        }
    }
}

impl Things {
    pub fn run(self, noun: Noun) -> ExitCode {
        let outcome = Client::new(&self.at.admin).and_then(|client| self.verb.run(noun, &client));
        show(outcome, noun.columns(), self.at.json)
    }
}

impl Verb {
    fn run(self, noun: Noun, client: &Client) -> Result<Value, String> {
        let item = |id: &str| {
            let id = client.id_of(noun.path(), noun.prefix(), id)?;
            Ok::<String, String>(format!("{}/{}", noun.path(), percent::encoded(&id)))
        };
        let patch = |id: &str, body: Value| client.call(Method::PATCH, &item(id)?, Some(&body));
        let step = |id: &str, step: &str, body: Value| client.post(&format!("{}/{step}", item(id)?), &body);
        match self {
            Verb::List(fields) => {
                let parents = fields.place(noun, client)?;
                let query: Vec<(&str, &str)> =
                    parents.iter().filter_map(|(name, id)| Some((name.as_str(), id.as_str()?))).collect();
                client.all(noun.path(), &query).map(Value::Array)
            }
            Verb::Get { id } => client.get(&item(&id)?),
            Verb::Create { name, fields } => {
                let mut body = fields.body(noun, client)?;
                body.extend(fields.place_of_new(noun, client)?);
                body.extend(name.map(|name| ("name".to_owned(), Value::String(name))));
                client.post(noun.path(), &Value::Object(body))
            }
            Verb::Set { id, fields } => {
                let mut body = fields.body(noun, client)?;
                // What is not named of a policy stays: the API replaces it as a whole.
                if let Some(Value::Object(change)) = body.get("policy").cloned() {
                    let now = client.get(&item(&id)?)?;
                    let mut policy =
                        now.get("policy").and_then(Value::as_object).cloned().unwrap_or_default();
                    policy.extend(change);
                    body.insert("policy".to_owned(), policy.into());
                }
                patch(&id, Value::Object(body))
            }
            Verb::Block { id } => patch(&id, json!({ "status": "blocked" })),
            Verb::Unblock { id } => patch(&id, json!({ "status": "active" })),
            Verb::Delete { id } => client.call(Method::DELETE, &item(&id)?, None),
            Verb::Rotate { id, grace } if noun == Noun::Keys => {
                let seconds = grace.as_deref().map(words::seconds).transpose()?;
                step(&id, "rotate", json!({ "grace_seconds": seconds.unwrap_or(0) }))
            }
            Verb::Rotate { id, .. } => {
                client.call(Method::POST, &format!("{}/rotate-token", item(&id)?), None)
            }
            Verb::Approve { id } => step(&id, "approve", json!({})),
            Verb::Refuse { id, reason } => step(&id, "refuse", json!({ "reason": reason })),
            Verb::Revoke { id, reason } => step(&id, "revoke", json!({ "reason": reason })),
        }
    }
}

impl Fields {
    /// What is named of where it lies.
    fn place(&self, noun: Noun, client: &Client) -> Result<Map<String, Value>, String> {
        let Some((field, parent)) = noun.parent() else { return Ok(Map::new()) };
        let named = match parent {
            Noun::Tenants => &self.tenant,
            Noun::Teams => &self.team,
            _ => &self.app,
        };
        let id =
            named.as_deref().map(|name| client.id_of(parent.path(), parent.prefix(), name)).transpose()?;
        Ok(id.map(|id| (field.to_owned(), Value::String(id))).into_iter().collect())
    }

    /// Where a new one goes. A key for a team goes into the team's app `default`, made if need be.
    fn place_of_new(&self, noun: Noun, client: &Client) -> Result<Map<String, Value>, String> {
        let place = self.place(noun, client)?;
        let (Noun::Keys, true, Some(team)) = (noun, place.is_empty(), &self.team) else { return Ok(place) };
        let team = client.id_of("teams", "team_", team)?;
        let found = client.all("apps", &[("team", &team), ("name", "default")])?;
        let app = match found.into_iter().next() {
            Some(app) => app,
            None => client.post("apps", &json!({ "name": "default", "team": team }))?,
        };
        let id = app.get("id").cloned().unwrap_or_default();
        Ok(Map::from_iter([("app".to_owned(), id)]))
    }

    fn body(&self, noun: Noun, client: &Client) -> Result<Map<String, Value>, String> {
        let mut body = Map::new();
        let mut policy = Map::new();
        let put = |map: &mut Map<String, Value>, name: &str, value: Value| map.insert(name.to_owned(), value);
        if !self.models.is_empty() {
            put(&mut policy, "models", json!(self.models));
        }
        let read = |texts: &[String], read: fn(&str) -> Result<Value, String>| {
            texts.iter().map(|text| read(text)).collect::<Result<Vec<Value>, String>>()
        };
        if !self.budgets.is_empty() {
            put(&mut policy, "budgets", read(&self.budgets, words::budget)?.into());
        }
        if !self.limits.is_empty() {
            put(&mut policy, "limits", read(&self.limits, words::limit)?.into());
        }
        if !policy.is_empty() {
            put(&mut body, "policy", policy.into());
        }
        if !self.tags.is_empty() {
            let tags: Result<Map<String, Value>, String> = self
                .tags
                .iter()
                .map(|text| words::tag(text).map(|(name, value)| (name, value.into())))
                .collect();
            put(&mut body, "tags", tags?.into());
        }
        if let Some(expires) = &self.expires {
            let now = crate::telemetry::WallClock.unix_ms();
            put(&mut body, "expires_ms", (now + words::seconds(expires)? * 1000).into());
        }
        if let Some(plan) = self.plan.as_deref().filter(|_| noun == Noun::Subscriptions) {
            put(&mut body, "plan", client.id_of("plans", "plan_", plan)?.into());
        }
        let texts = [("role", &self.role), ("reason", &self.reason)];
        for (name, text) in texts {
            if let Some(text) = text {
                put(&mut body, name, text.as_str().into());
            }
        }
        if let [issuer, subject] = self.identity.as_slice() {
            put(&mut body, "identity", json!({ "issuer": issuer, "subject": subject }));
        }
        if let Some(margin) = self.margin {
            put(&mut body, "margin_bp", margin.into());
        }
        if self.needs_approval {
            put(&mut body, "needs_approval", true.into());
        }
        Ok(body)
    }
}

impl Usage {
    pub fn run(self) -> ExitCode {
        if let Some(UsageVerb::Export(export)) = &self.verb {
            return export.run(&self.at.admin);
        }
        let outcome = Client::new(&self.at.admin).and_then(|client| {
            let now = crate::telemetry::WallClock.unix_ms();
            let from = now.saturating_sub(words::seconds(&self.since)?.saturating_mul(1000));
            let (from, to) = (from.to_string(), now.to_string());
            let mut query =
                vec![("from_ms", from.as_str()), ("to_ms", to.as_str()), ("group_by", self.by.as_str())];
            query.extend(self.bucket.as_deref().map(|bucket| ("bucket", bucket)));
            client.all("usage", &query).map(Value::Array)
        });
        let flat = outcome.map(|rows| if self.at.json { rows } else { flattened(rows) });
        let groups: Vec<&str> = self.by.split(',').collect();
        let bucket: &[&str] = if self.bucket.is_some() { &["from_ms"] } else { &[] };
        let sums = ["calls", "input_tokens", "output_tokens", "cost_usd", "charged_usd"];
        let columns: Vec<&str> = bucket.iter().copied().chain(groups).chain(sums).collect();
        show(flat, &columns, self.at.json)
    }
}

/// Groups beside sums.
fn flattened(rows: Value) -> Value {
    let flat = |row: &Value| {
        let mut fields = row.as_object().cloned().unwrap_or_default();
        if let Some(Value::Object(group)) = fields.remove("group") {
            fields.extend(group);
        }
        Value::Object(fields)
    };
    rows.as_array().map(|rows| rows.iter().map(flat).collect()).unwrap_or_default()
}

fn show(outcome: Result<Value, String>, columns: &[&str], is_json: bool) -> ExitCode {
    let value = match outcome {
        Ok(value) => value,
        Err(error) => return super::fail(&error),
    };
    if is_json {
        println!("{value:#}");
        return ExitCode::SUCCESS;
    }
    match &value {
        Value::Null => println!("done"),
        Value::Array(items) => print_table(columns, items),
        one => {
            print_table(columns, std::slice::from_ref(one));
            for field in ["secret", "token"] {
                if let Some(Value::String(secret)) = one.get(field) {
                    println!("\n{field}, shown this once:\n{secret}");
                }
            }
        }
    }
    ExitCode::SUCCESS
}

fn print_table(columns: &[&str], items: &[Value]) {
    let heads: Vec<String> = columns.iter().map(|column| column.to_ascii_uppercase()).collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let row = |item: &Value| columns.iter().map(|column| table::cell(item.get(*column))).collect();
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    print!("{}", table::render(&heads, &rows));
}
