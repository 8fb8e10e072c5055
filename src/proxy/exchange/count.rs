//! Tokens before and after a call: the reservation from a bound or an exact count, the local answer
//! of a token count, the estimate where an upstream reports nothing.

use super::chat_form::chat_form;
use super::prepare::Prepared;
use crate::dialect::tap;
use crate::meter::{Count, Family};
use crate::proxy::context::Ctx;
use crate::runtime::{Edge, ModelPolicy, Runtime};
use crate::telemetry::CountKind;
use crate::types::{Endpoint, Reason, Reject, Usage};
use bytes::Bytes;

/// Above this a body is counted off the worker: counting must not hold up streams.
const INLINE_COUNT_BYTES: usize = 64 * 1024;
/// What is kept of a long answer to find its usage in.
const TAIL_BYTES: usize = 64 * 1024;

/// Counts the prompt and takes it from the key's tokens per minute. The bound decides where it can;
/// the exact count runs where the bound does not fit, or where the model or the request asks.
///
/// # Errors
/// The limit's refusal; the request then uses nothing up.
pub async fn reserve(
    edge: &Edge,
    ctx: &mut Ctx,
    policy: &ModelPolicy,
    prepared: &Prepared<'_>,
) -> Result<(), Reject> {
    if !is_counted(prepared.endpoint) {
        return Ok(());
    }
    let family = policy.family(0, &prepared.model);
    if !policy.is_counted_exactly && !asks_exact(prepared) {
        let bound = bound(&ctx.runtime, family, prepared);
        ctx.record.counted_input = Some(bound);
        edge.metrics.counting.inc(CountKind::Bound);
        match take(edge, ctx, bound) {
            Ok(()) => return Ok(()),
            // The bound is above the truth: only the exact count may refuse.
            Err(_) => edge.metrics.counting.inc(CountKind::Exact),
        }
    } else {
        edge.metrics.counting.inc(CountKind::Exact);
    }
    let exact = Box::pin(exact(ctx, policy, family, prepared)).await?;
    ctx.record.counted_input = Some(exact);
    take(edge, ctx, exact).inspect_err(|_| {
        if let Some(caller) = ctx.caller.take() {
            caller.reservation.cancel();
        }
    })
}

fn take(edge: &Edge, ctx: &mut Ctx, tokens: u64) -> Result<(), Reject> {
    match &mut ctx.caller {
        Some(caller) => caller.reservation.reserve(tokens, edge.now()).map_err(Reject::from),
        None => Ok(()),
    }
}

async fn exact(
    ctx: &Ctx,
    policy: &ModelPolicy,
    family: Family,
    prepared: &Prepared<'_>,
) -> Result<u64, Reject> {
    match counted(&ctx.runtime, policy, family, prepared).await {
        Some(Ok(count)) => Ok(count.upper),
        Some(Err(fault)) => Err(malformed(&fault)),
        None => Err(Reject::new(Reason::Internal, "the prompt could not be counted")),
    }
}

/// The exact count, off the worker where the body is long. None where the process ends meanwhile.
async fn counted(
    runtime: &Runtime,
    policy: &ModelPolicy,
    family: Family,
    prepared: &Prepared<'_>,
) -> Option<Result<Count, String>> {
    let counter = runtime.counter.clone();
    let (endpoint, body) = (prepared.endpoint, prepared.body.clone());
    let model = upstream_name(policy, prepared);
    let is_short = body.len() <= INLINE_COUNT_BYTES;
    let count = move || {
        let counted = match chat_form(endpoint, &model, &body) {
            None => counter.count(endpoint, family, &model, &body),
            Some(chat) => counter.count(Endpoint::ChatCompletions, family, &model, &chat?),
        };
        counted.map_err(|error| error.to_string())
    };
    if is_short { Some(count()) } else { tokio::task::spawn_blocking(count).await.ok() }
}

/// Never below the count.
fn bound(runtime: &Runtime, family: Family, prepared: &Prepared<'_>) -> u64 {
    let (counter, body) = (&runtime.counter, &prepared.body);
    // Ollama's list of images has one key for all of them: each has its own in a chat.
    let has_list =
        prepared.endpoint == Endpoint::OllamaChat && memchr::memmem::find(body, b"\"images\"").is_some();
    let own = counter.bound(prepared.endpoint, family, body);
    match chat_form(prepared.endpoint, &prepared.model, body).filter(|_| has_list) {
        Some(Ok(chat)) => own.max(counter.bound(Endpoint::ChatCompletions, family, &chat)),
        _ => own,
    }
}

/// The body is JSON (its head was read), but not the shape the endpoint takes: the provider would
/// refuse it too, and what cannot be counted cannot be held to a limit.
fn malformed(fault: &str) -> Reject {
    Reject::new(Reason::InvalidRequest, format!("the request's prompt cannot be counted: {fault}"))
}

fn upstream_name(policy: &ModelPolicy, prepared: &Prepared<'_>) -> String {
    let target = policy.targets.first().and_then(|target| target.model.clone());
    target.unwrap_or_else(|| prepared.model.clone())
}

fn is_counted(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::ChatCompletions
            | Endpoint::Completions
            | Endpoint::Responses
            | Endpoint::Messages
            | Endpoint::GenerateContent
            | Endpoint::StreamGenerateContent
            | Endpoint::Converse
            | Endpoint::ConverseStream
            | Endpoint::CohereChat
            | Endpoint::OllamaChat
    ) || endpoint.embeds()
}

/// A client may ask for the exact count in `x-tidegate-input-tokens`.
fn asks_exact(prepared: &Prepared<'_>) -> bool {
    prepared.counts_exactly
}

/// The answer to a token count, where the provider's own counter is not to be asked.
pub async fn local_answer(
    runtime: &Runtime,
    ctx: &Ctx,
    policy: &ModelPolicy,
    prepared: &Prepared<'_>,
) -> Option<Bytes> {
    if !prepared.endpoint.is_count() {
        return None;
    }
    let target = policy.targets.first()?;
    let provider = runtime.providers.get(target.provider)?;
    if provider.counts_tokens_upstream
        && provider.lane(prepared.endpoint, &upstream_name(policy, prepared)).is_some()
    {
        return None;
    }
    counted_here(ctx, policy, prepared).await
}

/// The answer to a token count by our own counter; None for anything else, and for what it cannot
/// count.
pub async fn counted_here(ctx: &Ctx, policy: &ModelPolicy, prepared: &Prepared<'_>) -> Option<Bytes> {
    let field = match prepared.endpoint {
        Endpoint::CountTokens => "input_tokens",
        Endpoint::GeminiCountTokens => "totalTokens",
        Endpoint::BedrockCountTokens => "inputTokens",
        _ => return None,
    };
    let family = policy.family(0, &prepared.model);
    let count = counted(&ctx.runtime, policy, family, prepared).await?.ok()?;
    Some(Bytes::from(format!("{{\"{field}\":{}}}", count.tokens)))
}

/// The prompt's likeliest number of tokens, for a call whose upstream reported none. Never the bound,
/// which may be far above the truth. Zero for an endpoint whose prompt is not counted in tokens.
pub async fn prompt(runtime: &Runtime, policy: &ModelPolicy, prepared: &Prepared<'_>) -> u64 {
    if !is_counted(prepared.endpoint) {
        return 0;
    }
    let family = policy.family(0, &prepared.model);
    match counted(runtime, policy, family, prepared).await {
        Some(Ok(count)) => count.tokens,
        _ => bound(runtime, family, prepared),
    }
}

/// Usage counted here, for an endpoint that should report some and did not.
pub async fn estimate(
    runtime: &Runtime,
    policy: &ModelPolicy,
    prepared: &Prepared<'_>,
    body: &[u8],
) -> Option<Usage> {
    if !is_counted(prepared.endpoint) {
        return None;
    }
    let family = policy.family(0, &prepared.model);
    let mut output = runtime.counter.output(family);
    tap::for_each_output_text(prepared.endpoint, body, &mut |text| output.push(text));
    let output = output.total();
    let input = prompt(runtime, policy, prepared).await;
    Some(Usage { input, output, is_estimated: true, ..Usage::default() })
}

/// The last bytes of a long answer.
pub struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    pub fn new(begun: &[u8]) -> Self {
        let mut tail = Self { bytes: Vec::with_capacity(2 * TAIL_BYTES) };
        tail.push(begun);
        tail
    }

    pub fn push(&mut self, chunk: &[u8]) {
        let from = chunk.len().saturating_sub(TAIL_BYTES);
        self.bytes.extend_from_slice(chunk.get(from..).unwrap_or_default());
        if self.bytes.len() > 2 * TAIL_BYTES {
            self.bytes.drain(..self.bytes.len() - TAIL_BYTES);
        }
    }

    /// The last `"usage"` object of the body, read as the endpoint's.
    pub fn usage(&self, endpoint: Endpoint) -> Option<Usage> {
        // Their names in the dialects that have no streams of it.
        const NAMES: [&[u8]; 5] = [
            b"\"usage\"",
            b"\"usageMetadata\"",
            b"\"meta\"",
            b"\"prompt_eval_count\"",
            b"\"inputTextTokenCount\"",
        ];
        let at = NAMES.iter().find_map(|name| memchr::memmem::rfind(&self.bytes, name))?;
        let mut tail = b"{".to_vec();
        tail.extend_from_slice(self.bytes.get(at..)?);
        tap::read_body(endpoint, &tail).usage
    }
}
