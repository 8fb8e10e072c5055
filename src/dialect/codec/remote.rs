//! Images and documents that a client names by URL and a target wants whole: which they are, and how
//! they come to stand in the request. Nothing is fetched here.

use super::carry;
use crate::chat::{At, Carry, Feature, RemoteKind, Request, Source, Target, ThinkingEcho};
use crate::types::Protocol;
use std::collections::HashMap;

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// By its first bytes.
    pub mime: &'static str,
    /// Base64, standard alphabet.
    pub data: String,
}

/// Fetched things by their URL as the client wrote it, and what it was said to be.
pub type FetchedAll = HashMap<(RemoteKind, String), Fetched>;

/// A URL to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub kind: RemoteKind,
    pub at: At,
    pub url: String,
}

/// Puts what was fetched into the request, and names what the target still wants, each URL once.
pub fn fill(request: &mut Request<'_>, to: Protocol, target: &Target, fetched: &FetchedAll) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Vec::new();
    request.each_remote(&mut |kind, at, media| {
        let Some(url) = media.url().filter(|url| wants_bytes(to, target, kind, url)) else { return };
        let url = url.to_string();
        match fetched.get(&(kind, url.clone())) {
            Some(found) => {
                media.mime = Some(found.mime.into());
                media.source = Source::Base64(found.data.clone().into());
            }
            None if wanted.iter().any(|known| (known.kind, &known.url) == (kind, &url)) => {}
            None => wanted.push(Wanted { kind, at, url }),
        }
    });
    wanted
}

/// Whether `to` takes such a thing, but not by URL.
fn wants_bytes(to: Protocol, target: &Target, kind: RemoteKind, url: &str) -> bool {
    let refuses = |feature| matches!(carry(to, feature), Carry::Reject(_));
    let (by_url, by_bytes) = match kind {
        RemoteKind::Image => (Feature::ImageUrl, Feature::ImageBase64),
        RemoteKind::Document => (Feature::DocumentUrl, Feature::DocumentBase64),
    };
    if refuses(by_bytes) {
        return false;
    }
    match to {
        // What Google has itself is no file on the web.
        Protocol::Generate if url.starts_with("https://www.youtube.com/") => false,
        Protocol::Generate | Protocol::Messages => !target.fetches_urls,
        // Mistral and OpenRouter read documents by URL.
        Protocol::Chat if kind == RemoteKind::Document => {
            !target.says_any && target.echo != ThinkingEcho::ReasoningDetails
        }
        Protocol::Chat | Protocol::Cohere if kind == RemoteKind::Image => !target.fetches_urls,
        _ => refuses(by_url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Block, BlockKind, Media, Role, Turn};

    fn asking(urls: &[&'static str]) -> Request<'static> {
        let image = |url: &&'static str| {
            let source = Source::Url((*url).into());
            Block::new(BlockKind::Image(Media { source, mime: None, name: None, detail: None }))
        };
        let mut request = Request::new(Protocol::Chat, "m");
        request.turns.push(Turn::new(Role::User, urls.iter().map(image).collect()));
        request
    }

    #[test]
    fn each_url_is_wanted_once_until_it_is_there() {
        let target = Target::new("m");
        let mut request = asking(&["http://a/", "http://b/", "http://a/"]);
        let wanted = fill(&mut request, Protocol::Converse, &target, &FetchedAll::new());
        let urls: Vec<&str> = wanted.iter().map(|wanted| wanted.url.as_str()).collect();
        assert_eq!(urls, ["http://a/", "http://b/"]);
        let found = Fetched { mime: "image/png", data: "QQ==".to_owned() };
        let fetched =
            urls.iter().map(|url| ((RemoteKind::Image, (*url).to_owned()), found.clone())).collect();
        assert_eq!(fill(&mut request, Protocol::Converse, &target, &fetched), []);
        request.each_remote(&mut |_, _, _| panic!("all are filled"));
    }

    #[test]
    fn who_fetches_or_takes_no_such_thing_at_all_wants_no_bytes() {
        let fetches = Target { fetches_urls: true, ..Target::new("m") };
        let blind = Target { fetches_urls: false, ..Target::new("m") };
        for protocol in Protocol::ALL {
            let wants = |target, kind| wants_bytes(protocol, target, kind, "https://x.example/a");
            let always = matches!(protocol, Protocol::Converse | Protocol::Ollama);
            assert_eq!(wants(&fetches, RemoteKind::Image), always, "{protocol:?}");
            assert_eq!(wants(&blind, RemoteKind::Image), protocol != Protocol::Responses, "{protocol:?}");
            let no_documents = matches!(protocol, Protocol::Cohere | Protocol::Ollama | Protocol::Responses);
            assert_eq!(wants(&blind, RemoteKind::Document), !no_documents, "{protocol:?}");
        }
    }
}
