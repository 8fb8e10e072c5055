//! Every route of the admin API: what serves it, who may call it, what it takes. Router, permission
//! check, OpenAPI description and the matrix test are all made from this table, so that no route can
//! be served without a check or go undescribed.

use crate::govern::{Kind, Permission};
use http::Method;

#[derive(Debug)]
pub struct Route {
    pub method: Method,
    /// As axum writes it.
    pub path: String,
    pub needs: Needs,
    pub verb: Verb,
    pub summary: &'static str,
}

/// What a caller must have before anything of the request is looked at. Handlers check further what
/// depends on the thing itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// No credential: it tells nothing that is not in the documentation.
    Nothing,
    /// Any credential.
    Actor,
    Permission(Permission),
    /// Either of two: the handler decides which one a request takes.
    Either(Permission, Permission),
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    List(Kind),
    Create(Kind),
    Get(Kind),
    Change(Kind),
    Delete(Kind),
    RotateKey,
    RotateToken,
    Decide(Decision),
    Me,
    Audit,
    Usage,
    Calls,
    Config,
    History,
    HistoryEntry,
    HistoryDiff,
    Rollback,
    Health,
    Targets,
    DrainTarget,
    EnableTarget,
    OpenApi,
}

/// What becomes of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Refuse,
    Revoke,
}

/// Kinds that are both in the configuration file and in the store. Those of the file are read only.
pub const CONFIGURED: [Kind; 2] = [Kind::Provider, Kind::Model];

/// The table.
pub fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    Kind::ALL.into_iter().for_each(|kind| of_kind(&mut routes, kind));
    of_targets(&mut routes);
    let one = |path: &str, verb, permission, summary| Route {
        method: Method::POST,
        path: format!("/admin/v1/{path}"),
        needs: Needs::Permission(permission),
        verb,
        summary,
    };
    let decide = Permission::DecideSubscription;
    routes.extend([
        one("keys/{id}/rotate", Verb::RotateKey, Permission::RotateKey, "A new secret for a key, shown once"),
        one(
            "users/{id}/rotate-token",
            Verb::RotateToken,
            Permission::RotateToken,
            "A new token for a user, shown once",
        ),
        one(
            "subscriptions/{id}/approve",
            Verb::Decide(Decision::Approve),
            decide,
            "Open the plan's models to the app",
        ),
        one(
            "subscriptions/{id}/refuse",
            Verb::Decide(Decision::Refuse),
            decide,
            "Refuse a request, with a reason",
        ),
        one(
            "subscriptions/{id}/revoke",
            Verb::Decide(Decision::Revoke),
            decide,
            "End an approved subscription, with a reason",
        ),
        one(
            "config/rollback",
            Verb::Rollback,
            Permission::WriteConfig,
            "Providers and models of the store as they were in a configuration of the history",
        ),
    ]);
    reads(&mut routes);
    routes
}

/// What is read and is no thing of a kind.
fn reads(routes: &mut Vec<Route>) {
    let get = |path: &str, verb, needs, summary| Route {
        method: Method::GET,
        path: format!("/admin/v1/{path}"),
        needs,
        verb,
        summary,
    };
    let config = Needs::Permission(Permission::ReadConfig);
    routes.extend([
        get("me", Verb::Me, Needs::Actor, "Who this credential is, and what it may do"),
        get("audit", Verb::Audit, Needs::Permission(Permission::ReadAudit), "Who did what, newest first"),
        get(
            "usage",
            Verb::Usage,
            Needs::Permission(Permission::ReadUsage),
            "What was called and what it cost, summed",
        ),
        get("calls", Verb::Calls, Needs::Permission(Permission::ReadUsage), "Single calls, newest first"),
        get("config", Verb::Config, Needs::Permission(Permission::ReadConfig), "The configuration in force"),
        get("config/history", Verb::History, config, "Configurations that came into force, newest first"),
        get("config/history/{n}", Verb::HistoryEntry, config, "One of them, without secrets"),
        get("config/history/{n}/diff/{m}", Verb::HistoryDiff, config, "What differs between two of them"),
        get(
            "health",
            Verb::Health,
            Needs::Permission(Permission::ReadHealth),
            "State of store, snapshot and targets",
        ),
        get("openapi.json", Verb::OpenApi, Needs::Nothing, "This description"),
    ]);
}

fn of_kind(routes: &mut Vec<Route>, kind: Kind) {
    let plural = plural(kind);
    let mut add = |method, item: bool, needs, verb, summary| {
        let path = if item { format!("/admin/v1/{plural}/{{id}}") } else { format!("/admin/v1/{plural}") };
        routes.push(Route { method, path, needs, verb, summary });
    };
    let is = Needs::Permission;
    add(Method::GET, false, is(Permission::Read(kind)), Verb::List(kind), "List, ordered by id");
    add(Method::POST, false, is(Permission::Create(kind)), Verb::Create(kind), "Create");
    add(Method::GET, true, is(Permission::Read(kind)), Verb::Get(kind), "Read one");
    let has_policy = matches!(kind, Kind::Tenant | Kind::Team | Kind::App | Kind::Key);
    if kind != Kind::Subscription {
        let update = Permission::Update(kind);
        let needs = if has_policy { Needs::Either(update, Permission::SetBudgets) } else { is(update) };
        add(Method::PATCH, true, needs, Verb::Change(kind), "Change what is named, keep the rest");
    }
    add(
        Method::DELETE,
        true,
        is(Permission::Delete(kind)),
        Verb::Delete(kind),
        "Delete; refused while anything lies in it, or needs it",
    );
}

/// Targets of all models: looked at, taken out of service and back.
fn of_targets(routes: &mut Vec<Route>) {
    let mut add = |method, path: &str, permission, verb, summary| {
        let path = format!("/admin/v1/targets{path}");
        routes.push(Route { method, path, needs: Needs::Permission(permission), verb, summary });
    };
    let set = Permission::WriteConfig;
    let seen = "Targets of all models as they are now";
    add(Method::GET, "", Permission::ReadHealth, Verb::Targets, seen);
    let drained = "Take a target out of service; calls under way go on";
    add(Method::POST, "/drain", set, Verb::DrainTarget, drained);
    add(Method::POST, "/enable", set, Verb::EnableTarget, "Take a drained target back into service");
}

/// As in URLs.
pub const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Tenant => "tenants",
        Kind::Team => "teams",
        Kind::App => "apps",
        Kind::Key => "keys",
        Kind::User => "users",
        Kind::Plan => "plans",
        Kind::Subscription => "subscriptions",
        Kind::Provider => "providers",
        Kind::Model => "models",
    }
}

impl Needs {
    pub fn allows(self, may: impl Fn(Permission) -> bool) -> bool {
        match self {
            Needs::Nothing | Needs::Actor => true,
            Needs::Permission(permission) => may(permission),
            Needs::Either(one, other) => may(one) || may(other),
        }
    }
}
