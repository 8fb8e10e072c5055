//! One request to the admin API, past its door: who asks, for what, and the store to do it in.

use super::problem::Problem;
use super::strict;
use crate::govern::{Actor, AuditEntry, Kind, Object, Place};
use crate::runtime::Edge;
use crate::store::{Commit, Committed, Idempotency, Store, Write};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Versions begin with 1.
const NO_VERSION: u64 = 0;
/// A longer idempotency key is refused.
const IDEMPOTENCY_BYTES_MAX: usize = 128;

pub struct Call {
    pub edge: Arc<Edge>,
    pub actor: Arc<Actor>,
    /// The `{id}` of the path.
    pub id: String,
    pub method: http::Method,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub now_ms: u64,
    pub request_id: String,
    pub client: Option<String>,
}

/// What is answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Option<Value>,
    /// The version of the thing answered.
    pub version: Option<u64>,
    /// Where a new thing is found.
    pub location: Option<String>,
    pub is_replayed: bool,
}

/// Which version a write is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch {
    Version(u64),
    Any,
}

impl Answer {
    pub fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body: Some(body), version: None, location: None, is_replayed: false }
    }

    pub fn empty() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, ..Self::ok(Value::Null) }
    }

    pub fn with_version(self, version: u64) -> Self {
        Self { version: Some(version), ..self }
    }
}

impl Call {
    /// # Errors
    /// 503 where this installation has none.
    pub fn store(&self) -> Result<&Arc<dyn Store>, Problem> {
        let missing = || Problem::unavailable("there is no store: add [store] to the configuration");
        self.edge.store().ok_or_else(missing)
    }

    /// The body as an object; an absent body where nothing is needed is an empty one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn object(&self) -> Result<Map<String, Value>, Problem> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        let is_json = |kind: &str| {
            let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            kind == "application/json" || kind == "application/merge-patch+json"
        };
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !kind.is_some_and(is_json) {
            let detail = "send application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        strict::object(&self.body)
    }

    /// # Errors
    /// 428 without the field, 412 for one that no version has.
    pub fn if_match(&self) -> Result<IfMatch, Problem> {
        self.if_match_or_none()?.ok_or_else(|| {
            let detail = "send If-Match with the ETag you read, or * to overwrite whatever is there";
            Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_required", detail)
        })
    }

    /// # Errors
    /// 412 for a value that no version has.
    pub fn if_match_or_none(&self) -> Result<Option<IfMatch>, Problem> {
        let Some(value) = self.headers.get(header::IF_MATCH) else { return Ok(None) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Some(IfMatch::Any));
        }
        let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        match number.and_then(|text| text.parse().ok()) {
            Some(version) => Ok(Some(IfMatch::Version(version))),
            None => {
                Err(Problem::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", "no such version"))
            }
        }
    }

    /// The version a change of `before` is to find in the store. What is written was made from `before`:
    /// where the client meant another version, none fits, and only an answer given before comes again.
    pub fn expected(before: &Object, if_match: Option<IfMatch>) -> Option<u64> {
        match if_match {
            Some(IfMatch::Version(version)) if version != before.version => Some(NO_VERSION),
            Some(IfMatch::Version(_) | IfMatch::Any) | None => Some(before.version),
        }
    }

    /// An entry of the audit log about `object`, as it was and as it is. Secrets are masked here.
    pub fn audit(&self, action: String, before: Option<&Object>, after: Option<&Object>) -> AuditEntry {
        let about = after.or(before);
        AuditEntry {
            at_ms: self.now_ms,
            actor: self.actor.name.clone(),
            action,
            kind: about.map(|object| object.kind),
            id: about.map(|object| object.id.clone()),
            tenant: about.and_then(|object| object.tenant.clone()),
            before: before.map(super::view::masked),
            after: after.map(super::view::masked),
            request_id: self.request_id.clone(),
            client: self.client.clone(),
        }
    }

    /// The key the client sent, with what is answered when it comes again. A secret must not be in
    /// the answer.
    fn idempotency(&self, status: StatusCode, body: &Value) -> Result<Option<Idempotency>, Problem> {
        let Some(value) = self.headers.get(HeaderName::from_static("idempotency-key")) else {
            return Ok(None);
        };
        let key = value.to_str().ok().filter(|key| (1..=IDEMPOTENCY_BYTES_MAX).contains(&key.len()));
        let key = key.ok_or_else(|| Problem::invalid("", "Idempotency-Key: 1 to 128 visible characters"))?;
        let mut digest = Sha256::new();
        for part in [self.method.as_str().as_bytes(), self.path.as_bytes(), &self.body] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Ok(Some(Idempotency {
            key: format!("{}:{key}", self.actor.name),
            fingerprint: digest.finalize().into(),
            answer: (status.as_u16(), serde_json::to_vec(body).unwrap_or_default()),
        }))
    }

    /// Writes, and answers with `answer` as it will be: with what it is now, or with what was answered
    /// to the same request before.
    ///
    /// # Errors
    /// What the store ran into.
    pub async fn commit(&self, write: Write, audit: AuditEntry, answer: Answer) -> Result<Answer, Problem> {
        self.commit_all(vec![write], vec![audit], answer).await
    }

    /// As [`Call::commit`], for writes that belong together.
    ///
    /// # Errors
    /// What the store ran into.
    pub async fn commit_all(
        &self,
        writes: Vec<Write>,
        audit: Vec<AuditEntry>,
        answer: Answer,
    ) -> Result<Answer, Problem> {
        let body = answer.body.clone().unwrap_or_default();
        let idempotency = self.idempotency(answer.status, &body)?;
        let commit = Commit { at_ms: self.now_ms, writes, audit, idempotency };
        match self.store()?.commit(commit).await? {
            Committed::Done { .. } => Ok(answer),
            Committed::Replayed { answer: (status, body) } => Ok(Answer {
                status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
                body: serde_json::from_slice(&body).ok().filter(|body: &Value| !body.is_null()),
                version: None,
                location: None,
                is_replayed: true,
            }),
        }
    }

    /// A thing this actor sees.
    ///
    /// # Errors
    /// 404 for one that is not there, and for one of somebody else.
    pub async fn find(&self, kind: Kind, id: &str) -> Result<Object, Problem> {
        let is_id = !id.is_empty() && id.len() <= crate::govern::ids::ID_BYTES_MAX;
        let found = if is_id { self.store()?.get(kind, id).await? } else { None };
        let object = found.ok_or_else(|| Problem::missing(kind.as_str()))?;
        if self.sees(&object).await? { Ok(object) } else { Err(Problem::missing(kind.as_str())) }
    }

    /// # Errors
    /// The store's.
    pub async fn sees(&self, object: &Object) -> Result<bool, Problem> {
        let team = self.team_of(object).await?;
        Ok(self.actor.sees(place(object, team.as_deref())))
    }

    /// The team a thing is or lies in. Asked for only where it matters.
    ///
    /// # Errors
    /// The store's.
    pub async fn team_of(&self, object: &Object) -> Result<Option<String>, Problem> {
        if self.actor.teams.is_empty() {
            return Ok(None);
        }
        Ok(match object.kind {
            Kind::Team => Some(object.id.clone()),
            Kind::App => object.parent.clone(),
            Kind::Key | Kind::Subscription => {
                let app = object.parent.as_deref().unwrap_or_default();
                let app = self.store()?.get(Kind::App, app).await?;
                // Of no team that anybody could be in.
                Some(app.and_then(|app| app.parent).unwrap_or_default())
            }
            Kind::Tenant | Kind::User | Kind::Plan | Kind::Provider | Kind::Model => None,
        })
    }
}

pub fn place<'a>(object: &'a Object, team: Option<&'a str>) -> Place<'a> {
    Place { kind: object.kind, tenant: object.tenant.as_deref(), team }
}
