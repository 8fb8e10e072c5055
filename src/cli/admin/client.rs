//! Calls of the admin API.

use crate::config::process_env;
use crate::types::percent;
use crate::upstream::Transports;
use crate::upstream::credentials::{Ask, Fetch, LinkFetch};
use http::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Pages are this long, so that no answer is longer than is read.
const PAGE: usize = 100;

/// A way to the admin API.
pub struct Client {
    base: String,
    token: String,
    fetch: Arc<LinkFetch>,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// # Errors
    /// Where there is no token, or the system gives no runtime.
    pub fn new(base: &str) -> Result<Self, String> {
        let token = process_env("TIDEGATE_ADMIN_TOKEN").filter(|token| !token.is_empty());
        let token = token.ok_or("set TIDEGATE_ADMIN_TOKEN to the token of [admin], or to a user's")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let fetch = LinkFetch::new(Transports::default().usual());
        Ok(Self { base: base.trim_end_matches('/').to_owned(), token, fetch, runtime })
    }

    /// # Errors
    /// What the API said, or why there is no answer.
    pub fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let mut more = vec![("authorization".to_owned(), format!("Bearer {}", self.token))];
        if method == Method::PATCH || method == Method::DELETE {
            // A person at a terminal means the thing as it is now.
            more.push(("if-match".to_owned(), "*".to_owned()));
        }
        let ask = Ask {
            method,
            url: format!("{}/admin/v1/{path}", self.base),
            fields: vec![("content-type", "application/json".to_owned())],
            more,
            body: body.map(Value::to_string).unwrap_or_default(),
            timeout: TIMEOUT,
        };
        let answer = self.runtime.block_on(self.fetch.fetch(ask)).map_err(|error| error.to_string())?;
        let read: Result<Value, _> = serde_json::from_str(&answer.body);
        if (200..300).contains(&answer.status) {
            // What is longer than is read of an answer must not be taken for nothing.
            return match read {
                Ok(value) => Ok(value),
                Err(_) if answer.body.is_empty() => Ok(Value::Null),
                Err(_) => Err("the answer is too long, or no JSON".to_owned()),
            };
        }
        let value = read.unwrap_or_default();
        let detail = value.get("detail").and_then(Value::as_str).unwrap_or("no reason given");
        Err(format!("{} ({})", detail, answer.status))
    }

    pub fn get(&self, path: &str) -> Result<Value, String> {
        self.call(Method::GET, path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.call(Method::POST, path, Some(body))
    }

    /// Every item of a list, page by page.
    pub fn all(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, String> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut url = format!("{path}?limit={PAGE}");
            let pairs = query.iter().copied().chain(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            pairs.for_each(|(name, value)| url.push_str(&format!("&{name}={}", percent::encoded(value))));
            let mut page = self.get(&url)?;
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    /// The id of what is named, or the name itself where it is an id.
    pub fn id_of(&self, plural: &str, prefix: &str, name: &str) -> Result<String, String> {
        if name.starts_with(prefix) {
            return Ok(name.to_owned());
        }
        let found = self.all(plural, &[("name", name)])?;
        let mut ids = found.iter().filter_map(|item| item.get("id").and_then(Value::as_str));
        match (ids.next(), ids.next()) {
            (Some(id), None) => Ok(id.to_owned()),
            (None, _) => Err(format!("no {plural} named {name}")),
            (Some(_), Some(_)) => Err(format!("several {plural} are named {name}: give the id")),
        }
    }
}
