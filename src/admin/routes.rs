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
    /// Of the configuration file: read only.
    ListFile(Kind),
    GetFile(Kind),
    WriteFile(Kind),
    Me,
    Audit,
    Usage,
    Config,
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

/// Kinds kept in the store that this API changes.
pub const STORED: [Kind; 7] =
    [Kind::Tenant, Kind::Team, Kind::App, Kind::Key, Kind::User, Kind::Plan, Kind::Subscription];
/// Kinds of the configuration file.
pub const OF_FILE: [Kind; 2] = [Kind::Provider, Kind::Model];

/// The table.
pub fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    STORED.into_iter().for_each(|kind| of_kind(&mut routes, kind));
    OF_FILE.into_iter().for_each(|kind| of_file(&mut routes, kind));
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
    ]);
    let get = |path: &str, verb, needs, summary| Route {
        method: Method::GET,
        path: format!("/admin/v1/{path}"),
        needs,
        verb,
        summary,
    };
    routes.extend([
        get("me", Verb::Me, Needs::Actor, "Who this credential is, and what it may do"),
        get("audit", Verb::Audit, Needs::Permission(Permission::ReadAudit), "Who did what, newest first"),
        get(
            "usage",
            Verb::Usage,
            Needs::Permission(Permission::ReadUsage),
            "What was called and what it cost, summed",
        ),
        get("config", Verb::Config, Needs::Permission(Permission::ReadConfig), "The configuration in force"),
        get(
            "health",
            Verb::Health,
            Needs::Permission(Permission::ReadHealth),
            "State of store, snapshot and targets",
        ),
        get("openapi.json", Verb::OpenApi, Needs::Nothing, "This description"),
    ]);
    routes
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
        "Delete; refused while anything lies in it",
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

/// Read-only here; writing says so instead of pretending that there is no such thing.
fn of_file(routes: &mut Vec<Route>, kind: Kind) {
    let plural = plural(kind);
    let mut add = |method, path: String, permission, verb, summary| {
        routes.push(Route { method, path, needs: Needs::Permission(permission), verb, summary });
    };
    let (all, one) = (format!("/admin/v1/{plural}"), format!("/admin/v1/{plural}/{{id}}"));
    let read = Permission::Read(kind);
    add(Method::GET, all, read, Verb::ListFile(kind), "List those of the configuration file");
    add(Method::GET, one.clone(), read, Verb::GetFile(kind), "Read one of the configuration file");
    let refused = "Always refused: the configuration file owns it";
    add(Method::PATCH, one.clone(), Permission::Update(kind), Verb::WriteFile(kind), refused);
    add(Method::DELETE, one, Permission::Delete(kind), Verb::WriteFile(kind), refused);
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
