//! What a request asks for, in a form every protocol's reader fills and nothing of the product knows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tidegate::chat::Feature;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Instructions before the conversation.
    pub system: String,
    pub said: Vec<Said>,
    pub tools: Vec<Tool>,
    /// `auto`, `none`, `any`, `tool NAME`; None where nothing is said.
    pub choice: Option<String>,
    pub max: Option<u64>,
    pub temperature: Option<f64>,
    pub stop: Vec<String>,
    pub stream: Option<bool>,
    /// Flat parameters that no other field here stands for.
    pub settings: Vec<(Feature, Value)>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Text(Role, String),
    Thinking(String),
    /// The tail of its data, its URL or its file's id.
    Image(String),
    Document(String),
    /// Id, name, arguments.
    Call(String, String, Value),
    /// Id (or the tool's name), content.
    Result(String, Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
    /// Instructions in the middle.
    System,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: String,
    /// Names of the properties, sorted.
    pub properties: Vec<String>,
}

impl Asked {
    pub fn say(&mut self, role: Role, text: &str) {
        if text.is_empty() {
            return;
        }
        if role == Role::System && self.said.is_empty() {
            self.system.push_str(text);
            return;
        }
        self.said.push(Said::Text(role, text.to_owned()));
    }

    pub fn think(&mut self, text: &str) {
        if !text.is_empty() {
            self.said.push(Said::Thinking(text.to_owned()));
        }
    }

    pub fn image(&mut self, source: &str) {
        self.said.push(Said::Image(tail(source)));
    }

    /// Text that came as base64 is text.
    pub fn document(&mut self, source: &str) {
        let bare = source.rsplit_once(";base64,").map_or(source, |(_, data)| data);
        let plain = STANDARD.decode(bare).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        self.said.push(Said::Document(tail(plain.as_deref().unwrap_or(bare).trim())));
    }

    pub fn tool(&mut self, name: &str, description: &str, schema: &Value) {
        let properties = schema["properties"].as_object();
        let mut properties: Vec<String> =
            properties.into_iter().flat_map(|object| object.keys().cloned()).collect();
        properties.sort();
        self.tools.push(Tool { name: name.into(), description: description.into(), properties });
    }

    /// Notes each of these keys that is there.
    pub fn set(&mut self, body: &Value, keys: &[(&str, Feature)]) {
        for (key, feature) in keys {
            if !body[key].is_null() {
                self.settings.push((*feature, body[key].clone()));
            }
        }
    }

    /// Everything of one role that is text, without white space: how pieces are joined is no matter.
    pub fn text_of(&self, role: Role) -> String {
        let pieces = self.said.iter().filter_map(|said| match said {
            Said::Text(of, text) if *of == role => Some(text.as_str()),
            _ => None,
        });
        squeezed(&pieces.collect::<String>())
    }

    pub fn calls(&self) -> Vec<(&str, &Value)> {
        let said = self.said.iter().filter_map(|said| match said {
            Said::Call(_, name, arguments) => Some((name.as_str(), arguments)),
            _ => None,
        });
        said.collect()
    }

    /// Results, each with the number of the call it belongs to: by id, else by the tool's name.
    pub fn results(&self) -> Vec<(Option<usize>, &Value)> {
        let mut open: Vec<(usize, &str, &str)> = Vec::new();
        let mut results = Vec::new();
        let mut count = 0;
        for said in &self.said {
            match said {
                Said::Call(id, name, _) => {
                    open.push((count, id, name));
                    count += 1;
                }
                Said::Result(of, content) => {
                    let by_id = open.iter().position(|(_, id, _)| !of.is_empty() && id == of);
                    let by_name = || open.iter().position(|(.., name)| name == of);
                    // Old Ollama clients say neither: the first that is open.
                    let by_order = || (of.is_empty() && !open.is_empty()).then_some(0);
                    let place = by_id.or_else(by_name).or_else(by_order);
                    results.push((place.map(|place| open.remove(place).0), content));
                }
                _ => {}
            }
        }
        results
    }

    /// Who speaks after whom: `u`, `a`, and `r` for results.
    pub fn order(&self) -> String {
        let letter = |said: &Said| match said {
            Said::Text(Role::User, _) | Said::Image(_) | Said::Document(_) => 'u',
            Said::Text(Role::Assistant, _) | Said::Call(..) => 'a',
            Said::Result(..) => 'r',
            Said::Text(Role::System, _) | Said::Thinking(_) => ' ',
        };
        let mut order: Vec<char> = self.said.iter().map(letter).filter(|letter| *letter != ' ').collect();
        order.dedup();
        order.into_iter().collect()
    }

    pub fn list(&self, pick: impl Fn(&Said) -> Option<&String>) -> Vec<String> {
        self.said.iter().filter_map(|said| pick(said).cloned()).collect()
    }
}

pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The end of base64 or of a URL: enough to know it again, without its envelope.
fn tail(source: &str) -> String {
    let bare = source.trim_end_matches('=');
    bare.chars().rev().take(48).collect::<Vec<_>>().into_iter().rev().collect()
}

/// A tool's result as a value: text that is JSON, parsed; other text, a string.
pub fn content(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The texts of a list of parts, joined; a string as it is.
pub fn joined(parts: &Value) -> String {
    match parts {
        Value::String(text) => text.clone(),
        parts => parts.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect(),
    }
}
