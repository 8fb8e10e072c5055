//! Secrets of keys and users: made, shown once, replaced.

use super::call::{Answer, Call, place};
use super::fields::{RotateFields, json};
use super::problem::Problem;
use super::{strict, view};
use crate::auth::token::{self, TokenKind};
use crate::govern::{Key, KeyId, Kind, Object, Permission, User, UserId};
use crate::store::Write;
use crate::types::{Secret, hex};
use serde_json::Value;

/// Longest an old secret stays good.
const GRACE_SECONDS_MAX: u64 = 30 * 86_400;

/// A secret just made for a thing.
pub struct Fresh {
    kind: Kind,
    /// Of the thing: the public id with its prefix.
    pub id: String,
    text: Secret,
    hash: String,
}

/// A secret for a new thing of a kind that has one.
///
/// # Errors
/// Where there is no pepper, or no random numbers.
pub fn for_new(call: &Call, kind: Kind) -> Result<Option<Fresh>, Problem> {
    let (token, prefix) = match kind {
        Kind::Key => (TokenKind::Key, KeyId::PREFIX),
        Kind::User => (TokenKind::User, UserId::PREFIX),
        _ => return Ok(None),
    };
    let minted = token::mint(token).map_err(no_random)?;
    fresh(call, kind, format!("{prefix}{}", minted.public), minted.text).map(Some)
}

fn no_random(error: token::NoRandom) -> Problem {
    log::error!("{error}");
    Problem::internal()
}

fn fresh(call: &Call, kind: Kind, id: String, text: Secret) -> Result<Fresh, Problem> {
    let runtime = call.edge.runtime();
    let hash = runtime.keys.peppers().hash(text.expose());
    let hash = hash.ok_or_else(|| Problem::unavailable("there is no pepper: add [auth] pepper"))?;
    Ok(Fresh { kind, id, text, hash: hex(&hash) })
}

impl Fresh {
    /// The body with the secret's hash in it.
    pub fn put_into(&self, mut body: Value) -> Value {
        let field = if self.kind == Kind::User { "token_hash" } else { "hash" };
        if let Some(body) = body.as_object_mut() {
            body.insert(field.to_owned(), self.hash.clone().into());
        }
        body
    }
}

/// Puts the secret into the answer: this once. An answer given again has none.
pub fn show_once(answer: &mut Answer, secret: Option<Fresh>) {
    let Some(secret) = secret.filter(|_| !answer.is_replayed) else { return };
    let field = if secret.kind == Kind::User { "token" } else { "secret" };
    if let Some(body) = answer.body.as_mut().and_then(Value::as_object_mut) {
        body.insert(field.to_owned(), secret.text.expose().into());
    }
}

/// A new secret for a key; the old one stays good for the grace asked for.
///
/// # Errors
/// 404, 412, why not, or the store's.
pub async fn rotate_key(call: &Call) -> Result<Answer, Problem> {
    let before = call.find(Kind::Key, &call.id).await?;
    let fields: RotateFields = strict::typed(Value::Object(call.object()?))?;
    if fields.grace_seconds > GRACE_SECONDS_MAX {
        return Err(Problem::invalid("grace_seconds", "at most 2592000, which is 30 days"));
    }
    let key: Key = read(&before)?;
    let secret = remade(call, &before, TokenKind::Key, KeyId::PREFIX)?;
    let has_grace = fields.grace_seconds > 0;
    let rotated = Key {
        previous_hash: has_grace.then(|| key.hash.clone()),
        previous_until_ms: has_grace.then(|| call.now_ms + fields.grace_seconds * 1000),
        hash: secret.hash.clone(),
        ..key
    };
    replace(call, before, json(rotated), Permission::RotateKey, "key.rotate", secret).await
}

/// A new token for a user; the old one ends at once.
///
/// # Errors
/// 404, 412, why not, or the store's.
pub async fn rotate_token(call: &Call) -> Result<Answer, Problem> {
    let before = call.find(Kind::User, &call.id).await?;
    if !call.object()?.is_empty() {
        return Err(Problem::invalid("", "takes an empty body"));
    }
    let user: User = read(&before)?;
    // Whoever holds the token is the user.
    call.actor.may_grant(Some(user.role), Some(user.role))?;
    let secret = remade(call, &before, TokenKind::User, UserId::PREFIX)?;
    let rotated = User { token_hash: Some(secret.hash.clone()), ..user };
    replace(call, before, json(rotated), Permission::RotateToken, "user.rotate_token", secret).await
}

fn read<T: serde::de::DeserializeOwned>(object: &Object) -> Result<T, Problem> {
    serde_json::from_value(object.body.clone()).map_err(|error| {
        log::error!("{} {} cannot be read: {error}", object.kind.as_str(), object.id);
        Problem::internal()
    })
}

fn remade(call: &Call, object: &Object, kind: TokenKind, prefix: &str) -> Result<Fresh, Problem> {
    let public = object.id.strip_prefix(prefix).ok_or_else(Problem::internal)?;
    let text = token::remint(kind, public).map_err(no_random)?;
    fresh(call, object.kind, object.id.clone(), text)
}

async fn replace(
    call: &Call,
    before: Object,
    body: Value,
    permission: Permission,
    action: &str,
    secret: Fresh,
) -> Result<Answer, Problem> {
    let team = call.team_of(&before).await?;
    call.actor.may_on(permission, place(&before, team.as_deref()))?;
    let expected = Call::expected(&before, call.if_match_or_none()?);
    let after = Object { body, version: before.version + 1, updated_ms: call.now_ms, ..before.clone() };
    let audit = call.audit(action.to_owned(), Some(&before), Some(&after));
    let answer = Answer::ok(view::shown(&after)).with_version(after.version);
    let write = Write::Update { object: after, expected };
    let mut answer = call.commit(write, audit, answer).await?;
    show_once(&mut answer, Some(secret));
    Ok(answer)
}
