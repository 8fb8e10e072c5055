//! What one request carries through the phases. Each field is filled once, by the phase that knows
//! it; `finish` reads them all.

use crate::auth::{Certificate, Principal};
use crate::catalog::{Cost, Service};
use crate::framing::ClientHead;
use crate::limits::{RateSnapshot, Reservation};
use crate::proxy::forward::Forwarding;
use crate::routing::{Slot, Told};
use crate::runtime::{Edge, Pair, Runtime};
use crate::telemetry::GaugeGuard;
use crate::types::{Dialect, Endpoint, FailureClass, Origin, Reason, Reject, RequestId, Ticks, Usage};
use http::Method;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub struct Ctx {
    pub id: RequestId,
    pub started: Ticks,
    /// The configuration this request lives with, whatever is reloaded meanwhile.
    pub runtime: Arc<Runtime>,
    /// The shape errors are owed in; refined once the endpoint is known.
    pub dialect: Dialect,
    /// The client certificate of the connection.
    pub certificate: Option<Arc<Certificate>>,
    pub caller: Option<Caller>,
    /// What was left of the limits of a call that was refused.
    pub told: Option<RateSnapshot>,
    pub record: Record,
    /// The place held at the target that serves the call, or was asked last.
    pub slot: Option<Slot>,
    /// Set where a copy of the call was sent elsewhere.
    pub mirrored: Option<Box<Mirrored>>,
    /// Set where the forward lane takes over.
    pub forwarding: Option<Forwarding>,
    _in_flight: GaugeGuard,
}

/// Who calls, and what the call holds of its limits until the last byte is out.
pub struct Caller {
    pub principal: Arc<Principal>,
    /// Whether the key has limits of its own to tell.
    pub has_limits: bool,
    /// What the subscription that the call goes under adds to its cost, in hundredths of a percent.
    pub margin_bp: u32,
    pub reservation: Reservation,
}

/// A call that was copied.
pub struct Mirrored {
    pub pair: Arc<Pair>,
    /// From the beginning of the attempt that was answered to its first content, or its whole answer.
    pub time: Option<Duration>,
}

/// What the log tells of a request's head. Copies: a slice of the head would keep all of it.
#[derive(Default)]
pub struct Requested {
    pub method: Method,
    /// Path and query as they came.
    pub path: Box<[u8]>,
    pub user_agent: Option<Box<[u8]>>,
}

/// What becomes the access log's line and the metrics.
#[derive(Default)]
pub struct Record {
    pub request: Requested,
    pub endpoint: Option<Endpoint>,
    pub client: Option<IpAddr>,
    pub model: Option<String>,
    /// Index of the provider that answered, or was asked last.
    pub provider: Option<usize>,
    /// Index of the account used at it.
    pub account: Option<usize>,
    pub upstream_model: Option<String>,
    /// The target's cell in the runtime, where there was a choice.
    pub cell: Option<usize>,
    /// How the target was chosen, where there was a choice.
    pub route: Option<Told>,
    /// The same whole, as JSON, where decisions are kept.
    pub decision: Option<String>,
    /// 0 while nothing was answered.
    pub status: u16,
    pub reason: Option<Reason>,
    pub origin: Option<Origin>,
    pub attempts: u32,
    /// When the attempt began that was answered.
    pub answered_from: Option<Ticks>,
    /// How often the stream broke and was gone on with.
    pub continued: u32,
    pub is_stream: bool,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub usage: Option<Usage>,
    /// The service that sets the price, as far as it is known.
    pub service: Service,
    /// Set once the usage is final.
    pub cost: Option<Cost>,
    /// The model that serves the call in place of the one asked for: its budget is spent.
    pub downgraded_to: Option<String>,
    /// The money ended before the answer did.
    pub is_cut_by_budget: bool,
    /// Prompt tokens counted before the call.
    pub counted_input: Option<u64>,
    pub first_token: Option<Duration>,
    /// Waited until a target had room.
    pub queued: Option<Duration>,
    /// Time spent waiting for upstreams before the answer began; not the gateway's own.
    pub waited: Duration,
    /// The gateway's own time, once the answer began.
    pub overhead: Option<Duration>,
    pub is_client_gone: bool,
    pub finish_reason: Option<String>,
    pub failures: Vec<(usize, FailureClass)>,
    /// Fields of the request that its target had no word for.
    pub dropped: Vec<String>,
    /// The call that was made for this one too.
    pub coalesced: Option<RequestId>,
    /// Why a response that should be stored here is not.
    pub not_kept: Option<&'static str>,
}

impl Ctx {
    pub fn new(edge: &Edge) -> Self {
        Self {
            id: edge.ids.next(),
            started: edge.now(),
            runtime: edge.runtime(),
            dialect: Dialect::OpenAi,
            certificate: None,
            caller: None,
            told: None,
            record: Record::default(),
            slot: None,
            mirrored: None,
            forwarding: None,
            _in_flight: GaugeGuard::raise(&edge.metrics.requests_in_flight),
        }
    }
}

impl Caller {
    /// Gives everything back, the request itself included: the call is refused.
    pub fn cancel(&mut self) {
        std::mem::replace(&mut self.reservation, Reservation::none()).cancel();
    }
}

impl Requested {
    pub fn of(head: &ClientHead) -> Self {
        Self {
            method: head.method.clone(),
            path: head.target().into(),
            user_agent: head.values("user-agent").next().map(Into::into),
        }
    }
}

impl Record {
    /// Notes a refusal or failure as the request's outcome.
    pub fn note_reject(&mut self, reject: &Reject) {
        self.status = reject.status;
        self.reason = Some(reject.reason);
        self.origin = Some(reject.origin);
    }
}
