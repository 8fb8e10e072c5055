//! `/sim/*` and `/`: what an operator or a test asks the simulator itself. Never faulty, never counted.

use super::HELP;
use super::json::{Quoted, put};
use super::play_whole::put_status;
use super::request::Head;
use super::scenario::Scenario;
use super::shared::Shared;

/// Requests shown where the query does not say.
const SHOWN: usize = 256;

/// The whole answer, head included.
pub fn answer(shared: &Shared, head: &Head, body: &[u8]) -> Vec<u8> {
    let (status, kind, text) = decide(shared, head, body);
    let mut out = String::new();
    put_status(status, &mut out);
    put!(&mut out, "content-type: ", kind, "\r\ncontent-length: ", text.len(), "\r\n\r\n", text);
    out.into_bytes()
}

fn decide(shared: &Shared, head: &Head, body: &[u8]) -> (u16, &'static str, String) {
    let ok = || (200, "application/json", "{\"ok\":true}\n".to_owned());
    match (head.method.as_str(), head.path()) {
        ("GET", "/") => (200, "text/plain; charset=utf-8", HELP.to_owned()),
        ("GET", "/sim/stats") => {
            let json = serde_json::to_string(&shared.stats.snapshot()).unwrap_or_default();
            (200, "application/json", json + "\n")
        }
        ("GET", "/sim/requests") => {
            let count = head.query("last").and_then(|count| count.parse().ok()).unwrap_or(SHOWN);
            (200, "application/json", shared.capture.to_json(count) + "\n")
        }
        ("POST" | "PUT", "/sim/capture") => {
            shared.capture.switch(head.query("on") != Some("0"));
            ok()
        }
        ("POST", "/sim/reset") => {
            shared.reset();
            ok()
        }
        ("PUT" | "POST", "/sim/scenario") => match Scenario::from_json(body) {
            Ok(scenario) => {
                shared.set_scenario(scenario);
                ok()
            }
            Err(wrong) => (400, "application/json", error(&wrong)),
        },
        _ => (404, "application/json", error("no such control endpoint")),
    }
}

fn error(message: &str) -> String {
    let mut out = String::new();
    put!(&mut out, r#"{"error":{"message":"#, Quoted(message), "}}\n");
    out
}
