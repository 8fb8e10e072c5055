//! T29 for credentials: fetched once per expiry however many calls wait, renewed ahead, kept over
//! reloads; a dead token endpoint is a clear error without a secret in it. The simulator checks
//! signatures and tokens on its own.

use crate::harness::{Config, Gateway, PATIENCE, Request, Sim, Wire, until};
use serde_json::json;
use std::net::SocketAddr;
use tidegate::sim::{Behaviour, Scenario, TokenBehaviour};

const REFRESHES: &str = "tidegate_credential_refreshes_total";
const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const SECRET: &str = "sim/secret+access/key";
/// The key published in RFC 7515 A.2, which signs for nobody.
const SERVICE_ACCOUNT_KEY: &str = include_str!("../fixtures/rfc7515_a2_rsa.pem");

/// A simulator that wants good credentials on every path of a cloud, and what each vendor wants.
fn clouds(tokens: TokenBehaviour) -> Sim {
    let sim = Sim::start();
    set(&sim, tokens);
    sim
}

fn set(sim: &Sim, tokens: TokenBehaviour) {
    let behaviour = Behaviour { auth: true, strict: true, ..Behaviour::default() };
    sim.set_scenario(Scenario { tokens, ..Scenario::all(behaviour) });
}

fn bedrock(addr: SocketAddr, aws: &str) -> Config {
    Config::new()
        .table("providers.aws")
        .set("kind = \"bedrock\"")
        .set(&format!("base_url = \"http://{addr}\""))
        .set("region = \"eu-west-1\"")
        .set(&format!("aws = {{ {aws} }}"))
        .env("SIM_ID", "AKIDSIMULATOR")
        .env("SIM_SECRET", SECRET)
        .model("m", &[&format!("aws={CLAUDE}")])
}

const STATIC: &str = "access_key_id = \"env:SIM_ID\", secret_access_key = \"env:SIM_SECRET\"";

fn vertex(addr: SocketAddr) -> Config {
    let account = json!({
        "type": "service_account", "client_email": "robot@p-1.iam.gserviceaccount.com",
        "private_key_id": "k1", "private_key": SERVICE_ACCOUNT_KEY, "token_uri": format!("http://{addr}/token"),
    });
    Config::new()
        .file("account.json", &account.to_string())
        .table("providers.google")
        .set("kind = \"vertex\"")
        .set(&format!("base_url = \"http://{addr}\""))
        .set("region = \"europe-west1\"")
        .set("project = \"p-1\"")
        .set("google = { service_account = \"file:{dir}/account.json\" }")
        .model("m", &["google=gemini-2.5-pro"])
        .model("claude", &["google=claude-sonnet-4-5@20250929"])
        .model("llama", &["google=meta/llama-3.3-70b-instruct-maas"])
        .model("mistral", &["google=mistral-medium-3"])
}

fn azure(addr: SocketAddr, more: &str) -> Config {
    Config::new()
        .table("providers.azure")
        .set("kind = \"azure-openai\"")
        .set(&format!("base_url = \"http://{addr}/openai/v1\""))
        .set(more)
        .env("SIM_SECRET", "sim-client-secret")
        .model("m", &["azure=gpt-5"])
}

fn entra(addr: SocketAddr) -> String {
    format!(
        "azure = {{ tenant = \"t-1\", client_id = \"app\", client_secret = \"env:SIM_SECRET\", endpoint = \"http://{addr}\" }}"
    )
}

#[track_caller]
fn goes_well(gateway: &Gateway, wire: Wire, model: &str, is_stream: bool) {
    let mut answer = gateway.send(&wire.request(model, is_stream));
    let body = String::from_utf8_lossy(&answer.body()).into_owned();
    assert_eq!(answer.status, 200, "{wire:?} {model}: {body}");
    assert!(!body.contains("\"error\":{"), "{wire:?} {model}: {body}");
}

/// Calls of a path the simulator saw.
fn calls_of(sim: &Sim, path: &str) -> u64 {
    sim.stats().by_path.get(path).copied().unwrap_or_default()
}

#[test]
fn t29_every_call_of_bedrock_is_signed_over_what_is_sent() {
    let sim = clouds(TokenBehaviour::default());
    let gateway = Gateway::start(bedrock(sim.addr(), STATIC));
    for wire in Wire::ALL {
        goes_well(&gateway, wire, "m", false);
        goes_well(&gateway, wire, "m", true);
    }
    let paths: Vec<String> = sim.stats().by_path.keys().cloned().collect();
    assert!(paths.iter().any(|path| path.ends_with("/invoke-with-response-stream")), "{paths:?}");
    assert!(paths.iter().any(|path| path.ends_with("/converse-stream")), "{paths:?}");
    // The first fetch is of what never ends.
    assert_eq!(gateway.metric(REFRESHES, &[("provider", "aws"), ("refresh", "ok")]), 1.0);
    let told = gateway.stderr() + &gateway.log_lines().iter().map(ToString::to_string).collect::<String>();
    assert!(!told.contains(SECRET) && !told.contains("AKIDSIMULATOR"), "{told}");
}

#[test]
fn t29_a_wrong_secret_is_the_gateways_own_fault_and_is_not_shown() {
    let sim = clouds(TokenBehaviour::default());
    let gateway = Gateway::start(bedrock(sim.addr(), STATIC).env("SIM_SECRET", "not-the-secret"));
    let mut answer = gateway.send(&Wire::Chat.request("m", false));
    let body = answer.json();
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("x-tidegate-origin"), Some("provider"));
    assert!(!body.to_string().contains("AKID") && !body.to_string().contains("not-the-secret"), "{body}");
}

#[test]
fn t29_a_clients_own_aws_session_does_not_go_up() {
    let sim = clouds(TokenBehaviour::default());
    let gateway = Gateway::start(bedrock(sim.addr(), STATIC));
    let body = json!({"messages": [{"role": "user", "content": [{"text": "Hi."}]}]}).to_string();
    let request = Request::post("/model/m/converse", body)
        .header("x-amz-security-token", "of-the-client")
        .header("x-amz-date", "20150830T123600Z");
    let mut answer = gateway.send(&request);
    let (status, said) = (answer.status, answer.json());
    assert_eq!(status, 200, "{said}");
    assert_eq!(sim.last_request().header("x-amz-security-token"), None);
}

#[test]
fn t29_keys_of_the_instance_and_of_a_role_are_fetched_once_for_all_calls() {
    let sim = clouds(TokenBehaviour::default());
    let addr = sim.addr();
    let of_role = format!(
        "role_arn = \"arn:aws:iam::1:role/r\", token_file = \"{{dir}}/identity\", endpoint = \"http://{addr}/sts\""
    );
    let of_instance = format!("imds = true, endpoint = \"http://{addr}\"");
    for (aws, path) in
        [(of_role, "/sts/"), (of_instance, "/latest/meta-data/iam/security-credentials/sim-role")]
    {
        let gateway = Gateway::start(bedrock(addr, &aws).file("identity", "eyJhbGciOi.a.b\n"));
        (0..5).for_each(|_| goes_well(&gateway, Wire::Chat, "m", false));
        assert_eq!(calls_of(&sim, path), 1, "{path}");
        assert!(sim.last_request().header("x-amz-security-token").is_some());
    }
}

#[test]
fn t29_a_profile_is_read_from_its_file() {
    let sim = clouds(TokenBehaviour::default());
    let text = format!("[prod]\naws_access_key_id = AKIDSIMULATOR\naws_secret_access_key = {SECRET}\n");
    let aws = "profile = \"prod\", credentials_file = \"{dir}/credentials\"";
    let gateway = Gateway::start(bedrock(sim.addr(), aws).file("credentials", &text));
    goes_well(&gateway, Wire::Messages, "m", true);
}

#[test]
fn t29_two_hundred_first_calls_at_once_are_one_fetch_of_a_token() {
    let sim = clouds(TokenBehaviour { delay_ms: Some(300), ..TokenBehaviour::default() });
    let gateway = Gateway::start(vertex(sim.addr()));
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..200)
            .map(|_| scope.spawn(|| gateway.send(&Wire::Gemini.request("m", false)).status))
            .collect();
        for call in calls {
            assert_eq!(call.join().unwrap(), 200);
        }
    });
    assert_eq!(calls_of(&sim, "/token"), 1);
    assert_eq!(gateway.metric(REFRESHES, &[("provider", "google"), ("refresh", "ok")]), 1.0);
}

#[test]
fn t29_vertex_gets_each_models_own_path_and_dress() {
    let sim = clouds(TokenBehaviour::default());
    let gateway = Gateway::start(vertex(sim.addr()));
    for model in ["m", "claude", "llama", "mistral"] {
        for wire in Wire::ALL {
            goes_well(&gateway, wire, model, false);
            goes_well(&gateway, wire, model, true);
        }
    }
    let place = "/v1/projects/p-1/locations/europe-west1";
    for path in [
        "publishers/google/models/gemini-2.5-pro:generateContent",
        "publishers/google/models/gemini-2.5-pro:streamGenerateContent",
        "publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
        "publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict",
        "endpoints/openapi/chat/completions",
        "publishers/mistralai/models/mistral-medium-3:streamRawPredict",
    ] {
        assert!(calls_of(&sim, &format!("{place}/{path}")) >= 1, "{path}: {:?}", sim.stats().by_path);
    }
    assert_eq!(calls_of(&sim, "/token"), 1);
}

#[test]
fn t29_a_token_is_renewed_before_it_ends_and_no_call_fails_meanwhile() {
    let sim = clouds(TokenBehaviour { lifetime_s: Some(2), ..TokenBehaviour::default() });
    let gateway = Gateway::start(azure(sim.addr(), &entra(sim.addr())));
    until("three tokens were fetched", 2 * PATIENCE, || {
        goes_well(&gateway, Wire::Chat, "m", false);
        calls_of(&sim, "/t-1/oauth2/v2.0/token") >= 3
    });
    assert_eq!(gateway.metric(REFRESHES, &[("refresh", "failed")]), 0.0);
}

#[test]
fn t29_a_reload_keeps_the_token_of_an_unchanged_account() {
    let sim = clouds(TokenBehaviour::default());
    let gateway = Gateway::start(vertex(sim.addr()));
    goes_well(&gateway, Wire::Gemini, "m", false);
    gateway.reconfigure(&vertex(sim.addr()).model("another", &["google=gemini-2.5-flash"]));
    gateway.signal("HUP");
    gateway.metric_becomes("tidegate_config_generation", &[], 2.0);
    goes_well(&gateway, Wire::Gemini, "another", false);
    assert_eq!(calls_of(&sim, "/token"), 1);
}

#[test]
fn t29_a_dead_token_endpoint_is_told_without_a_secret_and_its_tries_are_bounded() {
    let sim = clouds(TokenBehaviour { status: Some(503), ..TokenBehaviour::default() });
    let gateway = Gateway::start(azure(sim.addr(), &entra(sim.addr())));
    for _ in 0..20 {
        let mut answer = gateway.send(&Wire::Chat.request("m", false));
        assert_eq!(answer.status, 503);
        let reason = answer.header("x-tidegate-reason").unwrap().to_owned();
        assert!(["upstream_credential", "all_targets_cooling"].contains(&reason.as_str()), "{reason}");
        assert_eq!(answer.header("x-tidegate-origin"), Some("gateway"));
        let body = answer.json().to_string();
        assert!(!body.contains("sim-client-secret") && !body.contains("127."), "{body}");
    }
    let tries = calls_of(&sim, "/t-1/oauth2/v2.0/token");
    assert!((3..=12).contains(&tries), "{tries} tries for twenty calls");
    assert!(gateway.stderr().contains("Entra answered 503"), "the log says why");
    assert!(!gateway.stderr().contains("sim-client-secret"));
    assert_eq!(gateway.admin_get("/readyz").0, 200, "readiness is about us");
    assert!(gateway.metric(REFRESHES, &[("refresh", "failed")]) >= 1.0);
    set(&sim, TokenBehaviour::default());
    until("it comes back", 2 * PATIENCE, || gateway.send(&Wire::Chat.request("m", false)).status == 200);
}

#[test]
fn t29_the_last_good_token_serves_while_renewing_fails() {
    let sim = clouds(TokenBehaviour { lifetime_s: Some(40), ..TokenBehaviour::default() });
    let gateway = Gateway::start(azure(sim.addr(), &entra(sim.addr())));
    goes_well(&gateway, Wire::Chat, "m", false);
    set(&sim, TokenBehaviour { status: Some(500), ..TokenBehaviour::default() });
    (0..20).for_each(|_| goes_well(&gateway, Wire::Chat, "m", true));
}

#[test]
fn t29_another_target_is_asked_where_a_credential_cannot_be_had() {
    let (cloud, lab) =
        (clouds(TokenBehaviour { status: Some(500), ..TokenBehaviour::default() }), Sim::start());
    let config = azure(cloud.addr(), &entra(cloud.addr())).provider("lab", Wire::Chat, lab.addr());
    let gateway = Gateway::start(config.model("m", &["azure=gpt-5", "lab"]));
    let answer = gateway.send(&Wire::Chat.request("m", false));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-tidegate-failures"), Some("azure:credential"));
    assert_eq!(lab.calls(), 1);
}

#[test]
fn t29_azure_is_asked_on_its_newer_and_on_its_classic_paths() {
    let sim = clouds(TokenBehaviour::default());
    let newer =
        Gateway::start(azure(sim.addr(), "api_key = \"env:SIM_SECRET\"").env("SIM_SECRET", "sim-azure-key"));
    goes_well(&newer, Wire::Chat, "m", true);
    goes_well(&newer, Wire::Responses, "m", true);
    assert_eq!(
        (calls_of(&sim, "/openai/v1/chat/completions"), calls_of(&sim, "/openai/v1/responses")),
        (1, 1)
    );
    let classic = azure(sim.addr(), "api_key = \"env:SIM_SECRET\"").env("SIM_SECRET", "sim-azure-key");
    let classic = classic.table("providers.azure").set("api_version = \"2024-10-21\"");
    let classic = Gateway::start(classic);
    for wire in Wire::ALL {
        goes_well(&classic, wire, "m", true);
    }
    assert_eq!(
        sim.last_request().target,
        "/openai/deployments/gpt-5/chat/completions?api-version=2024-10-21"
    );
}

#[test]
fn t29_a_slow_token_endpoint_takes_nothing_from_the_calls_own_deadlines() {
    // Longer than the model's deadline for connecting.
    let sim = clouds(TokenBehaviour { delay_ms: Some(2500), ..TokenBehaviour::default() });
    let gateway = Gateway::start(azure(sim.addr(), &entra(sim.addr())));
    goes_well(&gateway, Wire::Chat, "m", false);
}

#[test]
fn t29_a_token_that_is_refused_is_fetched_again() {
    let sim = clouds(TokenBehaviour::default());
    let config = azure(sim.addr(), &entra(sim.addr())).table("providers.azure");
    let gateway = Gateway::start(config.set("cooldown = { base = \"20ms\", max = \"20ms\" }"));
    goes_well(&gateway, Wire::Chat, "m", false);
    let refused = gateway.send(&Wire::Chat.request("m", false).fault("status:401"));
    assert_eq!(refused.status, 401);
    until("it comes back", PATIENCE, || gateway.send(&Wire::Chat.request("m", false)).status == 200);
    assert_eq!(calls_of(&sim, "/t-1/oauth2/v2.0/token"), 2);
}

#[test]
fn t29_a_token_is_kept_fresh_without_any_call() {
    // It ends before the job looks for the first time, after half a minute.
    let sim = clouds(TokenBehaviour { lifetime_s: Some(30), ..TokenBehaviour::default() });
    let gateway = Gateway::start(azure(sim.addr(), &entra(sim.addr())));
    goes_well(&gateway, Wire::Chat, "m", false);
    assert_eq!(calls_of(&sim, "/t-1/oauth2/v2.0/token"), 1);
    let patience = std::time::Duration::from_secs(90);
    until("the job fetched another", patience, || calls_of(&sim, "/t-1/oauth2/v2.0/token") == 2);
}
