//! The description of the admin API (OpenAPI 3.1), from the table of routes and the types' own
//! schemas.

use super::fields::{
    DecisionFields, KeyFields, NodeFields, PlanFields, RotateFields, SubscriptionFields, TargetFields,
    UserFields, may_be_global, parent_field,
};
use super::problem::{Fault, Problem};
use super::routes::{CONFIGURED, Needs, Route, Verb, routes};
use crate::govern::{Kind, Policy};
use crate::store::Dimension;
use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The document. Made when asked for: that is seldom.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in routes() {
        let item = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(route.method.as_str().to_ascii_lowercase(), operation(&route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Tenants, teams, apps, keys, users, plans, subscriptions, providers and models. Every change needs a \
                token and is kept in the audit log; a secret is shown once, when it is made.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        }
    })
}

fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    let mut named: Vec<(String, RefOr<Schema>)> = Vec::new();
    NodeFields::schemas(&mut named);
    KeyFields::schemas(&mut named);
    UserFields::schemas(&mut named);
    PlanFields::schemas(&mut named);
    SubscriptionFields::schemas(&mut named);
    Policy::schemas(&mut named);
    Problem::schemas(&mut named);
    for (name, schema) in named {
        schemas.insert(name, json(&schema));
    }
    for (name, schema) in [
        ("NodeFields", json(&NodeFields::schema())),
        ("KeyFields", json(&KeyFields::schema())),
        ("UserFields", json(&UserFields::schema())),
        ("PlanFields", json(&PlanFields::schema())),
        ("SubscriptionFields", json(&SubscriptionFields::schema())),
        ("DecisionFields", json(&DecisionFields::schema())),
        ("TargetFields", json(&TargetFields::schema())),
        ("RotateFields", json(&RotateFields::schema())),
        ("Policy", json(&Policy::schema())),
        ("Problem", json(&Problem::schema())),
        ("Fault", json(&Fault::schema())),
    ] {
        schemas.insert(name.to_owned(), schema);
    }
    schemas.insert("ProviderFields".to_owned(), table_fields(Kind::Provider));
    schemas.insert("ModelFields".to_owned(), table_fields(Kind::Model));
    for kind in Kind::ALL {
        let fields = schemas.get(fields_name(kind)).cloned().unwrap_or_default();
        let name = title(kind);
        schemas.insert(format!("New{name}"), new(kind, fields.clone()));
        schemas.insert(format!("Change{name}"), change(fields.clone()));
        schemas.insert(name.clone(), view(kind, fields));
        schemas.insert(format!("{name}Page"), page(&format!("#/components/schemas/{name}")));
    }
    let free = json!({ "type": "object" });
    schemas.insert("RowPage".to_owned(), page_of(free));
    schemas.insert("RollbackFields".to_owned(), rollback_fields());
    schemas
}

fn json(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

const fn fields_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Tenant | Kind::Team | Kind::App => "NodeFields",
        Kind::Key => "KeyFields",
        Kind::User => "UserFields",
        Kind::Plan => "PlanFields",
        Kind::Subscription => "SubscriptionFields",
        Kind::Provider => "ProviderFields",
        Kind::Model => "ModelFields",
    }
}

fn title(kind: Kind) -> String {
    let name = kind.as_str();
    let (first, rest) = name.split_at_checked(1).unwrap_or((name, ""));
    first.to_ascii_uppercase() + rest
}

fn edit(mut schema: Value, with: impl FnOnce(&mut Map<String, Value>)) -> Value {
    if let Some(fields) = schema.as_object_mut() {
        with(fields);
    }
    schema
}

fn add_property(schema: &mut Map<String, Value>, name: &str, property: Value) {
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        properties.insert(name.to_owned(), property);
    }
}

fn require(schema: &mut Map<String, Value>, name: &str) {
    let required = schema.entry("required").or_insert_with(|| json!([]));
    if let Some(required) = required.as_array_mut() {
        required.push(name.into());
    }
}

/// What is sent to make one: its fields, and where it is to lie.
fn new(kind: Kind, fields: Value) -> Value {
    edit(fields, |schema| {
        let Some(parent) = parent_field(kind) else { return };
        let is_optional = may_be_global(kind);
        let kinds = if is_optional { json!(["string", "null"]) } else { json!("string") };
        add_property(schema, parent, json!({ "type": kinds, "maxLength": 64 }));
        if !is_optional {
            require(schema, parent);
        }
    })
}

/// What is sent to change one: any of its fields.
fn change(fields: Value) -> Value {
    edit(fields, |schema| {
        schema.remove("required");
    })
}

/// What is answered.
fn view(kind: Kind, fields: Value) -> Value {
    edit(fields, |schema| {
        schema.remove("additionalProperties");
        for name in ["id", "name"] {
            add_property(schema, name, json!({ "type": "string" }));
        }
        let is_configured = CONFIGURED.contains(&kind);
        for name in ["version", "created_ms", "updated_ms"] {
            add_property(schema, name, json!({ "type": "integer", "minimum": 0 }));
            if !is_configured {
                require(schema, name);
            }
        }
        require(schema, "id");
        if is_configured {
            // A tenant's users see no more than this.
            schema.insert("required".to_owned(), json!(["id", "name", "origin"]));
            add_property(schema, "origin", json!({ "type": "string", "enum": ["file", "store"] }));
        }
        if let Some(parent) = parent_field(kind) {
            add_property(schema, parent, json!({ "type": ["string", "null"] }));
        }
        match kind {
            Kind::Key => {
                let secret = "The whole key. Only in the first answer to its making or rotation.";
                add_property(schema, "secret", json!({ "type": "string", "description": secret }));
                add_property(schema, "previous_until_ms", json!({ "type": "integer" }));
            }
            Kind::User => {
                let token = "Its token. Only in the first answer to its making or rotation.";
                add_property(schema, "token", json!({ "type": "string", "description": token }));
                add_property(schema, "has_token", json!({ "type": "boolean" }));
            }
            Kind::Subscription => {
                let states = json!(["requested", "approved", "refused", "revoked"]);
                add_property(schema, "state", json!({ "type": "string", "enum": states }));
                add_property(schema, "decided_by", json!({ "type": "string" }));
            }
            Kind::Tenant | Kind::Team | Kind::App | Kind::Plan | Kind::Provider | Kind::Model => {}
        }
    })
}

fn page(item: &str) -> Value {
    page_of(json!({ "$ref": item }))
}

fn page_of(item: Value) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": { "type": "array", "items": item },
            "next_cursor": { "type": ["string", "null"], "description": "For the next page; null after the last." }
        }
    })
}

/// The table of the configuration, which its own reader knows: here is only what is always there.
fn table_fields(kind: Kind) -> Value {
    let text = json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    let (needed, properties) = match kind {
        Kind::Provider => ("kind", json!({ "name": text, "kind": { "type": "string" } })),
        _ => {
            let provider = json!({ "provider": { "type": "string" }, "model": { "type": "string" } });
            let target = json!({ "type": "object", "required": ["provider"], "properties": provider });
            let targets = json!({ "type": "array", "minItems": 1, "items": target });
            ("targets", json!({ "name": text, "targets": targets }))
        }
    };
    let plural = super::routes::plural(kind);
    json!({
        "type": "object",
        "description": format!("The keys of [{plural}.NAME] in the configuration file, as JSON; secrets by reference."),
        "required": ["name", needed],
        "properties": properties,
        "additionalProperties": true
    })
}

fn rollback_fields() -> Value {
    let to = json!({ "type": "integer", "minimum": 1, "description": "The number of a configuration." });
    json!({ "type": "object", "required": ["to"], "additionalProperties": false, "properties": { "to": to } })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [route.path.split('/').nth(3).unwrap_or_default()],
        "responses": responses(route),
    });
    let Some(fields) = operation.as_object_mut() else { return operation };
    let parameters = parameters(route);
    if !parameters.is_empty() {
        fields.insert("parameters".to_owned(), parameters.into());
    }
    if let Some((schema, is_needed)) = request_schema(route.verb) {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        let content = json!({ "application/json": { "schema": schema } });
        fields.insert("requestBody".to_owned(), json!({ "required": is_needed, "content": content }));
    }
    match route.needs {
        Needs::Nothing => {
            fields.insert("security".to_owned(), json!([]));
        }
        Needs::Actor => {}
        Needs::Permission(permission) => {
            fields.insert("x-permission".to_owned(), permission.to_string().into());
        }
        Needs::Either(one, other) => {
            fields.insert("x-permission".to_owned(), format!("{one} or {other}").into());
        }
    }
    operation
}

fn operation_id(route: &Route) -> String {
    let path =
        route.path.trim_start_matches("/admin/v1/").replace(['{', '}'], "").replace(['/', '-', '.'], "_");
    format!("{}_{path}", route.method.as_str().to_ascii_lowercase())
}

fn parameters(route: &Route) -> Vec<Value> {
    let mut parameters = Vec::new();
    let text = |place: &str, name: &str, is_needed: bool, schema: Value| json!({ "name": name, "in": place, "required": is_needed, "schema": schema });
    if route.path.contains("{id}") {
        parameters.push(text(
            "path",
            "id",
            true,
            json!({ "type": "string", "minLength": 1, "maxLength": 256 }),
        ));
    }
    for number in ["n", "m"].into_iter().filter(|name| route.path.contains(&format!("{{{name}}}"))) {
        parameters.push(text("path", number, true, json!({ "type": "integer", "minimum": 1 })));
    }
    let query = |name: &str, schema: Value| parameters.push(text("query", name, false, schema));
    queries(route.verb, query);
    let if_match = json!({ "type": "string", "description": "The ETag that was read, or *." });
    match route.verb {
        Verb::Change(_) | Verb::Delete(_) => parameters.push(text("header", "If-Match", true, if_match)),
        Verb::RotateKey | Verb::RotateToken | Verb::Decide(_) => {
            parameters.push(text("header", "If-Match", false, if_match));
        }
        _ => {}
    }
    if is_write(route.verb) {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" });
        parameters.push(text("header", "Idempotency-Key", false, schema));
    }
    parameters
}

/// What a query may have.
fn queries(verb: Verb, mut query: impl FnMut(&str, Value)) {
    match verb {
        Verb::List(kind) => {
            query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 500, "default": 100 }));
            query("cursor", json!({ "type": "string" }));
            query("name", json!({ "type": "string" }));
            if CONFIGURED.contains(&kind) {
                query("origin", json!({ "type": "string", "enum": ["file", "store"] }));
            } else {
                query("tenant", json!({ "type": "string" }));
            }
            if let Some(parent) = parent_field(kind).filter(|parent| *parent != "tenant") {
                query(parent, json!({ "type": "string" }));
            }
        }
        Verb::Audit => {
            query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 500, "default": 100 }));
            query("cursor", json!({ "type": "string", "pattern": "^[1-9][0-9]{0,17}$" }));
            query("tenant", json!({ "type": "string" }));
        }
        Verb::Calls => {
            query("from_ms", json!({ "type": "integer", "minimum": 0 }));
            query("to_ms", json!({ "type": "integer", "minimum": 0 }));
            query("outcome", json!({ "type": "string", "enum": ["ok", "rejected", "failed", "aborted"] }));
            query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }));
            query("cursor", json!({ "type": "string" }));
            for dimension in Dimension::ALL {
                query(dimension.as_str(), json!({ "type": "string" }));
            }
        }
        Verb::Usage => {
            query("from_ms", json!({ "type": "integer", "minimum": 0 }));
            query("to_ms", json!({ "type": "integer", "minimum": 0 }));
            query("bucket", json!({ "type": "string", "enum": ["minute", "hour", "day"] }));
            query("group_by", json!({ "type": "string", "description": "Dimensions, parted by commas." }));
            query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }));
            query("cursor", json!({ "type": "string" }));
            for dimension in Dimension::ALL {
                query(dimension.as_str(), json!({ "type": "string" }));
            }
        }
        _ => {}
    }
}

const fn is_write(verb: Verb) -> bool {
    match verb {
        Verb::Create(_) | Verb::Change(_) | Verb::Delete(_) => true,
        Verb::RotateKey | Verb::RotateToken | Verb::Decide(_) | Verb::Rollback => true,
        Verb::List(_) | Verb::Get(_) => false,
        Verb::History | Verb::HistoryEntry | Verb::HistoryDiff => false,
        Verb::Me | Verb::Audit | Verb::Usage | Verb::Calls | Verb::Config | Verb::Health | Verb::OpenApi => {
            false
        }
        // The same again changes nothing.
        Verb::Targets | Verb::DrainTarget | Verb::EnableTarget => false,
    }
}

fn request_schema(verb: Verb) -> Option<(String, bool)> {
    match verb {
        Verb::Create(kind) => Some((format!("New{}", title(kind)), true)),
        Verb::Change(kind) => Some((format!("Change{}", title(kind)), true)),
        Verb::RotateKey => Some(("RotateFields".to_owned(), false)),
        Verb::Decide(_) => Some(("DecisionFields".to_owned(), false)),
        Verb::DrainTarget | Verb::EnableTarget => Some(("TargetFields".to_owned(), true)),
        Verb::Rollback => Some(("RollbackFields".to_owned(), true)),
        _ => None,
    }
}

fn responses(route: &Route) -> Value {
    let (status, schema) = match route.verb {
        Verb::List(kind) => ("200", Some(format!("{}Page", title(kind)))),
        Verb::Create(kind) => ("201", Some(title(kind))),
        Verb::Get(kind) | Verb::Change(kind) => ("200", Some(title(kind))),
        Verb::Delete(_) => ("204", None),
        Verb::RotateKey => ("200", Some(title(Kind::Key))),
        Verb::RotateToken => ("200", Some(title(Kind::User))),
        Verb::Decide(_) => ("200", Some(title(Kind::Subscription))),
        Verb::Audit | Verb::Usage | Verb::Calls | Verb::History => ("200", Some("RowPage".to_owned())),
        Verb::HistoryEntry | Verb::HistoryDiff | Verb::Rollback => ("200", None),
        Verb::Me | Verb::Config | Verb::Health | Verb::OpenApi => ("200", None),
        Verb::Targets => ("200", Some("RowPage".to_owned())),
        Verb::DrainTarget | Verb::EnableTarget => ("200", None),
    };
    let mut responses = Map::new();
    let mut done = json!({ "description": "Done" });
    if status != "204"
        && let Some(done) = done.as_object_mut()
    {
        let schema = match schema {
            Some(name) => json!({ "$ref": format!("#/components/schemas/{name}") }),
            None => json!({ "type": "object" }),
        };
        done.insert("content".to_owned(), json!({ "application/json": { "schema": schema } }));
    }
    responses.insert(status.to_owned(), done);
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    let content = json!({ "application/problem+json": { "schema": problem } });
    responses.insert("default".to_owned(), json!({ "description": "A problem", "content": content }));
    responses.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` in the document, and whether it leads somewhere.
    fn dangling(value: &Value, schemas: &Map<String, Value>, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(target)) = fields.get("$ref") {
                    let name = target.trim_start_matches("#/components/schemas/");
                    if !schemas.contains_key(name) {
                        found.push(target.clone());
                    }
                }
                fields.values().for_each(|value| dangling(value, schemas, found));
            }
            Value::Array(items) => items.iter().for_each(|value| dangling(value, schemas, found)),
            _ => {}
        }
    }

    #[test]
    fn every_route_is_described_and_every_reference_leads_somewhere() {
        let document = document();
        for route in routes() {
            let method = route.method.as_str().to_ascii_lowercase();
            assert!(document["paths"][&route.path][&method]["responses"].is_object(), "{}", route.path);
        }
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let mut found = Vec::new();
        dangling(&document, schemas, &mut found);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn requests_take_no_unknown_members_and_hold_no_hash() {
        let document = document();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (name, schema) in
            schemas.iter().filter(|(name, _)| name.starts_with("New") || name.starts_with("Change"))
        {
            // The table of a provider or model has its own reader, which refuses what it does not know.
            let is_table = name.ends_with("Provider") || name.ends_with("Model");
            assert_eq!(schema["additionalProperties"], is_table, "{name}");
        }
        let text = serde_json::to_string(schemas).unwrap();
        assert!(!text.contains("\"hash\"") && !text.contains("token_hash"));
    }
}
