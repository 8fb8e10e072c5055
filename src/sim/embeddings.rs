//! Embeddings and rerank in the shapes of OpenAI, Voyage, Gemini, Cohere, Ollama and Bedrock.

use serde_json::Value;

use super::job::{Job, Model};
use super::json::{Quoted, put};
use super::reply::Whole;
use super::vectors::{Numbers, put_vector, relevance, text_of};

/// Inputs of one request.
const INPUTS_MAX: usize = 2048;

/// A request's body, as far as it is read here.
pub struct Wish<'a> {
    pub job: &'a Job,
    pub body: &'a Value,
}

impl Wish<'_> {
    fn number(&self, names: &[&str]) -> Option<u64> {
        names.iter().find_map(|name| self.body.get(name)?.as_u64())
    }

    fn word(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// One text for each vector: a string, a list of strings, a list of tokens, or a list of those.
    fn texts(&self, names: &[&str]) -> Vec<String> {
        match names.iter().find_map(|name| self.body.get(name)) {
            Some(Value::Array(list)) if list.is_empty() || !list.iter().all(Value::is_number) => {
                list.iter().take(INPUTS_MAX).map(text_of).collect()
            }
            Some(one) => vec![text_of(one)],
            None => Vec::new(),
        }
    }

    /// `[…]` of the vectors of `texts`.
    fn put_all(&self, texts: &[String], numbers: Numbers, out: &mut String) {
        let dimensions = self.number(&["dimensions", "output_dimension", "outputDimensionality"]);
        out.push('[');
        for (place, text) in texts.iter().enumerate() {
            put!(out, if place > 0 { "," } else { "" });
            put_vector(text, dimensions, numbers, out);
        }
        out.push(']');
    }

    /// `/v1/embeddings`; Voyage's models tell a total only.
    pub fn openai(&self) -> Whole {
        let is_base64 = self.word("encoding_format") == "base64";
        let numbers = if is_base64 { Numbers::Base64 } else { Numbers::of(self.word("output_dtype")) };
        let dimensions = self.number(&["dimensions", "output_dimension"]);
        let mut out = String::from(r#"{"object":"list","data":["#);
        for (index, text) in self.texts(&["input"]).iter().enumerate() {
            put!(&mut out, if index > 0 { "," } else { "" }, r#"{"object":"embedding","index":"#, index);
            out.push_str(r#","embedding":"#);
            put_vector(text, dimensions, numbers, &mut out);
            out.push('}');
        }
        put!(&mut out, r#"],"model":"#, Model(self.job));
        let tokens = self.job.prompt_tokens;
        match (self.job.has_usage, is_voyage(&self.job.model)) {
            (true, true) => put!(&mut out, r#","usage":{"total_tokens":"#, tokens, "}"),
            (true, false) => {
                put!(&mut out, r#","usage":{"prompt_tokens":"#, tokens, r#","total_tokens":"#, tokens, "}");
            }
            (false, _) => {}
        }
        out.push('}');
        Whole::json(out)
    }

    /// `:embedContent`, and `:batchEmbedContents` where the body has `requests`. No usage is told.
    pub fn gemini(&self) -> Whole {
        let one = |request: &Value, out: &mut String| {
            let dimensions = request.get("outputDimensionality").and_then(Value::as_u64);
            out.push_str(r#"{"values":"#);
            let text = text_of(request.get("content").unwrap_or(&Value::Null));
            put_vector(&text, dimensions, Numbers::Float, out);
            out.push('}');
        };
        if let Some(instances) = self.body.get("instances").and_then(Value::as_array) {
            return self.predicted(instances);
        }
        let mut out = String::new();
        match self.body.get("requests").and_then(Value::as_array) {
            Some(requests) => {
                out.push_str(r#"{"embeddings":["#);
                for (index, request) in requests.iter().take(INPUTS_MAX).enumerate() {
                    put!(&mut out, if index > 0 { "," } else { "" });
                    one(request, &mut out);
                }
                out.push_str("]}");
            }
            None => {
                out.push_str(r#"{"embedding":"#);
                one(self.body, &mut out);
                out.push('}');
            }
        }
        Whole::json(out)
    }

    /// Vertex's `:predict`: the prompt's tokens, told text by text.
    fn predicted(&self, instances: &[Value]) -> Whole {
        let dimensions = self.body.pointer("/parameters/outputDimensionality").and_then(Value::as_u64);
        let count = instances.len() as u64;
        let mut out = String::from(r#"{"predictions":["#);
        for (index, instance) in instances.iter().take(INPUTS_MAX).enumerate() {
            let before = index as u64;
            let part =
                self.job.prompt_tokens * (before + 1) / count - self.job.prompt_tokens * before / count;
            put!(
                &mut out,
                if index > 0 { "," } else { "" },
                r#"{"embeddings":{"statistics":{"token_count":"#
            );
            put!(&mut out, part, r#","truncated":false},"values":"#);
            let text = text_of(instance.get("content").unwrap_or(&Value::Null));
            put_vector(&text, dimensions, Numbers::Float, &mut out);
            out.push_str("}}");
        }
        out.push_str(r#"],"metadata":{"billableCharacterCount":1}}"#);
        Whole::json(out)
    }

    /// `/v2/embed`: each kind of numbers that was asked for, floats where none was.
    pub fn cohere(&self) -> Whole {
        let mut out = self.by_kind();
        put!(&mut out, r#","meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":"#);
        put!(&mut out, self.job.prompt_tokens, r#"}},"response_type":"embeddings_by_type"}"#);
        Whole::json(out)
    }

    /// All up to the vectors, without the last brace.
    fn by_kind(&self) -> String {
        let texts = self.texts(&["texts", "inputs", "images"]);
        let asked = self.body.get("embedding_types").and_then(Value::as_array);
        let mut kinds: Vec<&str> = asked.into_iter().flatten().filter_map(Value::as_str).collect();
        if kinds.is_empty() {
            kinds.push("float");
        }
        let mut out = String::new();
        put!(&mut out, r#"{"id":""#, self.job.id, r#"","texts":["#);
        for (place, text) in texts.iter().enumerate() {
            put!(&mut out, if place > 0 { "," } else { "" }, Quoted(text));
        }
        out.push_str(r#"],"embeddings":{"#);
        for (place, kind) in kinds.iter().enumerate() {
            put!(&mut out, if place > 0 { "," } else { "" }, Quoted(kind), ":");
            self.put_all(&texts, Numbers::of(kind), &mut out);
        }
        out.push('}');
        out
    }

    /// `/api/embed`.
    pub fn ollama(&self) -> Whole {
        let mut out = String::new();
        put!(&mut out, r#"{"model":"#, Model(self.job), r#","embeddings":"#);
        self.put_all(&self.texts(&["input"]), Numbers::Float, &mut out);
        put!(&mut out, r#","total_duration":14143917,"load_duration":1019500,"prompt_eval_count":"#);
        put!(&mut out, self.job.prompt_tokens, "}");
        Whole::json(out)
    }

    /// `/api/embeddings`: one vector, and no usage.
    pub fn ollama_one(&self) -> Whole {
        let mut out = String::from(r#"{"embedding":"#);
        put_vector(&self.texts(&["prompt"]).concat(), None, Numbers::Float, &mut out);
        out.push('}');
        Whole::json(out)
    }

    /// Bedrock's `invoke` of an embedding or rerank model; None where the model is neither.
    pub fn invoke(&self) -> Option<Whole> {
        if self.job.model.contains("titan-embed") {
            return Some(self.titan());
        }
        if self.job.model.contains("cohere.rerank") {
            return Some(self.counted(self.rerank("results", "")));
        }
        if !self.job.model.contains("cohere.embed") {
            return None;
        }
        if self.body.get("embedding_types").is_some() {
            let mut out = self.by_kind();
            out.push_str(r#","response_type":"embeddings_by_type"}"#);
            return Some(self.counted(Whole::json(out)));
        }
        let mut out = String::new();
        put!(&mut out, r#"{"id":""#, self.job.id, r#"","embeddings":"#);
        self.put_all(&self.texts(&["texts", "inputs", "images"]), Numbers::Float, &mut out);
        out.push_str(r#","response_type":"embeddings_floats"}"#);
        Some(self.counted(Whole::json(out)))
    }

    fn titan(&self) -> Whole {
        let text = text_of(self.body.get("inputText").unwrap_or(&Value::Null));
        let mut out = String::from(r#"{"embedding":"#);
        put_vector(&text, self.number(&["dimensions"]), Numbers::Float, &mut out);
        put!(&mut out, r#","inputTextTokenCount":"#, self.job.prompt_tokens, "}");
        Whole::json(out)
    }

    /// Bedrock counts in the head what the body does not tell.
    fn counted(&self, mut whole: Whole) -> Whole {
        whole.headers.push(("x-amzn-bedrock-input-token-count", self.job.prompt_tokens.to_string()));
        whole
    }

    /// `/v1/rerank` of Jina and of Voyage, `/v2/rerank` of Cohere: best first.
    pub fn ranked(&self, is_cohere: bool) -> Whole {
        let tokens = self.job.prompt_tokens;
        if is_cohere {
            let tail = r#","meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}"#;
            return self.rerank("results", tail);
        }
        let key = if is_voyage(&self.job.model) { "data" } else { "results" };
        self.rerank(key, &format!(r#","usage":{{"total_tokens":{tokens},"prompt_tokens":{tokens}}}"#))
    }

    fn rerank(&self, key: &str, tail: &str) -> Whole {
        let documents = self.texts(&["documents"]);
        let query = self.word("query");
        let mut scored: Vec<(usize, f64, &str)> = documents
            .iter()
            .enumerate()
            .map(|(index, document)| (index, relevance(query, document), document.as_str()))
            .collect();
        scored.sort_by(|left, right| right.1.total_cmp(&left.1));
        let wanted = self.number(&["top_n", "top_k"]).unwrap_or(u64::MAX);
        let returns = self.body.get("return_documents") == Some(&Value::Bool(true));
        let mut out = String::new();
        put!(
            &mut out,
            r#"{"id":"rerank-"#,
            self.job.id,
            r#"","model":"#,
            Model(self.job),
            ",",
            Quoted(key),
            ":["
        );
        for (place, (index, score, document)) in scored.iter().enumerate() {
            if place as u64 >= wanted {
                break;
            }
            put!(
                &mut out,
                if place > 0 { "," } else { "" },
                r#"{"index":"#,
                *index,
                r#","relevance_score":"#
            );
            put!(&mut out, format!("{score}"));
            match returns {
                true if key == "data" => put!(&mut out, r#","document":"#, Quoted(document)),
                true => put!(&mut out, r#","document":{"text":"#, Quoted(document), "}"),
                false => {}
            }
            out.push('}');
        }
        put!(&mut out, "]", tail, "}");
        Whole::json(out)
    }
}

pub fn is_voyage(model: &str) -> bool {
    model.starts_with("voyage") || model.starts_with("rerank-2")
}
