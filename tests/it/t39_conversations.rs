//! T39: conversations, which live here for every model.

use crate::harness::{Answer, Config, Gateway, KEY, Request, Sim, Wire};
use serde_json::{Value, json};

const OTHER: &str = "sk-other-key";

fn gateway(sim: &Sim) -> Gateway {
    Gateway::start(
        Config::new()
            .provider("claude", Wire::Messages, sim.addr())
            .model("m", &["claude=claude-sonnet-4-5"])
            .provider("own", Wire::Responses, sim.addr())
            .set("protocols = [\"responses\"]")
            .model("n", &["own=gpt-4o"])
            .key("other", OTHER),
    )
}

#[track_caller]
fn ask(gateway: &Gateway, method: &str, path: &str, body: Option<Value>) -> Value {
    let mut answer = send(gateway, method, path, body);
    let json = answer.json();
    assert_eq!(answer.status, 200, "{method} {path}: {json}");
    json
}

fn send(gateway: &Gateway, method: &str, path: &str, body: Option<Value>) -> Answer {
    let request = match body {
        Some(body) => Request::post(path, body.to_string()),
        None => Request::new(method, path).key(KEY),
    };
    gateway.send(&request)
}

#[track_caller]
fn create(gateway: &Gateway, body: Value) -> String {
    let made = ask(gateway, "POST", "/v1/conversations", Some(body));
    assert_eq!(made["object"], "conversation");
    made["id"].as_str().unwrap().to_owned()
}

fn items(gateway: &Gateway, id: &str) -> Vec<Value> {
    let list = ask(gateway, "GET", &format!("/v1/conversations/{id}/items?order=asc&limit=100"), None);
    list["data"].as_array().unwrap().clone()
}

fn asked(sim: &Sim) -> Value {
    serde_json::from_slice(&sim.last_request().body).unwrap()
}

#[test]
fn t39_a_conversation_is_made_changed_and_deleted() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let empty = gateway.send(&Request::post("/v1/conversations", "")).json();
    assert_eq!(empty["metadata"], json!({}));
    assert!(empty["id"].as_str().unwrap().starts_with("conv_") && empty["created_at"].as_u64() > Some(1));
    let id = create(
        &gateway,
        json!({"metadata":{"topic":"x"},"items":[{"type":"message","role":"user","content":"One"}]}),
    );
    let path = format!("/v1/conversations/{id}");
    assert_eq!(ask(&gateway, "GET", &path, None)["metadata"], json!({"topic":"x"}));
    let changed = ask(&gateway, "POST", &path, Some(json!({"metadata":{"topic":"y"}})));
    assert_eq!((&changed["id"], &changed["metadata"]), (&json!(id), &json!({"topic":"y"})));

    let more = json!({"items":[{"role":"assistant","content":"Two"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]});
    let added = ask(&gateway, "POST", &format!("{path}/items"), Some(more));
    assert_eq!((&added["object"], added["data"].as_array().unwrap().len()), (&json!("list"), 2), "{added}");
    let held = items(&gateway, &id);
    let kinds: Vec<&str> = held.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "message", "function_call"]);
    let call = format!("{path}/items/{}", held[2]["id"].as_str().unwrap());
    assert_eq!(ask(&gateway, "GET", &call, None), held[2]);
    assert_eq!(ask(&gateway, "DELETE", &call, None)["id"], json!(id));
    assert_eq!(send(&gateway, "GET", &call, None).status, 404);
    assert_eq!(send(&gateway, "DELETE", &call, None).status, 404);
    assert_eq!(items(&gateway, &id), held[..2]);

    let deleted = ask(&gateway, "DELETE", &path, None);
    assert_eq!(deleted, json!({"id":id,"object":"conversation.deleted","deleted":true}));
    for path in [path.clone(), format!("{path}/items")] {
        assert_eq!(send(&gateway, "GET", &path, None).status, 404, "{path}");
    }
    assert_eq!(sim.calls(), 0, "all of it is answered here");
}

#[test]
fn t39_responses_add_to_their_conversation_whichever_model_answers() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let system = json!({"type":"message","role":"developer","content":"Be brief."});
    let id = create(&gateway, json!({"items":[system]}));
    let respond = |model: &str, input: &str, is_stream: bool| {
        let body = json!({"model":model,"input":input,"conversation":id,"stream":is_stream});
        let mut answer = send(&gateway, "POST", "/v1/responses", Some(body));
        assert_eq!(answer.status, 200);
        if is_stream { answer.events().last().unwrap().json()["response"].clone() } else { answer.json() }
    };
    let first = respond("m", "One", false);
    assert_eq!(first["conversation"], json!({"id":id}));
    respond("m", "Two", true);
    let sent = asked(&sim);
    assert_eq!(sent["messages"].as_array().unwrap().len(), 3, "{sent}");
    assert!(sent["system"].to_string().contains("Be brief."), "{sent}");
    // A model whose provider has conversations of its own is told this one.
    respond("n", "Three", false);
    let sent = asked(&sim);
    assert_eq!((&sent["store"], sent.get("conversation")), (&json!(false), None), "{sent}");
    let held = items(&gateway, &id);
    let said: Vec<&str> = held.iter().map(|item| item["role"].as_str().unwrap()).collect();
    assert_eq!(said, ["developer", "user", "assistant", "user", "assistant", "user", "assistant"]);
    assert_eq!(held[2], first["output"][0]);
    // A response can be gone on from beside its conversation, with what it knew then.
    let body = json!({"model":"m","input":"Aside","previous_response_id":first["id"]});
    ask(&gateway, "POST", "/v1/responses", Some(body));
    let sent = asked(&sim);
    assert_eq!(sent["messages"].as_array().unwrap().len(), 3, "{sent}");
    assert!(sent["system"].to_string().contains("Be brief."), "{sent}");
    assert_eq!(items(&gateway, &id).len(), 7);
    // `store: false` is about the response; the conversation goes on.
    let body = json!({"model":"m","input":"Four","conversation":{"id":id},"store":false});
    let unstored = ask(&gateway, "POST", "/v1/responses", Some(body));
    assert_eq!(items(&gateway, &id).len(), 9);
    let path = format!("/v1/responses/{}", unstored["id"].as_str().unwrap());
    assert_eq!(send(&gateway, "GET", &path, None).status, 404);
}

#[test]
fn t39_a_conversation_is_its_keys_alone() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let id = create(&gateway, json!({"items":[{"role":"user","content":"One"}]}));
    let item = items(&gateway, &id)[0]["id"].as_str().unwrap().to_owned();
    for (method, below, body) in [
        ("GET", String::new(), ""),
        ("POST", String::new(), "{\"metadata\":{}}"),
        ("DELETE", String::new(), ""),
        ("GET", "/items".to_owned(), ""),
        ("POST", "/items".to_owned(), "{\"items\":[]}"),
        ("GET", format!("/items/{item}"), ""),
        ("DELETE", format!("/items/{item}"), ""),
    ] {
        let of = |id: &str| {
            let target = format!("/v1/conversations/{id}{below}");
            let mut answer = gateway.send(&Request::new(method, &target).key(OTHER).body(body));
            (answer.status, answer.json()["error"]["message"].as_str().unwrap().replace(id, "X"))
        };
        let theirs = of(&id);
        assert_eq!((&theirs, theirs.0), (&of("conv_0"), 404), "{method} {below}");
    }
    let body = json!({"model":"m","input":"x","conversation":id});
    let refused = gateway.send(&Request::post("/v1/responses", body.to_string()).key(OTHER));
    assert_eq!(refused.status, 404);
    assert_eq!((sim.calls(), items(&gateway, &id).len()), (0, 1));
}

#[test]
fn t39_wrong_conversations_are_refused_by_name() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let many: Vec<Value> = (0..21).map(|_| json!({"role":"user","content":"x"})).collect();
    for (body, param) in [
        (json!({"metadata":[]}), "metadata"),
        (json!({"metadata":{"a":1}}), "metadata"),
        (json!({"items":"x"}), "items"),
        (json!({"items":many}), "items"),
        (json!({"items":[{"role":"user","content":"x"},{}]}), "items[1]"),
    ] {
        let mut answer = send(&gateway, "POST", "/v1/conversations", Some(body.clone()));
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, &error["param"]), (400, &json!(param)), "{body}: {error}");
    }
    let id = create(&gateway, json!({"items":many[..20]}));
    assert_eq!(items(&gateway, &id).len(), 20);
    let first = ask(&gateway, "POST", "/v1/responses", Some(json!({"model":"m","input":"x"})));
    let both = json!({"model":"m","input":"x","conversation":id,"previous_response_id":first["id"]});
    assert_eq!(send(&gateway, "POST", "/v1/responses", Some(both)).status, 400);
    assert_eq!(gateway.send(&Request::post("/v1/conversations", "{").key(KEY)).status, 400);
    assert_eq!(gateway.send(&Request::get("/v1/conversations")).status, 405);
}
