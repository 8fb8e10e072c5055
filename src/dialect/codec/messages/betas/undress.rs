//! The other way round: the body of a client that speaks to one of Claude's other hosts, as Anthropic
//! itself takes it.
//!
//! Invariant: bytes outside of the dress are the client's.

use super::change::{apply_all, insert_front, remove_members};
use crate::framing::json::{JsonWriter, Node};

/// A Messages body without its host's dress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undressed {
    pub body: Vec<u8>,
    /// The betas that stood in the body: Bedrock's clients name them there.
    pub betas: Vec<String>,
}

/// Whether the body of a Bedrock `invoke` is Anthropic's. Other makers' bodies have no such member.
pub fn is_dressed(root: &Node<'_>) -> bool {
    root.get("anthropic_version").is_some_and(Node::is_string)
}

/// Takes the dress off. `model` and `is_stream`: what the path said in the body's place; None leaves
/// the body's own.
pub fn undress(root: &Node<'_>, model: Option<&str>, is_stream: Option<bool>) -> Undressed {
    let is_dress = |key: &str| match key {
        "anthropic_version" | "anthropic_beta" => true,
        "model" => model.is_some(),
        "stream" => is_stream.is_some(),
        _ => false,
    };
    let mut front = Vec::new();
    if let Some(model) = model {
        let mut member = b"\"model\":".to_vec();
        JsonWriter::new(&mut member).string(model);
        front.push(String::from_utf8(member).unwrap_or_default());
    }
    if is_stream == Some(true) {
        front.push("\"stream\":true".to_owned());
    }
    let has_more = root.entries().iter().any(|(key, _)| !is_dress(key));
    let mut changes = remove_members(root, is_dress);
    changes.extend(insert_front(root, &front, has_more));
    changes.sort_by_key(|change| (change.range.start, change.range.end));
    let betas = root.get("anthropic_beta").map(Node::items).unwrap_or_default();
    let betas = betas.iter().filter_map(Node::text).map(|name| name.into_owned()).collect();
    Undressed { body: apply_all(root, &changes), betas }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    fn undressed(body: &str, model: Option<&str>, is_stream: Option<bool>) -> (String, Vec<String>) {
        let root = parse(body, Duplicates::Refuse).unwrap();
        let Undressed { body, betas } = undress(&root, model, is_stream);
        (String::from_utf8(body).unwrap(), betas)
    }

    #[test]
    fn the_paths_words_come_in_front_and_all_other_bytes_stay() {
        let body = r#"{ "anthropic_version":"bedrock-2023-05-31" , "max_tokens":  16,"anthropic_beta":["a-1","b"],
 "messages":[{"role":"user","content":"\u00e9 é"}], "model":"other", "stream":false }"#;
        let (plain, betas) = undressed(body, Some("us.anthropic.\"x"), Some(true));
        assert_eq!(
            plain,
            "{\"model\":\"us.anthropic.\\\"x\",\"stream\":true, \"max_tokens\":  16,\n \"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9 é\"}] }"
        );
        assert_eq!(betas, ["a-1", "b"]);
    }

    #[test]
    fn what_the_path_does_not_say_is_the_bodys() {
        let body = r#"{"anthropic_version":"v","model":"m","stream":true,"messages":[]}"#;
        assert_eq!(undressed(body, None, None).0, r#"{"model":"m","stream":true,"messages":[]}"#);
        assert_eq!(undressed(body, Some("p"), Some(false)).0, r#"{"model":"p","messages":[]}"#);
        assert_eq!(undressed(r#"{"anthropic_version":"v"}"#, Some("p"), Some(false)).0, r#"{"model":"p"}"#);
    }

    #[test]
    fn only_anthropics_bodies_are_dressed() {
        let is = |body| is_dressed(&parse(body, Duplicates::Refuse).unwrap());
        assert!(is(r#"{"anthropic_version":"bedrock-2023-05-31"}"#));
        assert!(!is(r#"{"messages":[]}"#) && !is(r#"{"anthropic_version":1}"#) && !is("[]"));
    }
}
