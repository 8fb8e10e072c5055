//! Rankings.

use super::{config, provider};
use crate::harness::{Config, Gateway, Request, Sim};
use serde_json::{Value, json};
use tidegate::sim::ScriptedReply;

const DOCUMENTS: [&str; 4] = ["one", "two", "three", "four"];
const TARGETS: [(&str, &str, &str); 4] = [
    ("to-jina", "openai-compatible", "jina-reranker-v3"),
    ("to-voyage", "voyage-compatible", "rerank-2.5"),
    ("to-cohere", "cohere-compatible", "rerank-v4.0"),
    ("to-bedrock", "bedrock-compatible", "cohere.rerank-v3-5:0"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Jina,
    Voyage,
    Cohere,
    Bedrock,
}

impl Client {
    const ALL: [Client; 4] = [Client::Jina, Client::Voyage, Client::Cohere, Client::Bedrock];

    fn request(self, model: &str, top: u64) -> Request {
        let mut body = json!({"query": "q", "documents": DOCUMENTS});
        let path = match self {
            Client::Jina | Client::Voyage => "/v1/rerank".to_owned(),
            Client::Cohere => "/v2/rerank".to_owned(),
            Client::Bedrock => format!("/model/{model}/invoke"),
        };
        body[if self == Client::Voyage { "top_k" } else { "top_n" }] = json!(top);
        match self {
            Client::Bedrock => body["api_version"] = json!(2),
            _ => body["model"] = json!(model),
        }
        if matches!(self, Client::Jina | Client::Voyage) {
            body["return_documents"] = json!(true);
        }
        Request::post(&path, body.to_string())
    }

    /// Places and scores, best first.
    fn ranking(self, body: &Value) -> Vec<(u64, f64)> {
        let key = if self == Client::Voyage { "data" } else { "results" };
        let list = body[key].as_array().unwrap_or_else(|| panic!("{self:?}: {body}"));
        let one = |ranked: &Value| {
            let index = ranked["index"].as_u64().unwrap();
            let document = DOCUMENTS[usize::try_from(index).unwrap()];
            match self {
                Client::Jina => assert_eq!(ranked["document"]["text"], document, "{body}"),
                Client::Voyage => assert_eq!(ranked["document"], document, "{body}"),
                Client::Cohere | Client::Bedrock => assert!(ranked.get("document").is_none(), "{body}"),
            }
            (index, ranked["relevance_score"].as_f64().unwrap())
        };
        list.iter().map(one).collect()
    }
}

#[test]
fn every_client_gets_the_same_ranking_of_every_provider() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim, &TARGETS));
    let expected = Client::Cohere.ranking(&gateway.send(&Client::Cohere.request("to-cohere", 3)).json());
    assert_eq!(expected.len(), 3);
    for client in Client::ALL {
        for (target, _, model) in TARGETS {
            // Voyage's fields at Jina's path pass as they are to who speaks OpenAI's dialect.
            if (client, target) == (Client::Voyage, "to-jina") {
                continue;
            }
            let mut answer = gateway.send(&client.request(target, 3));
            let body = answer.json();
            assert_eq!(answer.status, 200, "{client:?} {target}: {body}");
            assert_eq!(client.ranking(&body), expected, "{client:?} {target}");
            assert_eq!(answer.header("x-tidegate-upstream-model"), Some(model));
        }
    }
}

#[test]
fn tokens_of_a_ranking_are_billed_as_such_and_searches_by_their_own_price() {
    let sim = Sim::start();
    // Two dollars a thousand searches; the other row knows a price of tokens only.
    let config = config(&sim, &TARGETS)
        .table("catalog.models.\"to-cohere-p/rerank-v4.0\"")
        .set("prices = { search = \"2000\" }");
    let gateway = Gateway::start(
        config
            .model("tokens", &["to-cohere-p=rerank-tokens"])
            .table("catalog.models.\"to-cohere-p/rerank-tokens\"")
            .set("prices = { input = \"20\" }"),
    );
    let answer = gateway.send(&Client::Cohere.request("to-jina", 2));
    assert!(gateway.log_of(&answer)["input_tokens"].as_u64().unwrap() > 0);
    assert!(answer.header("x-tidegate-cost-usd").is_some());
    for client in [Client::Jina, Client::Cohere] {
        let answer = gateway.send(&client.request("to-cohere", 2));
        let line = gateway.log_of(&answer);
        assert_eq!((&line["searches"], &line["input_tokens"]), (&json!(1), &json!(0)), "{client:?} {line}");
        let cost: f64 = answer.header("x-tidegate-cost-usd").unwrap().parse().unwrap();
        assert!((cost - 0.002).abs() < 1e-12, "{client:?}: {cost}");
    }
    let answer = gateway.send(&Client::Cohere.request("tokens", 2));
    assert_eq!(answer.header("x-tidegate-cost-usd"), None, "nobody says what a search costs");
    gateway.metric_becomes("tidegate_unpriced_total", &[("cause", "no_search_price")], 1.0);
}

#[test]
fn a_ranking_of_what_was_not_sent_is_the_providers_fault() {
    let sim = Sim::start();
    let config = provider(Config::new(), "c", "cohere-compatible", &sim);
    let gateway = Gateway::start(config.model("m", &["c"]).set("failover = { attempts = 1 }"));
    for body in [r#"{"results":[{"index":4,"relevance_score":1}]}"#, r#"{"results":{}}"#, "[]"] {
        sim.answer_next(ScriptedReply::json(200, body));
        assert_eq!(gateway.send(&Client::Jina.request("m", 1)).status, 502, "{body}");
    }
}
