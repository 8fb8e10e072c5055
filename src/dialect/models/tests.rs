use serde_json::{Value, json};

use super::*;

const MODELS: [ModelInfo<'static>; 5] = [
    ModelInfo { id: "claude-a", created: 0 },
    ModelInfo { id: "claude-b", created: 951_827_696 },
    ModelInfo { id: "gpt-5", created: 1_763_474_589 },
    ModelInfo { id: "org/m:8b", created: 4_102_444_800 },
    ModelInfo { id: "z", created: 1 },
];

fn list(dialect: Dialect, query: Option<&str>) -> Value {
    serde_json::from_slice(&render_list(dialect, &MODELS, query).unwrap()).unwrap()
}

fn page(query: &str) -> (Vec<String>, bool) {
    let list = list(Dialect::Anthropic, Some(query));
    let ids: Vec<String> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(list["first_id"].as_str(), ids.first().map(String::as_str));
    assert_eq!(list["last_id"].as_str(), ids.last().map(String::as_str));
    (ids, list["has_more"].as_bool().unwrap())
}

#[test]
fn openais_list_has_its_fields_and_ignores_a_limit() {
    let list = list(Dialect::OpenAi, Some("limit=1"));
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"].as_array().unwrap().len(), 5);
    let model = json!({"id": "gpt-5", "object": "model", "created": 1_763_474_589, "owned_by": "tidegate"});
    assert_eq!(list["data"][2], model);
    assert_eq!(serde_json::from_slice::<Value>(&render_one(Dialect::OpenAi, &MODELS[2])).unwrap(), model);
}

#[test]
fn anthropics_models_have_dates_as_text() {
    let one =
        |at: usize| serde_json::from_slice::<Value>(&render_one(Dialect::Anthropic, &MODELS[at])).unwrap();
    assert_eq!(
        one(1),
        json!({"type": "model", "id": "claude-b", "display_name": "claude-b", "created_at": "2000-02-29T12:34:56Z"})
    );
    assert_eq!(one(0)["created_at"], "1970-01-01T00:00:00Z");
    assert_eq!(one(2)["created_at"], "2025-11-18T14:03:09Z");
    assert_eq!(one(3)["created_at"], "2100-01-01T00:00:00Z");
}

#[test]
fn anthropics_list_is_paged_forwards_and_backwards() {
    let ids = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(page("limit=1000").0.len(), 5);
    assert!(!page("limit=1000").1);
    assert_eq!(page("limit=2"), (ids(&["claude-a", "claude-b"]), true));
    assert_eq!(page("limit=2&after_id=claude-b"), (ids(&["gpt-5", "org/m:8b"]), true));
    assert_eq!(page("after_id=org%2Fm%3A8b&limit=2"), (ids(&["z"]), false));
    assert_eq!(page("limit=2&before_id=org%2Fm:8b"), (ids(&["claude-b", "gpt-5"]), true));
    assert_eq!(page("after_id=z"), (Vec::new(), false));
}

#[test]
fn a_page_that_cannot_be_is_refused_with_the_parameters_name() {
    for (query, param) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("after_id=nope", "after_id"),
        ("before_id=nope", "before_id"),
    ] {
        let reject = render_list(Dialect::Anthropic, &MODELS, Some(query)).unwrap_err();
        assert_eq!((reject.status, reject.param.as_deref()), (400, Some(param)), "{query}");
    }
}

#[test]
fn geminis_names_stand_in_their_collection() {
    let list = list(Dialect::Gemini, None);
    assert_eq!(list["models"][3]["name"], "models/org/m:8b");
    assert_eq!(list["models"][3]["displayName"], "org/m:8b");
    assert!(
        list["models"][0]["supportedGenerationMethods"].as_array().unwrap().contains(&json!("countTokens"))
    );
}

#[test]
fn headers_decide_the_shape_only_where_the_path_leaves_it_open() {
    assert_eq!(shape(Dialect::OpenAi, false, false), Dialect::OpenAi);
    assert_eq!(shape(Dialect::OpenAi, true, false), Dialect::Anthropic);
    assert_eq!(shape(Dialect::OpenAi, false, true), Dialect::Gemini);
    assert_eq!(shape(Dialect::Gemini, true, false), Dialect::Gemini);
}

#[test]
fn near_names_are_the_likest_and_never_strangers() {
    let names = ["gpt-5", "gpt-5-mini", "gpt-4o", "claude-opus-5", "text-embedding-3-small"];
    assert_eq!(near_names("GPT5", names, 3).first(), Some(&"gpt-5"));
    assert_eq!(near_names("claude-opus5", names, 1), ["claude-opus-5"]);
    assert_eq!(near_names("whisper", names, 3), Vec::<&str>::new());
    assert!(near_names("gpt", names, 2).len() <= 2);
}

#[test]
fn the_refusal_of_a_model_names_it_and_its_neighbours_in_plain_text() {
    let reject = model_not_found("gpt5\n\u{1b}", ["gpt-5", "claude"]);
    assert_eq!((reject.reason, reject.status), (Reason::ModelNotFound, 404));
    assert_eq!(
        reject.message,
        "the model `gpt5` does not exist or this key may not use it; near it: `gpt-5`"
    );
    assert!(!model_not_found("x", []).message.contains("near"));
}
