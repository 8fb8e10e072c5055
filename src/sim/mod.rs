//! The upstream simulator: `tidegate sim`, the provider behind `tidegate quickstart`, the upstream
//! of the tests and of the load measurements.
//!
//! It speaks OpenAI (chat, completions, responses, embeddings, moderations, rerank, images, audio,
//! files, models, realtime WebSocket, Azure deployment paths), Anthropic, Gemini, Bedrock (Converse, `invoke` of embedding and rerank models),
//! Cohere v2 (chat, embed, rerank) and Ollama (chat, embed), over HTTP/1.1 of its own: one task a connection, one write an answer. It is not a model and not a mock of this
//! project's modules: everything goes through a real socket.
//!
//! **Answers.** Words of a fixed list, each exactly one o200k token, so that usage is honest:
//! completion tokens = words. As many words as the request's limit (`max_tokens`,
//! `max_completion_tokens`, `max_output_tokens`, `generationConfig.maxOutputTokens`; then the answer
//! ends for length), 16 where there is none. A limit above 8192 is a ceiling, not a wish: 64 words.
//! `x-sim-tokens` wishes a length below the limit. The words depend on the seed: the body's `seed`,
//! else the scenario's, else a hash of the conversation alone, so a changed model name or stream
//! option changes no word. Prompt tokens are what the [`PromptCounter`] says, else body bytes / 4.
//! Tools are called when `tool_choice` forces one, or when the last user text has the word "weather": the
//! one it names, else the first.
//! Where a schema is asked for, the answer is a JSON document of it. Where the request holds the beginning of
//! its answer (Anthropic's last turn of the assistant, `prefix`, `partial`, `continue_final_message`), the
//! answer goes on where that ends.
//!
//! **Faults.** See [`HELP`]: by `x-sim-*` header, by scenario file, or by a queue of scripted answers.
//!
//! Invariant: whatever a client sends, the simulator's memory is bounded and no other connection
//! notices.

mod anthropic;
mod ask;
mod audio;
mod base64;
mod capacity;
mod capture;
mod chat;
mod clock;
mod cohere;
mod completions;
mod connection;
mod control;
mod converse;
mod directives;
mod document;
mod embeddings;
mod engine;
mod errors;
mod event;
mod faults;
mod gemini;
mod identity;
mod ids;
mod job;
mod json;
mod models;
mod ollama;
mod openai_misc;
mod play_script;
mod play_stream;
mod play_whole;
mod prefill;
mod reply;
mod request;
mod response_store;
mod responses;
mod responses_stream;
mod route;
mod router;
mod scenario;
mod script;
mod server;
mod sha1;
mod shared;
mod stats;
mod strict;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_dialects;
mod text;
mod tokens;
mod tools;
mod vectors;
mod websocket;
mod wire;
mod words;

use std::net::SocketAddr;

pub use capture::Captured;
pub use clock::SimClock;
pub use engine::EngineOptions;
pub use faults::{Fault, Faults};
pub use identity::TokenBehaviour;
pub use scenario::{Behaviour, Scenario};
pub use script::{ScriptEnd, ScriptFraming, ScriptedReply, Split};
pub use server::{SimHandle, run, start};
pub use stats::StatsSnapshot;
pub use tokens::PromptCounter;

/// How to run a simulator.
pub struct SimOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Threads, each with an event loop of its own; at least one.
    pub threads: usize,
    pub scenario: Scenario,
    /// Whether requests are kept for `/sim/requests`. Off for load: keeping costs a copy and a hash.
    pub capture: bool,
    /// Counts prompt tokens of a request body; `None` is bytes / 4, rounded up.
    pub counter: Option<PromptCounter>,
}

impl Default for SimOptions {
    /// A free port of the loopback interface, one thread, no faults, requests kept: fit for tests.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            threads: 1,
            scenario: Scenario::default(),
            capture: true,
            counter: None,
        }
    }
}

/// What `tidegate sim --help` and `GET /` on a simulator show.
pub const HELP: &str = "\
Examples:
  tidegate sim --listen 127.0.0.1:8081
  curl 127.0.0.1:8081/v1/chat/completions -H 'x-sim-fault: status:429' -H 'x-sim-retry-after: 2' -d '{\"model\":\"m\",\"messages\":[]}'

Request headers (they win over the scenario; a gateway passes them on):
  x-sim-tokens: N              answer N words (at most the request's own limit)
  x-sim-delay-first-ms: MS     wait before the first content event (streams) or the answer
  x-sim-delay-token-ms: MS     wait before each further content event (answers: per word)
  x-sim-strict: 1              refuse with 400 what the vendor refuses (below)
  x-sim-auth: 1                refuse calls on paths of Bedrock, Vertex and Azure without a good credential
  x-sim-stamp: 1               each stream event carries \"sim_ns\": CLOCK_MONOTONIC at its write
  x-sim-retry-after: 7         retry-after: 7 with a failing status; an HTTP date passes as it is;
                               ms:1500 sends retry-after-ms: 1500; date:5 a date 5 s ahead
  x-sim-fault: F[,F...]        one or more of:
    refuse                reset the connection at once
    black-hole            read the request, never answer
    status:N              answer N with the dialect's error body
    slow-header:MS        half a status line, then MS of silence
    slow-drip:MS          one body byte every MS
    reset-after:N         reset after N content events (answers: after N body bytes)
    close-after:N         close without the last chunk after N content events (answers: bytes)
    end-after:N           end the HTTP body properly after N content events
    error-after:N         the dialect's error event inside the 200 after N content events
    break-within:N        one of these four after 1 to N content events, drawn by the seed and the request
    malformed-sse         a broken event after the first content event
    split-every-byte      one write and one chunk per body byte
    wrong-content-length:+N or -N   (+: closes after the body)
    both-lengths          content-length and transfer-encoding together
    huge-line:BYTES       pad the first content event (or the answer) to BYTES
    hold                  send up to the first content event, then hold until the client leaves
    not-json              200 with an HTML page
    empty                 200 with no body
    no-terminal           all content, proper HTTP end, no finish and no terminal event
    no-done               as usual but without the very last event (OpenAI's [DONE])
    no-usage              leave usage out
    reject-stream-options 400 to a request that has stream_options
    echo-headers          an error body that repeats the request's headers (with status:N, else 500)
    close-idle-after:N    close after N answers on a connection, unannounced
    race-after:N          close without an answer when request N+1 comes on a connection

Scenario file (TOML; PUT /sim/scenario takes the same as JSON):
  seed = 7
  [models.\"gpt-4o\"]            # or \"*\"; [keys.\"sk-one\"] matches the credential instead, and first
  tokens = 16
  delay_first_ms = 200
  delay_token_ms = 20
  fault = \"status:503\"
  retry_after = \"7\"
  fault_first = 3              # only the first 3 requests fail,
  fault_share = 0.05           # or this share of them, by the seed; with both: either
  stamp = true
  strict = true
  auth = true
  slots = 8                    # calls worked on at once,
  line = 4                     # more that wait for a slot; whoever comes beyond gets
  over = 429                   # this status at once (503), with retry-after 1
  stretch = 0.5                # with all slots in use everything takes so much longer, as a share
  [engine]                     # an inference server as vLLM: /metrics, cached_tokens in usage
  blocks = 4096                # of 16 tokens, in its prefix cache; a new scenario starts with an empty one
  prefill_us = 100             # before the first token, for each token of the prompt that is not cached
  slots = 64                   # calls at once, others wait in line
  [tokens]                     # the token endpoints below
  lifetime_s = 3600
  status = 503                 # they refuse
  delay_ms = 100

Strict, by endpoint:
  Anthropic   fields and betas it does not know, tool uses and results that are no pairs, empty text,
              roles that do not alternate, sampling parameters on claude-opus-4-7 and later and
              claude-sonnet-5, schemas with keywords it does not take
  OpenAI      parameters it does not know, schemas that are `strict` and not closed, calls without
              their answers; on deepseek*: calls without reasoning_content
  Gemini      schema keywords outside its subset, calls and responses that do not match, on gemini-3*
              calls without their thoughtSignature
  Bedrock     (invoke) what Anthropic refuses, names and fields of betas it has not, another dress; (Converse) toolUse and toolResult that are no pairs, no toolConfig beside them, images by URL, empty
              text, roles that do not alternate
  Cohere      results of no call, choices it does not know
  Ollama      arguments that are no object, images that are no base64

Credentials: signatures (SigV4) of AKIDSIMULATOR with sim/secret+access/key or of keys given out, bearer
sim-bedrock-key; api-key sim-azure-key; tokens given out by POST /token, /v1/token (Google),
/TENANT/oauth2/v2.0/token (Entra), /sts/ (AWS), GET /computeMetadata/… and /latest/meta-data/….

GET /health is 200; a behaviour of a model /health, /metrics or /models is that path's alone.

On the simulator's own listener:
  GET  /sim/stats              what it saw            POST /sim/reset              forget it
  GET  /sim/requests?last=N    the requests it kept   POST /sim/capture?on=1       keep them
  PUT  /sim/scenario           a new scenario
";
