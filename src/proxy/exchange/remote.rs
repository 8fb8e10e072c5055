//! Images and documents that a client names by URL, fetched for a target that wants them whole.

use super::aside::aside;
use super::attempt::Aim;
use crate::chat::RemoteKind;
use crate::dialect::codec::remote::{Fetched, FetchedAll, Wanted};
use crate::framing::json::path_at;
use crate::types::{Reason, Reject};
use crate::upstream::{Page, Remote, RemoteError, several};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::atomic::AtomicUsize;

/// Fetches of one request under way at once.
const AT_ONCE: usize = 4;

/// Fetches all that is wanted; together no longer than a request's body may be.
///
/// # Errors
/// 400 naming the place of the first that was not fetched, or why none is.
pub async fn fetch(aim: &Aim<'_>, body: &[u8], wanted: Vec<Wanted>) -> Result<FetchedAll, Reject> {
    let refuse = |wanted: &Wanted, message: String| {
        let reject = |message: String| Reject::new(Reason::InvalidRequest, message);
        match wanted.at.offset().and_then(|at| path_at(body, at)) {
            Some(place) => reject(format!("`{place}`: {message}")).with_param(place),
            None => reject(message),
        }
    };
    let Some(first) = wanted.first() else { return Ok(FetchedAll::new()) };
    let Some(remote) = &aim.provider.remote else {
        let message = "the model's provider takes no URL here and this gateway fetches none for it \
            (`fetch_media` of the provider): send the content as base64";
        return Err(refuse(first, message.to_owned()));
    };
    let most = remote.policy.count_max;
    if let Some(over) = wanted.get(most) {
        return Err(refuse(over, format!("at most {most} URLs are fetched for one request")));
    }
    let room = AtomicUsize::new(aim.runtime.edge.body_bytes_max);
    let one = |wanted: Wanted| {
        let room = &room;
        async move {
            match page(remote, &wanted, room).await {
                Ok(fetched) => Ok(((wanted.kind, wanted.url), fetched)),
                Err(error) => Err(refuse(&wanted, error.to_string())),
            }
        }
    };
    let all = several(wanted.into_iter().map(one).collect(), AT_ONCE).await?;
    Ok(all.into_iter().collect())
}

async fn page(remote: &Remote, wanted: &Wanted, room: &AtomicUsize) -> Result<Fetched, RemoteError> {
    let Page { mime, body } = remote.fetch(&wanted.url, room).await?;
    let is_image = mime.starts_with("image/");
    if is_image != (wanted.kind == RemoteKind::Image) {
        return Err(RemoteError::Kind);
    }
    let data = aside(body.len(), move || STANDARD.encode(&body)).await.ok_or(RemoteError::Unreachable)?;
    Ok(Fetched { mime, data })
}
