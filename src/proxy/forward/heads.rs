//! Header fields of a forwarded request and its answer.

use crate::auth::CREDENTIAL_HEADERS;
use crate::framing::FieldLines;
use crate::proxy::context::Ctx;
use crate::proxy::exchange::respond;
use crate::runtime::Edge;
use http::header;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

/// Makes Pingora's copy of the client's head the provider's: path, host, credential.
pub fn upward(_session: &Session, request: &mut RequestHeader, ctx: &mut Ctx) -> Result<()> {
    let Some(forwarding) = &ctx.forwarding else { return Ok(()) };
    let provider = ctx.runtime.providers.get(forwarding.provider);
    let account = provider.and_then(|provider| provider.accounts.get(forwarding.account));
    let (Some(provider), Some(account)) = (provider, account) else {
        return Error::e_explain(ErrorType::InternalError, "nothing to forward to");
    };
    request.set_raw_path(forwarding.path.as_bytes())?;
    for name in CREDENTIAL_HEADERS {
        request.remove_header(name);
    }
    for name in ["cookie", "forwarded", "x-forwarded-for", "x-real-ip", "via"] {
        request.remove_header(name);
    }
    let ours: Vec<_> =
        request.headers.keys().filter(|name| name.as_str().starts_with("x-tidegate-")).cloned().collect();
    for name in &ours {
        request.remove_header(name);
    }
    request.insert_header(header::HOST, account.link.origin.authority.as_str())?;
    let headers = provider.headers.iter().map(|(name, value)| (name, value));
    // Providers of this lane have keys only.
    for (name, value) in headers.chain(account.credential.fixed()) {
        request.insert_header(name, value)?;
    }
    Ok(())
}

/// Takes what names the account out of the answer's head and adds our own fields.
pub fn downward(edge: &Edge, response: &mut ResponseHeader, ctx: &mut Ctx) -> Result<()> {
    ctx.record.status = response.status.as_u16();
    for name in ["set-cookie", "openai-organization", "openai-project", "alt-svc"] {
        response.remove_header(name);
    }
    let mut fields = FieldLines::default();
    respond::push_own_fields(edge, ctx, &mut fields);
    for (name, value) in fields.iter() {
        let name = String::from_utf8_lossy(name).into_owned();
        response.insert_header(name, value)?;
    }
    Ok(())
}
