//! Tells who listens what happened: signed, one event after the other, again when it was not taken.

use crate::runtime::{Edge, Hook};
use crate::telemetry::Event;
use crate::upstream::credentials::{Ask, Fetch, LinkFetch};
use pingora_core::server::ShutdownWatch;
use ring::hmac;
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Before the second try, the third, and so on; after the last an event is given up, with a log line.
const WAITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120)];

/// Where events are sent from: the open internet only, unless a hook allows more.
pub struct Ways {
    public: Arc<dyn Fetch>,
    any: Arc<dyn Fetch>,
}

impl Ways {
    pub fn new(edge: &Edge) -> Self {
        let transport = edge.transports.usual();
        Self { public: LinkFetch::public_only(transport.clone()), any: LinkFetch::new(transport) }
    }
}

pub async fn tell(edge: Arc<Edge>, ways: Ways, mut shutdown: ShutdownWatch) {
    loop {
        let event = tokio::select! {
            event = edge.events.next() => event,
            _ = shutdown.changed() => return,
        };
        let runtime = edge.runtime();
        for hook in runtime.hooks.iter().filter(|hook| hook.wants(event.kind)) {
            let fetch = if hook.allow_private { &ways.any } else { &ways.public };
            tokio::select! {
                () = deliver(&edge, fetch.as_ref(), hook, &event) => {}
                _ = shutdown.changed() => return,
            }
        }
    }
}

async fn deliver(edge: &Edge, fetch: &dyn Fetch, hook: &Hook, event: &Event) {
    let id = edge.ids.next().to_string();
    for wait in WAITS.into_iter().map(Some).chain([None]) {
        let ask = signed(hook, event, &id, edge.wall.unix_ms() / 1000);
        let outcome = fetch.fetch(ask).await;
        let fault = match outcome {
            Ok(answer) if (200..300).contains(&answer.status) => return,
            Ok(answer) => format!("answered {}", answer.status),
            Err(error) => error.to_string(),
        };
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => log::error!("a webhook was not told of {} ({id}): {fault}", event.kind),
        }
    }
}

/// `x-tidegate-signature: t=SECONDS,v1=HEX`, HMAC-SHA-256 over `SECONDS.BODY`: who knows the secret
/// can tell the sender, the content and the age of a message.
fn signed(hook: &Hook, event: &Event, id: &str, seconds: u64) -> Ask {
    let body =
        serde_json::json!({ "id": id, "type": event.kind, "at_ms": event.at_ms, "subject": event.subject });
    let body = body.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, hook.secret.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let signature = format!("t={seconds},v1={}", crate::types::hex(tag.as_ref()));
    Ask {
        method: http::Method::POST,
        url: hook.url.clone(),
        fields: vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", concat!("tidegate/", env!("CARGO_PKG_VERSION")).to_owned()),
            ("x-tidegate-event", event.kind.to_owned()),
            ("x-tidegate-signature", signature),
        ],
        more: Vec::new(),
        body,
        timeout: TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;

    #[test]
    fn what_is_sent_is_signed_over_time_and_body() {
        let hook = Hook {
            url: "https://hooks.test/x".into(),
            secret: Secret::new("whsec"),
            events: vec!["subscription.*".into()],
            allow_private: false,
        };
        let event =
            Event { kind: "subscription.approved", at_ms: 5, subject: serde_json::json!({"id": "sub_1"}) };
        assert!(hook.wants(event.kind) && !hook.wants("budget.alert"));
        let ask = signed(&hook, &event, "evt", 100);
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"whsec");
        let (_, signature) = ask.fields.iter().find(|(name, _)| *name == "x-tidegate-signature").unwrap();
        let hex = signature.strip_prefix("t=100,v1=").unwrap();
        let tag: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        assert!(hmac::verify(&key, format!("100.{}", ask.body).as_bytes(), &tag).is_ok());
        assert!(hmac::verify(&key, format!("101.{}", ask.body).as_bytes(), &tag).is_err());
        assert!(!ask.body.contains("whsec"));
    }
}
