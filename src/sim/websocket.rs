//! WebSocket (RFC 6455) on `/v1/realtime`: what comes in goes out again.
//!
//! Messages are echoed frame by frame, fragmented as they came. Not checked: UTF-8 of text frames.

use super::base64;
use super::errors;
use super::json::put;
use super::reply::{After, Reply, Whole};
use super::request::Head;
use super::sha1;
use super::wire::{Broken, Wire};

/// RFC 6455 §1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// One frame's payload.
const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Close codes of RFC 6455 §7.4.1.
const PROTOCOL_ERROR: u16 = 1002;
const TOO_BIG: u16 = 1009;

/// A frame of the client, unmasked.
struct Frame {
    is_final: bool,
    opcode: u8,
    payload: Vec<u8>,
}

/// Whether the upgrade is asked for as it should be; else what is wrong.
pub fn offered(head: &Head) -> Reply {
    let wrong = |status, message: &str| Whole::json_with(status, errors::openai(status, message));
    let version = head.header("sec-websocket-version");
    let key = head.header("sec-websocket-key").unwrap_or_default();
    let has_key = key.len() == 24 && key.ends_with("==");
    let is_named =
        head.header("connection").is_some_and(|value| value.to_ascii_lowercase().contains("upgrade"));
    if !head.is_upgrade || !is_named || !has_key || head.is_http10 {
        return Reply::Whole(wrong(400, "a WebSocket upgrade is expected here"));
    }
    if version.as_deref() != Some("13") {
        let mut whole = wrong(426, "WebSocket version 13 is expected");
        whole.headers.push(("sec-websocket-version", "13".to_owned()));
        return Reply::Whole(whole);
    }
    Reply::WebSocket
}

/// Shakes hands and echoes until one side closes.
pub async fn serve(wire: &mut Wire, head: &Head) -> Result<After, Broken> {
    wire.send(handshake(head).as_bytes()).await?;
    loop {
        let frame = match read_frame(wire).await? {
            Ok(frame) => frame,
            Err(code) => {
                wire.send(&frame_bytes(true, CLOSE, &code.to_be_bytes())).await?;
                return Ok(After::Close);
            }
        };
        let reply = match frame.opcode {
            PONG => continue,
            PING => frame_bytes(true, PONG, &frame.payload),
            opcode => frame_bytes(frame.is_final, opcode, &frame.payload),
        };
        wire.send(&reply).await?;
        if frame.opcode == CLOSE {
            return Ok(After::Close);
        }
    }
}

fn handshake(head: &Head) -> String {
    let key = head.header("sec-websocket-key").unwrap_or_default();
    let accept = base64::encode(&sha1::digest([key.as_str(), GUID].concat().as_bytes()));
    let mut out =
        String::from("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n");
    put!(&mut out, "sec-websocket-accept: ", accept, "\r\n");
    if let Some(offered) = head.header("sec-websocket-protocol") {
        // The first one offered; realtime clients put credentials into the others.
        let first = offered.split(',').next().unwrap_or("").trim();
        put!(&mut out, "sec-websocket-protocol: ", first, "\r\n");
    }
    out.push_str("\r\n");
    out
}

/// A frame, or the close code for one that is not allowed.
async fn read_frame(wire: &mut Wire) -> Result<Result<Frame, u16>, Broken> {
    wire.fill_to(2).await?;
    let start = wire.take(2);
    let (first, second) = (start.first().copied().unwrap_or(0), start.last().copied().unwrap_or(0));
    let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
    let (is_masked, short) = (second & 0x80 != 0, usize::from(second & 0x7f));
    let is_control = opcode >= CLOSE;
    let is_known = matches!(opcode, 0..=2 | CLOSE..=PONG);
    if first & 0x70 != 0 || !is_known || !is_masked || (is_control && (!is_final || short > 125)) {
        return Ok(Err(PROTOCOL_ERROR));
    }
    let length = match short {
        126 => be_number(wire, 2).await?,
        127 => be_number(wire, 8).await?,
        short => short as u64,
    };
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= PAYLOAD_BYTES_MAX) else {
        return Ok(Err(TOO_BIG));
    };
    wire.fill_to(4 + length).await?;
    let mask = wire.take(4);
    let payload = wire.take(length).iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Ok(Ok(Frame { is_final, opcode, payload }))
}

async fn be_number(wire: &mut Wire, bytes: usize) -> Result<u64, Broken> {
    wire.fill_to(bytes).await?;
    Ok(wire.take(bytes).iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

/// A frame from the server: never masked.
fn frame_bytes(is_final: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 10);
    out.push(if is_final { 0x80 | opcode } else { opcode });
    match payload.len() {
        short @ 0..=125 => out.push(short as u8),
        middle @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            out.push(127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
}
