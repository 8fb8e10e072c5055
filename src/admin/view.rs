//! Things as they are shown. Keyed hashes are never shown, not even to owners.

use super::fields::parent_field;
use crate::govern::mask::mask_table;
use crate::govern::{Kind, Object};
use serde_json::{Value, json};

/// What no answer and no audit entry holds.
const SECRET_FIELDS: [&str; 3] = ["hash", "previous_hash", "token_hash"];

/// An object as the API answers it.
pub fn shown(object: &Object) -> Value {
    let mut view = json!({
        "id": object.id,
        "name": object.name,
        "version": object.version,
        "created_ms": object.created_ms,
        "updated_ms": object.updated_ms,
    });
    let Some(fields) = view.as_object_mut() else { return view };
    if let Value::Object(body) = &object.body {
        let mut body = body.clone();
        if matches!(object.kind, Kind::Provider | Kind::Model) {
            mask_table(&mut body);
            fields.insert("origin".to_owned(), "store".into());
        }
        let open = body.iter().filter(|(name, _)| !SECRET_FIELDS.contains(&name.as_str()));
        fields.extend(open.map(|(name, value)| (name.clone(), value.clone())));
    }
    if let Some(parent) = parent_field(object.kind) {
        fields.insert(parent.to_owned(), object.parent.clone().into());
    }
    if object.kind == Kind::User {
        let has_token = object.body.get("token_hash").is_some_and(Value::is_string);
        fields.insert("has_token".to_owned(), has_token.into());
    }
    view
}

/// An object as the audit log keeps it: what was a secret is told to be there, and whether it changed
/// is seen from the action.
pub fn masked(object: &Object) -> Value {
    let mut view = shown(object);
    if let (Value::Object(body), Some(fields)) = (&object.body, view.as_object_mut()) {
        let secrets = SECRET_FIELDS.into_iter().filter(|name| body.contains_key(*name));
        fields.extend(secrets.map(|name| (name.to_owned(), "***".into())));
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_in_no_view() {
        let object = Object {
            kind: Kind::Key,
            id: "key_1".to_owned(),
            tenant: Some("ten_1".to_owned()),
            parent: Some("app_1".to_owned()),
            name: "ci".to_owned(),
            version: 3,
            created_ms: 1,
            updated_ms: 2,
            body: json!({"hash": "canary", "previous_hash": "canary", "previous_until_ms": 5, "status": "active"}),
        };
        let (shown, masked) = (shown(&object), masked(&object));
        assert!(!shown.to_string().contains("canary") && !masked.to_string().contains("canary"));
        assert_eq!((&shown["app"], &shown["previous_until_ms"]), (&json!("app_1"), &json!(5)));
        assert_eq!((&masked["hash"], shown.get("hash")), (&json!("***"), None));
    }
}
