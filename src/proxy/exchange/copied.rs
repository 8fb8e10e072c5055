//! A call as its copy has it: all that an attempt needs, owned, so that the copy outlives the call.
//!
//! Invariant: the copy leaves nothing behind where it goes, and repeats nothing that acts: what it is not
//! sure of it does not make.

use super::aside::aside;
use super::downstream::Fields;
use super::prepare::{Prepared, Wishes};
use super::recall::Recalled;
use crate::dialect::head::{self, RequestHead};
use crate::dialect::splice::{self, Edit};
use crate::framing::ClientHead;
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::proxy::admit;
use crate::types::Endpoint;
use bytes::Bytes;
use http::Method;
use memchr::memmem::find;
use std::sync::Arc;

pub struct Copied {
    client: ClientHead,
    /// Whether the body lost what another host's paths put around it.
    is_undressed: bool,
    endpoint: Endpoint,
    method: Method,
    body: Bytes,
    head: Box<RequestHead>,
    model: String,
    is_stream: bool,
    is_array: bool,
    fields: Fields,
    recalled: Option<Arc<Recalled>>,
    wishes: Wishes,
}

/// Whether calls of an endpoint are copied: those whose answers are tokens or vectors, and nothing else.
pub fn is_copied(endpoint: Endpoint) -> bool {
    endpoint.protocol().is_some() || endpoint == Endpoint::Completions || endpoint.embeds()
}

impl Copied {
    /// None for a call without a body.
    pub fn of(prepared: &Prepared<'_>) -> Option<Self> {
        let mut fields = prepared.client_fields.clone();
        // It names the call itself: a provider that has both would answer the one with the other.
        fields.retain(|(name, _)| !name.as_str().contains("idempotency"));
        Some(Self {
            client: prepared.client?.clone(),
            is_undressed: prepared.hit.dress.is_some(),
            endpoint: prepared.endpoint,
            method: prepared.method.clone(),
            body: prepared.body.clone(),
            head: prepared.head.clone()?,
            model: prepared.model.clone(),
            is_stream: prepared.is_stream,
            is_array: prepared.is_array,
            fields,
            recalled: prepared.recalled.clone(),
            wishes: prepared.wishes.clone(),
        })
    }

    /// The copy, ready to be attempted; None where the call must not be made twice.
    pub async fn prepared(&self) -> Option<Prepared<'_>> {
        let (endpoint, body, held) = (self.endpoint, self.body.clone(), self.head.clone());
        let made = aside(body.len(), move || harmless(endpoint, body, held)).await;
        let (body, head) = made??;
        let mut hit = admit::named(&self.client).ok()?;
        match self.is_undressed {
            true => hit = hit.undressed(),
            false => hit.dress = None,
        }
        Some(Prepared {
            endpoint,
            method: self.method.clone(),
            hit,
            query: self.client.query(),
            body,
            head: Some(head),
            model: self.model.clone(),
            is_stream: self.is_stream,
            is_array: self.is_array,
            counts_exactly: false,
            client_fields: self.fields.clone(),
            recalled: self.recalled.clone(),
            is_budgeted: false,
            wishes: self.wishes.clone(),
            client: None,
        })
    }
}

/// The body with `store` off, where a provider may keep what it is sent; None where the call goes on from
/// something that only its own provider has, goes on without its client, or has the provider act for it.
fn harmless(endpoint: Endpoint, body: Bytes, head: Box<RequestHead>) -> Option<(Bytes, Box<RequestHead>)> {
    // Servers of tools that the provider itself calls. Tools that clients call have no such type.
    if find(&body, b"\"mcp\"").is_some() || find(&body, b"\"mcp_servers\"").is_some() {
        return None;
    }
    let is_kept = match endpoint {
        Endpoint::Responses => true,
        Endpoint::ChatCompletions => find(&body, b"\"store\"").is_some(),
        _ => false,
    };
    if !is_kept {
        return Some((body, head));
    }
    let is_elsewhere = head.previous_response.is_some()
        || head.conversation.is_some()
        || find(&body, b"\"item_reference\"").is_some();
    let root = parse_bytes(&body, Duplicates::LastCounts).ok()?;
    if is_elsewhere || root.get("background").and_then(Node::as_bool) == Some(true) {
        return None;
    }
    let said = root.entries().iter().filter(|(name, _)| name == "store");
    let off = |(_, value): &(_, Node<'_>)| {
        let from = usize::try_from(value.at()).ok()?;
        Some(Edit { range: from..from + value.raw().len(), replacement: Bytes::from_static(b"false") })
    };
    let mut edits: Vec<Edit> = said.filter_map(off).collect();
    if edits.is_empty() && endpoint == Endpoint::Responses {
        let comma = if head.is_empty_object { "" } else { "," };
        let replacement = Bytes::from(format!("\"store\":false{comma}"));
        edits.push(Edit { range: head.insert_at..head.insert_at, replacement });
    }
    let body = splice::splice(&body, &edits);
    let head = head::parse(endpoint, None, &body).ok()?;
    Some((body, Box::new(head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(endpoint: Endpoint, body: &str) -> Option<String> {
        let body = Bytes::from(body.to_owned());
        let head = Box::new(head::parse(endpoint, None, &body).unwrap());
        let (body, head) = harmless(endpoint, body, head)?;
        assert_eq!(*head, head::parse(endpoint, None, &body).unwrap(), "the head is the body's");
        Some(String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn no_provider_is_asked_to_keep_a_copy() {
        let (chat, responses) = (Endpoint::ChatCompletions, Endpoint::Responses);
        for (endpoint, body, copy) in [
            (responses, r#"{"model":"m","input":"a"}"#, r#"{"store":false,"model":"m","input":"a"}"#),
            (responses, r#"{"model":"m","store" : true }"#, r#"{"model":"m","store" : false }"#),
            (responses, r#"{"store":null,"model":"m"}"#, r#"{"store":false,"model":"m"}"#),
            (chat, r#"{"model":"m","store":true}"#, r#"{"model":"m","store":false}"#),
            (
                chat,
                r#"{"model":"m","metadata":{"store":true}}"#,
                r#"{"model":"m","metadata":{"store":true}}"#,
            ),
            (chat, r#"{"model":"m"}"#, r#"{"model":"m"}"#),
            (Endpoint::Messages, r#"{"model":"m","store":true}"#, r#"{"model":"m","store":true}"#),
        ] {
            assert_eq!(of(endpoint, body).as_deref(), Some(copy));
        }
    }

    #[test]
    fn what_goes_on_from_elsewhere_or_acts_is_not_made_twice() {
        for body in [
            r#"{"model":"m","previous_response_id":"resp_1"}"#,
            r#"{"model":"m","conversation":"conv_1"}"#,
            r#"{"model":"m","conversation":{"id":"conv_1"}}"#,
            r#"{"model":"m","input":[{"type":"item_reference","id":"i"}]}"#,
            r#"{"model":"m","background":true}"#,
            r#"{"model":"m","tools":[{"type":"mcp","server_url":"https://a.example"}]}"#,
        ] {
            assert_eq!(of(Endpoint::Responses, body), None, "{body}");
        }
        let servers = r#"{"model":"m","mcp_servers":[{"url":"https://a.example"}]}"#;
        assert_eq!(of(Endpoint::Messages, servers), None);
        // Tools that the client calls only have such names.
        let named = r#"{"model":"m","tools":[{"name":"mcp__git__log"}]}"#;
        assert!(of(Endpoint::Messages, named).is_some());
    }

    #[test]
    fn answers_of_tokens_and_vectors_are_copied_and_nothing_that_is_made_or_kept() {
        use Endpoint::{Completions, Conversations, Embeddings, Images, Messages, Moderations};
        use Endpoint::{CountTokens, Opaque, Rerank, ResponseById, Responses, Speech, Transcriptions};
        assert!([Messages, Responses, Completions, Embeddings].into_iter().all(is_copied));
        let others = [
            Images,
            Speech,
            Transcriptions,
            Moderations,
            Rerank,
            ResponseById,
            Conversations,
            CountTokens,
            Opaque,
        ];
        assert!(!others.into_iter().any(is_copied));
    }
}
