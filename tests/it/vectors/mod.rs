//! Embeddings and rerank between every client's shape and every provider's, through sockets. The
//! simulator is strict and makes the same vector of the same text in every shape.

mod clients;
mod embed;
mod rerank;

use crate::harness::{Config, Sim};
use tidegate::sim::Behaviour;

/// One model a kind of provider, named after it; the price of each is 20 dollars a million tokens.
const TARGETS: [(&str, &str, &str); 8] = [
    ("to-openai", "openai-compatible", "text-embedding-3-small"),
    ("to-voyage", "voyage-compatible", "voyage-3.5"),
    ("to-gemini", "gemini-compatible", "gemini-embedding-001"),
    ("to-cohere", "cohere-compatible", "embed-v4.0"),
    ("to-ollama", "ollama-compatible", "nomic-embed-text"),
    ("to-titan", "bedrock-compatible", "amazon.titan-embed-text-v2:0"),
    ("to-bedrock", "bedrock-compatible", "cohere.embed-english-v3"),
    ("to-vertex", "vertex", "text-embedding-005"),
];

fn base_url(kind: &str, addr: std::net::SocketAddr) -> String {
    let version = if matches!(kind, "openai-compatible" | "voyage-compatible") { "/v1" } else { "" };
    format!("http://{addr}{version}")
}

fn provider(config: Config, name: &str, kind: &str, sim: &Sim) -> Config {
    let config = config
        .table(&format!("providers.{name}"))
        .set(&format!("kind = \"{kind}\""))
        .set(&format!("base_url = \"{}\"", base_url(kind, sim.addr())));
    if kind != "vertex" {
        return config;
    }
    let endpoint = format!("http://{}", sim.addr());
    config.set("project = \"p\"").set(&format!("google = {{ metadata = true, endpoint = \"{endpoint}\" }}"))
}

/// All of `targets`, at a strict simulator.
fn config(sim: &Sim, targets: &[(&str, &str, &str)]) -> Config {
    sim.behave(Behaviour { strict: true, ..Behaviour::default() });
    targets.iter().fold(Config::new(), |config, (name, kind, model)| {
        provider(config, &format!("{name}-p"), kind, sim)
            .model(name, &[&format!("{name}-p={model}")])
            .table(&format!("catalog.models.\"{name}-p/{model}\""))
            .set("prices = { input = \"20\" }")
    })
}
