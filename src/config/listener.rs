//! Addresses listened on, with and without TLS.

use super::choice::choice;
use super::collector::Collector;
use super::near::quoted;
use super::reader::Reader;
use super::value::Value;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Of a file of certificates so much is looked into.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// One `[[server.tls]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsListener {
    pub listen: SocketAddr,
    /// PEM, the chain from the leaf on. Relative to the working directory.
    pub cert: PathBuf,
    /// PEM.
    pub key: PathBuf,
    /// None: clients are not asked for certificates.
    pub clients: Option<Clients>,
}

/// Client certificates of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// PEM: the authorities that vouch for them.
    pub ca: PathBuf,
    /// PEM: what these took back.
    pub crl: Option<PathBuf>,
    /// Whether a connection without one is refused.
    pub is_required: bool,
}

const CLIENT_AUTH: &[(&str, bool)] = &[("optional", false), ("required", true)];

impl TlsListener {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let listen = reader.need("listen", "such as listen = \"0.0.0.0:8443\"", listen);
        let cert = reader.need("cert", "such as cert = \"conf/tls/edge.pem\"", certificates);
        let key = reader.need("key", "such as key = \"conf/tls/edge.key\"", file);
        let ca = reader.take("client_ca", certificates);
        let crl = reader.take("client_crl", file);
        let is_required = reader.or("client_auth", false, choice(CLIENT_AUTH, &[]));
        for key in ["client_crl", "client_auth"] {
            if reader.has(key) && !reader.has("client_ca") {
                reader.fail(
                    format!("`{key}` needs `client_ca`"),
                    Some("the authorities of client certificates"),
                );
            }
        }
        reader.done();
        let clients = ca.map(|ca| Clients { ca, crl, is_required });
        Some(Self { listen: listen?, cert: cert?, key: key?, clients })
    }
}

/// An address to listen on that nothing else in the file listens on.
pub(super) fn listen(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<SocketAddr> {
    let address = address(value, collector)?;
    if let Err(owner) = collector.claim(address, value.path.clone()) {
        value.fail(collector, format!("{address} is listened on already, by {owner}"));
    }
    Some(address)
}

fn address(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<SocketAddr> {
    let text = value.string(collector, "an address such as \"127.0.0.1:8080\"")?;
    let address = text.parse().ok();
    if address.is_none() {
        let help = match text.rsplit_once(':') {
            None => "write address and port, such as \"127.0.0.1:8080\"".to_owned(),
            Some(("" | "*", port)) => {
                format!("for all addresses write \"0.0.0.0:{port}\" or \"[::]:{port}\"")
            }
            Some(("localhost", port)) => format!("write \"127.0.0.1:{port}\" or \"[::1]:{port}\""),
            Some(_) => "write a literal address, such as \"127.0.0.1:8080\" or \"[::1]:8080\"".to_owned(),
        };
        value.fail_help(collector, format!("`{}` is no address with a port", quoted(text)), quoted(&help));
    }
    address
}

/// A file of certificates in PEM, which are no secret: what can be read is looked into, always.
pub(super) fn certificates(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<PathBuf> {
    let path = file(value, collector)?;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut text = Vec::new();
        std::fs::File::open(&path)?.take(PEM_BYTES_MAX).read_to_end(&mut text)?;
        Ok(text)
    };
    let begins = b"-----BEGIN CERTIFICATE-----";
    let shown = path.display().to_string();
    match read() {
        Ok(text) if memchr::memmem::find(&text, begins).is_none() => {
            value.fail(collector, format!("`{}` has no certificate in it", quoted(&shown)));
        }
        // That it is not there was told, where it must be.
        Err(error) if collector.looks_outside() && path.is_file() => {
            value.fail(collector, format!("`{}` cannot be read: {error}", quoted(&shown)));
        }
        Ok(_) | Err(_) => {}
    }
    Some(path)
}

/// A path of a file that must be there when the gateway is about to serve.
pub(super) fn file(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<PathBuf> {
    let text = value.string(collector, "a path")?;
    if text.is_empty() || text.contains('\0') {
        value.fail(collector, "this is no path");
        return None;
    }
    if collector.looks_outside() {
        match Path::new(text).metadata() {
            Ok(found) if found.is_file() => {}
            Ok(_) => value.fail(collector, format!("`{}` is no file", quoted(text))),
            Err(error) => value.fail(collector, format!("`{}` cannot be read: {error}", quoted(text))),
        }
    }
    Some(PathBuf::from(text))
}
