//! Writes a scripted answer as it was scripted.

use super::json::put;
use super::play_whole::{put_status, wait};
use super::reply::After;
use super::script::{ScriptEnd, ScriptFraming, ScriptedReply};
use super::wire::{Broken, Wire};

/// Plays the answer. Head and first piece go out in one write.
pub async fn play(wire: &mut Wire, reply: &ScriptedReply) -> Result<After, Broken> {
    let mut out = head(reply).into_bytes();
    let is_chunked = reply.framing == ScriptFraming::Chunked;
    for (number, piece) in reply.pieces().into_iter().enumerate() {
        if number > 0 {
            wire.send(&out).await?;
            out.clear();
            wait(wire, reply.gap).await?;
        }
        if is_chunked {
            out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        }
        out.extend_from_slice(piece);
        if is_chunked {
            out.extend_from_slice(b"\r\n");
        }
    }
    if is_chunked && matches!(reply.end, ScriptEnd::Keep | ScriptEnd::Close) {
        out.extend_from_slice(b"0\r\n\r\n");
    }
    wire.send(&out).await?;
    match reply.end {
        ScriptEnd::Keep if reply.framing == ScriptFraming::Close => Ok(After::Close),
        ScriptEnd::Keep => Ok(After::Keep),
        ScriptEnd::Close => Ok(After::Close),
        ScriptEnd::Reset => Ok(After::Reset),
        ScriptEnd::Hold => Err(wire.hold().await),
    }
}

fn head(reply: &ScriptedReply) -> String {
    let mut out = String::new();
    if reply.framing == ScriptFraming::Raw {
        return out;
    }
    put_status(reply.status, &mut out);
    for (name, value) in &reply.headers {
        put!(&mut out, name, ": ", value, "\r\n");
    }
    match reply.framing {
        ScriptFraming::ContentLength => put!(&mut out, "content-length: ", reply.body.len(), "\r\n"),
        ScriptFraming::Chunked => out.push_str("transfer-encoding: chunked\r\n"),
        ScriptFraming::Close => out.push_str("connection: close\r\n"),
        ScriptFraming::Raw => {}
    }
    out.push_str("\r\n");
    out
}
