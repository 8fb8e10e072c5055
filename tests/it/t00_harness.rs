//! The harness holds what it promises.

use crate::harness::{
    Broken, Ca, Config, Connection, Gateway, Http2, PATIENCE, Sim, Wire, block_on, corpus, events_of,
    free_addr, sse_bytes, until,
};
use std::time::Duration;

fn gateway(sim: &Sim) -> Gateway {
    Gateway::start(Config::new().provider("a", Wire::Chat, sim.addr()).model("m", &["a"]))
}

#[test]
fn t00_a_call_is_seen_by_client_simulator_log_and_metrics_alike() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let mut answer = gateway.send(&Wire::Chat.request("m", false));
    assert_eq!(answer.status, 200);
    let words = Wire::Chat.text_of_body(&answer.json()).split_whitespace().count();
    assert!(words > 0);
    assert_eq!(sim.calls(), 1);
    assert_eq!(sim.last_request().target, "/v1/chat/completions");
    let line = gateway.log_of(&answer);
    assert_eq!((&line["status"], &line["provider"]), (&200.into(), &"a".into()));
    gateway.metric_becomes("tidegate_requests_total", &[("endpoint", "chat_completions")], 1.0);
    let calls = gateway.metric("tidegate_upstream_attempts_total", &[("provider", "a"), ("outcome", "ok")]);
    assert_eq!(calls, 1.0);
    assert!(gateway.resident_bytes() > 1024 * 1024);
}

#[test]
fn t00_a_connection_serves_one_request_after_another_with_bodies_in_chunks() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let mut connection = Connection::open(gateway.addr());
    for size in [1, 7, 100_000] {
        let request = Wire::Chat.request("m", false).chunked(size);
        connection.send(&request);
        let mut answer = connection.answer();
        assert_eq!(answer.status, 200);
        answer.body();
        assert_eq!(sim.last_request().body, request.body);
        connection = answer.into_connection();
    }
    assert_eq!(sim.calls(), 3);
}

#[test]
fn t00_tls_carries_http2_with_a_certificate_of_the_tests_own() {
    let (sim, ca) = (Sim::start(), Ca::new());
    let config = Config::new().provider("a", Wire::Chat, sim.addr()).model("m", &["a"]).tls(&ca);
    let gateway = Gateway::start(config);
    block_on(async {
        let mut client = Http2::open(gateway.tls(), &ca).await;
        let mut answer = client.send(&Wire::Chat.request("m", true)).await;
        assert_eq!(answer.status, 200);
        assert!(answer.headers.contains_key("x-tidegate-request-id"));
        let events = events_of(&answer.body().await);
        assert_eq!(events.last().map(|event| event.data.as_str()), Some("[DONE]"));
    });
}

#[test]
fn t00_the_admin_listener_answers_and_a_term_ends_the_process() {
    let sim = Sim::start();
    let mut gateway = gateway(&sim);
    assert_eq!(gateway.admin_get("/livez"), (200, "ok\n".to_owned()));
    assert!(gateway.dir().join("gateway.toml").exists());
    gateway.signal("TERM");
    assert!(gateway.ended(PATIENCE).success());
    for addr in [gateway.addr(), gateway.admin()] {
        assert!(std::net::TcpStream::connect(addr).is_err());
    }
}

#[test]
fn t00_a_new_configuration_is_taken_on_hangup() {
    let sim = Sim::start();
    let config = Config::new()
        .env("UPSTREAM_KEY", "sk-up")
        .file("team", "blue")
        .provider("a", Wire::Chat, sim.addr())
        .set("api_key = \"env:UPSTREAM_KEY\"")
        .set("headers = { x-team = \"file:{dir}/team\" }")
        .model("m", &["a"]);
    let gateway = Gateway::start(config.clone());
    assert_eq!(gateway.send(&Wire::Chat.request("new", false)).status, 404);
    gateway.reconfigure(&config.model("new", &["a=other"]).key("more", "sk-more"));
    gateway.signal("HUP");
    let request = Wire::Chat.request("new", false).key("sk-more");
    until("the new model is known", PATIENCE, || gateway.send(&request).status == 200);
    let seen = sim.last_request();
    assert_eq!(seen.header("authorization"), Some("Bearer sk-up"));
    assert_eq!(seen.header("x-team"), Some("blue"));
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["model"], "other");
}

#[test]
fn t00_the_client_tells_how_a_connection_ended() {
    let sim = Sim::start();
    let send = |fault: &str| {
        let mut connection = Connection::open(sim.addr()).patient_for(Duration::from_millis(300));
        connection.send(&Wire::Chat.request("m", true).fault(fault));
        connection
    };
    let outcome = |fault: &str| send(fault).answer().try_body().map(|body| body.len());
    assert_eq!(outcome("close-after:2"), Err(Broken::Closed));
    assert_eq!(outcome("reset-after:2"), Err(Broken::Reset));
    assert_eq!(outcome("hold"), Err(Broken::Silent));
    assert!(outcome("end-after:2").is_ok());
    assert_eq!(send("refuse").try_answer().map(|_| ()).unwrap_err().0, Broken::Reset);
    let mut raw = Connection::open(sim.addr());
    raw.send_raw(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n");
    let (bytes, end) = raw.read_to_close();
    assert!(bytes.starts_with(b"HTTP/1.1 200") && end == Broken::Closed);
}

#[test]
fn t00_leaving_is_noticed_by_the_other_side_in_each_way_of_leaving() {
    let sim = Sim::start();
    let hold = || {
        let mut connection = Connection::open_narrow(sim.addr());
        connection.send(&Wire::Chat.request("m", true).fault("hold"));
        let mut answer = connection.answer();
        assert!(answer.event().is_some());
        assert!(!answer.seen().is_empty());
        answer
    };
    hold().close();
    until("the FIN is noticed", PATIENCE, || sim.stats().aborted == 1);
    hold().reset();
    until("the RST is noticed", PATIENCE, || sim.stats().aborted == 2);
}

#[test]
fn t00_a_scripted_stream_says_its_words_in_every_dialect() {
    for wire in Wire::ALL {
        let script = wire.stream(&["one ", "two ", "drei"], 5, 3);
        let events = events_of(&sse_bytes(&script));
        assert_eq!(events.len(), script.len(), "{wire:?}");
        let text: String = events.iter().map(|event| wire.text_of(event)).collect();
        assert_eq!(text, "one two drei", "{wire:?}");
        assert_eq!(wire.text_of(&events[wire.first_content()]), "one ", "{wire:?}");
        assert!(wire.is_terminal(events.last().unwrap()), "{wire:?}");
        assert!(!events.iter().any(|event| wire.is_error(event)), "{wire:?}");
        let fault = &events_of(&sse_bytes(&[wire.fault()]))[0];
        assert!(wire.is_error(fault) && !wire.is_terminal(fault), "{wire:?}");
    }
}

#[test]
fn t00_events_are_read_as_the_standard_says() {
    let body =
        "\u{feff}: a comment\r\nevent: x\r\ndata:one\r\ndata: two\r\n\r\ndata: drei\rid: 4\r\rdata: last";
    let events = events_of(body.as_bytes());
    let seen: Vec<_> = events.iter().map(|event| (event.name.as_str(), event.data.as_str())).collect();
    assert_eq!(seen, [("x", "one\ntwo"), ("", "drei"), ("", "last")]);
}

#[test]
fn t00_a_free_address_refuses_connections() {
    assert!(std::net::TcpStream::connect(free_addr()).is_err());
}

#[test]
fn t00_recordings_are_found_or_said_to_be_absent() {
    let Some(cases) = corpus::cases() else { return };
    assert!(cases.len() > 100);
    for case in &cases {
        let has_body = ["response.json", "stream.sse", "stream.ndjson", "stream.eventstream.bin"]
            .iter()
            .any(|name| case.file(name).is_some());
        assert!(has_body || case.file("meta.json").is_some(), "{}: {}", case.name, case.about);
    }
}
