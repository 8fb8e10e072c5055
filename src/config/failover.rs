//! `failover`: how many attempts a call has, and after which failures.

use super::collector::Collector;
use super::near::{self, quoted};
use super::number::integer;
use super::reader::Reader;
use super::statuses::StatusSet;
use super::value::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Calls to upstreams for one request, the first included; 1 to 10.
    pub attempts: u8,
    pub on: FailoverOn,
    /// Calls that may be tried again in ten seconds, in percent of the model's requests.
    pub retry_percent: u8,
    /// So many are always allowed.
    pub retry_min: u32,
}

/// Failures after which the next target is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailoverOn {
    /// Connecting failed: DNS, TCP or TLS.
    pub connect: bool,
    /// No response head, or no first token, in time.
    pub timeout: bool,
    /// A 200 that turns out to be an error before any content.
    pub stream_error: bool,
    pub status: StatusSet,
}

impl Default for Failover {
    fn default() -> Self {
        Self { attempts: 3, on: FailoverOn::default(), retry_percent: 20, retry_min: 30 }
    }
}

impl Default for FailoverOn {
    /// 401 and 403 too: the credential of one provider is at fault, not the client's. Never 400
    /// and 422: the next provider would refuse the same request.
    fn default() -> Self {
        let status = StatusSet::parse("401,403,408,429,5xx").unwrap_or_default();
        Self { connect: true, timeout: true, stream_error: true, status }
    }
}

impl Failover {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let failover = Self {
            attempts: reader.or("attempts", d.attempts, integer(1..=10)),
            on: reader.or("on", d.on, FailoverOn::read),
            retry_percent: reader.or("retry_percent", d.retry_percent, integer(0..=100)),
            retry_min: reader.or("retry_min", d.retry_min, integer(0..=100_000)),
        };
        reader.done();
        Some(failover)
    }
}

impl FailoverOn {
    fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut on =
            Self { connect: false, timeout: false, stream_error: false, status: StatusSet::default() };
        let entries =
            value.elements(collector, "a list such as [\"connect\", \"timeout\", \"status:429,5xx\"]")?;
        entries.iter().for_each(|entry| on.add(entry, collector));
        Some(on)
    }

    fn add(&mut self, value: &Value<'_>, collector: &mut Collector<'_>) {
        const HELP: &str = "\"connect\", \"timeout\", \"stream-error\" or \"status:408,429,5xx\"";
        let Some(text) = value.string(collector, HELP) else { return };
        if let Some(list) = text.strip_prefix("status:") {
            match StatusSet::parse(list) {
                Ok(set) => self.status.add(set),
                Err(part) => {
                    let message = format!("`{}` is no error status (400 to 599, 4xx, 5xx)", quoted(part));
                    value.fail_help(collector, message, "such as \"status:408,429,5xx\"");
                }
            }
            return;
        }
        match text {
            "connect" => self.connect = true,
            "timeout" => self.timeout = true,
            "stream-error" => self.stream_error = true,
            "dns" | "tls" => value.fail(collector, format!("`{text}` is part of `connect`, write that")),
            _ => {
                let near = near::suffix(text, ["connect", "timeout", "stream-error", "status:429"]);
                value.fail_help(collector, format!("unknown failure `{}`{near}", quoted(text)), HELP);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_the_providers_failures_move_on_and_the_clients_do_not() {
        let on = FailoverOn::default();
        assert!(on.connect && on.timeout && on.stream_error);
        for status in [401, 403, 408, 429, 500, 502, 503, 529] {
            assert!(on.status.contains(status), "{status}");
        }
        for status in [400, 404, 413, 422] {
            assert!(!on.status.contains(status), "{status}");
        }
    }
}
