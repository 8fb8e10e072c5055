use super::Endpoint::*;
use super::*;

/// Method, path, endpoint, model in the path, id, path upstream.
type Row = (&'static str, &'static str, Endpoint, Option<&'static str>, Option<&'static str>, &'static str);
#[rustfmt::skip]
const SERVED: &[Row] = &[
    ("POST", "/v1/chat/completions", ChatCompletions, None, None, "/chat/completions"),
    ("POST", "/v1/completions", Completions, None, None, "/completions"),
    ("POST", "/v1/responses", Responses, None, None, "/responses"),
    ("GET", "/v1/responses/resp_1", ResponseById, None, Some("resp_1"), "/responses/resp_1"),
    ("DELETE", "/v1/responses/resp_1", ResponseById, None, Some("resp_1"), "/responses/resp_1"),
    ("POST", "/v1/responses/resp_1/cancel", ResponseById, None, Some("resp_1"), "/responses/resp_1/cancel"),
    ("POST", "/v1/conversations", Conversations, None, None, "/conversations"),
    ("DELETE", "/v1/conversations/conv_1", Conversations, None, Some("conv_1"), "/conversations/conv_1"),
    ("POST", "/v1/conversations/conv_1", Conversations, None, Some("conv_1"), "/conversations/conv_1"),
    ("GET", "/v1/conversations/c/items", Conversations, None, Some("c"), "/conversations/c/items"),
    ("GET", "/openai/v1/conversations/c/items/m", Conversations, None, Some("c"), "/conversations/c/items/m"),
    ("GET", "/v1/responses/resp_1/input_items", ResponseById, None, Some("resp_1"), "/responses/resp_1/input_items"),
    ("POST", "/v1/responses/input_tokens", ResponseTokens, None, None, "/responses/input_tokens"),
    ("POST", "/v1/tokenize", CohereTokenize, None, None, "/v1/tokenize"),
    ("POST", "/v1/embeddings", Embeddings, None, None, "/embeddings"),
    ("POST", "/v1/moderations", Moderations, None, None, "/moderations"),
    ("POST", "/v1/images/generations", Images, None, None, "/images/generations"),
    ("POST", "/v1/images/edits", Images, None, None, "/images/edits"),
    ("POST", "/v1/images/variations", Images, None, None, "/images/variations"),
    ("POST", "/v1/audio/speech", Speech, None, None, "/audio/speech"),
    ("POST", "/v1/audio/transcriptions", Transcriptions, None, None, "/audio/transcriptions"),
    ("POST", "/v1/audio/translations", Transcriptions, None, None, "/audio/translations"),
    ("POST", "/v1/rerank", Rerank, None, None, "/rerank"),
    ("POST", "/v1/messages", Messages, None, None, "/v1/messages"),
    ("POST", "/v1/messages/count_tokens", CountTokens, None, None, "/v1/messages/count_tokens"),
    ("POST", "/v1/models/g-2:generateContent", GenerateContent, Some("g-2"), None, "/v1/models/UP:generateContent"),
    ("POST", "/v1beta/models/g-2:generateContent", GenerateContent, Some("g-2"), None, "/v1beta/models/UP:generateContent"),
    ("POST", "/v1/models/g-2:streamGenerateContent", StreamGenerateContent, Some("g-2"), None, "/v1/models/UP:streamGenerateContent"),
    ("POST", "/v1beta/models/g-2:streamGenerateContent", StreamGenerateContent, Some("g-2"), None, "/v1beta/models/UP:streamGenerateContent"),
    ("POST", "/v1/models/g-2:countTokens", GeminiCountTokens, Some("g-2"), None, "/v1/models/UP:countTokens"),
    ("POST", "/v1beta/models/g-2:countTokens", GeminiCountTokens, Some("g-2"), None, "/v1beta/models/UP:countTokens"),
    ("POST", "/v1/models/g-2:embedContent", EmbedContent, Some("g-2"), None, "/v1/models/UP:embedContent"),
    ("POST", "/v1beta/models/g-2:batchEmbedContents", BatchEmbedContents, Some("g-2"), None, "/v1beta/models/UP:batchEmbedContents"),
    ("POST", "/v2/embed", CohereEmbed, None, None, "/v2/embed"),
    ("POST", "/v2/rerank", CohereRerank, None, None, "/v2/rerank"),
    ("POST", "/api/embed", OllamaEmbed, None, None, "/api/embed"),
    ("POST", "/api/embeddings", OllamaEmbeddings, None, None, "/api/embeddings"),
    ("POST", "/model/amazon.titan-embed%3A0/invoke", Invoke, Some("amazon.titan-embed:0"), None, "/model/UP/invoke"),
    ("POST", "/model/us.anthropic.claude%3A0/invoke-with-response-stream", Messages, Some("us.anthropic.claude:0"), None, "/v1/messages"),
    ("POST", "/v1/projects/p/locations/l/publishers/google/models/g-2:generateContent", GenerateContent, Some("g-2"), None, "/v1beta/models/UP:generateContent"),
    ("POST", "/v1beta1/projects/p/locations/l/publishers/google/models/g-2:streamGenerateContent", StreamGenerateContent, Some("g-2"), None, "/v1beta/models/UP:streamGenerateContent"),
    ("POST", "/v1/projects/p/locations/l/publishers/google/models/g-2:countTokens", GeminiCountTokens, Some("g-2"), None, "/v1beta/models/UP:countTokens"),
    ("POST", "/v1/projects/p/locations/l/publishers/google/models/g-2:embedContent", EmbedContent, Some("g-2"), None, "/v1beta/models/UP:embedContent"),
    ("POST", "/v1/projects/p/locations/l/publishers/google/models/g-2:predict", Predict, Some("g-2"), None, "/v1beta/models/UP:predict"),
    ("POST", "/v1/projects/p/locations/l/publishers/anthropic/models/c@1:rawPredict", Messages, Some("c@1"), None, "/v1/messages"),
    ("POST", "/v1/projects/p/locations/l/publishers/anthropic/models/c@1:streamRawPredict", Messages, Some("c@1"), None, "/v1/messages"),
    ("POST", "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict", CountTokens, None, None, "/v1/messages/count_tokens"),
    ("POST", "/v1/projects/p/locations/l/endpoints/openapi/chat/completions", ChatCompletions, None, None, "/chat/completions"),
    ("POST", "/v1beta/tunedModels/mine:generateContent", GenerateContent, Some("mine"), None, "/v1beta/models/UP:generateContent"),
    ("POST", "/v1beta/models/models/g-2:generateContent", GenerateContent, Some("g-2"), None, "/v1beta/models/UP:generateContent"),
    ("POST", "/v1beta/models/org%2Fg%3A8b:generateContent", GenerateContent, Some("org/g:8b"), None, "/v1beta/models/UP:generateContent"),
    ("POST", "/v1/models/llama3:8b:countTokens", GeminiCountTokens, Some("llama3:8b"), None, "/v1/models/UP:countTokens"),
    ("GET", "/v1/models", Models, None, None, "/models"),
    ("GET", "/v1/models/gpt-5", ModelById, None, Some("gpt-5"), "/models/gpt-5"),
    ("GET", "/v1/models/llama3:8b", ModelById, None, Some("llama3:8b"), "/models/llama3:8b"),
    ("GET", "/v1/models/org/model", ModelById, None, Some("org/model"), "/models/org/model"),
    ("GET", "/v1/models/org%2fmodel%20x", ModelById, None, Some("org/model x"), "/models/org%2fmodel%20x"),
    ("GET", "/v1beta/models", Models, None, None, "/v1beta/models"),
    ("GET", "/v1beta/models/g-2", ModelById, None, Some("g-2"), "/v1beta/models/g-2"),
    ("GET", "/v1/files", Opaque, None, None, "/files"),
    ("POST", "/v1/files", Opaque, None, None, "/files"),
    ("GET", "/v1/files/file-1", Opaque, None, None, "/files/file-1"),
    ("DELETE", "/v1/files/file-1", Opaque, None, None, "/files/file-1"),
    ("GET", "/v1/files/file-1/content", Opaque, None, None, "/files/file-1/content"),
    ("POST", "/v1/uploads", Opaque, None, None, "/uploads"),
    ("POST", "/v1/uploads/u_1/parts", Opaque, None, None, "/uploads/u_1/parts"),
    ("POST", "/v1/uploads/u_1/complete", Opaque, None, None, "/uploads/u_1/complete"),
    ("POST", "/v1/uploads/u_1/cancel", Opaque, None, None, "/uploads/u_1/cancel"),
    ("GET", "/v1/batches", Opaque, None, None, "/batches"),
    ("POST", "/v1/batches", Opaque, None, None, "/batches"),
    ("GET", "/v1/batches/b_1", Opaque, None, None, "/batches/b_1"),
    ("POST", "/v1/batches/b_1/cancel", Opaque, None, None, "/batches/b_1/cancel"),
    ("GET", "/v1/realtime", Opaque, None, None, "/realtime"),
    ("POST", "/openai/v1/chat/completions", ChatCompletions, None, None, "/chat/completions"),
    ("POST", "/openai/v1/responses", Responses, None, None, "/responses"),
    ("GET", "/openai/v1/models", Models, None, None, "/models"),
    ("POST", "/openai/deployments/d-1/chat/completions", ChatCompletions, Some("d-1"), None, "/chat/completions"),
    ("POST", "/openai/deployments/d-1/completions", Completions, Some("d-1"), None, "/completions"),
    ("POST", "/openai/deployments/d%20x/embeddings", Embeddings, Some("d x"), None, "/embeddings"),
    ("POST", "/openai/deployments/d-1/images/generations", Images, Some("d-1"), None, "/images/generations"),
    ("POST", "/openai/deployments/d-1/images/edits", Images, Some("d-1"), None, "/images/edits"),
    ("POST", "/openai/deployments/d-1/audio/speech", Speech, Some("d-1"), None, "/audio/speech"),
    ("POST", "/openai/deployments/d-1/audio/transcriptions", Transcriptions, Some("d-1"), None, "/audio/transcriptions"),
    ("POST", "/openai/deployments/d-1/audio/translations", Transcriptions, Some("d-1"), None, "/audio/translations"),
];

fn hit(method: &str, path: &'static str) -> Result<Hit<'static>, PathError> {
    parse(&Method::from_bytes(method.as_bytes()).unwrap(), path, None)
}

#[test]
fn every_path_that_is_served_names_its_endpoint_and_its_path_upstream() {
    for (method, path, endpoint, model, id, upstream) in SERVED {
        let hit = hit(method, path).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert_eq!(hit.endpoint, *endpoint, "{path}");
        assert_eq!(hit.model.as_deref(), *model, "{path}");
        assert_eq!(hit.id.as_deref(), *id, "{path}");
        assert_eq!(hit.upstream_path("UP"), *upstream, "{path}");
        assert_eq!(hit.is_azure_shape, path.starts_with("/openai/"), "{path}");
        let is_gemini = path.starts_with("/v1beta/") || endpoint.dialect() == Dialect::Gemini;
        assert_eq!(hit.dialect == Dialect::Gemini, is_gemini, "{path}");
    }
}

/// Paths that look like ours, and are not.
const NOT_OURS: &[&str] = &[
    "",
    "v1/models",
    "/",
    "/v1",
    "/v1/",
    "/v2/models",
    "/v1/Chat/completions",
    "/V1/models",
    "/chat/completions",
    "/v1/chat/completions/",
    "/v1/chat",
    "/v1/models/",
    "//v1/models",
    "/v1//models",
    "/v1/./models",
    "/v1/x/../models",
    "/v1/files/..",
    "/v1/files/.hidden",
    "/v1/files/a/../b",
    "/v1/files/a/content/x",
    "/v1/files/a%2fb",
    "/v1/files/%2e%2e",
    "/v1/files/a%2Eb",
    "/v1/files/a%00",
    "/v1/files/a%0d%0aX:1",
    "/v1/files/a%5cb",
    "/v1/files/a\\b",
    "/v1/files/a%252e",
    "/v1/files/a%",
    "/v1/files/a%2",
    "/v1/files/a%+1",
    "/v1/files/a%zz",
    "/v1/files/a b",
    "/v1/files/a\tb",
    "/v1/files/a\0",
    "/v1/files/ä",
    "/v1/files/a;x=1",
    "/v1/files/a?b",
    "/v1/files/a#b",
    "/v1/%63hat/completions",
    "/v1/models/%2e%2e/x",
    "/v1/models/org%2F%2F",
    "/v1/models/%2Fetc",
    "/v1/models/a%2F..%2Fb",
    "/v1/models/a%ff",
    "/v1/responses/compact",
    "/v1/responses/r/other",
    "/v1/conversations/c/other",
    "/v1/conversations/c/items/m/x",
    "/v1/conversations//items",
    "/v1/conversations/c/items/a%2Fb",
    "/v1/responses/r/cancel/x",
    "/v1/responses/a%2Fb",
    "/v1/messages/batches",
    "/v1/realtime/client_secrets",
    "/v1/realtime/sessions",
    "/v1/audio/voices",
    "/v1/uploads/u",
    "/v1/fine_tuning/jobs",
    "/v1beta/openai/chat/completions",
    "/v1beta/chat/completions",
    "/v1beta/cachedContents",
    "/v1beta/tunedModels/x",
    "/v1alpha/models",
    "/openai/deployments/d",
    "/openai/deployments//chat/completions",
    "/openai/deployments/d/models",
    "/openai/deployments/d/files",
    "/openai/deployments/d/uploads",
    "/openai/deployments/d/responses",
    "/openai/deployments/d/responses/input_tokens",
    "/openai/deployments/d/conversations",
    "/openai/deployments/d/responses/r/cancel",
    "/openai/v1beta/models",
    "/openai/chat/completions",
    "/model/m/invoke-with-bidirectional-stream",
    "/v1/projects/p/locations/l/publishers/google/models/g:rawPredict",
    "/v1/projects/p/locations/l/publishers/anthropic/models/c:generateContent",
    "/v1/projects/p/locations/l/publishers/anthropic/models/c",
    "/v1/projects/p/locations/l/publishers/mistralai/models/m:rawPredict",
    "/v1/projects/p/regions/l/publishers/google/models/g:generateContent",
    "/v1/projects/p/locations/l/x/publishers/google/models/g:generateContent",
    "/v1/projects/p%2Fq/locations/l/publishers/google/models/g:generateContent",
    "/metrics",
];

#[test]
fn anything_else_is_not_found() {
    for path in NOT_OURS.iter().copied() {
        assert_eq!(hit("GET", path), Err(PathError::NotFound), "GET {path}");
        assert_eq!(hit("POST", path), Err(PathError::NotFound), "POST {path}");
    }
    for path in ["/v1/models/g:predict", "/v1beta/models/g:predict", "/v1beta/models/g", "/v1/models/gpt-5"] {
        assert_eq!(hit("POST", path), Err(PathError::NotFound), "{path}");
    }
}

#[test]
fn a_model_name_longer_than_a_client_may_send_names_nothing() {
    let longest = format!("/v1/models/{}", "a".repeat(256));
    assert!(parse(&Method::GET, &longest, None).is_ok());
    assert_eq!(parse(&Method::GET, &format!("{longest}a"), None), Err(PathError::NotFound));
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    for (method, path, allowed) in [
        ("GET", "/v1/chat/completions", "POST"),
        ("get", "/v1/models", "GET"),
        ("PUT", "/v1/messages", "POST"),
        ("POST", "/v1/models", "GET"),
        ("POST", "/v1/responses/r", "GET, DELETE"),
        ("GET", "/v1/conversations", "POST"),
        ("PATCH", "/v1/conversations/c", "GET, POST, DELETE"),
        ("DELETE", "/v1/conversations/c/items", "GET, POST"),
        ("POST", "/v1/conversations/c/items/m", "GET, DELETE"),
        ("GET", "/v1beta/models/g:generateContent", "POST"),
        ("POST", "/v1/realtime", "GET"),
        ("DELETE", "/v1/files", "GET, POST"),
    ] {
        assert_eq!(hit(method, path), Err(PathError::Method { allowed }), "{method} {path}");
    }
}

#[test]
fn a_query_that_could_break_a_request_line_is_not_found() {
    for query in ["a=b c", "a=\r\nx: y", "a=\0", "a=ä", "a=#"] {
        assert_eq!(parse(&Method::GET, "/v1/models", Some(query)), Err(PathError::NotFound), "{query:?}");
    }
}

#[test]
fn credentials_and_azures_version_stay_here_and_the_rest_of_a_query_goes_up_as_it_came() {
    let up = |path, query| parse(&Method::POST, path, Some(query)).unwrap().upstream_query(Some(query), "m");
    let gemini = "/v1beta/models/g:streamGenerateContent";
    assert_eq!(up("/v1/messages", "beta=true"), Some("beta=true".into()));
    assert_eq!(up(gemini, "alt=sse&key=AIza"), Some("alt=sse".into()));
    assert_eq!(up(gemini, "key=AIza"), None);
    assert_eq!(up(gemini, "%6bEy=AIza&%61lt=s%73e&&access_token=t"), Some("%61lt=s%73e".into()));
    assert_eq!(up(gemini, ""), None);
    assert_eq!(up("/v1/chat/completions", "api-version=1&model=x"), Some("api-version=1&model=x".into()));
    assert_eq!(up("/openai/deployments/d/chat/completions", "api-version=1&a=b"), Some("a=b".into()));
    assert_eq!(parse(&Method::GET, "/v1/models", None).unwrap().upstream_query(None, "m"), None);
}

#[test]
fn realtime_names_its_model_in_the_query_and_it_is_replaced_there() {
    let query = Some("model=alias&x=1&model=other");
    let hit = parse(&Method::GET, "/v1/realtime", query).unwrap();
    assert_eq!(hit.model.as_deref(), Some("alias"));
    assert_eq!(hit.upstream_query(query, "gpt realtime").as_deref(), Some("model=gpt%20realtime&x=1"));
    assert_eq!(parse(&Method::GET, "/v1/files/realtime", query).unwrap().model, None);
}

#[test]
fn an_upstream_model_is_escaped_into_the_path_and_cannot_leave_it() {
    let hit = hit("POST", "/v1beta/models/x:generateContent").unwrap();
    for (model, path) in [
        ("gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:generateContent"),
        ("models/g", "/v1beta/models/g:generateContent"),
        ("tunedModels/g", "/v1beta/tunedModels/g:generateContent"),
        ("org/g:8b", "/v1beta/models/org/g:8b:generateContent"),
        ("a b?c#d%é", "/v1beta/models/a%20b%3Fc%23d%25%C3%A9:generateContent"),
        ("../../admin", "/v1beta/models/%2E%2E%2F%2E%2E%2Fadmin:generateContent"),
    ] {
        assert_eq!(hit.upstream_path(model), path);
    }
}

#[test]
fn a_gemini_stream_is_events_only_where_the_query_says_so() {
    assert!(query::wants_sse(Some("alt=sse")));
    assert!(query::wants_sse(Some("key=x&%24alt=sse")));
    assert!(!query::wants_sse(Some("alt=json")));
    assert!(!query::wants_sse(None));
}

#[test]
fn a_refusal_of_an_unknown_path_has_the_shape_its_start_suggests() {
    assert_eq!(error_dialect("/v1beta/nope"), Dialect::Gemini);
    assert_eq!(error_dialect("/v1/messages/nope"), Dialect::Anthropic);
    assert_eq!(error_dialect("/v1/projects/p/nope"), Dialect::Gemini);
    assert_eq!(error_dialect("/v1/nope"), Dialect::OpenAi);
}

#[test]
fn only_paths_of_claudes_other_hosts_have_a_dress() {
    let dress = |path| hit("POST", path).unwrap().dress.map(|dress| (dress.host, dress.is_stream));
    let vertex = |end: &str| -> &'static str {
        Box::leak(format!("/v1/projects/p/locations/l/publishers/{end}").into_boxed_str())
    };
    for (path, expected) in [
        ("/model/m/invoke", Some((Host::BedrockInvoke, Some(false)))),
        ("/model/m/invoke-with-response-stream", Some((Host::BedrockInvoke, Some(true)))),
        ("/model/m/converse", None),
        (vertex("anthropic/models/c:rawPredict"), Some((Host::Vertex, Some(false)))),
        (vertex("anthropic/models/c:streamRawPredict"), Some((Host::Vertex, Some(true)))),
        (vertex("anthropic/models/count-tokens:rawPredict"), Some((Host::Vertex, None))),
        (vertex("google/models/g:generateContent"), None),
        ("/v1/messages", None),
    ] {
        assert_eq!(dress(path), expected, "{path}");
    }
    assert_eq!(hit("POST", "/model/m/invoke-with-response-stream").unwrap().dialect, Dialect::Bedrock);
    let invoked = hit("POST", "/model/m/invoke").unwrap();
    assert_eq!(invoked.upstream_path("UP"), "/model/UP/invoke");
    let undressed = invoked.undressed();
    assert_eq!((undressed.endpoint, &*undressed.upstream_path("UP")), (Messages, "/v1/messages"));
}
