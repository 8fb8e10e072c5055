//! Answers given here: the models a key may use.

use super::context::Ctx;
use super::exchange::downstream::Downstream;
use super::exchange::respond;
use crate::dialect::models::{self, ModelInfo};
use crate::dialect::paths::Hit;
use crate::framing::{ClientHead, FieldLines};
use crate::runtime::Edge;
use crate::types::{Dialect, Endpoint, Reject};
use bytes::Bytes;

/// A question about models.
pub struct LocalAnswer<'u> {
    hit: Hit<'u>,
    query: Option<&'u str>,
    shape: Dialect,
}

impl<'u> LocalAnswer<'u> {
    pub fn models(head: &'u ClientHead, hit: Hit<'u>) -> Self {
        let has = |name: &str| head.has(name);
        let shape = models::shape(hit.dialect, has("anthropic-version"), has("x-goog-api-key"));
        Self { hit, query: head.query(), shape }
    }

    pub async fn send(self, edge: &Edge, down: &mut Downstream, ctx: &mut Ctx) {
        match self.body(ctx) {
            Ok(body) => {
                ctx.record.status = 200;
                let mut fields = FieldLines::default();
                fields.push("content-type", b"application/json");
                respond::push_own_fields(edge, ctx, &mut fields);
                ctx.record.is_client_gone = down.answer(200, &fields, Bytes::from(body)).await.is_err();
                ctx.record.bytes_out = down.bytes_out;
            }
            Err(reject) => respond::refuse(edge, down, ctx, reject).await,
        }
    }

    fn body(&self, ctx: &Ctx) -> Result<Vec<u8>, Reject> {
        let known = usable(ctx);
        if self.hit.endpoint == Endpoint::Models {
            return models::render_list(self.shape, &known, self.query);
        }
        let wanted = self.hit.id.as_deref().unwrap_or_default();
        match known.iter().find(|info| info.id == wanted) {
            Some(info) => Ok(models::render_one(self.shape, info)),
            None => Err(unknown_model(ctx, wanted)),
        }
    }
}

/// The models this caller may name, patterns left out: they are no names.
fn usable(ctx: &Ctx) -> Vec<ModelInfo<'_>> {
    let may_use = |name: &str| ctx.caller.as_ref().is_some_and(|caller| caller.principal.may_use(name));
    let names = ctx.runtime.models.iter().map(|model| model.name.as_str());
    names.filter(|name| !name.contains('*') && may_use(name)).map(|id| ModelInfo { id, created: 0 }).collect()
}

/// 404 with the nearest names the caller may use.
pub fn unknown_model(ctx: &Ctx, wanted: &str) -> Reject {
    models::model_not_found(wanted, usable(ctx).iter().map(|info| info.id))
}
