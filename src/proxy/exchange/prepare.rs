//! From a client's body to what every attempt needs: the head read, the model found, the edits of
//! the body known. Each attempt starts from the client's own bytes.

use super::downstream::Fields;
use super::recall::Recalled;
use super::undress::{self, Naked};
use crate::dialect::head::{self, RequestHead, StreamOptions};
use crate::dialect::paths::Hit;
use crate::dialect::paths::query::wants_sse;
use crate::dialect::splice::{self, Edit};
use crate::framing::ClientHead;
use crate::types::{Endpoint, Priority, Reason, Reject, bounds};
use bytes::Bytes;
use http::Method;
use std::sync::Arc;
use std::time::Duration;

/// A request ready to be attempted.
pub struct Prepared<'u> {
    pub endpoint: Endpoint,
    pub method: Method,
    pub hit: Hit<'u>,
    /// The client's query, as it came.
    pub query: Option<&'u str>,
    /// The client's body, content codings undone.
    pub body: Bytes,
    /// What the body says; None for GET and DELETE, which have none.
    pub head: Option<Box<RequestHead>>,
    /// The name the client asked for.
    pub model: String,
    pub is_stream: bool,
    /// Gemini's stream without `alt=sse`: one growing JSON array.
    pub is_array: bool,
    /// The client asked for the exact count of its prompt.
    pub counts_exactly: bool,
    pub client_fields: Fields,
    /// Set where the body was completed from what is kept here.
    pub recalled: Option<Arc<Recalled>>,
    /// A budget is charged for the call: its stream may have to be cut.
    pub is_budgeted: bool,
    /// What the client says about where its call may go.
    pub wishes: Wishes,
    /// For what hardly a call needs; none where there is no body.
    pub client: Option<&'u ClientHead>,
}

/// A client's own words about routing. Stricter than the operator's rules, never laxer.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// `x-tidegate-tags`, separated by commas.
    pub tags: Box<str>,
    /// `x-tidegate-region`.
    pub region: Box<str>,
    /// `x-tidegate-zdr: true`.
    pub zero_retention: bool,
}

/// A lower priority than its key has.
pub const PRIORITY: &str = "x-tidegate-priority";
/// Longest of these headers that is read.
const WISH_BYTES_MAX: usize = 256;

impl Wishes {
    fn of(client: &ClientHead) -> Self {
        let text = |name: &str| {
            client.text(name).map(str::trim).filter(|text| text.len() <= WISH_BYTES_MAX).unwrap_or_default()
        };
        Self {
            tags: text("x-tidegate-tags").into(),
            region: text("x-tidegate-region").to_ascii_lowercase().into(),
            zero_retention: text("x-tidegate-zdr").eq_ignore_ascii_case("true"),
        }
    }

    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.split(',').map(str::trim).filter(|tag| !tag.is_empty())
    }
}

impl<'u> Prepared<'u> {
    /// Reads the head of a request.
    ///
    /// # Errors
    /// 400 naming the place where the body is malformed, or that it names no model.
    pub fn read(
        client: &'u ClientHead,
        hit: Hit<'u>,
        body: Bytes,
        client_fields: Fields,
    ) -> Result<Self, Reject> {
        let mut naked = Naked { hit, body, fields: client_fields };
        if naked.hit.dress.is_some() {
            naked = undress::undress(naked)?;
        }
        let Naked { hit, body, fields: client_fields } = naked;
        let endpoint = hit.endpoint;
        let (method, query) = (client.method.clone(), client.query());
        let content_type = client.text("content-type");
        let head = head::parse(endpoint, content_type, &body).map_err(|error| error.to_reject())?;
        // A path that names a model wins: it is what will be dispatched.
        let model = head.model_or(hit.model.as_deref())?.to_owned();
        check_name(&model)?;
        let is_array = endpoint == Endpoint::StreamGenerateContent && !wants_sse(query);
        let is_stream =
            head.stream || matches!(endpoint, Endpoint::StreamGenerateContent | Endpoint::ConverseStream);
        let counts_exactly = client.values("x-tidegate-count").next().is_some_and(|value| value == b"exact");
        Ok(Self {
            endpoint,
            method,
            hit,
            query,
            body,
            head: Some(Box::new(head)),
            model,
            is_stream,
            is_array,
            counts_exactly,
            client_fields,
            recalled: None,
            is_budgeted: false,
            wishes: Wishes::of(client),
            client: Some(client),
        })
    }

    /// The client's bytes with the model's value replaced where it differs, and usage asked for
    /// where the client did not.
    pub fn upstream_body(&self, upstream_model: &str, takes_stream_options: bool) -> Bytes {
        let Some(head) = &self.head else { return self.body.clone() };
        let mut edits: Vec<Edit> = splice::model_edits(head, upstream_model);
        if self.asks_for_usage(takes_stream_options) {
            edits.extend(splice::include_usage_edit(head));
        } else if self.loses_stream_options(takes_stream_options) {
            edits.extend(splice::cut_stream_options(head, &self.body));
        }
        splice::splice(&self.body, &edits)
    }

    /// Whether the client sends `stream_options` and the provider would refuse them.
    pub fn loses_stream_options(&self, takes_stream_options: bool) -> bool {
        let is_told = |head: &RequestHead| !matches!(head.stream_options, StreamOptions::Absent);
        !takes_stream_options && self.head.as_deref().is_some_and(is_told)
    }

    /// Whether the usage chunk of a stream is ours alone and must not be shown.
    pub fn hides_usage(&self, takes_stream_options: bool) -> bool {
        let asked = self.head.as_ref().is_some_and(|head| head.client_wants_usage());
        self.asks_for_usage(takes_stream_options) && !asked
    }

    /// Whether it may name responses or conversations.
    pub fn may_be_about_kept(&self) -> bool {
        matches!(
            self.endpoint,
            Endpoint::Responses | Endpoint::ResponseTokens | Endpoint::ResponseById | Endpoint::Conversations
        )
    }

    /// How long the client waits for a place at most, in its own words: `prefer: wait=10` (RFC 7240 §4.3).
    pub fn wait(&self) -> Option<Duration> {
        let lists = self.client?.values("prefer").filter_map(|value| std::str::from_utf8(value).ok());
        let mut preferences = lists.flat_map(|list| list.split(','));
        let seconds = preferences.find_map(|preference| {
            let (name, value) = preference.split(';').next()?.split_once('=')?;
            let digits = value.trim().trim_matches('"');
            let is_wait = name.trim().eq_ignore_ascii_case("wait");
            digits.parse().ok().filter(|_| is_wait)
        })?;
        Some(Duration::from_secs(seconds))
    }

    /// The priority the client asks for.
    pub fn priority(&self) -> Option<Priority> {
        Priority::of(self.client?.text(PRIORITY)?)
    }

    /// The stored response this call continues.
    pub fn previous_response(&self) -> Option<&str> {
        self.head.as_ref()?.previous_response.as_deref()
    }

    /// Chat and completions streams report usage only when asked; the others always do.
    fn asks_for_usage(&self, takes_stream_options: bool) -> bool {
        let reports_on_demand = matches!(self.endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
        self.is_stream && reports_on_demand && takes_stream_options
    }
}

fn check_name(model: &str) -> Result<(), Reject> {
    let is_name = !model.is_empty()
        && model.len() <= bounds::MODEL_NAME_BYTES_MAX
        && !model.chars().any(char::is_control);
    if is_name {
        return Ok(());
    }
    Err(Reject::new(Reason::InvalidRequest, "the model's name is empty, too long or has control characters")
        .with_param("model"))
}
