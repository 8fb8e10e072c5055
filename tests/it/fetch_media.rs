//! Images and documents by URL, for a provider that wants them whole: fetched where the configuration
//! allows it, and refused with the place of the URL everywhere else.

use crate::harness::{Answer, Config, Gateway, Request, Sim};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidegate::sim::ScriptedReply;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot really";
const PDF: &[u8] = b"%PDF-1.7 not really";

fn file(kind: &str, bytes: &[u8]) -> ScriptedReply {
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    ScriptedReply { status: 200, headers, body: bytes.to_vec(), ..ScriptedReply::default() }
}

fn provider(config: Config, name: &str, kind: &str, addr: SocketAddr) -> Config {
    let version = if kind == "openai-compatible" { "/v1" } else { "" };
    config
        .table(&format!("providers.{name}"))
        .set(&format!("kind = \"{kind}\""))
        .set(&format!("base_url = \"http://{addr}{version}\""))
}

/// `m` at a provider that may fetch from `store`, with more of the policy.
fn gateway(kind: &str, sim: &Sim, store: SocketAddr, more: &str) -> Gateway {
    let config = provider(Config::new(), "p", kind, sim.addr());
    Gateway::start(
        config
            .set(&format!(
                "fetch_media = {{ allow = [\"http://{store}/\"], allow_private = [\"{store}\"]{more} }}"
            ))
            .model("m", &["p"]),
    )
}

fn asking(urls: &[String]) -> Request {
    let mut parts = vec![json!({"type": "text", "text": "what is it?"})];
    parts.extend(urls.iter().map(|url| json!({"type": "image_url", "image_url": {"url": url}})));
    let body = json!({"model": "m", "messages": [{"role": "user", "content": parts}]});
    Request::post("/v1/chat/completions", body.to_string())
}

/// What a refusal says, and about which place.
fn refusal(mut answer: Answer) -> (String, String) {
    let body = answer.json();
    assert_eq!(answer.status, 400, "{body}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&body["error"]["param"]), text(&body["error"]["message"]))
}

#[test]
fn a_url_is_refused_with_its_place_and_the_key_that_would_allow_it() {
    let (sim, store) = (Sim::start(), Sim::start());
    let config = provider(Config::new(), "p", "bedrock-compatible", sim.addr());
    let gateway = Gateway::start(config.model("m", &["p"]));
    let (place, message) = refusal(gateway.send(&asking(&[format!("http://{}/a.png", store.addr())])));
    assert!(place.starts_with("messages[0].content[1]"), "{place}");
    assert!(message.contains("fetch_media") && message.contains(&place), "{message}");
    assert_eq!((sim.calls(), store.calls()), (0, 0));
}

#[test]
fn what_is_allowed_goes_up_whole_and_nothing_of_the_client_goes_to_the_store() {
    let (sim, store) = (Sim::start(), Sim::start());
    let gateway = gateway("bedrock-compatible", &sim, store.addr(), "");
    let url = format!("http://{}/folder/a.png?sig=1", store.addr());
    store.answer_next(file("image/png", PNG));
    let answer = gateway.send(&asking(&[url.clone(), url]).header("x-client", "1").header("cookie", "a=b"));
    assert_eq!(answer.status, 200);
    let sent: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
    let content = sent["messages"][0]["content"].as_array().unwrap();
    let images: Vec<&Value> = content.iter().filter_map(|block| block.get("image")).collect();
    assert_eq!(images.len(), 2, "{sent}");
    for image in images {
        assert_eq!(
            (&image["format"], &image["source"]["bytes"]),
            (&json!("png"), &json!(STANDARD.encode(PNG)))
        );
    }
    // The same URL twice is one call.
    assert_eq!(store.calls(), 1);
    let asked = store.last_request();
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/folder/a.png?sig=1"));
    for name in ["authorization", "cookie", "x-client", "x-api-key", "referer"] {
        assert_eq!(asked.header(name), None, "{name}");
    }
}

#[test]
fn ollama_and_gemini_get_images_and_bedrock_documents_too() {
    let (sim, store) = (Sim::start(), Sim::start());
    let url = format!("http://{}/x", store.addr());
    let ollama = gateway("ollama-compatible", &sim, store.addr(), "");
    store.answer_next(file("image/png", PNG));
    assert_eq!(ollama.send(&asking(std::slice::from_ref(&url))).status, 200);
    let sent: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
    assert_eq!(sent["messages"][0]["images"][0], json!(STANDARD.encode(PNG)), "{sent}");
    let bedrock = gateway("bedrock-compatible", &sim, store.addr(), "");
    store.answer_next(file("application/pdf", PDF));
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "document", "source": {"type": "url", "url": url}}, {"type": "text", "text": "read it"}]}]});
    let request = Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01");
    let mut answer = bedrock.send(&request);
    let body = answer.json();
    assert_eq!(answer.status, 200, "{body}");
    let sent: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
    let document = &sent["messages"][0]["content"][0]["document"];
    assert_eq!(
        (&document["format"], &document["source"]["bytes"]),
        (&json!("pdf"), &json!(STANDARD.encode(PDF)))
    );
}

#[test]
fn what_is_not_allowed_moved_wrong_or_too_much_is_refused() {
    let (sim, store, other) = (Sim::start(), Sim::start(), Sim::start());
    let gateway = gateway("bedrock-compatible", &sim, store.addr(), ", bytes_max = \"1KiB\", count_max = 2");
    let url = |name: &str| format!("http://{}/{name}", store.addr());
    let moved = ScriptedReply {
        status: 302,
        headers: vec![("location".to_owned(), format!("http://{}/a.png", other.addr()))],
        ..ScriptedReply::default()
    };
    let mut long = PNG.to_vec();
    long.resize(1025, 0);
    for (reply, words) in [
        (Some(moved), "redirects"),
        (Some(file("text/html", PNG)), "no PNG"),
        (Some(file("image/png", b"<html>")), "no PNG"),
        // A document is no image.
        (Some(file("application/pdf", PDF)), "no PNG"),
        (Some(file("image/png", &long)), "longer"),
        (Some(file("image/png", PNG)).map(|reply| ScriptedReply { status: 404, ..reply }), "status 404"),
    ] {
        reply.into_iter().for_each(|reply| store.answer_next(reply));
        let (place, message) = refusal(gateway.send(&asking(&[url("a.png")])));
        assert!(place.starts_with("messages[0].content[1]") && message.contains(words), "{message}");
    }
    for elsewhere in [format!("http://{}/a.png", other.addr()), "http://169.254.169.254/latest/".to_owned()] {
        let (_, message) = refusal(gateway.send(&asking(&[elsewhere])));
        assert!(message.contains("does not fetch from this URL"), "{message}");
    }
    let before = store.calls();
    let (place, message) = refusal(gateway.send(&asking(&[url("a"), url("b"), url("c")])));
    assert!(
        place.starts_with("messages[0].content[3]") && message.contains("at most 2"),
        "{place} {message}"
    );
    assert_eq!((store.calls() - before, sim.calls(), other.calls()), (0, 0, 0));
    store.answer_next(file("image/png", PNG));
    store.answer_next(file("image/png", PNG));
    assert_eq!(gateway.send(&asking(&[url("a"), url("b")])).status, 200);
}

#[test]
fn an_address_of_ones_own_must_be_named_and_another_target_may_take_the_url() {
    let (sim, chat, store) = (Sim::start(), Sim::start(), Sim::start());
    let config = provider(Config::new(), "p", "bedrock-compatible", sim.addr())
        .set(&format!("fetch_media = {{ allow = [\"http://{}/\"] }}", store.addr()));
    let config = provider(config, "q", "openai-compatible", chat.addr());
    let gateway = Gateway::start(config.model("m", &["p"]).model("both", &["p", "q"]));
    let url = format!("http://{}/a.png", store.addr());
    let (_, message) = refusal(gateway.send(&asking(std::slice::from_ref(&url))));
    assert!(message.contains("not public"), "{message}");
    let mut request = asking(std::slice::from_ref(&url));
    request.body = String::from_utf8(request.body).unwrap().replace("\"m\"", "\"both\"").into_bytes();
    assert_eq!(gateway.send(&request).status, 200);
    let sent: Value = serde_json::from_slice(&chat.last_request().body).unwrap();
    assert_eq!(sent["messages"][0]["content"][1]["image_url"]["url"], json!(url));
    assert_eq!((sim.calls(), store.calls()), (0, 0));
}
