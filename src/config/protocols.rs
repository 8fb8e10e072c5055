//! `protocols` of a provider: what it answers to, where that is not what its kind does.

use super::collector::Collector;
use super::near::{self, quoted};
use super::value::Value;
use crate::types::Protocol;

/// A list of protocols, the one to prefer first.
pub(super) fn protocols(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<Protocol>> {
    let elements = value.elements(collector, "a list of protocols, such as [\"chat\", \"responses\"]")?;
    let mut read = Vec::new();
    for element in &elements {
        let Some(word) = element.string(collector, "the name of a protocol") else { continue };
        let Some(protocol) = Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == word) else {
            let near = near::suffix(word, Protocol::ALL.map(Protocol::as_str));
            let known = Protocol::ALL.map(Protocol::as_str).join(", ");
            element.fail_help(collector, format!("unknown protocol `{}`{near}", quoted(word)), known);
            continue;
        };
        if read.contains(&protocol) {
            element.fail(collector, "this protocol is in the list already");
        }
        read.push(protocol);
    }
    if elements.is_empty() {
        value.fail(collector, "a provider speaks at least one protocol");
    }
    Some(read)
}
