//! An answer that is read to its end before anything goes down: as it came, translated, or recast in the
//! form that was asked for.
//!
//! Invariant: while nothing has gone down a broken answer can still fail over; what is held is bounded.

use super::aside::aside;
use super::attempt::{
    Answer, Answering, Attempted, Failure, Long, Stop, coding, fail, landed, owed_in_kind, stream_fault,
};
use super::bodies::{answer_head, joined, plain};
use super::downstream::Fields;
use super::heads::head_count;
use super::outgoing::Wrapping;
use super::prepare::Prepared;
use super::recast::{Gathered, Gatherer, Ungathered, restream};
use super::talk::Watch;
use super::translate::{Translated, answer, endpoint_of, read_answer, stream_type};
use crate::dialect::codec::{self, Called, Owed};
use crate::dialect::invoke;
use crate::dialect::tap::BodyReading;
use crate::framing::json::{Duplicates, parse_bytes};
use crate::runtime::{Edge, ModelPolicy};
use crate::types::{Endpoint, FailureClass, Protocol, Usage};
use bytes::{Bytes, BytesMut};
use http::header;
use std::pin::pin;
use std::sync::Arc;

/// Answers up to this size are read whole before anything goes down, so that a broken one can
/// still fail over.
const WHOLE_BYTES_MAX: usize = 1024 * 1024;
/// Longest answer that is written anew (images come in it).
const WRITTEN_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Reads an answer to its end, or until it is too long to hold.
///
/// # Errors
/// A step that did not give what was waited for.
pub async fn whole(
    talk: &mut Watch<'_, '_>,
    edge: &Edge,
    prepared: &Prepared<'_>,
    policy: &ModelPolicy,
    answering: Answering,
) -> Result<Attempted, Stop> {
    let client = prepared.endpoint.protocol();
    let is_written = answering.translated.is_some() || (prepared.is_stream && client.is_some());
    let bytes_max = if is_written { WRITTEN_BYTES_MAX } else { WHOLE_BYTES_MAX };
    let Answering { mut call, head, head_at, deadlines, translated, dropped, wrapping } = answering;
    let mut by = head_at.plus(policy.timeouts.first_token).min(deadlines.total);
    let mut class = deadlines.class(by, FailureClass::FirstTokenTimeout);
    let mut first: Option<Bytes> = None;
    let mut more = BytesMut::new();
    loop {
        let held = first.as_ref().map_or(0, Bytes::len) + more.len();
        if held > bytes_max && is_written {
            return Err(fail(Failure::new(FailureClass::BadBody, "the answer is too long to translate")));
        }
        if held > bytes_max {
            let begun = joined(first, more);
            return Ok(Attempted::Long(Box::new(Long { call, head, begun })));
        }
        let chunk = talk.until(by, pin!(call.chunk())).await;
        match landed(chunk, class, "body")? {
            Some(bytes) if first.is_none() => first = Some(bytes),
            Some(bytes) => more.extend_from_slice(&bytes),
            None => break,
        }
        by = edge.now().plus(policy.timeouts.idle).min(deadlines.total);
        class = deadlines.class(by, FailureClass::IdleTimeout);
    }
    call.finish();
    let body = unwrapped(wrapping, joined(first, more));
    let upstream = translated.as_ref().map_or(prepared.endpoint, |t| endpoint_of(t.protocol, false));
    let plain = plain(&head, &body);
    let mut reading = read_answer(upstream, &plain);
    let counted = head_count(&head).filter(|_| prepared.endpoint == Endpoint::Invoke);
    reading.usage = reading.usage.or(counted.map(|input| Usage { input, ..Usage::default() }));
    if let Some(fault) = reading.fault {
        return Err(fail(stream_fault(fault)));
    }
    if !reading.is_expected_shape {
        return Err(fail(Failure::new(FailureClass::BadBody, "not the body this endpoint answers with")));
    }
    let read = Read { fields: head.fields, status: head.status, plain, reading, translated, dropped };
    match client {
        Some(client) if prepared.is_stream => read.streamed(edge, prepared, client).await,
        Some(client) if read.translated.is_some() => read.rewritten(client).await,
        _ => Ok(read.unchanged(body)),
    }
}

/// A whole answer, understood.
struct Read {
    fields: Fields,
    status: u16,
    plain: Bytes,
    reading: BodyReading,
    translated: Option<Translated>,
    dropped: Vec<String>,
}

impl Read {
    fn unchanged(self, body: Bytes) -> Attempted {
        self.answer(body, false, None)
    }

    /// In the client's protocol.
    async fn rewritten(mut self, client: Protocol) -> Result<Attempted, Stop> {
        let Some(translated) = self.translated.take() else { return Ok(self.unchanged(Bytes::new())) };
        let answered = answer(&Arc::new(translated), client, self.plain.clone()).await;
        let (body, usage) = answered.map_err(|e| fail(Failure::new(FailureClass::BadBody, e)))?;
        self.reading.usage = usage.or(self.reading.usage);
        self.reading.response_id = None;
        self.fields = answer_head("application/json");
        Ok(self.answer(body, true, None))
    }

    /// As the stream that was asked for.
    async fn streamed(
        mut self,
        edge: &Edge,
        prepared: &Prepared<'_>,
        client: Protocol,
    ) -> Result<Attempted, Stop> {
        let kind = stream_type(prepared.endpoint, prepared.is_array);
        let (is_translated, body) = (self.translated.is_some(), self.plain.clone());
        let (upstream, owed) = match self.translated.take() {
            Some(translated) => (translated.protocol, translated.owed),
            None => (client, owed_of_own(edge, prepared)),
        };
        let made = aside(body.len(), move || restream(upstream, client, owed, &body)).await;
        let made = made.unwrap_or_else(|| Err(codec::Garbled("the gateway is shutting down".to_owned())));
        let made = made.map_err(|e| fail(Failure::new(FailureClass::BadBody, e)))?;
        self.reading.usage = made.usage.or(self.reading.usage);
        if is_translated {
            self.reading.response_id = None;
        }
        self.fields = written_head(self.fields, is_translated, kind);
        Ok(self.answer(made.body.clone(), is_translated, Some(made)))
    }

    fn answer(
        self,
        body: Bytes,
        is_translated: bool,
        restreamed: Option<super::recast::Restreamed>,
    ) -> Attempted {
        let head = crate::upstream::Head { status: self.status, fields: self.fields, length: None };
        let Self { reading, dropped, .. } = self;
        Attempted::Whole(Box::new(Answer { head, body, reading, dropped, is_translated, restreamed }))
    }
}

/// The head of an answer of which only the body is written here.
fn written_head(upstream: Fields, is_translated: bool, kind: &'static str) -> Fields {
    if is_translated {
        return answer_head(kind);
    }
    let mut fields = upstream;
    fields.retain(|(name, _)| {
        ![header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LENGTH].contains(name)
    });
    fields.extend(answer_head(kind));
    fields
}

/// What an answer must hold that is written anew in its own protocol.
fn owed_of_own(edge: &Edge, prepared: &Prepared<'_>) -> Owed {
    let mut owed = owed_in_kind(edge, prepared);
    if prepared.endpoint == Endpoint::Responses
        && let Ok(root) = parse_bytes(&prepared.body, Duplicates::LastCounts)
        && let Ok(request) = codec::decode_request(Protocol::Responses, &root, Called::default())
    {
        owed.echo = codec::responses::echo(&request);
    }
    owed
}

/// Reads a stream to its end for a client that asked for a whole answer.
///
/// # Errors
/// A step that did not give what was waited for.
pub async fn gathered(
    talk: &mut Watch<'_, '_>,
    edge: &Edge,
    prepared: &Prepared<'_>,
    policy: &ModelPolicy,
    answering: Answering,
    client: Protocol,
) -> Result<Attempted, Stop> {
    let Answering { mut call, head, head_at, deadlines, translated, dropped, wrapping } = answering;
    let is_translated = translated.is_some();
    let (upstream, owed) = match translated {
        Some(translated) => (translated.protocol, translated.owed),
        None => (client, owed_of_own(edge, prepared)),
    };
    let mut gatherer = Gatherer::new(upstream, coding(&head)?, wrapping == Wrapping::Invoke);
    let mut by = head_at.plus(policy.timeouts.first_token).min(deadlines.total);
    let mut class = deadlines.class(by, FailureClass::FirstTokenTimeout);
    loop {
        let chunk = talk.until(by, pin!(call.chunk())).await;
        let Some(chunk) = landed(chunk, class, "body")? else { break };
        gatherer.feed(&chunk).map_err(ungathered)?;
        by = edge.now().plus(policy.timeouts.idle).min(deadlines.total);
        class = deadlines.class(by, FailureClass::IdleTimeout);
    }
    call.finish();
    let Gathered { body, usage, unknown } = gatherer.finish(client, owed).map_err(ungathered)?;
    edge.metrics.unknown_events.inc_by(unknown);
    let mut reading = read_answer(prepared.endpoint, &body);
    reading.usage = usage.or(reading.usage);
    if is_translated {
        reading.response_id = None;
    }
    let fields = written_head(head.fields, is_translated, "application/json");
    let read = Read { fields, status: head.status, plain: Bytes::new(), reading, translated: None, dropped };
    Ok(read.answer(body, is_translated, None))
}

fn ungathered(why: Ungathered) -> Stop {
    match why {
        Ungathered::Fault(fault) => fail(stream_fault(fault)),
        Ungathered::Broken(why) => fail(Failure::new(FailureClass::BadBody, why)),
    }
}

/// A count as the client's protocol has it; everything else as it came.
fn unwrapped(wrapping: Wrapping, body: Bytes) -> Bytes {
    match wrapping {
        Wrapping::InvokeCount => invoke::unwrap_count(&body).map_or(body, Bytes::from),
        Wrapping::None | Wrapping::Invoke => body,
    }
}
