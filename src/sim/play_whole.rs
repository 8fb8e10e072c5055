//! Writes an answer whose body is known at once: in one write where nothing is to go wrong.

use std::time::Duration;

use crate::types::Dialect;

use super::directives::Directives;
use super::errors;
use super::faults::{Fault, Faults};
use super::ids::Id;
use super::json::put;
use super::reply::{After, Whole};
use super::shared::Shared;
use super::stats::Stats;
use super::wire::{Broken, Wire};

/// Plays the answer.
pub async fn play(
    wire: &mut Wire,
    shared: &Shared,
    whole: &Whole,
    dialect: Dialect,
    directives: &Directives,
) -> Result<After, Broken> {
    let per_word = directives.delay_token.unwrap_or_default();
    let words = u32::try_from(whole.words).unwrap_or(u32::MAX);
    wire.pause(directives.delay_first.unwrap_or_default().saturating_add(per_word.saturating_mul(words)))
        .await?;
    let id = shared.ids.next();
    if directives.faults.is_empty() {
        let mut out = head(whole, dialect, id, whole.body.len());
        out.push_str("\r\n");
        let mut bytes = out.into_bytes();
        bytes.extend_from_slice(&whole.body);
        wire.send(&bytes).await?;
        Stats::add(&shared.stats.output_tokens, whole.words as u64);
        return Ok(After::Keep);
    }
    play_faulty(wire, whole, dialect, id, &directives.faults).await
}

/// The head without its closing blank line.
fn head(whole: &Whole, dialect: Dialect, id: Id, body_bytes: usize) -> String {
    let mut out = String::with_capacity(256 + whole.body.len());
    put_status(whole.status, &mut out);
    put!(&mut out, "content-type: ", whole.content_type, "\r\ncontent-length: ", body_bytes);
    let name = match dialect {
        Dialect::Anthropic => "\r\nrequest-id: req_",
        Dialect::Bedrock => "\r\nx-amzn-requestid: ",
        _ => "\r\nx-request-id: req_",
    };
    put!(&mut out, name, id);
    out.push_str("\r\n");
    for (name, value) in &whole.headers {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        put!(&mut out, name, ": ", value, "\r\n");
    }
    out
}

/// A status line.
pub fn put_status(status: u16, out: &mut String) {
    if status == 200 {
        return out.push_str("HTTP/1.1 200 OK\r\n");
    }
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    put!(out, "HTTP/1.1 ", u64::from(status), " ", reason.unwrap_or("Status"), "\r\n");
}

async fn play_faulty(
    wire: &mut Wire,
    whole: &Whole,
    dialect: Dialect,
    id: Id,
    faults: &Faults,
) -> Result<After, Broken> {
    let changed = changed_body(whole, dialect, id, faults);
    let whole = changed.as_ref().unwrap_or(whole);
    let skew =
        faults.find(|fault| if let Fault::WrongContentLength(skew) = fault { Some(*skew) } else { None });
    let told = (whole.body.len() as u64).saturating_add_signed(skew.unwrap_or(0));
    let mut head = head(whole, dialect, id, usize::try_from(told).unwrap_or(usize::MAX));
    let mut body = whole.body.clone();
    if faults.has(Fault::BothLengths) {
        head.push_str("transfer-encoding: chunked\r\n");
        let mut chunk = format!("{:x}\r\n", body.len()).into_bytes();
        chunk.append(&mut body);
        chunk.extend_from_slice(b"\r\n0\r\n\r\n");
        body = chunk;
    }
    head.push_str("\r\n");
    send_head(wire, &head, faults).await?;
    send_body(wire, &body, faults, skew.is_some_and(|skew| skew > 0)).await
}

/// The body where a fault asks for another one.
fn changed_body(whole: &Whole, dialect: Dialect, id: Id, faults: &Faults) -> Option<Whole> {
    let has_failed = faults.find(|fault| matches!(fault, Fault::ErrorAfter(_)).then_some(())).is_some();
    if faults.has(Fault::NotJson) {
        let body = b"<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>\n".to_vec();
        return Some(Whole { content_type: "text/html; charset=utf-8", body, ..Whole::json(String::new()) });
    }
    if faults.has(Fault::Empty) {
        return Some(Whole::json(String::new()));
    }
    if has_failed {
        let failed = errors::whole(dialect, 500, errors::STREAM_MESSAGE, id, None);
        return Some(Whole { status: 200, ..failed });
    }
    let body = std::str::from_utf8(&whole.body).ok()?;
    let padded = pad(body, faults.huge_line()?)?;
    Some(Whole { status: whole.status, content_type: whole.content_type, ..Whole::json(padded) })
}

/// A JSON object with a field in front that makes it `bytes` long; `None` where it is that already.
pub fn pad(object: &str, bytes: usize) -> Option<String> {
    let rest = object.strip_prefix('{')?;
    let missing = bytes.checked_sub(object.len()).filter(|missing| *missing > 0)?;
    Some(format!(r#"{{"padding":"{}",{rest}"#, "x".repeat(missing)))
}

/// Sends a head, late where asked for.
pub async fn send_head(wire: &mut Wire, head: &str, faults: &Faults) -> Result<(), Broken> {
    let slow = faults.find(|fault| if let Fault::SlowHeader(span) = fault { Some(*span) } else { None });
    match (slow, head.split_at_checked(10)) {
        (Some(span), Some((start, rest))) => {
            wire.send(start.as_bytes()).await?;
            wire.pause(span).await?;
            wire.send(rest.as_bytes()).await
        }
        _ => wire.send(head.as_bytes()).await,
    }
}

async fn send_body(wire: &mut Wire, body: &[u8], faults: &Faults, is_short: bool) -> Result<After, Broken> {
    let (limit, after) = faults
        .find(|fault| match fault {
            Fault::ResetAfter(bytes) => Some((*bytes, After::Reset)),
            Fault::CloseAfter(bytes) | Fault::EndAfter(bytes) => Some((*bytes, After::Close)),
            _ => None,
        })
        .map_or((body.len(), None), |(bytes, after)| {
            (usize::try_from(bytes).unwrap_or(usize::MAX), Some(after))
        });
    let cut = if faults.has(Fault::Hold) { 1 } else { limit };
    let sent = body.get(..cut).unwrap_or(body);
    match drip(faults) {
        None => wire.send(sent).await?,
        Some(span) => {
            for byte in sent.chunks(1) {
                wire.send(byte).await?;
                wait(wire, span).await?;
            }
        }
    }
    if faults.has(Fault::Hold) {
        return Err(wire.hold().await);
    }
    Ok(after.unwrap_or(if is_short { After::Close } else { After::Keep }))
}

/// The wait between two bytes; `None`: write at once.
pub fn drip(faults: &Faults) -> Option<Duration> {
    faults.find(|fault| match fault {
        Fault::SlowDrip(span) => Some(*span),
        Fault::SplitEveryByte => Some(Duration::ZERO),
        _ => None,
    })
}

/// Waits between two bytes; without a span, lets other connections in and looks whether the client is there.
pub async fn wait(wire: &mut Wire, span: Duration) -> Result<(), Broken> {
    if span.is_zero() {
        tokio::task::yield_now().await;
        return wire.look();
    }
    wire.pause(span).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_object_is_still_an_object_and_long_enough() {
        let padded = pad(r#"{"a":1}"#, 500).unwrap();
        assert!(padded.len() >= 500);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&padded).unwrap()["a"], 1);
        assert_eq!(pad(r#"{"a":1}"#, 3), None);
    }
}
