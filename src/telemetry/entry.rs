//! One line of the access log: what a request was, where it went, how it ended.
//!
//! Not here: prompts, answers, header values other than the user agent, secrets of any kind. The
//! fields are documented in `docs/access-log.md`; a test holds the two together. Invariant: a line
//! is bounded whatever the client sent, and ends in its only newline.

use std::net::IpAddr;
use std::time::Duration;

use super::json::{push_address, push_display, push_text, push_thousandths, push_u64};
use super::timestamp::Stamp;
use crate::catalog::Cost;
use crate::routing::Told;
use crate::types::reject::Origin;
use crate::types::{Endpoint, FailureClass, Money, Reason, RequestId, Usage};

/// Bytes of a path that are logged.
pub const PATH_BYTES_MAX: usize = 256;
/// Bytes of every other text that are logged.
pub const TEXT_BYTES_MAX: usize = 128;
/// Failed attempts that are listed; `attempts` has the true number.
pub const FAILURES_MAX: usize = 16;

/// One attempt that failed.
#[derive(Clone, Copy, Debug)]
pub struct FailedAttempt<'a> {
    /// The provider's name in the configuration.
    pub provider: &'a str,
    pub class: FailureClass,
}

/// A finished request, borrowed from whoever served it. Absent fields are left out of the line.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub request_id: RequestId,
    /// When the request ended, milliseconds since 1970 (see [`super::WallClock`]).
    pub unix_ms: u64,
    /// The id of the key in the configuration, never the key.
    pub key: Option<&'a str>,
    pub endpoint: Option<Endpoint>,
    pub method: &'a [u8],
    /// As the client sent it. A query is left out here, whoever passes it: some clients put their
    /// key there.
    pub path: &'a [u8],
    /// The model the client asked for.
    pub model: Option<&'a str>,
    pub provider: Option<&'a str>,
    /// The model asked of the provider.
    pub upstream_model: Option<&'a str>,
    /// The status the client got; zero when it left before one was sent.
    pub status: u16,
    pub reason: Option<Reason>,
    pub origin: Option<Origin>,
    /// Calls made upstream.
    pub attempts: u32,
    /// How often the stream broke and another target went on with it.
    pub continued: u32,
    pub is_stream: bool,
    /// Body bytes from the client.
    pub bytes_in: u64,
    /// Body bytes to the client.
    pub bytes_out: u64,
    pub usage: Option<&'a Usage>,
    /// What the tokens cost, or why that is not known.
    pub cost: Option<Cost>,
    /// What the caller is charged for it: with its plan's margin.
    pub charged: Option<Money>,
    /// Fields of the request that its target had no word for.
    pub dropped: &'a [String],
    /// Input tokens as counted here before the call.
    pub counted_input: Option<u64>,
    pub first_token: Option<Duration>,
    /// Waited for a target to have room.
    pub queued: Option<Duration>,
    /// The call that was made for this one too.
    pub coalesced: Option<RequestId>,
    pub duration: Duration,
    /// The gateway's own time.
    pub overhead: Option<Duration>,
    pub client: Option<IpAddr>,
    pub user_agent: Option<&'a [u8]>,
    pub is_client_aborted: bool,
    pub finish_reason: Option<&'a str>,
    pub failures: &'a [FailedAttempt<'a>],
    /// How the target was chosen.
    pub route: Option<&'a Told>,
    /// The same whole: JSON, on one line, bounded by who made it.
    pub decision: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// An entry with nothing known but its name and time; fill in the rest.
    pub fn new(request_id: RequestId, unix_ms: u64) -> Self {
        Self {
            request_id,
            unix_ms,
            key: None,
            endpoint: None,
            method: b"",
            path: b"",
            model: None,
            provider: None,
            upstream_model: None,
            status: 0,
            reason: None,
            origin: None,
            attempts: 0,
            continued: 0,
            is_stream: false,
            bytes_in: 0,
            bytes_out: 0,
            usage: None,
            cost: None,
            charged: None,
            dropped: &[],
            counted_input: None,
            first_token: None,
            queued: None,
            coalesced: None,
            duration: Duration::ZERO,
            overhead: None,
            client: None,
            user_agent: None,
            is_client_aborted: false,
            finish_reason: None,
            failures: &[],
            route: None,
            decision: None,
        }
    }

    /// Appends the line, newline included.
    pub(super) fn write(&self, out: &mut Vec<u8>, stamp: &mut Stamp) {
        out.extend_from_slice(b"{\"ts\":\"");
        stamp.write(out, self.unix_ms);
        out.extend_from_slice(b"\",\"request_id\":\"");
        out.extend_from_slice(&self.request_id.text());
        out.push(b'"');
        self.write_request(out);
        self.write_outcome(out);
        self.write_tokens(out);
        self.write_times(out);
        self.write_client(out);
        self.write_failures(out);
        out.extend_from_slice(b"}\n");
    }

    fn write_request(&self, out: &mut Vec<u8>) {
        name(out, b",\"key\":", self.key);
        label(out, b",\"endpoint\":\"", self.endpoint.map(Endpoint::as_str));
        text(out, b",\"method\":", Some(self.method), TEXT_BYTES_MAX);
        let path = self.path.split(|byte| *byte == b'?').next();
        text(out, b",\"path\":", path, PATH_BYTES_MAX);
        name(out, b",\"model\":", self.model);
        name(out, b",\"provider\":", self.provider);
        name(out, b",\"upstream_model\":", self.upstream_model);
    }

    fn write_outcome(&self, out: &mut Vec<u8>) {
        number(out, b",\"status\":", u64::from(self.status));
        label(out, b",\"reason\":\"", self.reason.map(Reason::as_str));
        label(out, b",\"origin\":\"", self.origin.map(Origin::as_str));
        number(out, b",\"attempts\":", u64::from(self.attempts));
        if self.continued > 0 {
            number(out, b",\"continued\":", u64::from(self.continued));
        }
        if let Some(flight) = self.coalesced {
            out.extend_from_slice(b",\"coalesced\":\"");
            push_display(out, flight);
            out.push(b'"');
        }
        flag(out, b",\"stream\":", self.is_stream);
        number(out, b",\"bytes_in\":", self.bytes_in);
        number(out, b",\"bytes_out\":", self.bytes_out);
        if let Some(route) = self.route {
            // Words of closed sets and numbers: nothing to escape.
            out.extend_from_slice(b",\"route\":\"");
            push_display(out, route);
            out.push(b'"');
        }
        if let Some(decision) = self.decision {
            out.extend_from_slice(b",\"decision\":");
            out.extend_from_slice(decision.as_bytes());
        }
    }

    fn write_tokens(&self, out: &mut Vec<u8>) {
        if let Some(usage) = self.usage {
            number(out, b",\"input_tokens\":", usage.input);
            number(out, b",\"cache_read\":", usage.cache_read);
            let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
            number(out, b",\"cache_write\":", written);
            number(out, b",\"output_tokens\":", usage.output);
            number(out, b",\"reasoning_tokens\":", usage.reasoning);
            if usage.searches > 0 {
                number(out, b",\"searches\":", usage.searches);
            }
            flag(out, b",\"estimated\":", usage.is_estimated);
        }
        match self.cost {
            Some(Cost::Priced { money, is_partial }) => {
                out.extend_from_slice(b",\"cost_usd\":");
                push_display(out, money);
                if let Some(charged) = self.charged.filter(|charged| *charged != money) {
                    out.extend_from_slice(b",\"charged_usd\":");
                    push_display(out, charged);
                }
                flag(out, b",\"cost_partial\":", is_partial);
            }
            Some(Cost::Unpriced(why)) => label(out, b",\"unpriced\":\"", Some(why.as_str())),
            None => {}
        }
        if let Some(count) = self.counted_input {
            number(out, b",\"counted_input\":", count);
        }
        let mut before: &[u8] = b",\"dropped\":[";
        for field in self.dropped.iter().take(FAILURES_MAX) {
            text(out, before, Some(field.as_bytes()), TEXT_BYTES_MAX);
            before = b",";
        }
        if !self.dropped.is_empty() {
            out.push(b']');
        }
    }

    fn write_times(&self, out: &mut Vec<u8>) {
        if let Some(span) = self.first_token {
            millis(out, b",\"first_token_ms\":", span);
        }
        if let Some(span) = self.queued {
            millis(out, b",\"queue_ms\":", span);
        }
        millis(out, b",\"duration_ms\":", self.duration);
        if let Some(span) = self.overhead {
            number(out, b",\"overhead_us\":", micros(span));
        }
    }

    fn write_client(&self, out: &mut Vec<u8>) {
        if let Some(address) = self.client {
            out.extend_from_slice(b",\"client\":");
            push_address(out, address);
        }
        text(out, b",\"user_agent\":", self.user_agent, TEXT_BYTES_MAX);
        flag(out, b",\"client_aborted\":", self.is_client_aborted);
        name(out, b",\"finish_reason\":", self.finish_reason);
    }

    fn write_failures(&self, out: &mut Vec<u8>) {
        let mut before: &[u8] = b",\"failures\":[";
        for failure in self.failures.iter().take(FAILURES_MAX) {
            out.extend_from_slice(before);
            out.extend_from_slice(b"{\"provider\":");
            push_text(out, failure.provider.as_bytes(), TEXT_BYTES_MAX);
            label(out, b",\"class\":\"", Some(failure.class.as_str()));
            out.push(b'}');
            before = b",";
        }
        if !self.failures.is_empty() {
            out.push(b']');
        }
    }
}

// The field helpers take everything before the value as one literal, so a field costs two appends.

fn text(out: &mut Vec<u8>, lead: &[u8], value: Option<&[u8]>, max: usize) {
    if let Some(value) = value {
        out.extend_from_slice(lead);
        push_text(out, value, max);
    }
}

fn name(out: &mut Vec<u8>, lead: &[u8], value: Option<&str>) {
    text(out, lead, value.map(str::as_bytes), TEXT_BYTES_MAX);
}

/// A text of a closed set, which needs no escaping; `lead` ends in the opening quote.
fn label(out: &mut Vec<u8>, lead: &[u8], value: Option<&'static str>) {
    if let Some(value) = value {
        out.extend_from_slice(lead);
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    }
}

fn number(out: &mut Vec<u8>, lead: &[u8], value: u64) {
    out.extend_from_slice(lead);
    push_u64(out, value);
}

fn millis(out: &mut Vec<u8>, lead: &[u8], span: Duration) {
    out.extend_from_slice(lead);
    push_thousandths(out, micros(span));
}

fn flag(out: &mut Vec<u8>, lead: &[u8], value: bool) {
    out.extend_from_slice(lead);
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn micros(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(span.subsec_micros()))
}
