//! A request becomes an answer: endpoint, model, wishes, then the dialect's own file.

use std::sync::Arc;
use std::time::Duration;

use crate::types::Dialect;

use super::anthropic::{self, MessageStream};
use super::ask::Ask;
use super::audio;
use super::chat::{self, ChatStream};
use super::cohere::{self, CohereStream};
use super::completions::{self, CompletionStream};
use super::converse::{self, ConverseStream};
use super::directives::{Directives, millis};
use super::embeddings::Wish;
use super::errors;
use super::event::EventSource;
use super::faults::Fault;
use super::gemini::{self, GenerateStream};
use super::identity;
use super::job::{Job, Wishes};
use super::models::{self, Shape};
use super::ollama::{self, LineStream};
use super::openai_misc;
use super::reply::{Answer, Reply, Streamed, Style, Whole};
use super::request::Head;
use super::responses::{Draft, Stage};
use super::responses_stream::ResponseStream;
use super::route::{Route, Routed, is_claude, route};
use super::scenario::Live;
use super::shared::Shared;
use super::stats::Stats;
use super::strict;
use super::text::{hash, mix};
use super::websocket;

/// How far ahead a `retry-after` date may lie.
const DATE_AHEAD_SECS_MAX: u64 = 1 << 30;

/// A request on its way to an answer.
struct Call<'a> {
    shared: &'a Shared,
    head: &'a Head,
    body: &'a [u8],
    routed: Routed<'a>,
    dialect: Dialect,
}

/// Decides the answer to a request. Never waits.
pub fn answer(shared: &Shared, head: &Head, body: &[u8]) -> Answer {
    if let Some(whole) = identity::answer(shared, head, body) {
        let delay_first = shared.scenario().tokens.delay_ms.map(millis);
        let directives = Directives { delay_first, ..Directives::default() };
        let whole = Reply::Whole(whole);
        return Answer { reply: whole, dialect: Dialect::OpenAi, directives, engine: None, inside: None };
    }
    let routed = route(head.path());
    let is_cohere = routed.route == Route::Rerank && head.path().starts_with("/v2/");
    let dialect = if is_cohere { Dialect::Cohere } else { routed.route.dialect() };
    let call = Call { shared, head, body, routed, dialect };
    let scenario = shared.scenario();
    let is_json = routed.route.takes_json() && !body.is_empty() && !body.starts_with(b"--") && !head.is_coded;
    let read = if is_json { Ask::read(body) } else { Ok(Ask::default()) };
    let (ask, unreadable) = match read {
        Ok(ask) => (ask, None),
        Err(wrong) => (Ask::default(), Some(wrong)),
    };
    let model = model_name(&call, &ask);
    let mut directives = wishes(&call, &scenario, &model);
    if !directives.faults.is_empty() {
        directives.faults.decide(mix(scenario.seed.unwrap_or(0) ^ hash(body)));
    }
    if !model.is_empty() && !model.starts_with('/') {
        shared.stats.count_model(&model);
    }
    let inside = match directives.capacity.as_ref().map(|capacity| (capacity, capacity.enter())) {
        Some((capacity, None)) => return call.beyond(capacity.status),
        inside => inside.and_then(|(_, inside)| inside),
    };
    let failed = refusal(&call, &ask, &model, unreadable, &directives);
    let engine = scenario.engine.clone().filter(|_| failed.is_none() && call.routed.route.generates());
    let prefill = engine.as_ref().map(|engine| engine.prefill(&ask)).unwrap_or_default();
    let reply = match failed {
        Some(whole) => Reply::Whole(whole),
        None => call.dispatch(&ask, &model, &directives, (&scenario, prefill.cached_tokens)),
    };
    if !prefill.delay.is_zero() {
        directives.delay_first = Some(directives.delay_first.unwrap_or_default() + prefill.delay);
    }
    Answer { reply, dialect: call.dialect, directives, engine, inside }
}

fn model_name(call: &Call<'_>, ask: &Ask<'_>) -> String {
    if let Some(model) = call.routed.model {
        return decoded(model);
    }
    if let Some(model) = &ask.model {
        return model.clone();
    }
    if call.body.starts_with(b"--") {
        audio::form_field(call.body, "model").unwrap_or("").to_owned()
    } else {
        call.routed.route.own_name().to_owned()
    }
}

/// A model as a path names it, percent-decoded.
fn decoded(name: &str) -> String {
    let mut parts = name.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(b'%'));
        bytes
            .extend_from_slice(part.get(if code.is_some() { 2 } else { 0 }..).unwrap_or_default().as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn wishes(call: &Call<'_>, scenario: &Arc<Live>, model: &str) -> Directives {
    let credential = if scenario.has_keys() { call.head.credential() } else { None };
    call.head.directives.clone().or(scenario.directives(credential.as_deref(), model))
}

/// What is answered instead of a result: scripted statuses first, then real mistakes.
fn refusal(
    call: &Call<'_>,
    ask: &Ask<'_>,
    model: &str,
    unreadable: Option<String>,
    directives: &Directives,
) -> Option<Whole> {
    if let Some(wrong) = &call.head.wrong_directive {
        return Some(call.error(400, wrong, None));
    }
    let status = directives.faults.status();
    if directives.faults.has(Fault::EchoHeaders) {
        let headers: Vec<String> =
            call.head.headers().into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        return Some(call.error(status.unwrap_or(500), &format!("you sent {}", headers.join("; ")), None));
    }
    if let Some(status) = status {
        let mut whole =
            call.error(status, "The simulator was asked for this status.", directives.retry_after.as_deref());
        whole.headers.extend(directives.retry_after.as_deref().map(|value| retry_after(call.shared, value)));
        return Some(whole);
    }
    if directives.checks_auth
        && let Some((status, why)) = identity::refused(call.shared, call.head, call.body)
    {
        return Some(call.error(status, &why, None));
    }
    if call.head.is_coded {
        return Some(call.error(415, "content-encoding is not read here", None));
    }
    if let Some(wrong) = unreadable {
        return Some(call.error(400, &wrong, None));
    }
    if directives.faults.has(Fault::RejectStreamOptions) && ask.stream_options.is_some() {
        return Some(call.error(400, "Unknown parameter: 'stream_options'.", None));
    }
    let is_wrong_method = call.routed.route.method().is_some_and(|method| method != call.head.method);
    if is_wrong_method || call.routed.route == Route::Unknown {
        return Some(call.error(
            404,
            &format!("no such endpoint: {} {}", call.head.method, call.head.path()),
            None,
        ));
    }
    if call.routed.route.needs_model() && ask.model.is_none() && call.routed.model.is_none() {
        return Some(call.error(400, "you must provide a model parameter", None));
    }
    let is_strict = directives.is_strict && call.routed.route.takes_json();
    let refused =
        if is_strict { strict::refused(call.routed.route, model, call.head, call.body) } else { None };
    refused.map(|message| call.error(400, &message, None))
}

fn retry_after(shared: &Shared, value: &str) -> (&'static str, String) {
    if let Some(millis) = value.strip_prefix("ms:") {
        return ("retry-after-ms", millis.to_owned());
    }
    let ahead = value.strip_prefix("date:").and_then(|seconds| seconds.parse::<u64>().ok());
    let date =
        ahead.map(|seconds| shared.clock.http_date(Duration::from_secs(seconds.min(DATE_AHEAD_SECS_MAX))));
    ("retry-after", date.unwrap_or_else(|| value.to_owned()))
}

impl Call<'_> {
    fn error(&self, status: u16, message: &str, retry_after: Option<&str>) -> Whole {
        errors::whole(self.dialect, status, message, self.shared.ids.next(), retry_after)
    }

    /// The answer to a call beyond what can be done at once: without any delay.
    fn beyond(&self, status: u16) -> Answer {
        Stats::add(&self.shared.stats.refused, 1);
        let mut whole = self.error(status, "The server has too much to do.", None);
        whole.headers.push(("retry-after", "1".to_owned()));
        let directives = Directives::default();
        Answer { reply: Reply::Whole(whole), dialect: self.dialect, directives, engine: None, inside: None }
    }

    fn dispatch(
        &self,
        ask: &Ask<'_>,
        model: &str,
        directives: &Directives,
        (scenario, cached_tokens): (&Live, u64),
    ) -> Reply {
        let has_usage = !directives.faults.has(Fault::NoUsage);
        let is_messages = matches!(self.routed.route, Route::Messages | Route::InvokeStream | Route::Invoke);
        let tokens = directives.tokens;
        let wishes = Wishes { seed: scenario.seed, tokens, has_usage, cached_tokens, is_messages };
        let job = || {
            let job = Job::new(self.shared, ask, self.body, model, wishes);
            Stats::add(&self.shared.stats.prompt_tokens, job.prompt_tokens);
            job
        };
        let is_stream = ask.stream == Some(true);
        let style = |source: Box<dyn EventSource>, style| Reply::Stream(Streamed { source, style });
        let wants_usage = ask.wants_usage_in_stream();
        match self.routed.route {
            Route::Chat if is_stream => sse(ChatStream::new(job(), wants_usage)),
            Route::Chat => Reply::Whole(chat::whole(&job())),
            Route::Completions if is_stream => sse(CompletionStream::new(job(), wants_usage)),
            Route::Completions => Reply::Whole(completions::whole(&job())),
            Route::Responses => self.response(Draft::new(job(), ask), is_stream),
            Route::Messages if is_stream => sse(MessageStream::new(job())),
            Route::Messages => Reply::Whole(anthropic::whole(&job())),
            Route::Gemini(_, "streamGenerateContent") => self.gemini_stream(GenerateStream::new(job())),
            Route::Gemini(_, "generateContent") => Reply::Whole(gemini::whole(&job())),
            Route::ConverseStream => style(Box::new(ConverseStream::new(job())), Style::EventStream),
            Route::Converse => Reply::Whole(converse::whole(&job())),
            Route::InvokeStream => style(Box::new(MessageStream::new(job())), Style::Invoke),
            Route::Invoke if is_claude(model) => Reply::Whole(anthropic::whole(&job())),
            Route::CohereChat if is_stream => sse(CohereStream::new(job())),
            Route::CohereChat => Reply::Whole(cohere::whole(&job())),
            // It streams unless it is told not to.
            Route::OllamaChat if ask.stream != Some(false) => {
                style(Box::new(LineStream::new(job())), Style::Lines)
            }
            Route::OllamaChat => Reply::Whole(ollama::whole(&job())),
            Route::Realtime => websocket::offered(self.head),
            Route::Health => Reply::Whole(Whole::text(String::new())),
            Route::Metrics => Reply::Whole(match &scenario.engine {
                Some(engine) => Whole::text(engine.exposition()),
                None => self.error(404, "no engine: the scenario has none", None),
            }),
            Route::Gemini(_, "countTokens") => Reply::Whole(gemini::count(job().prompt_tokens)),
            _ => {
                let job = job();
                let vectors = self.vectors(&job);
                Reply::Whole(vectors.unwrap_or_else(|| self.small(ask, &job, model)))
            }
        }
    }

    /// Vectors and rankings; None where the route, or Bedrock's model, makes neither.
    fn vectors(&self, job: &Job) -> Option<Whole> {
        let body = serde_json::from_slice(self.body).unwrap_or_default();
        let wish = Wish { job, body: &body };
        match self.routed.route {
            Route::Gemini(..) => Some(wish.gemini()),
            Route::Embeddings => Some(wish.openai()),
            Route::CohereEmbed => Some(wish.cohere()),
            Route::OllamaEmbed => Some(wish.ollama()),
            Route::OllamaEmbeddings => Some(wish.ollama_one()),
            Route::Rerank => Some(wish.ranked(self.dialect == Dialect::Cohere)),
            Route::Invoke => wish.invoke(),
            _ => None,
        }
    }

    /// Endpoints that never stream.
    fn small(&self, ask: &Ask<'_>, job: &Job, model: &str) -> Whole {
        match self.routed.route {
            Route::CountTokens => anthropic::count(job.prompt_tokens),
            Route::BedrockCount => Whole::json(format!(r#"{{"inputTokens":{}}}"#, job.prompt_tokens)),
            Route::Moderations => openai_misc::moderations(job, ask),
            Route::Images => openai_misc::images(job, ask.n),
            Route::Speech => audio::speech(ask),
            Route::Transcriptions => audio::transcription(job, self.body),
            Route::Files(rest) => {
                openai_misc::files(&self.head.method, rest, job.id, job.created, self.body.len())
            }
            Route::Models => models::list(self.shape()),
            Route::ModelById(name) => models::one(self.shape(), name),
            Route::ResponseTokens => Whole::json(format!(
                r#"{{"object":"response.input_tokens","input_tokens":{}}}"#,
                job.prompt_tokens
            )),
            Route::ResponseById(id, tail) => self.stored(id, tail),
            _ => self.error(404, &format!("no such endpoint for {model}"), None),
        }
    }

    fn response(&self, draft: Draft, is_stream: bool) -> Reply {
        if let Some(id) = draft.stored_id() {
            let mut json = String::new();
            draft.put(Stage::Ended, &mut json);
            self.shared.responses.put(id, json);
        }
        if is_stream { sse(ResponseStream::new(draft)) } else { Reply::Whole(draft.whole()) }
    }

    fn stored(&self, id: &str, tail: &str) -> Whole {
        let missing = || {
            let message = format!("Response with id '{id}' not found.");
            self.error(404, &message, None)
        };
        match (self.head.method.as_str(), tail) {
            ("GET", "") | ("POST", "cancel") => {
                self.shared.responses.get(id).map_or_else(missing, Whole::json)
            }
            ("DELETE", "") if self.shared.responses.delete(id) => {
                Whole::json(serde_json::json!({"id": id, "object": "response", "deleted": true}).to_string())
            }
            ("GET", "input_items") if self.shared.responses.get(id).is_some() => Whole::json(
                r#"{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}"#.to_owned(),
            ),
            _ => missing(),
        }
    }

    fn gemini_stream(&self, source: GenerateStream) -> Reply {
        let style = if self.head.query("alt") == Some("sse") { Style::SseCrlf } else { Style::JsonArray };
        Reply::Stream(Streamed { source: Box::new(source), style })
    }

    fn shape(&self) -> Shape {
        if self.routed.is_beta || self.head.header("x-goog-api-key").is_some() {
            Shape::Gemini
        } else if self.head.header("anthropic-version").is_some() {
            Shape::Anthropic
        } else {
            Shape::OpenAi
        }
    }
}

fn sse(source: impl EventSource + 'static) -> Reply {
    Reply::Stream(Streamed { source: Box::new(source), style: Style::Sse })
}
