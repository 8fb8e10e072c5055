//! Readers of requests by hand, one file a protocol.

mod chat;
mod cohere;
mod converse;
mod generate;
mod messages;
mod ollama;
mod responses;

use crate::asked::Asked;
use serde_json::Value;
use tidegate::types::Protocol;

pub fn read(protocol: Protocol, body: &Value) -> Asked {
    let mut asked = Asked::default();
    match protocol {
        Protocol::Chat => chat::read(body, &mut asked),
        Protocol::Responses => responses::read(body, &mut asked),
        Protocol::Messages => messages::read(body, &mut asked),
        Protocol::Generate => generate::read(body, &mut asked),
        Protocol::Converse => converse::read(body, &mut asked),
        Protocol::Cohere => cohere::read(body, &mut asked),
        Protocol::Ollama => ollama::read(body, &mut asked),
    }
    asked
}
