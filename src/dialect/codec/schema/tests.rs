//! What each subset makes of the schemas clients send.

use super::*;
use crate::framing::json::{Node, parse};
use proptest::prelude::*;

const ALL: [Subset; 6] = [
    Subset::GeminiOpenApi,
    Subset::GeminiJson,
    Subset::OpenAiStrict,
    Subset::AnthropicStrict,
    Subset::BedrockStrict,
    Subset::Tool,
];

fn made(schema: &str, subset: Subset) -> Adapted<'_> {
    adapt(schema, At::NOWHERE, subset, Place::Parameters)
        .unwrap_or_else(|e| panic!("{subset:?}: {e}\n{schema}"))
}

fn made_output(schema: &str, subset: Subset) -> Adapted<'_> {
    adapt(schema, At::NOWHERE, subset, Place::Output).unwrap_or_else(|e| panic!("{subset:?}: {e}\n{schema}"))
}

fn refused(schema: &str, subset: Subset) -> String {
    let refused = adapt(schema, At::NOWHERE, subset, Place::Parameters).expect_err(schema);
    format!("{}: {}", refused.in_schema.unwrap(), refused.message)
}

fn parameters(schema: &str, subset: Subset) -> String {
    made(schema, subset).json.into_owned()
}

const TREE: &str = r##"{"type":"object","properties":{"tree":{"$ref":"#/$defs/Node"}},"required":["tree"],
"$defs":{"Node":{"type":"object","properties":{"label":{"type":"string"},
"children":{"type":"array","items":{"$ref":"#/$defs/Node"}}},"required":["label"]}}}"##;

const ORDER: &str = r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","additionalProperties":false,
"properties":{
 "when":{"type":["string","null"],"format":"date-time","description":"d"},
 "kind":{"const":"order"},
 "size":{"anyOf":[{"type":"integer","exclusiveMinimum":0},{"type":"null"}],"default":null},
 "to":{"$ref":"#/$defs/Address","description":"where"},
 "tags":{"type":"array","items":{"type":"string","format":"slug","maxLength":9},"uniqueItems":true,"minItems":2},
 "level":{"enum":["a","",null]},
 "free":{"type":"object","additionalProperties":{"type":"number"}}},
"required":["kind","to","gone"],
"$defs":{"Address":{"type":"object","properties":{"city":{"type":"string","pattern":"^[A-Z]"}},"required":["city"]}}}"##;

#[test]
fn what_fits_is_given_back_byte_for_byte() {
    let plain = r#"{ "type":"object", "properties":{"a":{"type":"number","minimum":1.50}}, "required":["a"], "additionalProperties":false }"#;
    for subset in [Subset::GeminiJson, Subset::OpenAiStrict, Subset::Tool] {
        let adapted = made(plain, subset);
        assert!(matches!(adapted.json, Cow::Borrowed(json) if json == plain), "{subset:?} {}", adapted.json);
        assert!(adapted.lost.is_empty() && !adapted.is_empty);
    }
    assert!(matches!(made(TREE, Subset::GeminiJson).json, Cow::Borrowed(_)));
}

#[test]
fn geminis_openapi_has_upper_case_types_and_no_references() {
    let adapted = made(ORDER, Subset::GeminiOpenApi);
    insta::assert_snapshot!(pretty(&adapted), @r#"
type: "OBJECT"
properties.when: {"type":"STRING","format":"date-time","description":"d","nullable":true}
properties.kind: {"type":"STRING","enum":["order"]}
properties.size: {"type":"INTEGER","nullable":true}
properties.to: {"type":"OBJECT","description":"where","properties":{"city":{"type":"STRING","pattern":"^[A-Z]"}},"required":["city"]}
properties.tags: {"type":"ARRAY","items":{"type":"STRING","maxLength":9},"minItems":2}
properties.level: {"type":"STRING","enum":["a"],"nullable":true}
properties.free: {"type":"OBJECT"}
required: ["kind","to"]
lost: properties.size.anyOf[0].exclusiveMinimum properties.tags.uniqueItems properties.level.enum properties.free.additionalProperties
"#);
}

#[test]
fn geminis_json_schema_keeps_references_and_knows_no_const() {
    insta::assert_snapshot!(pretty(&made(ORDER, Subset::GeminiJson)), @r##"
type: "object"
additionalProperties: false
$defs.Address: {"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}
properties.when: {"type":["string","null"],"format":"date-time","description":"d"}
properties.kind: {"enum":["order"],"type":"string"}
properties.size: {"anyOf":[{"type":"integer"},{"type":"null"}]}
properties.to: {"$ref":"#/$defs/Address"}
properties.tags: {"type":"array","items":{"type":"string"},"minItems":2}
properties.level: {"enum":["a",""],"type":["string","null"]}
properties.free: {"type":"object","additionalProperties":{"type":"number"}}
required: ["kind","to"]
lost: $defs.Address.properties.city.pattern properties.size.anyOf[0].exclusiveMinimum properties.tags.items.maxLength properties.tags.uniqueItems
"##);
}

#[test]
fn null_joins_a_list_of_types_however_short() {
    let made = |kinds: &str| {
        let schema =
            format!(r#"{{"type":"object","properties":{{"a":{{"type":{kinds},"enum":["x",null]}}}}}}"#);
        let adapted = adapt(&schema, At::NOWHERE, Subset::GeminiJson, Place::Parameters).unwrap();
        let node = parse(&adapted.json, Duplicates::Refuse).unwrap();
        let kind = node.get("properties").and_then(|all| all.get("a")?.get("type"));
        kind.map(|kind| kind.raw().to_owned()).unwrap_or_default()
    };
    assert_eq!(made("[]"), r#"["null"]"#);
    assert_eq!(made(r#"[ "string" ]"#), r#"["string","null"]"#);
    assert_eq!(made(r#"["null","string"]"#), r#"["null","string"]"#);
}

#[test]
fn strict_at_openai_closes_and_requires_everything() {
    insta::assert_snapshot!(pretty(&made(ORDER, Subset::OpenAiStrict)), @r##"
type: "object"
$defs.Address: {"type":"object","properties":{"city":{"type":"string","pattern":"^[A-Z]"}},"required":["city"],"additionalProperties":false}
properties.when: {"type":["string","null"],"format":"date-time","description":"d"}
properties.kind: {"const":"order","type":"string"}
properties.size: {"anyOf":[{"type":"integer","exclusiveMinimum":0},{"type":"null"}]}
properties.to: {"$ref":"#/$defs/Address"}
properties.tags: {"type":["array","null"],"items":{"type":"string"},"minItems":2}
properties.level: {"enum":["a","",null],"type":["string","null"]}
properties.free: {"type":["object","null"],"properties":{},"required":[],"additionalProperties":false}
required: ["when","kind","size","to","tags","level","free"]
additionalProperties: false
lost: properties.tags.items.maxLength properties.tags.uniqueItems properties.free.additionalProperties
"##);
}

#[test]
fn strict_at_anthropic_closes_and_inlines() {
    insta::assert_snapshot!(pretty(&made_output(ORDER, Subset::AnthropicStrict)), @r#"
type: "object"
properties.when: {"type":["string","null"],"format":"date-time","description":"d"}
properties.kind: {"const":"order"}
properties.size: {"anyOf":[{"type":"integer"},{"type":"null"}],"default":null}
properties.to: {"type":"object","description":"where","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}
properties.tags: {"type":"array","items":{"type":"string"}}
properties.level: {"enum":["a","",null]}
properties.free: {"type":"object","additionalProperties":false}
required: ["kind","to"]
additionalProperties: false
lost: properties.size.anyOf[0].exclusiveMinimum properties.to.properties.city.pattern properties.tags.items.maxLength properties.tags.uniqueItems properties.tags.minItems properties.free.additionalProperties
"#);
}

/// The schema, a line for each property, and what was lost.
fn pretty(adapted: &Adapted<'_>) -> String {
    let node = parse(&adapted.json, Duplicates::Refuse).unwrap();
    let mut lines = Vec::new();
    for (key, value) in node.entries() {
        if key == "properties" || key == "$defs" {
            let inner = value.entries().iter().map(|(name, one)| format!("{key}.{name}: {}", one.raw()));
            lines.extend(inner);
        } else {
            lines.push(format!("{key}: {}", value.raw()));
        }
    }
    lines.push(format!("lost: {}", adapted.lost.join(" ")));
    lines.join("\n")
}

#[test]
fn recursion_is_kept_or_refused_with_its_path() {
    for subset in [Subset::GeminiOpenApi, Subset::AnthropicStrict, Subset::BedrockStrict] {
        let message = refused(TREE, subset);
        assert!(message.contains("properties.tree.properties.children.items"), "{message}");
        assert!(message.contains("refers to itself"), "{message}");
    }
    assert!(parameters(TREE, Subset::OpenAiStrict).contains(r##""items":{"$ref":"#/$defs/Node"}"##));
    assert_eq!(parameters(TREE, Subset::Tool), TREE);
    let loops = r##"{"$ref":"#/$defs/A","$defs":{"A":{"$ref":"#/$defs/B"},"B":{"$ref":"#/$defs/A"}}}"##;
    for subset in ALL {
        assert!(refused(loops, subset).contains("refers to itself"), "{subset:?}");
    }
    let own_root = r##"{"type":"object","properties":{"next":{"$ref":"#"}}}"##;
    assert!(refused(own_root, Subset::GeminiOpenApi).contains("refers to itself"));
}

#[test]
fn references_to_nowhere_and_out_of_the_document_are_named() {
    for (pointer, words) in [
        ("#/$defs/Gone", "names nothing"),
        ("https://example.com/s.json", "leads out of the schema"),
        ("#Address", "names nothing"),
        ("#/properties/b/9", "names nothing"),
    ] {
        let schema = format!(r#"{{"type":"object","properties":{{"b":{{"$ref":"{pointer}"}}}}}}"#);
        for subset in
            [Subset::GeminiOpenApi, Subset::GeminiJson, Subset::OpenAiStrict, Subset::AnthropicStrict]
        {
            let message = refused(&schema, subset);
            assert!(message.contains(words) && message.contains("properties.b"), "{subset:?}: {message}");
        }
    }
}

#[test]
fn references_of_old_drafts_and_into_properties_are_understood() {
    let old = r##"{"type":"object","properties":{"a":{"$ref":"#/definitions/A"},"b":{"$ref":"#/properties/a"}},
        "definitions":{"A":{"type":"string"}}}"##;
    assert_eq!(
        parameters(old, Subset::GeminiJson),
        r##"{"type":"object","$defs":{"A":{"type":"string"}},"properties":{"a":{"$ref":"#/$defs/A"},"b":{"type":"string"}}}"##
    );
    assert_eq!(
        parameters(old, Subset::GeminiOpenApi),
        r#"{"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"STRING"}}}"#
    );
}

#[test]
fn empty_parameters_are_an_object_without_properties() {
    for schema in ["{}", "true", r#"{"type":"object"}"#, r#"{"type":"object","properties":{}}"#] {
        for subset in ALL {
            let adapted = made(schema, subset);
            assert!(adapted.is_empty, "{subset:?} {schema}");
            let node = parse(&adapted.json, Duplicates::Refuse).unwrap();
            assert!(node.text_of("type").unwrap().eq_ignore_ascii_case("object"), "{subset:?} {schema}");
        }
    }
}

#[test]
fn a_choice_at_the_root_becomes_one_object() {
    let schema = r#"{"anyOf":[
        {"type":"object","properties":{"op":{"const":"a"},"x":{"type":"number"}},"required":["op","x"]},
        {"type":"object","properties":{"op":{"const":"b"},"y":{"type":"string"}},"required":["op"]}]}"#;
    for subset in ALL {
        let adapted = made(schema, subset);
        let node = parse(&adapted.json, Duplicates::Refuse).unwrap();
        assert_eq!(adapted.lost.first().map(String::as_str), Some("anyOf"), "{subset:?}");
        assert!(node.get("anyOf").is_none() && node.get("oneOf").is_none());
        let names: Vec<&str> =
            node.get("properties").unwrap().entries().iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["op", "x", "y"], "{subset:?}");
        if subset != Subset::OpenAiStrict {
            assert_eq!(node.get("required").unwrap().raw(), r#"["op"]"#);
        }
    }
    let answer = made_output(schema, Subset::GeminiJson);
    assert!(answer.json.starts_with(r#"{"anyOf":["#) && answer.lost.is_empty(), "{}", answer.json);
    let refines = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},
        "anyOf":[{"required":["a"]},{"required":["b"]}]}"#;
    let adapted = made(refines, Subset::Tool);
    assert_eq!(
        adapted.json,
        r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}"#
    );
}

#[test]
fn a_root_that_is_no_object_is_refused_for_parameters() {
    for schema in [r#"{"type":"string"}"#, r#"{"type":["array","null"]}"#, r#"{"anyOf":[{"type":"string"}]}"#]
    {
        for subset in ALL {
            assert!(refused(schema, subset).contains("root"), "{subset:?} {schema}");
        }
    }
    assert_eq!(made_output(r#"{"type":"string"}"#, Subset::GeminiJson).json, r#"{"type":"string"}"#);
    for schema in ["[]", "1", "null", "\"x\"", "false", "{"] {
        for subset in ALL {
            adapt(schema, At::NOWHERE, subset, Place::Parameters).unwrap_err();
        }
    }
}

#[test]
fn intersections_are_merged() {
    let schema = r##"{"allOf":[{"$ref":"#/$defs/Base"},{"properties":{"b":{"type":"integer"}},"required":["b"]}],
        "description":"both","$defs":{"Base":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}"##;
    assert_eq!(
        parameters(schema, Subset::GeminiOpenApi),
        r#"{"type":"OBJECT","description":"both","properties":{"a":{"type":"STRING"},"b":{"type":"INTEGER"}},"required":["a","b"]}"#
    );
    let lone = r##"{"type":"object","properties":{"a":{"allOf":[{"$ref":"#/$defs/A"}],"description":"d"}},"$defs":{"A":{"type":"string"}}}"##;
    assert!(parameters(lone, Subset::GeminiJson).contains(r##""a":{"$ref":"#/$defs/A"}"##));
}

#[test]
fn a_tuple_is_kept_by_gemini_and_a_list_of_any_of_it_elsewhere() {
    let tuple = r#"{"type":"object","properties":{"t":{"type":"array","prefixItems":[{"type":"string"},{"type":"number"}],"items":false}}}"#;
    let adapted = made(tuple, Subset::GeminiJson);
    assert!(adapted.json.contains(r#"{"type":"array","prefixItems":[{"type":"string"},{"type":"number"}]}"#));
    assert_eq!(adapted.lost, ["properties.t.items"]);
    let adapted = made(tuple, Subset::AnthropicStrict);
    assert!(
        adapted.json.contains(r#""items":{"anyOf":[{"type":"string"},{"type":"number"}]}"#),
        "{}",
        adapted.json
    );
    let adapted = made(tuple, Subset::GeminiOpenApi);
    assert!(
        adapted.json.contains(r#""items":{"anyOf":[{"type":"STRING"},{"type":"NUMBER"}]}"#),
        "{}",
        adapted.json
    );
}

#[test]
fn a_schema_that_grows_out_of_bounds_is_refused() {
    let mut defs = vec![r#""D0":{"type":"string"}"#.to_owned()];
    for n in 1..40 {
        let last = n - 1;
        defs.push(format!(
            r##""D{n}":{{"type":"object","properties":{{"a":{{"$ref":"#/$defs/D{last}"}},"b":{{"$ref":"#/$defs/D{last}"}}}}}}"##
        ));
    }
    let bomb = format!(r##"{{"$ref":"#/$defs/D39","$defs":{{{}}}}}"##, defs.join(","));
    assert!(refused(&bomb, Subset::GeminiOpenApi).contains("too large"));
    let mut defs = vec![r#""D0":{"type":"string"}"#.to_owned()];
    for n in 1..5000 {
        let last = n - 1;
        defs.push(format!(r##""D{n}":{{"anyOf":[{{"$ref":"#/$defs/D{last}"}},{{"type":"null"}}]}}"##));
    }
    let chain = format!(
        r##"{{"type":"object","properties":{{"a":{{"$ref":"#/$defs/D4999"}}}},"$defs":{{{}}}}}"##,
        defs.join(",")
    );
    for subset in [Subset::GeminiOpenApi, Subset::AnthropicStrict] {
        assert!(refused(&chain, subset).contains("too deep"), "{subset:?}");
    }
}

#[test]
fn geminis_schema_is_read_as_json_schema() {
    let openapi = r#"{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true,"format":"enum","enum":["x","y"]},
        "n":{"type":"INTEGER","enum":["1","-2","007"]},
        "l":{"type":"ARRAY","min_items":"2","items":{"type":"NUMBER","example":1.50}},
        "u":{"anyOf":[{"type":"STRING"},{"type":"BOOLEAN"}],"nullable":true}},"required":["a"],"propertyOrdering":["a","n"]}"#;
    let json = from_openapi(&parse(openapi, Duplicates::Refuse).unwrap()).into_owned();
    assert_eq!(
        json,
        r#"{"type":"object","properties":{"a":{"type":["string","null"],"enum":["x","y",null]},"n":{"type":"integer","enum":[1,-2,"007"]},"l":{"type":"array","minItems":2,"items":{"type":"number","examples":[1.50]}},"u":{"anyOf":[{"type":"string"},{"type":"boolean"},{"type":"null"}]}},"required":["a"],"propertyOrdering":["a","n"]}"#
    );
    let back = made(&json, Subset::GeminiOpenApi);
    assert!(back.json.contains(r#""a":{"type":"STRING","enum":["x","y"],"nullable":true}"#), "{}", back.json);
    let plain = r#"{ "type":"object","properties":{"type":{"type":"string"}} }"#;
    assert!(matches!(from_openapi(&parse(plain, Duplicates::Refuse).unwrap()), Cow::Borrowed(_)));
}

/// Keywords Gemini's `Schema` has. Its JSON reader refuses every other.
const OPENAPI: [&str; 20] = [
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "anyOf",
    "propertyOrdering",
    "items",
    "minimum",
    "maximum",
];

fn check_openapi(node: &Node<'_>) {
    for (key, value) in node.entries() {
        assert!(OPENAPI.contains(&key.as_ref()), "{key} in {}", node.raw());
        match key.as_ref() {
            "type" => assert!(value.text().unwrap().chars().all(|c| c.is_ascii_uppercase())),
            "enum" => {
                assert!(value.items().iter().all(|one| one.text().is_some_and(|text| !text.is_empty())))
            }
            "anyOf" => {
                assert_eq!(node.entries().len(), 1, "{}", node.raw());
                value.items().iter().for_each(check_openapi);
            }
            "items" => check_openapi(value),
            "properties" => value.entries().iter().for_each(|(_, one)| check_openapi(one)),
            _ => {}
        }
    }
}

fn check_closed(node: &Node<'_>, requires_all: bool) {
    let is_object = node.get("type").is_some_and(|kind| kind.raw().contains("\"object\""));
    if is_object {
        assert_eq!(node.get("additionalProperties").map(Node::raw), Some("false"), "{}", node.raw());
        let names = node.get("properties").map(|all| all.entries().len()).unwrap_or(0);
        assert!(!requires_all || node.get("required").map(|all| all.items().len()) == Some(names));
    }
    for key in ["oneOf", "allOf", "not", "if", "patternProperties"] {
        assert!(node.get(key).is_none(), "{key} in {}", node.raw());
    }
    for key in ["items", "additionalProperties"] {
        node.get(key).into_iter().for_each(|one| check_closed(one, requires_all));
    }
    node.get("anyOf")
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .for_each(|one| check_closed(one, requires_all));
    for key in ["properties", "$defs"] {
        let inner = node.get(key).map(Node::entries).unwrap_or_default();
        inner.iter().for_each(|(_, one)| check_closed(one, requires_all));
    }
}

/// Random schemas, many of them odd.
fn any_schema() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        r#"{"type":"string","format":"uri","minLength":1}"#,
        r#"{"type":["integer","null"],"multipleOf":2}"#,
        r#"{"enum":["a",1,null,true]}"#,
        r#"{"const":null}"#,
        r#"{"const":{"a":1}}"#,
        r#"{"type":"boolean","nullable":true,"enum":[true]}"#,
        r#"{"type":["string","number","array"]}"#,
        r#"{}"#,
        r#"true"#,
        r##"{"$ref":"#/$defs/A","description":"x"}"##,
        r#"{"type":"null"}"#,
        r#"{"type":"object","additionalProperties":true}"#,
        r#"{"type":"array"}"#,
        r#"{"type":"array","prefixItems":[{"type":"string"},{"type":"number"}],"items":false}"#,
    ]);
    let inner = leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone(), any::<bool>()).prop_map(|(a, b, required)| {
                let required = if required { r#","required":["a","z"]"# } else { "" };
                format!(r#"{{"type":"object","properties":{{"a":{a},"b":{b}}}{required}}}"#)
            }),
            inner.clone().prop_map(|one| format!(r#"{{"type":"array","items":{one},"contains":{{}}}}"#)),
            (inner.clone(), inner.clone(), prop::sample::select(vec!["anyOf", "oneOf", "allOf"]))
                .prop_map(|(a, b, key)| format!(r#"{{"{key}":[{a},{b}],"title":"t"}}"#)),
            inner.prop_map(|one| format!(r#"{{"properties":{{"x y":{one}}},"not":{{}}}}"#)),
        ]
    });
    inner.prop_map(|one| {
        format!(
            r#"{{"type":"object","properties":{{"p":{one}}},"$defs":{{"A":{{"type":"string","x-own":1}}}}}}"#
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_made_lies_in_the_subset(schema in any_schema()) {
        for subset in ALL {
            let Ok(adapted) = adapt(&schema, At::NOWHERE, subset, Place::Parameters) else { continue };
            let node = parse(&adapted.json, Duplicates::Refuse).unwrap();
            match subset {
                Subset::GeminiOpenApi => check_openapi(&node),
                Subset::OpenAiStrict => check_closed(&node, true),
                Subset::AnthropicStrict | Subset::BedrockStrict => check_closed(&node, false),
                Subset::GeminiJson | Subset::Tool => {}
            }
            // What was made fits, so it is made no more of.
            if let Ok(again) = adapt(&adapted.json, At::NOWHERE, subset, Place::Parameters)
                && subset != Subset::GeminiOpenApi
            {
                let again = parse(&again.json, Duplicates::Refuse).unwrap();
                prop_assert_eq!(again.entries().len(), node.entries().len());
            }
        }
    }

    #[test]
    fn no_json_makes_it_panic(json in "[\\[\\]{}\":,a-z$#/0-9 ]{0,60}") {
        for subset in ALL {
            for place in [Place::Parameters, Place::Output] {
                let _ = adapt(&json, At::NOWHERE, subset, place);
            }
        }
    }
}
