//! A call as one JSON object: in the spool, in exports, and as ClickHouse takes it.
//!
//! Invariant: what is written is read back as the same call.

use crate::govern::{Call, Outcome};
use crate::types::{Money, RequestId, Usage};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// The fields, flat; absent ones are null. Documented in `docs/store.md`.
#[derive(Debug, Serialize, Deserialize)]
struct Line<'c> {
    id: Cow<'c, str>,
    at_ms: u64,
    tenant: Option<Cow<'c, str>>,
    team: Option<Cow<'c, str>>,
    app: Option<Cow<'c, str>>,
    key: Cow<'c, str>,
    model: Option<Cow<'c, str>>,
    endpoint: Cow<'c, str>,
    provider: Option<Cow<'c, str>>,
    upstream_model: Option<Cow<'c, str>>,
    attempts: u8,
    input: u64,
    cache_read: u64,
    cache_write_5m: u64,
    cache_write_1h: u64,
    audio_input: u64,
    image_input: u64,
    output: u64,
    reasoning: u64,
    audio_output: u64,
    image_output: u64,
    is_estimated: bool,
    /// 1e-12 US dollars.
    cost_pico: Option<u64>,
    /// On top of it. Lines that were spooled before there were margins have none.
    #[serde(default)]
    margin_pico: u64,
    duration_ms: u32,
    first_token_ms: Option<u32>,
    status: u16,
    outcome: Cow<'c, str>,
    reason: Option<Cow<'c, str>>,
    is_stream: bool,
    generation: u64,
}

/// Appends the call's object, without a line's end.
pub(in crate::store) fn write(call: &Call, out: &mut Vec<u8>) {
    let usage = &call.usage;
    let text = |text: &'_ Option<Arc<str>>| text.as_deref().map(|text| Cow::Owned(text.to_owned()));
    let line = Line {
        id: call.id.to_string().into(),
        at_ms: call.at_ms,
        tenant: text(&call.tenant),
        team: text(&call.team),
        app: text(&call.app),
        key: Cow::Borrowed(&call.key),
        model: text(&call.model),
        endpoint: Cow::Borrowed(&call.endpoint),
        provider: text(&call.provider),
        upstream_model: text(&call.upstream_model),
        attempts: call.attempts,
        input: usage.input,
        cache_read: usage.cache_read,
        cache_write_5m: usage.cache_write_5m,
        cache_write_1h: usage.cache_write_1h,
        audio_input: usage.audio_input,
        image_input: usage.image_input,
        output: usage.output,
        reasoning: usage.reasoning,
        audio_output: usage.audio_output,
        image_output: usage.image_output,
        is_estimated: usage.is_estimated,
        cost_pico: call.cost.map(Money::pico),
        margin_pico: call.margin.pico(),
        duration_ms: call.duration_ms,
        first_token_ms: call.first_token_ms,
        status: call.status,
        outcome: Cow::Borrowed(call.outcome.as_str()),
        reason: call.reason.as_deref().map(Cow::Borrowed),
        is_stream: call.is_stream,
        generation: call.generation,
    };
    // Writing numbers and texts into memory does not fail.
    let _ = serde_json::to_writer(out, &line);
}

/// None for what [`write`] has not written.
pub(in crate::store) fn read(bytes: &[u8]) -> Option<Call> {
    let line: Line<'_> = serde_json::from_slice(bytes).ok()?;
    let text = |text: Option<Cow<'_, str>>| text.map(Arc::from);
    Some(Call {
        id: RequestId::parse(&line.id)?,
        at_ms: line.at_ms,
        tenant: text(line.tenant),
        team: text(line.team),
        app: text(line.app),
        key: Arc::from(line.key),
        model: text(line.model),
        endpoint: Cow::Owned(line.endpoint.into_owned()),
        provider: text(line.provider),
        upstream_model: text(line.upstream_model),
        attempts: line.attempts,
        usage: Usage {
            input: line.input,
            cache_read: line.cache_read,
            cache_write_5m: line.cache_write_5m,
            cache_write_1h: line.cache_write_1h,
            audio_input: line.audio_input,
            image_input: line.image_input,
            output: line.output,
            reasoning: line.reasoning,
            audio_output: line.audio_output,
            image_output: line.image_output,
            is_estimated: line.is_estimated,
            ..Usage::default()
        },
        cost: line.cost_pico.map(Money::from_pico),
        margin: Money::from_pico(line.margin_pico),
        duration_ms: line.duration_ms,
        first_token_ms: line.first_token_ms,
        status: line.status,
        outcome: Outcome::parse(&line.outcome)?,
        reason: line.reason.map(|reason| Cow::Owned(reason.into_owned())),
        is_stream: line.is_stream,
        generation: line.generation,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::ids::RequestIds;

    /// Calls with every field set, or hardly any.
    pub(in crate::store::ledger) fn calls(count: usize) -> Vec<Call> {
        let ids = RequestIds::new(7);
        let call = |at: usize| {
            let is_full = at.is_multiple_of(2);
            let text = |text: &str| is_full.then(|| Arc::from(text));
            Call {
                id: ids.next(),
                at_ms: 1_700_000_000_000 + at as u64,
                tenant: text("ten_1"),
                team: text("team_1"),
                app: text("app_1"),
                key: Arc::from("key \"1\"\0\u{e9}"),
                model: text("gpt-5"),
                endpoint: "chat".into(),
                provider: text("openai"),
                upstream_model: text("gpt-5.2"),
                attempts: 2,
                usage: Usage {
                    input: u64::MAX,
                    cache_read: 3,
                    output: 5,
                    is_estimated: is_full,
                    ..Usage::default()
                },
                cost: is_full.then_some(Money::MAX),
                margin: Money::from_pico(u64::from(is_full) * 9),
                duration_ms: 900,
                first_token_ms: is_full.then_some(80),
                status: 200,
                outcome: Outcome::ALL[at % 4],
                reason: is_full.then(|| "rate-limited".into()),
                is_stream: is_full,
                generation: 3,
            }
        };
        (0..count).map(call).collect()
    }

    #[test]
    fn a_call_is_read_back_as_it_was_written() {
        for call in calls(4) {
            let mut bytes = Vec::new();
            write(&call, &mut bytes);
            assert_eq!(read(&bytes), Some(call));
        }
    }

    #[test]
    fn what_is_no_call_is_none() {
        let mut bytes = Vec::new();
        write(&calls(1)[0], &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert!(read(text.as_bytes()).is_some());
        for other in
            [text.replace("req_", "reg_"), text.replace("\"ok\"", "\"fine\""), text.replace(":2,", ":900,")]
        {
            assert_ne!(other, text);
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
        assert_eq!(read(b""), None);
    }
}
