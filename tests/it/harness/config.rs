//! A configuration file, written section by section.

use super::{Ca, Wire, sha256};
use std::fmt::Write;
use std::net::SocketAddr;

/// The key that [`Wire::request`] sends and that every [`Config::new`] knows, as `[keys.test]`.
pub const KEY: &str = "sk-test-key";

/// The file under construction, and what has to lie beside it.
///
/// In lines, `{addr}` `{admin}` `{tls}` become free addresses, `{dir}` the gateway's own folder.
#[derive(Clone, Debug)]
pub struct Config {
    sections: Vec<Section>,
    current: usize,
    pub(super) env: Vec<(String, String)>,
    pub(super) files: Vec<(String, String)>,
    pub(super) has_tls: bool,
    pub(super) is_plain: bool,
    pub(super) binary: Option<String>,
}

#[derive(Clone, Debug)]
struct Section {
    header: String,
    lines: Vec<String>,
}

impl Config {
    /// One worker, a plain listener, an access log, the key [`KEY`], no vocabulary loaded.
    pub fn new() -> Self {
        let mut config = Self {
            sections: Vec::new(),
            current: 0,
            env: Vec::new(),
            files: Vec::new(),
            has_tls: false,
            is_plain: true,
            binary: None,
        };
        config = config
            .table("server")
            .set("listen = [\"{addr}\"]")
            .set("workers = 1")
            .set("stream_keepalive = \"0s\"")
            .table("server.drain")
            .set("ready_grace = \"50ms\"")
            .set("streams_max = \"5s\"")
            .table("server.upgrade")
            .set("socket = \"{dir}/run/upgrade.sock\"")
            .table("admin")
            .set("listen = \"{admin}\"")
            .table("counting")
            .set("warm = []")
            .table("log")
            .set("access = \"{dir}/access.log\"")
            .set("level = \"debug\"");
        config.key("test", KEY)
    }

    /// Goes to a section, made if it is new; `name` without its brackets.
    pub fn table(self, name: &str) -> Self {
        self.section(format!("[{name}]"))
    }

    /// Goes to the element of an array of tables, made if it is new: `[[NAME]]`.
    pub fn element(self, name: &str) -> Self {
        self.section(format!("[[{name}]]"))
    }

    /// Writes a line into the section gone to last. It replaces a line of the same key.
    pub fn set(mut self, line: &str) -> Self {
        let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let section = &mut self.sections[self.current];
        section.lines.retain(|held| key(held) != key(line));
        section.lines.push(line.to_owned());
        self
    }

    /// `[providers.NAME]` without a key, at a simulator's address.
    pub fn provider(self, name: &str, wire: Wire, addr: SocketAddr) -> Self {
        self.table(&format!("providers.{name}"))
            .set(&format!("kind = \"{}\"", wire.kind()))
            .set(&format!("base_url = \"{}\"", wire.base_url(addr)))
    }

    /// `[models."NAME"]` with targets in the order they are tried: `provider` or `provider=model`.
    pub fn model(self, name: &str, targets: &[&str]) -> Self {
        let target = |(place, target): (usize, &&str)| {
            let (provider, model) = target.split_once('=').map_or((*target, None), |(p, m)| (p, Some(m)));
            let model = model.map_or(String::new(), |model| format!(", model = \"{model}\""));
            format!("{{ provider = \"{provider}\"{model}, priority = {} }}", place + 1)
        };
        let targets: Vec<String> = targets.iter().enumerate().map(target).collect();
        self.table(&format!("models.\"{name}\""))
            .set(&format!("targets = [{}]", targets.join(", ")))
            .set(
                "timeouts = { connect = \"2s\", header = \"10s\", first_token = \"10s\", idle = \"10s\", total = \"60s\" }",
            )
    }

    /// Adds the providers, models and catalogue rows of a file's text, with a word for every secret.
    pub fn sections_of(mut self, text: &str) -> Self {
        let mut is_wanted = false;
        for line in text.lines() {
            if line.starts_with('[') {
                is_wanted =
                    ["[providers.", "[models.", "[catalog."].iter().any(|lead| line.starts_with(lead));
                if is_wanted {
                    self = self.section(line.to_owned());
                }
            } else if is_wanted {
                self.sections[self.current].lines.push(line.to_owned());
            }
            if let Some((_, name)) = line.split_once("env:").filter(|_| is_wanted) {
                self = self.env(name.split('"').next().unwrap(), "sk-example");
            }
        }
        self
    }

    /// `[keys.NAME]` for a key that clients send in clear.
    pub fn key(self, name: &str, secret: &str) -> Self {
        self.table(&format!("keys.{name}")).set(&format!("secret_sha256 = \"{}\"", sha256(secret.as_bytes())))
    }

    /// A TLS listener, HTTP/2 and HTTP/1.1, with a certificate by `ca`.
    pub fn tls(mut self, ca: &Ca) -> Self {
        self.has_tls = true;
        self.files.push(("edge.pem".to_owned(), ca.leaf_pem.clone()));
        self.files.push(("edge.key".to_owned(), ca.leaf_key_pem.clone()));
        self.section("[[server.tls]]".to_owned())
            .set("listen = \"{tls}\"")
            .set("cert = \"{dir}/edge.pem\"")
            .set("key = \"{dir}/edge.key\"")
    }

    /// Starts another binary than the one that was built, such as a link to it of another name.
    pub fn binary(mut self, path: &str) -> Self {
        self.binary = Some(path.to_owned());
        self
    }

    /// A variable of the gateway's environment, for `env:NAME`.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file in the gateway's folder, for `{dir}/NAME`, its owner's only.
    pub fn file(mut self, name: &str, content: &str) -> Self {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    fn section(mut self, header: String) -> Self {
        let known = self.sections.iter().position(|section| section.header == header);
        self.current = known.unwrap_or_else(|| {
            self.sections.push(Section { header, lines: Vec::new() });
            self.sections.len() - 1
        });
        self
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            writeln!(text, "{}", section.header).unwrap();
            for line in &section.lines {
                writeln!(text, "{line}").unwrap();
            }
        }
        text
    }
}
