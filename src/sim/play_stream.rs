//! Writes an answer event by event, and lets it go wrong where asked.

use std::time::Duration;

use crate::framing::eventstream::write_message;

use super::base64;
use super::directives::Directives;
use super::errors;
use super::event::{Event, Kind};
use super::faults::{Fault, Faults};
use super::json::put;
use super::play_whole::{drip, pad, send_head, wait};
use super::reply::{After, Streamed, Style};
use super::request::Head;
use super::shared::Shared;
use super::stats::Stats;
use super::wire::{Broken, Wire};

/// Events gathered before a write, where no delay lies between them.
const GATHER_BYTES: usize = 16 * 1024;
/// Not an event of any dialect: unbalanced JSON and a line without a colon.
const MALFORMED: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"bro";

/// How a stream is cut off, after so many content events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Reset,
    Close,
    End,
    Error,
    Hold,
}

/// A stream being written.
struct Player<'a> {
    wire: &'a mut Wire,
    shared: &'a Shared,
    faults: &'a Faults,
    style: Style,
    is_chunked: bool,
    is_stamped: bool,
    drip: Option<Duration>,
    /// Bytes not yet written, chunk framing included.
    pending: Vec<u8>,
    /// One event, framed for its style.
    framed: Vec<u8>,
    events: u64,
    /// When the event waited for last was due.
    due_ns: Option<u64>,
}

/// Plays the stream.
pub async fn play(
    wire: &mut Wire,
    head: &Head,
    shared: &Shared,
    stream: Streamed,
    directives: &Directives,
) -> Result<After, Broken> {
    let faults = &directives.faults;
    let is_chunked = !head.is_http10;
    let length =
        faults.find(|fault| if let Fault::WrongContentLength(skew) = fault { Some(*skew) } else { None });
    if faults.has(Fault::NotJson) || faults.has(Fault::Empty) || length.is_some() {
        return play_bare(wire, faults, length).await;
    }
    let drip = drip(faults);
    let mut head = response_head(&stream, shared, faults, is_chunked);
    let is_slow = faults.find(|fault| matches!(fault, Fault::SlowHeader(_)).then_some(())).is_some();
    if is_slow || drip.is_some() {
        send_head(wire, &head, faults).await?;
        head.clear();
    }
    let player = Player {
        wire,
        shared,
        faults,
        style: stream.style,
        is_chunked,
        is_stamped: directives.is_stamped,
        drip,
        // The head goes out with the first events.
        pending: head.into_bytes(),
        framed: Vec::new(),
        events: 0,
        due_ns: None,
    };
    player.run(stream, directives).await
}

fn response_head(stream: &Streamed, shared: &Shared, faults: &Faults, is_chunked: bool) -> String {
    let mut out = String::from("HTTP/1.1 200 OK\r\ncontent-type: ");
    out.push_str(match stream.style {
        Style::Sse => "text/event-stream; charset=utf-8",
        Style::SseCrlf => "text/event-stream",
        Style::JsonArray => "application/json; charset=UTF-8",
        Style::Lines => "application/x-ndjson",
        Style::EventStream | Style::Invoke => "application/vnd.amazon.eventstream",
    });
    put!(&mut out, "\r\ncache-control: no-cache\r\nx-request-id: req_", shared.ids.next());
    if faults.has(Fault::BothLengths) {
        out.push_str("\r\ncontent-length: 100");
    }
    out.push_str(if is_chunked {
        "\r\ntransfer-encoding: chunked\r\n\r\n"
    } else {
        "\r\nconnection: close\r\n\r\n"
    });
    out
}

/// A body that is none, behind the head of a stream.
async fn play_bare(wire: &mut Wire, faults: &Faults, skew: Option<i64>) -> Result<After, Broken> {
    let (kind, body) = if faults.has(Fault::NotJson) {
        ("text/html; charset=utf-8", "<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>\n")
    } else if skew.is_some() {
        ("text/event-stream", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n")
    } else {
        ("text/event-stream; charset=utf-8", "")
    };
    let told = (body.len() as u64).saturating_add_signed(skew.unwrap_or(0));
    send_head(
        wire,
        &format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {told}\r\n\r\n"),
        faults,
    )
    .await?;
    wire.send(body.as_bytes()).await?;
    Ok(if skew.is_some_and(|skew| skew > 0) { After::Close } else { After::Keep })
}

impl Player<'_> {
    async fn run(mut self, mut stream: Streamed, directives: &Directives) -> Result<After, Broken> {
        let (first, each) =
            (directives.delay_first.unwrap_or_default(), directives.delay_token.unwrap_or_default());
        let cut = self.cut();
        let mut data = String::new();
        let mut contents = 0u64;
        loop {
            data.clear();
            let event = stream.source.next(&mut data);
            let is_past_content = !matches!(event, Some(Event { kind: Kind::Content | Kind::Preamble, .. }));
            let is_content = matches!(event, Some(Event { kind: Kind::Content, .. }));
            if let Some((limit, how)) = cut
                && (is_content || is_past_content)
                && contents >= limit
            {
                return self.cut_off(how, &mut stream).await;
            }
            let Some(event) = event else { break };
            if is_content {
                self.delay(if contents == 0 { first } else { each }).await?;
            }
            if self.is_left_out(event.kind) {
                continue;
            }
            let padding = if is_content && contents == 0 { self.faults.huge_line() } else { None };
            if let Some(padded) = padding.and_then(|bytes| pad(&data, bytes)) {
                data = padded;
            }
            self.put_event(event.name, &data);
            if is_content {
                contents += 1;
                Stats::add(&self.shared.stats.content_events, 1);
                Stats::add(&self.shared.stats.output_tokens, 1);
                self.put_malformed(contents);
            }
            if self.pending.len() >= GATHER_BYTES || self.drip.is_some() {
                self.flush().await?;
            }
        }
        self.end().await
    }

    fn cut(&self) -> Option<(u64, Cut)> {
        self.faults.find(|fault| match fault {
            Fault::ResetAfter(count) => Some((*count, Cut::Reset)),
            Fault::CloseAfter(count) => Some((*count, Cut::Close)),
            Fault::EndAfter(count) => Some((*count, Cut::End)),
            Fault::ErrorAfter(count) => Some((*count, Cut::Error)),
            Fault::Hold => Some((1, Cut::Hold)),
            _ => None,
        })
    }

    async fn cut_off(mut self, how: Cut, stream: &mut Streamed) -> Result<After, Broken> {
        match how {
            Cut::Error => {
                let mut data = String::new();
                let name = stream.source.fail(&mut data);
                self.put_event(name, &data);
                self.end().await
            }
            Cut::End => self.end().await,
            Cut::Reset => {
                self.flush().await?;
                Ok(After::Reset)
            }
            Cut::Close => {
                self.flush().await?;
                Ok(After::Close)
            }
            Cut::Hold => {
                self.flush().await?;
                Err(self.wire.hold().await)
            }
        }
    }

    fn is_left_out(&self, kind: Kind) -> bool {
        match kind {
            Kind::Verdict => self.faults.has(Fault::NoTerminal),
            Kind::Terminal => self.faults.has(Fault::NoTerminal) || self.faults.has(Fault::NoDone),
            Kind::Preamble | Kind::Content | Kind::Closing => false,
        }
    }

    /// Writes what is gathered, then waits for the next event's time; without a wait, gathers on.
    /// Times lie `span` apart whatever a wait overslept, so that the rate asked for is kept.
    async fn delay(&mut self, span: Duration) -> Result<(), Broken> {
        if span.is_zero() {
            return Ok(());
        }
        let now_ns = self.shared.clock.monotonic_ns();
        let span_ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let due_ns = self.due_ns.unwrap_or(now_ns).saturating_add(span_ns).max(now_ns);
        self.due_ns = Some(due_ns);
        self.flush().await?;
        self.wire.pause(Duration::from_nanos(due_ns.saturating_sub(now_ns))).await
    }

    fn put_event(&mut self, name: &str, data: &str) {
        let stamped = data.strip_prefix('{').filter(|_| self.is_stamped).map(|rest| {
            let mut out = String::with_capacity(data.len() + 32);
            put!(&mut out, r#"{"sim_ns":"#, self.shared.clock.monotonic_ns(), ",", rest);
            out
        });
        let mut framed = std::mem::take(&mut self.framed);
        framed.clear();
        frame(self.style, self.events == 0, name, stamped.as_deref().unwrap_or(data), &mut framed);
        self.events += 1;
        self.gather(&framed);
        self.framed = framed;
    }

    fn put_malformed(&mut self, contents: u64) {
        if contents == 1 && self.faults.has(Fault::MalformedSse) {
            let line_end = if self.style == Style::SseCrlf { "\r\n" } else { "\n" };
            self.gather([MALFORMED, line_end, "no colon here", line_end, line_end].concat().as_bytes());
        }
    }

    /// Puts bytes of the body into their chunk; each byte into its own where they are split.
    fn gather(&mut self, bytes: &[u8]) {
        if !self.is_chunked || self.drip.is_some() {
            return self.pending.extend_from_slice(bytes);
        }
        self.pending.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
        self.pending.extend_from_slice(bytes);
        self.pending.extend_from_slice(b"\r\n");
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        let pending = std::mem::take(&mut self.pending);
        match self.drip {
            None => self.wire.send(&pending).await?,
            Some(span) => {
                for byte in &pending {
                    let chunk = [b'1', b'\r', b'\n', *byte, b'\r', b'\n'];
                    self.wire.send(if self.is_chunked { &chunk } else { std::slice::from_ref(byte) }).await?;
                    wait(self.wire, span).await?;
                }
            }
        }
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }

    /// Ends the body properly.
    async fn end(mut self) -> Result<After, Broken> {
        if self.style == Style::JsonArray {
            let bracket = if self.events == 0 { "[]" } else { "]" };
            self.gather(bracket.as_bytes());
        }
        if self.is_chunked && self.drip.is_none() {
            self.pending.extend_from_slice(b"0\r\n\r\n");
        }
        self.flush().await?;
        if self.is_chunked && self.drip.is_some() {
            self.wire.send(b"0\r\n\r\n").await?;
        }
        Ok(if self.is_chunked { After::Keep } else { After::Close })
    }
}

/// Appends one event as its style writes it.
fn frame(style: Style, is_first: bool, name: &str, data: &str, out: &mut Vec<u8>) {
    match style {
        Style::EventStream => {
            let is_exception = name.ends_with("Exception");
            let (kind, label) =
                if is_exception { ("exception", ":exception-type") } else { ("event", ":event-type") };
            let headers = [(label, name), (":content-type", "application/json"), (":message-type", kind)];
            write_message(&headers, data.as_bytes(), out);
        }
        Style::Invoke => {
            if name == "error" {
                let message = errors::bare(errors::STREAM_MESSAGE);
                return frame(Style::EventStream, is_first, "modelStreamErrorException", &message, out);
            }
            let data = format!(r#"{{"bytes":"{}","p":"abcdefgh"}}"#, base64::encode(data.as_bytes()));
            frame(Style::EventStream, is_first, "chunk", &data, out);
        }
        Style::Lines => {
            out.extend_from_slice(data.as_bytes());
            out.push(b'\n');
        }
        Style::JsonArray => {
            out.extend_from_slice(if is_first { b"[" } else { b",\r\n" });
            out.extend_from_slice(data.as_bytes());
        }
        Style::Sse | Style::SseCrlf => {
            let line_end = if style == Style::SseCrlf { "\r\n" } else { "\n" };
            if !name.is_empty() {
                for part in ["event: ", name, line_end] {
                    out.extend_from_slice(part.as_bytes());
                }
            }
            for part in ["data: ", data, line_end, line_end] {
                out.extend_from_slice(part.as_bytes());
            }
        }
    }
}
