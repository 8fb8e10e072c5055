//! What goes up for vectors or a ranking: the bodies of one or several calls, and where they go.
//!
//! Pure. Invariant: inputs keep their order over all calls; what a call leaves out is named.

use super::reading::Reading;
use crate::catalog::Quirk;
use crate::chat::{Losses, Refused};
use crate::dialect::codec::{Called, embed};
use crate::dialect::front::Front;
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::proxy::exchange::attempt::Aim;
use crate::proxy::exchange::prepare::Prepared;
use crate::proxy::exchange::unserved::{dropped, malformed, refuse_losses, unserved};
use crate::runtime::{Edge, OnUnsupported, Way};
use crate::types::{Endpoint, Protocol, Reason, Reject};
use bytes::Bytes;
use embed::rerank;

/// Calls one request may become. Many times what any vendor takes at once fits in.
pub const CALLS_MAX: usize = 64;

/// One request and the provider that is to answer it, owned: it may be worked on elsewhere.
pub struct Order {
    pub endpoint: Endpoint,
    pub body: Bytes,
    /// The model in the client's path.
    pub path_model: Option<String>,
    /// What the provider speaks.
    pub protocol: Protocol,
    pub house: embed::House,
    pub upstream_model: String,
    pub on_unsupported: OnUnsupported,
    /// Unique to this call.
    pub token: String,
}

/// The calls to make.
pub struct Plan {
    /// Below the provider's base path.
    pub path: String,
    /// One call each, in the order of the inputs.
    pub bodies: Vec<Bytes>,
    /// Paths of the client's fields that the target has no word for.
    pub dropped: Vec<String>,
    pub reading: Reading,
}

impl Order {
    pub fn of(edge: &Edge, prepared: &Prepared<'_>, aim: &Aim<'_>, way: &Way) -> Self {
        Self {
            endpoint: prepared.endpoint,
            body: prepared.body.clone(),
            path_model: prepared.hit.model.as_deref().map(str::to_owned),
            protocol: way.protocol,
            house: house(aim, way),
            upstream_model: aim.upstream_model.to_owned(),
            on_unsupported: aim.policy.on_unsupported,
            token: format!("{:016x}{:016x}", edge.dice.roll(), edge.dice.roll()),
        }
    }

    /// Writes the calls.
    ///
    /// # Errors
    /// 400 naming the field: the request is at fault, or this target cannot serve it.
    pub fn plan(&self) -> Result<Plan, Reject> {
        let root = parse_bytes(&self.body, Duplicates::Refuse).map_err(|e| malformed(&self.body, e))?;
        if let Some(from) = embed::Shape::of_client(self.endpoint, &root) {
            return self.vectors(&root, from);
        }
        match rerank::Shape::of_client(self.endpoint, &root) {
            Some(from) => self.ranking(&root, from),
            None => Err(Reject::new(
                Reason::InvalidRequest,
                "neither an embeddings nor a rerank request: generation is called by `converse`, or by `invoke` \
                 with a body of Anthropic's",
            )),
        }
    }

    fn vectors(&self, root: &Node<'_>, from: embed::Shape) -> Result<Plan, Reject> {
        let refused = |refused: Refused| unserved(&self.body, &refused, |path| path);
        let request = embed::decode_request(root, from, self.called()).map_err(refused)?;
        let count = request.inputs.len();
        let to = embed::Shape::of_provider(self.protocol, self.house, &self.upstream_model, count)
            .ok_or_else(|| self.unknown("embedding"))?;
        let at_once = to.inputs_max_of(&self.upstream_model);
        if count.div_ceil(at_once) > CALLS_MAX {
            let most = at_once.saturating_mul(CALLS_MAX);
            let message = format!(
                "{count} inputs are too many: this model's provider takes {at_once} a call, so at most {most} here"
            );
            return Err(Reject::new(Reason::InvalidRequest, message).with_param("input"));
        }
        let (mut losses, mut bodies, mut counts) = (Losses::default(), Vec::new(), Vec::new());
        for part in request.parts(at_once) {
            let mut body = Vec::with_capacity(self.body.len() / 2 + 256);
            embed::encode_request(&part, to, &self.upstream_model, &mut losses, &mut body)
                .map_err(refused)?;
            bodies.push(Bytes::from(body));
            counts.push(part.inputs.len());
        }
        let wanted = request.wanted(self.token.clone());
        self.planned(
            to.path(&self.upstream_model),
            bodies,
            &losses,
            Reading::Vectors { from, to, wanted, counts },
        )
    }

    fn ranking(&self, root: &Node<'_>, from: rerank::Shape) -> Result<Plan, Reject> {
        let refused = |refused: Refused| unserved(&self.body, &refused, |path| path);
        let request = rerank::decode_request(root, from, self.called()).map_err(refused)?;
        let to = rerank::Shape::of_provider(
            self.protocol,
            self.house == embed::House::Voyage,
            &self.upstream_model,
        )
        .ok_or_else(|| self.unknown("rerank"))?;
        let (mut losses, mut body) = (Losses::default(), Vec::with_capacity(self.body.len() + 256));
        rerank::encode_request(&request, to, &self.upstream_model, &mut losses, &mut body)
            .map_err(refused)?;
        let (wanted, documents) = (request.wanted(self.token.clone()), request.documents.len());
        let bodies = vec![Bytes::from(body)];
        self.planned(
            to.path(&self.upstream_model),
            bodies,
            &losses,
            Reading::Ranking { from, to, wanted, documents },
        )
    }

    fn planned(
        &self,
        path: String,
        bodies: Vec<Bytes>,
        losses: &Losses,
        reading: Reading,
    ) -> Result<Plan, Reject> {
        let dropped = dropped(&self.body, losses, |path| path);
        refuse_losses(self.on_unsupported, &dropped)?;
        Ok(Plan { path, bodies, dropped, reading })
    }

    fn called(&self) -> Called<'_> {
        Called { model: self.path_model.as_deref(), is_stream: Some(false) }
    }

    fn unknown(&self, kind: &str) -> Reject {
        let message =
            format!("`{}` is no {kind} model that its provider is known to have", self.upstream_model);
        Reject::new(Reason::InvalidRequest, message).with_param("model")
    }
}

/// Whose form of embeddings a provider has there.
fn house(aim: &Aim<'_>, way: &Way) -> embed::House {
    match &way.front {
        Front::Vertex { .. } => embed::House::Vertex,
        _ if aim.provider.facts.has(Quirk::VoyageFields) => embed::House::Voyage,
        _ => embed::House::Own,
    }
}
