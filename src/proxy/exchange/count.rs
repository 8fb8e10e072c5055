//! Tokens before and after a call: the reservation from a bound or an exact count, the local answer
//! of a token count, the estimate where an upstream reports nothing.

use super::chat_form::chat_form;
use super::prepare::Prepared;
use crate::dialect::tap;
use crate::govern::OnExhausted;
use crate::limits::{self, Ask, Refusal, Stage};
use crate::meter::{Count, Family};
use crate::proxy::context::Ctx;
use crate::proxy::cost;
use crate::proxy::patience::patiently;
use crate::runtime::{Edge, ModelPolicy, Runtime};
use crate::telemetry::CountKind;
use crate::types::{Endpoint, Reason, Reject, Usage};
use bytes::Bytes;

/// Above this a body is counted off the worker: counting must not hold up streams.
const INLINE_COUNT_BYTES: usize = 64 * 1024;
/// Bytes of a body a token has at least on average, where nothing here can count it.
const BYTES_PER_TOKEN: u64 = 3;
/// What is kept of a long answer to find its usage in.
const TAIL_BYTES: usize = 64 * 1024;

/// Why a call does not go on as it is.
pub enum Turned {
    Refused(Reject),
    /// Its budget is spent, and this model may serve it instead.
    Downgrade(String),
}

/// Counts the prompt and takes it, with the expected answer, from the caller's limits and budgets. The
/// bound decides where it can; the exact count runs where the bound does not fit, or where the model
/// or the request asks.
///
/// # Errors
/// The refusal; the request then uses nothing up, unless another model is to serve it.
pub async fn reserve(
    edge: &Edge,
    ctx: &mut Ctx,
    policy: &ModelPolicy,
    prepared: &Prepared<'_>,
) -> Result<(), Turned> {
    if !prepared.endpoint.is_charged() {
        return Ok(());
    }
    if !is_counted(prepared.endpoint) {
        let bound = prepared.body.len() as u64 / BYTES_PER_TOKEN + 1;
        return take(edge, ctx, policy, prepared, bound).await.map_err(|refusal| turned(edge, ctx, refusal));
    }
    let family = policy.family(0, &prepared.model);
    let wants_exact = policy.is_counted_exactly || asks_exact(prepared);
    if !wants_exact || edge.overload.sheds(Stage::Counts) {
        let bound = bound(&ctx.runtime, family, prepared);
        ctx.record.counted_input = Some(bound);
        edge.metrics.counting.inc(CountKind::Bound);
        match take(edge, ctx, policy, prepared, bound).await {
            Ok(()) => return Ok(()),
            // The bound is above the truth: only the exact count may refuse.
            Err(Refusal::Limit(_) | Refusal::Budget(_)) => edge.metrics.counting.inc(CountKind::Exact),
            Err(refusal) => return Err(turned(edge, ctx, refusal)),
        }
    } else {
        edge.metrics.counting.inc(CountKind::Exact);
    }
    let exact = Box::pin(exact(ctx, policy, family, prepared)).await.map_err(Turned::Refused)?;
    ctx.record.counted_input = Some(exact);
    take(edge, ctx, policy, prepared, exact).await.map_err(|refusal| turned(edge, ctx, refusal))
}

/// Takes all that a prompt of `prompt` tokens and its answer need.
async fn take(
    edge: &Edge,
    ctx: &mut Ctx,
    policy: &ModelPolicy,
    prepared: &Prepared<'_>,
    prompt: u64,
) -> Result<(), Refusal> {
    let runtime = ctx.runtime.clone();
    let Some(caller) = &mut ctx.caller else { return Ok(()) };
    let Some(chain) = caller.reservation.chain() else { return Ok(()) };
    let model = prepared.model.as_str();
    let (output, is_stated) = expected_output(&runtime, policy, prepared);
    let needs_price = chain.needs_price(model);
    let price = needs_price.then(|| cost::price(&runtime, policy, model, prompt)).flatten();
    let margin_bp = caller.margin_bp;
    let ask = Ask {
        model,
        prompt,
        output,
        is_stated,
        slice: if prepared.is_stream { output.min(limits::SLICE) } else { output },
        price: price.map(|price| price.with_margin(margin_bp)),
        bound: runtime.price_bound.with_margin(margin_bp),
        now: edge.now(),
        wall: edge.wall.unix_ms() / 1000,
        may_wait: true,
    };
    let reservation = &mut caller.reservation;
    patiently(edge, runtime.limits.till(), |may_wait| {
        reservation.reserve(&Ask { now: edge.now(), may_wait, ..ask })
    })
    .await
}

/// Tokens of the answer, all choices together, and whether the client said so.
fn expected_output(runtime: &Runtime, policy: &ModelPolicy, prepared: &Prepared<'_>) -> (u64, bool) {
    if !prepared.endpoint.generates() {
        return (0, true);
    }
    let stated = prepared.head.as_ref().and_then(|head| head.max_output);
    let choices = prepared.head.as_ref().map_or(1, |head| head.n);
    let one = match stated {
        Some(most) => most,
        None => {
            let at_most = cost::output_max(runtime, policy, &prepared.model).unwrap_or(u64::MAX);
            runtime.expected_output.min(at_most)
        }
    };
    (one.saturating_mul(choices), stated.is_some())
}

/// What becomes of a call that was refused: another model, or the refusal, for which it gives
/// everything back.
fn turned(edge: &Edge, ctx: &mut Ctx, refusal: Refusal) -> Turned {
    if let Refusal::Budget(exhausted) = &refusal
        && let OnExhausted::Downgrade(model) = &exhausted.on_exhausted
        && ctx.record.downgraded_to.is_none()
    {
        return Turned::Downgrade(model.clone());
    }
    if let Some(caller) = &mut ctx.caller {
        ctx.told = Some(caller.reservation.snapshot(edge.now()));
        caller.cancel();
    }
    Turned::Refused(refusal.into())
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
    // With the history that is kept here nobody else can count it.
    if provider.counts_tokens_upstream
        && prepared.recalled.is_none()
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
        Endpoint::ResponseTokens => "object\":\"response.input_tokens\",\"input_tokens",
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
