//! Why the admin API did not do what it was asked: problem details (RFC 9457).

use crate::govern::Denied;
use crate::store::StoreError;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// An error answer. Its words are for the caller: causes go to the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub title: &'static str,
    pub status: u16,
    pub detail: String,
    /// Stable, for programs: `not_found`, `conflict`, `invalid`.
    pub code: &'static str,
    /// What is wrong where in the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

/// One mistake in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Fault {
    /// `policy.limits[0].per`; empty for the request as a whole.
    pub path: String,
    pub message: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        let (status, detail) = (status.as_u16(), detail.into());
        Self { kind: "about:blank", title, status, detail, code, errors: Vec::new() }
    }

    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_at(vec![Fault { path: path.into(), message: message.into() }])
    }

    pub fn invalid_at(errors: Vec<Fault>) -> Self {
        let detail = match errors.first() {
            Some(Fault { path, message }) if path.is_empty() => message.clone(),
            Some(Fault { path, message }) => format!("{path}: {message}"),
            None => "the request is not valid".to_owned(),
        };
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "invalid", detail) }
    }

    pub fn missing(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("no such {what}"))
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// The log has the cause.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this could not be done; see the log")
    }

    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unseen(what) => Self::missing(what),
            Denied::Forbidden(..)
            | Denied::NotTheInstallation
            | Denied::RoleAbove(..)
            | Denied::Loosened(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", denied.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Missing { kind } => Self::missing(kind),
            StoreError::Exists { .. } | StoreError::NotEmpty { .. } | StoreError::Subscribed { .. } => {
                Self::conflict(error.to_string())
            }
            StoreError::Moved { .. } => Self::conflict(format!("{error}; try again")),
            StoreError::Conflict { actual, .. } => {
                let detail = format!("changed by somebody else meanwhile: version {actual} is there");
                Self::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", detail)
            }
            StoreError::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", error.to_string())
            }
            StoreError::TooMuch(_) | StoreError::Malformed(_) => Self::invalid("", error.to_string()),
            StoreError::Unavailable(cause) => {
                log::error!("the store is not available: {cause}");
                Self::unavailable("the store is not available; try again")
            }
            StoreError::Unusable(_) => {
                log::error!("{error}");
                Self::unavailable("the store cannot be used; see the log")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if self.status == 401 {
            let challenge = HeaderValue::from_static("Bearer realm=\"tidegate admin\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
