use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::dialect::head::parse;

fn head(endpoint: Endpoint, body: &str) -> RequestHead {
    parse(endpoint, None, body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn with_model(endpoint: Endpoint, body: &str, model: &str) -> String {
    let edits = model_edits(&head(endpoint, body), model);
    String::from_utf8(splice(&Bytes::copy_from_slice(body.as_bytes()), &edits).to_vec()).unwrap()
}

fn with_usage(body: &str) -> String {
    let edits: Vec<Edit> = include_usage_edit(&head(Endpoint::ChatCompletions, body)).into_iter().collect();
    String::from_utf8(splice(&Bytes::copy_from_slice(body.as_bytes()), &edits).to_vec()).unwrap()
}

#[test]
fn without_edits_the_body_is_the_very_same() {
    let body = Bytes::from_static(b"{\"model\":\"m\"}");
    assert_eq!(splice(&body, &[]).as_ptr(), body.as_ptr());
    assert_eq!(model_edits(&head(Endpoint::ChatCompletions, "{\"model\":\"\\u006d\"}"), "m"), []);
}

#[test]
fn only_the_models_value_changes_whatever_the_body_looks_like() {
    for (body, spliced) in [
        ("{\"model\":\"a\"}", "{\"model\":\"up \\\"x\\\"\"}"),
        (
            " {\r\n\"\\u00e9\": \"é</>\" ,\"model\" :\t\"\\u0061\" , \"n\":1.0,\"b\":1e400}\n",
            " {\r\n\"\\u00e9\": \"é</>\" ,\"model\" :\t\"up \\\"x\\\"\" , \"n\":1.0,\"b\":1e400}\n",
        ),
        (
            "{\"x\":{\"model\":\"a\"},\"mod\\u0065l\":\"a\"}",
            "{\"x\":{\"model\":\"a\"},\"mod\\u0065l\":\"up \\\"x\\\"\"}",
        ),
    ] {
        assert_eq!(with_model(Endpoint::ChatCompletions, body, "up \"x\""), spliced);
    }
}

#[test]
fn a_body_without_a_model_gets_one_as_its_first_field() {
    assert_eq!(with_model(Endpoint::ChatCompletions, "{}", "m"), "{\"model\":\"m\"}");
    assert_eq!(with_model(Endpoint::ChatCompletions, " { \"n\":1}", "m"), " {\"model\":\"m\", \"n\":1}");
    assert_eq!(with_model(Endpoint::GenerateContent, "{\"contents\":[]}", "m"), "{\"contents\":[]}");
}

#[test]
fn stream_options_are_taken_out_with_one_comma_wherever_they_stand() {
    for (body, cut) in [
        (r#"{"model":"m","stream_options":{"include_usage":true}}"#, r#"{"model":"m"}"#),
        (r#"{"stream_options" : null , "model":"m"}"#, r#"{ "model":"m"}"#),
        (r#"{"a":1, "stream\u005foptions":{"x":[1,{"y":"}"}]},"model":"m"}"#, r#"{"a":1, "model":"m"}"#),
        (r#"{ "stream_options":{} }"#, r#"{  }"#),
        (r#"{"model":"m"}"#, r#"{"model":"m"}"#),
    ] {
        let head = head(Endpoint::ChatCompletions, body);
        let edits: Vec<Edit> = cut_stream_options(&head, body.as_bytes()).into_iter().collect();
        let spliced = splice(&Bytes::copy_from_slice(body.as_bytes()), &edits);
        assert_eq!(std::str::from_utf8(&spliced).unwrap(), cut);
    }
}

#[test]
fn geminis_inner_models_all_follow_and_keep_their_collection() {
    let body = "{\"requests\":[{\"model\":\"models/a\"},{\"model\":\"b\"},{\"model\":\"models/m\"}]}";
    let spliced = "{\"requests\":[{\"model\":\"models/m\"},{\"model\":\"m\"},{\"model\":\"models/m\"}]}";
    assert_eq!(with_model(Endpoint::EmbedContent, body, "m"), spliced);
    let tuned = with_model(Endpoint::EmbedContent, "{\"model\":\"models/a\"}", "tunedModels/t");
    assert_eq!(tuned, "{\"model\":\"tunedModels/t\"}");
}

#[test]
fn a_forms_model_is_replaced_or_put_in_as_the_first_part() {
    let content_type = Some("multipart/form-data; boundary=b");
    let up = |body: &'static str| {
        let head = parse(Endpoint::Transcriptions, content_type, body.as_bytes()).unwrap();
        let edits = model_edits(&head, "up\r\n--b");
        String::from_utf8(splice(&Bytes::from_static(body.as_bytes()), &edits).to_vec()).unwrap()
    };
    let model = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n";
    assert_eq!(
        up("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--b--"),
        format!("{model}up--b\r\n--b--")
    );
    let rest = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nRIFF\r\n--b--";
    assert_eq!(up(rest), format!("{model}up--b\r\n{rest}"));
}

#[test]
fn usage_is_asked_for_by_the_smallest_change() {
    for (body, spliced) in [
        ("{\"stream\":true}", "{\"stream_options\":{\"include_usage\":true},\"stream\":true}"),
        (" {\n \"stream\" : true }", " {\"stream_options\":{\"include_usage\":true},\n \"stream\" : true }"),
        (
            "{\"stream\":true,\"stream_options\":null}",
            "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
        ),
        (
            "{\"stream\":true,\"stream_options\":{ }}",
            "{\"stream\":true,\"stream_options\":{\"include_usage\":true }}",
        ),
        (
            "{\"stream\":true,\"stream_options\":{ \"x\":1}}",
            "{\"stream\":true,\"stream_options\":{\"include_usage\":true, \"x\":1}}",
        ),
        (
            "{\"stream\":true,\"stream_options\":{\"include_usage\" : false}}",
            "{\"stream\":true,\"stream_options\":{\"include_usage\" : true}}",
        ),
        (
            "{\"stream\":true,\"stream_options\":{\"include_usage\":null}}",
            "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
        ),
    ] {
        assert_eq!(with_usage(body), spliced);
        assert_eq!(with_usage(spliced), spliced, "asking twice changes nothing");
    }
    assert_eq!(with_usage("{\"n\":1}"), "{\"n\":1}", "no stream, no usage chunk");
}

#[test]
fn usage_is_never_asked_for_where_the_api_has_no_such_option() {
    for endpoint in Endpoint::ALL {
        let asks = include_usage_edit(&head(endpoint, "{\"stream\":true}")).is_some();
        assert_eq!(
            asks,
            matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Completions),
            "{endpoint:?}"
        );
    }
}

#[test]
fn edits_given_in_any_order_are_made_where_they_belong_and_share_the_kept_bytes() {
    let body = Bytes::from_static(b"0123456789");
    let edit = |range, text: &'static str| Edit { range, replacement: Bytes::from_static(text.as_bytes()) };
    let edits = [edit(8..10, "Z"), edit(0..0, "a"), edit(0..0, "b"), edit(0..2, "C"), edit(5..5, "-")];
    assert_eq!(&*splice(&body, &edits), b"abC234-567Z");
    let kept = pieces(&body, &edits).into_iter().find(|piece| &piece[..] == b"234").unwrap();
    assert_eq!(kept.as_ptr(), body[2..].as_ptr());
}

/// A JSON value as a client might write it, with white space of every kind.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1e400".to_owned()),
        Just("-0.10".to_owned()),
        Just("\"\\u00e9\\ud83d\\\"{[\"".to_owned()),
        "[a-zé<>&/ ]{0,8}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[ {} ]", items.join(" ,"))),
            prop::collection::vec(("[a-z]{1,6}", inner), 0..4).prop_map(|fields| {
                let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}\t}}", fields.join(",\n"))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn around_the_models_value_and_the_inserted_option_every_byte_survives(
        before in prop::collection::vec(json(), 0..4),
        after in prop::collection::vec(json(), 0..4),
        space in "[ \t\r\n]{0,3}",
        model in "[ -~é]{0,12}",
        upstream in "[ -~é]{1,12}",
    ) {
        let old = Value::from(model.as_str()).to_string();
        let fields = |name: &str, values: &[String]| -> String {
            values.iter().enumerate().map(|(at, value)| format!("\"{name}{at}\"{space}:{value},{space}")).collect()
        };
        let start = format!("{space}{{");
        let head_part = fields("b", &before);
        let tail_part = format!("{space},{}\"stream\":true{space}}}{space}", fields("a", &after));
        let body = format!("{start}{head_part}\"model\":{space}{old}{tail_part}");
        let head = head(Endpoint::ChatCompletions, &body);
        prop_assert_eq!(&head.model.as_ref().unwrap().name, &model);
        let mut edits = model_edits(&head, &upstream);
        edits.extend(include_usage_edit(&head));
        let spliced = splice(&Bytes::from(body.clone()), &edits);
        let option = "\"stream_options\":{\"include_usage\":true},";
        let new = Value::from(upstream.as_str()).to_string();
        let expected = format!("{start}{option}{head_part}\"model\":{space}{new}{tail_part}");
        prop_assert_eq!(std::str::from_utf8(&spliced).unwrap(), expected.as_str());
        let again = parse(Endpoint::ChatCompletions, None, &spliced).unwrap();
        prop_assert_eq!(again.model.unwrap().name, upstream);
    }

    #[test]
    fn no_bytes_at_all_make_the_head_reader_fail_otherwise_than_by_an_error(
        body in prop::collection::vec(any::<u8>(), 0..200),
        text in "[\\[\\]{}\":,a-z\\\\0-9\r\n-]{0,80}",
    ) {
        for endpoint in Endpoint::ALL {
            for body in [&body[..], text.as_bytes()] {
                let _ = parse(endpoint, Some("multipart/form-data; boundary=a"), body);
                if let Ok(head) = parse(endpoint, None, body) {
                    let spliced = splice(&Bytes::copy_from_slice(body), &model_edits(&head, "m"));
                    prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&spliced).is_ok());
                }
            }
        }
    }
}
