//! Paths to endpoints.

use crate::types::Dialect;

/// What a path means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    Chat,
    Completions,
    Responses,
    /// The id and what follows it.
    ResponseById(&'a str, &'a str),
    ResponseTokens,
    Embeddings,
    Moderations,
    Rerank,
    Images,
    Speech,
    Transcriptions,
    /// What follows `/files`.
    Files(&'a str),
    Models,
    ModelById(&'a str),
    /// Of an inference server.
    Health,
    Metrics,
    Realtime,
    Messages,
    CountTokens,
    /// A Gemini model and the verb behind its colon.
    Gemini(&'a str, &'a str),
    /// Bedrock; the model is in the path, percent-encoded.
    Converse,
    ConverseStream,
    /// Bedrock; Anthropic's body, or that of an embedding or rerank model.
    Invoke,
    InvokeStream,
    BedrockCount,
    CohereChat,
    CohereEmbed,
    OllamaChat,
    OllamaEmbed,
    OllamaEmbeddings,
    Unknown,
}

/// A route, and the model where the path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routed<'a> {
    pub route: Route<'a>,
    pub model: Option<&'a str>,
    /// Whether the path is of Gemini's own versions.
    pub is_beta: bool,
}

/// Reads a path without query. Versions and the prefixes of Azure and others are optional.
pub fn route(path: &str) -> Routed<'_> {
    let azure = path.strip_prefix("/openai/deployments/").and_then(|rest| rest.split_once('/'));
    if let Some((deployment, rest)) = azure {
        return Routed { route: named(rest), model: Some(deployment), is_beta: false };
    }
    let bedrock = path.strip_prefix("/model/").and_then(|rest| rest.rsplit_once('/'));
    if let Some((model, action)) = bedrock {
        let route = match action {
            "converse" => Route::Converse,
            "converse-stream" => Route::ConverseStream,
            "invoke" => Route::Invoke,
            "invoke-with-response-stream" => Route::InvokeStream,
            "count-tokens" => Route::BedrockCount,
            _ => Route::Unknown,
        };
        return Routed { route, model: Some(model), is_beta: false };
    }
    if let Some(routed) = path.strip_prefix("/v1/projects/").and_then(vertex) {
        return routed;
    }
    let beta = path.strip_prefix("/v1beta/");
    let rest = path.strip_prefix("/anthropic").or_else(|| path.strip_prefix("/openai")).unwrap_or(path);
    let rest = ["/v1/", "/v1beta/openai/", "/v1beta/", "/v2/", "/"]
        .iter()
        .find_map(|start| rest.strip_prefix(start));
    let rest = rest.unwrap_or("");
    if let Some((model, verb)) = rest.strip_prefix("models/").and_then(|rest| rest.rsplit_once(':'))
        && matches!(
            verb,
            "generateContent"
                | "streamGenerateContent"
                | "countTokens"
                | "embedContent"
                | "batchEmbedContents"
        )
    {
        return Routed { route: Route::Gemini(model, verb), model: Some(model), is_beta: true };
    }
    Routed { route: named(rest), model: None, is_beta: beta.is_some_and(|rest| !rest.starts_with("openai/")) }
}

/// `{project}/locations/{location}/…` of Vertex.
fn vertex(rest: &str) -> Option<Routed<'_>> {
    let rest = rest.splitn(4, '/').nth(3)?;
    if rest == "endpoints/openapi/chat/completions" {
        return Some(Routed { route: Route::Chat, model: None, is_beta: false });
    }
    let (publisher, rest) = rest.strip_prefix("publishers/")?.split_once("/models/")?;
    let (model, verb) = rest.rsplit_once(':')?;
    let (route, model) = match (publisher, model, verb) {
        ("google", ..) => (Route::Gemini(model, verb), Some(model)),
        ("anthropic", "count-tokens", "rawPredict") => (Route::CountTokens, None),
        ("anthropic", _, "rawPredict" | "streamRawPredict") => (Route::Messages, Some(model)),
        (_, _, "rawPredict" | "streamRawPredict") => (Route::Chat, Some(model)),
        _ => (Route::Unknown, None),
    };
    Some(Routed { route, model, is_beta: true })
}

fn named(rest: &str) -> Route<'_> {
    match rest {
        "chat/completions" => Route::Chat,
        "completions" => Route::Completions,
        "responses" => Route::Responses,
        "responses/input_tokens" => Route::ResponseTokens,
        "embeddings" => Route::Embeddings,
        "moderations" => Route::Moderations,
        "rerank" => Route::Rerank,
        "images/generations" | "images/edits" | "images/variations" => Route::Images,
        "audio/speech" => Route::Speech,
        "audio/transcriptions" | "audio/translations" => Route::Transcriptions,
        "models" => Route::Models,
        "realtime" => Route::Realtime,
        "health" => Route::Health,
        "metrics" => Route::Metrics,
        "messages" => Route::Messages,
        "messages/count_tokens" => Route::CountTokens,
        "chat" => Route::CohereChat,
        "embed" => Route::CohereEmbed,
        "api/chat" => Route::OllamaChat,
        "api/embed" => Route::OllamaEmbed,
        "api/embeddings" => Route::OllamaEmbeddings,
        _ => below(rest),
    }
}

fn below(rest: &str) -> Route<'_> {
    if let Some(after) = rest.strip_prefix("responses/") {
        let (id, tail) = after.split_once('/').unwrap_or((after, ""));
        return Route::ResponseById(id, tail);
    }
    if let Some(after) = rest.strip_prefix("files") {
        return if after.is_empty() || after.starts_with('/') { Route::Files(after) } else { Route::Unknown };
    }
    match rest.strip_prefix("models/") {
        Some(name) if !name.is_empty() => Route::ModelById(name),
        _ => Route::Unknown,
    }
}

/// Whether Bedrock's `invoke` takes Anthropic's body for this model.
pub fn is_claude(model: &str) -> bool {
    model.contains("anthropic.") || model.contains("claude")
}

impl Route<'_> {
    /// The shape of errors here.
    pub fn dialect(self) -> Dialect {
        match self {
            Route::Messages | Route::CountTokens => Dialect::Anthropic,
            Route::Invoke | Route::InvokeStream | Route::BedrockCount => Dialect::Bedrock,
            Route::Gemini(..) => Dialect::Gemini,
            Route::Converse | Route::ConverseStream => Dialect::Bedrock,
            Route::CohereChat | Route::CohereEmbed => Dialect::Cohere,
            Route::OllamaChat | Route::OllamaEmbed | Route::OllamaEmbeddings => Dialect::Ollama,
            _ => Dialect::OpenAi,
        }
    }

    /// Whether its bodies are read as JSON (multipart ones apart).
    pub fn takes_json(self) -> bool {
        !matches!(self, Route::Files(_) | Route::Unknown | Route::Realtime | Route::Health | Route::Metrics)
    }

    /// Whether words are made, which an engine works on.
    pub fn generates(self) -> bool {
        matches!(self, Route::Chat | Route::Completions | Route::Responses | Route::Messages)
    }

    /// What behaviours of a path that asks for no model are named by.
    pub fn own_name(self) -> &'static str {
        match self {
            Route::Health => "/health",
            Route::Metrics => "/metrics",
            Route::Models => "/models",
            _ => "",
        }
    }

    /// Whether a request that names no model is wrong.
    pub fn needs_model(self) -> bool {
        matches!(
            self,
            Route::Chat
                | Route::Completions
                | Route::Responses
                | Route::Embeddings
                | Route::Messages
                | Route::CountTokens
                | Route::CohereChat
                | Route::CohereEmbed
                | Route::OllamaChat
                | Route::OllamaEmbed
                | Route::OllamaEmbeddings
        )
    }

    /// The method it answers to; `None`: looks itself.
    pub fn method(self) -> Option<&'static str> {
        match self {
            Route::ResponseById(..) | Route::Files(_) | Route::Unknown => None,
            Route::Models | Route::ModelById(_) | Route::Realtime | Route::Health | Route::Metrics => {
                Some("GET")
            }
            _ => Some("POST"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_endpoint_is_found_under_every_prefix() {
        for path in [
            "/v1/chat/completions",
            "/chat/completions",
            "/openai/v1/chat/completions",
            "/v1beta/openai/chat/completions",
        ] {
            assert_eq!(route(path).route, Route::Chat, "{path}");
        }
        let azure = route("/openai/deployments/my-gpt/chat/completions");
        assert_eq!((azure.route, azure.model), (Route::Chat, Some("my-gpt")));
        assert_eq!(route("/anthropic/v1/messages").route, Route::Messages);
    }

    #[test]
    fn gemini_verbs_and_ids_are_taken_apart() {
        assert_eq!(route("/v1/models/g:generateContent").route, Route::Gemini("g", "generateContent"));
        assert_eq!(route("/v1beta/models/a:b:countTokens").route, Route::Gemini("a:b", "countTokens"));
        assert_eq!(
            route("/v1/responses/resp_1/input_items").route,
            Route::ResponseById("resp_1", "input_items")
        );
        assert_eq!(route("/v1/models/ft:gpt").route, Route::ModelById("ft:gpt"));
        let bedrock = route("/model/us.anthropic.claude-v1%3A0/converse-stream");
        assert_eq!(
            (bedrock.route, bedrock.model),
            (Route::ConverseStream, Some("us.anthropic.claude-v1%3A0"))
        );
        let invoked = route("/model/anthropic.claude/invoke-with-response-stream");
        assert_eq!((invoked.route, invoked.model), (Route::InvokeStream, Some("anthropic.claude")));
        let vertex = |rest: &str| format!("/v1/projects/p/locations/global/{rest}");
        for (rest, found) in [
            ("publishers/google/models/g:countTokens", Route::Gemini("g", "countTokens")),
            ("publishers/anthropic/models/claude@1:streamRawPredict", Route::Messages),
            ("publishers/anthropic/models/count-tokens:rawPredict", Route::CountTokens),
            ("publishers/mistralai/models/m:rawPredict", Route::Chat),
            ("endpoints/openapi/chat/completions", Route::Chat),
            ("publishers/x", Route::Unknown),
        ] {
            assert_eq!(route(&vertex(rest)).route, found, "{rest}");
        }
        assert_eq!(route("/v2/chat").route, Route::CohereChat);
        assert_eq!(route("/api/embed").route, Route::OllamaEmbed);
        assert_eq!(route("/v1/nothing").route, Route::Unknown);
    }
}
