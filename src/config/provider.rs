//! `[providers.*]`: configured accounts at vendors.

use super::base_url::{BaseUrl, base_url};
use super::choice::choice;
use super::cloud::Cloud;
use super::collector::Collector;
use super::credentials::credentials;
use super::egress::Way;
use super::fetch_media::FetchMedia;
use super::headers::headers;
use super::health::Health;
use super::kind::{Kinds, ProviderKind};
use super::name::{check_name, label};
use super::places::Places;
use super::pool::{Cooldown, Pool};
use super::protocols::protocols;
use super::provider_tls::ProviderTls;
use super::reader::Reader;
use super::value::Value;
use crate::catalog::{Auth, Quirk};
use crate::types::{Dialect, Protocol, Secret};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub kind: ProviderKind,
    pub base_url: BaseUrl,
    /// What it answers to, the one to prefer first: never empty.
    pub protocols: Vec<Protocol>,
    /// From `api_key` or `api_keys`. Empty where there is a cloud's account, or the kind is no vendor's.
    pub api_keys: Vec<Secret>,
    pub cloud: Option<Cloud>,
    /// `region`, `project` and the like, as written.
    pub places: Places,
    /// Azure: the version its classic paths are asked for; None for the paths below `/openai/v1`.
    pub api_version: Option<String>,
    pub http2: Http2,
    /// Whether the upstream understands `stream_options` (OpenAI dialect).
    pub stream_options: bool,
    /// Who answers `count_tokens`, where the vendor's protocol has such a call.
    pub count_tokens: CountTokens,
    /// Names of Anthropic's betas it takes beyond those known.
    pub anthropic_betas: Vec<String>,
    /// What clients name by URL and this provider wants whole; None: it is refused.
    pub fetch_media: Option<FetchMedia>,
    pub tls: ProviderTls,
    pub proxy: Way,
    /// Sent with every call; names in lowercase.
    pub headers: BTreeMap<String, Secret>,
    pub cooldown: Cooldown,
    /// None: it is judged by its calls alone.
    pub health: Option<Health>,
    pub pool: Pool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http2 {
    /// HTTP/1.1.
    Off,
    /// By ALPN on `https`, by prior knowledge on `http`.
    On,
    /// What the provider prefers by ALPN on `https`; HTTP/1.1 on `http`.
    Auto,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountTokens {
    Local,
    Upstream,
}

impl Provider {
    /// All providers by name; None for one that could not be read, so that nobody calls it missing.
    pub(super) fn read_all(
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        kinds: &Kinds<'_>,
    ) -> Option<BTreeMap<String, Option<Self>>> {
        let entries = Reader::open(value, collector)?.entries();
        let mut providers = BTreeMap::new();
        for (name, value) in entries {
            check_name(name, &value, collector);
            providers.insert(name.to_owned(), Self::read(&value, collector, kinds));
        }
        Some(providers)
    }

    fn read(value: &Value<'_>, collector: &mut Collector<'_>, kinds: &Kinds<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let help = "such as kind = \"openai-compatible\"";
        let kind = reader.need("kind", help, |v, c| ProviderKind::read(v, c, kinds));
        let written_url = reader.take("base_url", base_url);
        if let Some(kind) = &kind
            && !kind.is_vendor()
            && !reader.has("base_url")
        {
            let help = "such as base_url = \"http://127.0.0.1:8000/v1\"";
            reader.fail(format!("kind `{}` needs a `base_url`", kind.as_str()), Some(help));
        }
        if let (Some(kind), Some(url)) = (&kind, &written_url) {
            check_bare_host(kind, url, &mut reader);
        }
        let protocols = reader.take("protocols", protocols);
        let places = Places::read(&mut reader);
        let base_url = written_url.or_else(|| places.base_url(kind.as_ref()?, &mut reader));
        let cloud = Cloud::read(&mut reader, kind.as_ref(), &places);
        let api_version = read_api_version(&mut reader, kind.as_ref(), protocols.as_deref());
        check_project(&mut reader, kind.as_ref(), &places);
        let provider = (
            credentials(&mut reader, kind.as_ref()),
            reader.or("http2", Http2::Off, choice(HTTP2, &[])),
            reader.or("headers", BTreeMap::new(), headers),
            reader.or("cooldown", Cooldown::default(), Cooldown::read),
            reader.or("pool", Pool::default(), Pool::read),
        );
        let (api_keys, http2, headers, cooldown, pool) = provider;
        let tls = read_tls(&mut reader, base_url.as_ref());
        let stream_options = read_stream_options(&mut reader, kind.as_ref());
        let count_tokens = read_count_tokens(&mut reader, kind.as_ref());
        let anthropic_betas = read_betas(&mut reader, kind.as_ref());
        let proxy = reader.or("proxy", Way::Usual, Way::read);
        let fetch_media = reader.take("fetch_media", FetchMedia::read);
        let health = reader.take("health", |v, c| Health::read(v, c, kind.as_ref()));
        reader.done();
        let kind = kind?;
        Some(Self {
            base_url: base_url?,
            protocols: protocols.unwrap_or_else(|| usual_protocols(&kind, api_version.is_some())),
            kind,
            api_keys,
            cloud,
            places,
            api_version,
            http2,
            stream_options,
            count_tokens,
            anthropic_betas,
            fetch_media,
            tls,
            proxy,
            headers,
            cooldown,
            health,
            pool,
        })
    }
}

/// Azure's classic paths have no Responses.
fn usual_protocols(kind: &ProviderKind, is_classic: bool) -> Vec<Protocol> {
    let is_there = |protocol: &Protocol| !is_classic || *protocol != Protocol::Responses;
    kind.protocols().iter().copied().filter(is_there).collect()
}

fn read_api_version(
    reader: &mut Reader<'_, '_, '_>,
    kind: Option<&ProviderKind>,
    protocols: Option<&[Protocol]>,
) -> Option<String> {
    reader.take("api_version", |value, collector| {
        if kind.is_some_and(|kind| kind.facts().auth != Auth::Azure) {
            value.fail_head(collector, "`api_version` is only for the Azure kinds", None);
        }
        if protocols.is_some_and(|protocols| protocols.contains(&Protocol::Responses)) {
            let help = "leave `api_version` out: the paths below /openai/v1 have them";
            value.fail_head(collector, "Azure's classic paths have no `responses`", Some(help));
        }
        label(value, collector)
    })
}

/// Vertex's paths begin with the project.
fn check_project(reader: &mut Reader<'_, '_, '_>, kind: Option<&ProviderKind>, places: &Places) {
    if let Some(kind) = kind.filter(|kind| kind.facts().auth == Auth::Gcp)
        && places.get("project").is_none()
        && !reader.has("project")
    {
        reader.fail(format!("kind `{}` needs a `project`", kind.as_str()), Some("its id at Google Cloud"));
    }
}

const HTTP2: &[(&str, Http2)] = &[("off", Http2::Off), ("on", Http2::On), ("auto", Http2::Auto)];

/// Anthropic's and Gemini's SDKs take the host and put the version into each path themselves.
fn check_bare_host(kind: &ProviderKind, url: &BaseUrl, reader: &mut Reader<'_, '_, '_>) {
    const BARE: [&str; 4] = ["anthropic", "anthropic-compatible", "gemini", "gemini-compatible"];
    let version = ["/v1", "/v1beta"].into_iter().find(|version| url.as_str().ends_with(version));
    if let Some(version) = version.filter(|_| BARE.contains(&kind.as_str())) {
        let message = format!("the `base_url` of kind `{}` has no `{version}`: calls add it", kind.as_str());
        let bare = url.as_str().strip_suffix(version).unwrap_or_default();
        reader.fail(message, Some(&format!("base_url = \"{bare}\"")));
    }
}

fn read_tls(reader: &mut Reader<'_, '_, '_>, base_url: Option<&BaseUrl>) -> ProviderTls {
    reader.or("tls", ProviderTls::default(), |value, collector| {
        let tls = ProviderTls::read(value, collector);
        if base_url.is_some_and(|url| !url.is_tls()) {
            value.fail_head(collector, "`tls` has no effect: the base URL is http://", None);
        }
        tls
    })
}

fn read_stream_options(reader: &mut Reader<'_, '_, '_>, kind: Option<&ProviderKind>) -> bool {
    let usual = kind.is_none_or(|kind| !kind.facts().has(Quirk::NoStreamOptions));
    reader.or("stream_options", usual, |value, collector| {
        if kind.is_some_and(|kind| !kind.speaks(Dialect::OpenAi)) {
            value.fail_head(collector, "`stream_options` is only for the OpenAI kinds", None);
        }
        value.boolean(collector)
    })
}

/// Only who runs somebody else's Claude is kept from betas it is not known to take.
fn read_betas(reader: &mut Reader<'_, '_, '_>, kind: Option<&ProviderKind>) -> Vec<String> {
    reader.or("anthropic_betas", Vec::new(), |value, collector| {
        if kind.is_some_and(|kind| !matches!(kind.facts().auth, Auth::Gcp | Auth::Aws)) {
            value.fail_head(collector, "`anthropic_betas` is only for Bedrock and Vertex", None);
        }
        if value.elements(collector, "a list of names")?.len() > BETAS_MAX {
            value.fail(collector, format!("at most {BETAS_MAX} names"));
        }
        value.list(collector, "a list of names", label)
    })
}

const BETAS_MAX: usize = 64;

/// Protocols with a call that counts the tokens of a prompt.
const COUNTING: [Protocol; 4] =
    [Protocol::Messages, Protocol::Generate, Protocol::Responses, Protocol::Converse];

fn read_count_tokens(reader: &mut Reader<'_, '_, '_>, kind: Option<&ProviderKind>) -> CountTokens {
    const WORDS: &[(&str, CountTokens)] =
        &[("local", CountTokens::Local), ("upstream", CountTokens::Upstream)];
    reader.or("count_tokens", CountTokens::Local, |value, collector| {
        let counts =
            |kind: &ProviderKind| kind.protocols().iter().any(|protocol| COUNTING.contains(protocol));
        if kind.is_some_and(|kind| !counts(kind)) {
            let help = "those that speak messages, gemini, responses or converse do";
            value.fail_head(collector, "`count_tokens` has no effect: this kind counts none", Some(help));
        }
        choice(WORDS, &[])(value, collector)
    })
}
