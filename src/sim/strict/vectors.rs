//! Refusals of embeddings and rerank: fields and numbers of inputs.

use serde_json::Value;

use super::{list, text, unknown};

/// What a vendor says to `body`; None where it is taken.
struct Form {
    fields: &'static [&'static str],
    /// The list of inputs and the most it may hold.
    inputs: (&'static str, usize),
}

const OPENAI: Form =
    Form { fields: &["model", "input", "dimensions", "encoding_format", "user"], inputs: ("input", 2048) };
const VOYAGE: Form = Form {
    fields: &[
        "model",
        "input",
        "input_type",
        "truncation",
        "output_dimension",
        "output_dtype",
        "encoding_format",
    ],
    inputs: ("input", 1000),
};
const COHERE: Form = Form {
    fields: &[
        "model",
        "texts",
        "images",
        "inputs",
        "input_type",
        "max_tokens",
        "output_dimension",
        "embedding_types",
        "truncate",
        "priority",
    ],
    inputs: ("texts", 96),
};
const OLLAMA: Form = Form {
    fields: &["model", "input", "truncate", "options", "keep_alive", "dimensions"],
    inputs: ("input", usize::MAX),
};
const TITAN: Form = Form {
    fields: &["inputText", "inputImage", "dimensions", "normalize", "embeddingTypes", "embeddingConfig"],
    inputs: ("inputText", 1),
};
const GEMINI: Form = Form {
    fields: &["model", "content", "taskType", "title", "outputDimensionality"],
    inputs: ("content", 1),
};
const COHERE_RERANK: Form = Form {
    fields: &["model", "query", "documents", "top_n", "max_tokens_per_doc", "priority", "api_version"],
    inputs: ("documents", 10_000),
};
const JINA: Form = Form {
    fields: &["model", "query", "documents", "top_n", "return_documents"],
    inputs: ("documents", 2048),
};
const VOYAGE_RERANK: Form = Form {
    fields: &["model", "query", "documents", "top_k", "return_documents", "truncation"],
    inputs: ("documents", 1000),
};

impl Form {
    fn refused(&self, body: &Value) -> Option<String> {
        if let Some(name) = unknown(body, self.fields) {
            return Some(format!("unknown field: {name}"));
        }
        let (name, most) = self.inputs;
        let count = list(body, name).len();
        (count > most).then(|| format!("{name} holds {count}: at most {most} are allowed"))
    }
}

/// `/v1/embeddings`.
pub fn openai(is_voyage: bool, body: &Value) -> Option<String> {
    if is_voyage {
        let is_word = matches!(text(body, "input_type"), "" | "query" | "document");
        return VOYAGE
            .refused(body)
            .or((!is_word).then(|| "input_type must be query or document".to_owned()));
    }
    OPENAI.refused(body)
}

/// `:embedContent` and `:batchEmbedContents`.
pub fn gemini(model: &str, body: &Value) -> Option<String> {
    let batch = list(body, "requests");
    if batch.is_empty() {
        return one_of_gemini(model, body);
    }
    if batch.len() > 100 {
        return Some("at most 100 requests can be in one batch".to_owned());
    }
    let unnamed = || Some("each request of a batch names the model".to_owned());
    batch.iter().find_map(|request| match text(request, "model") {
        "" => unnamed(),
        _ => one_of_gemini(model, request),
    })
}

fn one_of_gemini(model: &str, request: &Value) -> Option<String> {
    let named = text(request, "model");
    let is_other = !named.is_empty() && named != format!("models/{model}");
    GEMINI.refused(request).or(is_other.then(|| "the model of the request is not the path's".to_owned()))
}

/// Vertex's `:predict` of text embedding models: Gemini's take one text a call.
pub fn vertex(model: &str, body: &Value) -> Option<String> {
    let instances = list(body, "instances");
    let most = if model.starts_with("gemini") { 1 } else { 250 };
    if instances.is_empty() || instances.len() > most {
        return Some(format!("{} instance(s) is not allowed, the maximum is {most}", instances.len()));
    }
    let odd = instances.iter().find_map(|instance| unknown(instance, &["content", "task_type", "title"]));
    let odd = odd.or_else(|| unknown(body, &["instances", "parameters"]));
    odd.map(|name| format!("unknown field: {name}"))
}

/// `/v2/embed`, and the same at Bedrock.
pub fn cohere(body: &Value) -> Option<String> {
    const PURPOSES: [&str; 5] = ["search_document", "search_query", "classification", "clustering", "image"];
    let is_purpose = PURPOSES.contains(&text(body, "input_type"));
    COHERE.refused(body).or((!is_purpose).then(|| "input_type is required".to_owned()))
}

/// `/api/embed`.
pub fn ollama(body: &Value) -> Option<String> {
    OLLAMA.refused(body)
}

/// `/model/{id}/invoke`.
pub fn invoke(model: &str, body: &Value) -> Option<String> {
    match () {
        () if model.contains("titan-embed") => TITAN.refused(body),
        () if model.contains("cohere.rerank") => COHERE_RERANK.refused(body),
        () => cohere(body).or(body.get("model").map(|_| "extraneous key [model]".to_owned())),
    }
}

/// `/v1/rerank` and `/v2/rerank`.
pub fn rerank(is_cohere: bool, is_voyage: bool, body: &Value) -> Option<String> {
    match (is_cohere, is_voyage) {
        (true, _) => COHERE_RERANK.refused(body),
        (false, true) => VOYAGE_RERANK.refused(body),
        (false, false) => JINA.refused(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_and_numbers_are_held_to_each_vendors_own() {
        assert_eq!(openai(false, &json!({"model": "m", "input": vec!["a"; 2048]})), None);
        assert!(openai(false, &json!({"model": "m", "input": vec!["a"; 2049]})).is_some());
        assert!(openai(false, &json!({"model": "m", "output_dimension": 2})).is_some());
        assert_eq!(openai(true, &json!({"model": "m", "output_dimension": 2})), None);
        assert!(cohere(&json!({"model": "m", "texts": ["a"]})).unwrap().contains("input_type"));
        assert!(
            invoke("cohere.embed-v4", &json!({"model": "m", "texts": ["a"], "input_type": "image"}))
                .is_some()
        );
        let one = json!({"model": "models/g", "content": {}});
        assert_eq!(gemini("g", &json!({"requests": vec![one.clone(); 100]})), None);
        assert!(gemini("g", &json!({"requests": vec![one.clone(); 101]})).is_some());
        assert!(gemini("other", &one).is_some());
        assert!(rerank(true, false, &json!({"return_documents": true})).is_some());
        assert_eq!(rerank(false, true, &json!({"top_k": 1})), None);
    }
}
