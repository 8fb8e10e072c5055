//! `tidegate count`.

use crate::meter::{CountKind, Counter, FactorTable, Family};
use crate::types::Endpoint;
use clap::Args;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "Examples:\n  echo 'How long is this?' | tidegate count --model gpt-5\n  \
    tidegate count --model gpt-5 request.json     a request body: messages, input, contents …\n\n\
    Prints JSON: tokens, kind (exact or estimated), upper (the highest plausible number).")]
pub struct Count {
    /// The model whose tokens are counted.
    #[arg(long)]
    model: String,
    /// A text or a request body; standard input where it is left out.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Count {
    pub fn run(self) -> ExitCode {
        let input = match self.read() {
            Ok(input) => input,
            Err(error) => return super::fail(&error),
        };
        let family = Family::of(&self.model);
        let counter = Counter::new(FactorTable::default(), 0);
        let count = match endpoint_of(&input) {
            Some(endpoint) => match counter.count(endpoint, family, &self.model, &input) {
                Ok(count) => count,
                Err(error) => return super::fail(&error),
            },
            None => counter.count_text(family, &String::from_utf8_lossy(&input)),
        };
        let kind = match count.kind {
            CountKind::Exact => "exact",
            CountKind::Estimated => "estimated",
        };
        println!("{{\"tokens\":{},\"kind\":\"{kind}\",\"upper\":{}}}", count.tokens, count.upper);
        ExitCode::SUCCESS
    }

    fn read(&self) -> std::io::Result<Vec<u8>> {
        match &self.file {
            Some(path) => std::fs::read(path),
            None => {
                let mut input = Vec::new();
                std::io::stdin().read_to_end(&mut input)?;
                Ok(input)
            }
        }
    }
}

/// Which endpoint's body this is, by the field that holds its prompt; None for a plain text.
pub(super) fn endpoint_of(input: &[u8]) -> Option<Endpoint> {
    let body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(input).ok()?;
    let has = |name: &str| body.contains_key(name);
    if has("contents") {
        Some(Endpoint::GenerateContent)
    } else if has("messages")
        && (has("system") || (has("max_tokens") && body.get("model")?.as_str()?.starts_with("claude")))
    {
        Some(Endpoint::Messages)
    } else if has("messages") {
        Some(Endpoint::ChatCompletions)
    } else if has("prompt") {
        Some(Endpoint::Completions)
    } else if has("instructions") || body.get("input").is_some_and(|input| !is_embeddings_input(input)) {
        Some(Endpoint::Responses)
    } else if has("input") {
        Some(Endpoint::Embeddings)
    } else {
        None
    }
}

/// A list of texts or of token ids; one text is counted the same either way.
fn is_embeddings_input(input: &serde_json::Value) -> bool {
    input.as_array().is_some_and(|items| items.iter().all(|item| !item.is_object()))
}
