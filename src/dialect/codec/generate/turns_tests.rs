//! How turns are laid out: calls and their results, signatures, media.

use super::request_tests::{call, decode, encode, foreign, gemini3, names, result, thinking, user};
use super::*;
use crate::chat::*;
use crate::framing::json::{Duplicates, parse};
use crate::types::Protocol;

/// Read and written again.
fn again(json: &str) -> String {
    encode(&decode(json).unwrap(), &gemini3()).0.unwrap()
}

#[test]
fn results_stand_behind_their_calls_in_the_calls_order() {
    let turns = vec![
        user("Hi"),
        Turn::new(Role::Assistant, vec![call("1", "f", None), call("2", "g", None)]),
        Turn::new(Role::User, vec![Block::text("and"), result("2", "[1]", false)]),
        Turn::new(Role::User, vec![result("1", "boom", true), Block::text("so?")]),
    ];
    let written = encode(&foreign(turns), &Target::new("gemini-2.5-flash")).0.unwrap();
    let root = parse(&written, Duplicates::Refuse).unwrap();
    let contents = root.get("contents").unwrap().items();
    assert_eq!(contents.len(), 3);
    assert_eq!(
        contents[2].raw(),
        r#"{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"error":"boom"}}},{"functionResponse":{"id":"2","name":"g","response":{"result":"[1]"}}},{"text":"and"},{"text":"so?"}]}"#
    );
}

#[test]
fn what_a_tool_says_becomes_an_object() {
    for (text, is_error, expected) in [
        (r#"{"a":1.0}"#, false, r#"{"a":1.0}"#),
        ("words", false, r#"{"result":"words"}"#),
        ("[1]", false, r#"{"result":"[1]"}"#),
        ("", false, "{}"),
        ("bad", true, r#"{"error":"bad"}"#),
        (r#"{"code":1}"#, true, r#"{"error":{"code":1}}"#),
    ] {
        let turns = vec![
            user("Hi"),
            Turn::new(Role::Assistant, vec![call("1", "f", None)]),
            Turn::new(Role::User, vec![result("1", text, is_error)]),
        ];
        let written = encode(&foreign(turns), &Target::new("m")).0.unwrap();
        assert!(written.contains(&format!(r#""response":{expected}}}"#)), "{written}");
        let read = decode(&written).unwrap();
        let BlockKind::ToolResult(read) = &read.turns[2].blocks[0].kind else { panic!() };
        let expected_text = if text.is_empty() { "{}" } else { text };
        assert_eq!((read.joined_text().as_ref(), read.is_error), (expected_text, is_error));
    }
}

#[test]
fn a_picture_a_tool_gave_stands_in_the_response_or_behind_all_of_them() {
    let image = Block::new(BlockKind::Image(Media {
        source: Source::Base64("iVBORw0KGgo=".into()),
        mime: Some("image/png".into()),
        name: None,
        detail: None,
    }));
    let mut with_image = result("1", "see", false);
    if let BlockKind::ToolResult(result) = &mut with_image.kind {
        result.content.push(image);
    }
    let turns = vec![
        user("Hi"),
        Turn::new(Role::Assistant, vec![call("1", "f", None), call("2", "f", None)]),
        Turn::new(Role::User, vec![with_image, result("2", "x", false)]),
    ];
    let request = foreign(turns);
    let new = encode(&request, &gemini3()).0.unwrap();
    assert!(new.contains(r#""response":{"result":"see"},"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}}"#), "{new}");
    let old = encode(&request, &Target::new("gemini-2.5-flash")).0.unwrap();
    assert!(
        old.contains(
            r#""response":{"result":"x"}}},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]"#
        ),
        "{old}"
    );
}

#[test]
fn turns_that_cannot_be_are_refused() {
    let model = |blocks| Turn::new(Role::Assistant, blocks);
    for (turns, words) in [
        (vec![], "nothing to answer"),
        (vec![user("")], "nothing to answer"),
        (vec![user("Hi"), model(vec![call("1", "f", None)]), user("so?")], "has no result"),
        (vec![user("Hi"), Turn::new(Role::User, vec![result("1", "x", false)])], "answers no call"),
        (
            vec![
                user("Hi"),
                model(vec![call("1", "f", None)]),
                Turn::new(Role::User, vec![result("1", "x", false), result("1", "y", false)]),
            ],
            "two results",
        ),
        (vec![Turn::new(Role::User, vec![call("1", "f", None)])], "assistant's turn"),
        (vec![user("Hi"), model(vec![result("1", "x", false)])], "user's turn"),
    ] {
        let refused = encode(&foreign(turns), &gemini3()).0.unwrap_err();
        assert!(refused.message.contains(words), "{}", refused.message);
    }
}

#[test]
fn a_conversation_the_model_opened_gets_a_silent_user() {
    let turns = vec![Turn::new(Role::Assistant, vec![Block::text("Welcome")]), user("Hi")];
    let written = encode(&foreign(turns), &gemini3()).0.unwrap();
    assert!(
        written.starts_with(r#"{"contents":[{"role":"user","parts":[{"text":" "}]},{"role":"model""#),
        "{written}"
    );
}

#[test]
fn only_the_first_unsigned_call_of_a_step_gets_the_documented_dummy() {
    let own = Signature::new(Vendor::Gemini, "Ci/+==");
    let other = Signature::new(Vendor::OpenAi, "xyz");
    let turns = vec![
        user("Hi"),
        Turn::new(Role::Assistant, vec![call("1", "f", Some(other)), call("2", "f", None)]),
        Turn::new(Role::User, vec![result("1", "x", false), result("2", "x", false)]),
        Turn::new(Role::Assistant, vec![call("3", "f", Some(own)), call("4", "f", None)]),
        Turn::new(Role::User, vec![result("3", "x", false), result("4", "x", false)]),
    ];
    let request = foreign(turns);
    let written = encode(&request, &gemini3()).0.unwrap();
    let root = parse(&written, Duplicates::Refuse).unwrap();
    let slots: Vec<Option<String>> = root
        .get("contents")
        .unwrap()
        .items()
        .iter()
        .flat_map(|content| content.get("parts").unwrap().items())
        .filter(|part| part.get("functionCall").is_some())
        .map(|part| part.text_of("thoughtSignature").map(|slot| slot.into_owned()))
        .collect();
    assert_eq!(
        slots,
        [Some("skip_thought_signature_validator".to_owned()), None, Some("Ci/+==".to_owned()), None]
    );
    let old = encode(&request, &Target::new("gemini-2.5-flash")).0.unwrap();
    assert!(!old.contains("skip_thought"), "{old}");
}

#[test]
fn signatures_of_text_go_back_to_their_part() {
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"think","thought":true},{"text":"said","thoughtSignature":"AY89a1-_/+="},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="},"thoughtSignature":"Bg=="},{"text":"","thoughtSignature":"Cg=="}]},{"role":"user","parts":[{"text":"Go"}]}]}"#;
    assert_eq!(again(body), body);
}

#[test]
fn a_foreign_proof_reaches_gemini_in_no_form() {
    for vendor in [Vendor::Anthropic, Vendor::OpenAi, Vendor::OpenRouter] {
        let proof = || Signature::new(vendor, "PROOF");
        let blocks = vec![
            thinking("words", Some(proof())),
            thinking("", Some(proof())),
            Block::new(BlockKind::Redacted(proof())),
            call("1", "f", Some(proof())),
        ];
        let turns = vec![
            user("Hi"),
            Turn::new(Role::Assistant, blocks),
            Turn::new(Role::User, vec![result("1", "x", false)]),
        ];
        let (written, losses) = encode(&foreign(turns), &gemini3());
        let written = written.unwrap();
        assert!(
            !written.contains("PROOF") && !written.contains("tg1.") && !holds_foreign(written.as_bytes())
        );
        assert!(!written.contains("words"), "{written}");
        assert_eq!(names(&losses), ["ForeignThinking"]);
    }
}

#[test]
fn a_history_of_streamed_chunks_is_one_turn_again() {
    let signed = Signature::new(Vendor::Anthropic, "EqQ=");
    let slot = super::signature::to_slot(&signed).into_owned();
    let body = format!(
        r#"{{"contents":[{{"parts":[{{"text":"Hi"}}]}},
        {{"role":"model","parts":[{{"text":"I thi","thought":true}}]}},{{"role":"model","parts":[{{"text":"nk","thought":true}}]}},
        {{"role":"model","parts":[{{"text":"","thought":true,"thoughtSignature":"{slot}"}}]}},
        {{"role":"model","parts":[{{"text":"Hel"}}]}},{{"role":"model","parts":[{{"text":"lo"}}]}},
        {{"role":"model","parts":[{{"functionCall":{{"name":"f","args":{{}}}}}}]}},{{"role":"model","parts":[{{"text":""}}]}},
        {{"parts":[{{"functionResponse":{{"name":"f","response":{{"result":"x"}}}}}}]}}]}}"#
    );
    let request = decode(&body).unwrap();
    assert_eq!(request.turns.len(), 3);
    let blocks = &request.turns[1].blocks;
    assert_eq!(blocks.len(), 3, "{blocks:?}");
    assert_eq!(blocks[0], thinking("I think", Some(signed)));
    assert_eq!(blocks[1], Block::text("Hello"));
}

#[test]
fn calls_and_answers_without_ids_are_paired_the_same_way_on_every_turn() {
    let one = r#"{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"g","args":{}}},{"functionCall":{"name":"f","args":{"n":2}}}]},
      {"role":"user","parts":[{"functionResponse":{"name":"g","response":{"a":1}}},{"functionResponse":{"name":"f","response":{"a":2}}},{"functionResponse":{"name":"f","response":{"a":3}}}]}"#;
    let short = format!(r#"{{"contents":[{{"parts":[{{"text":"Hi"}}]}},{one}]}}"#);
    let long = format!(r#"{{"contents":[{{"parts":[{{"text":"Hi"}}]}},{one},{one}]}}"#);
    let ids = |json: &str| -> Vec<String> {
        let request = decode(json).unwrap();
        let blocks = request.turns.iter().flat_map(|turn| &turn.blocks);
        blocks
            .filter_map(|block| match &block.kind {
                BlockKind::ToolUse(call) => Some(call.id.to_string()),
                BlockKind::ToolResult(result) => Some(format!(">{}", result.id)),
                _ => None,
            })
            .collect()
    };
    assert_eq!(ids(&short), ["call_2_0", "call_2_1", "call_2_2", ">call_2_1", ">call_2_0", ">call_2_2"]);
    assert_eq!(ids(&long)[..6], ids(&short));
    assert_eq!(ids(&long)[6], "call_4_0");
    let orphan = r#"{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}"#;
    assert!(decode(orphan).unwrap_err().message.contains("answers no functionCall"));
}

#[test]
fn media_google_cannot_get_are_refused() {
    let image = |source| Block::new(BlockKind::Image(Media { source, mime: None, name: None, detail: None }));
    let audio = Block::new(BlockKind::Audio(Media {
        source: Source::File { of: Protocol::Chat, id: "file-1".into() },
        mime: None,
        name: None,
        detail: None,
    }));
    let blind = Target { fetches_urls: false, ..gemini3() };
    let url = || image(Source::Url("https://example.com/a.png".into()));
    assert!(encode(&foreign(vec![Turn::new(Role::User, vec![url()])]), &gemini3()).0.is_ok());
    for (block, target) in [(url(), &blind), (audio, &gemini3())] {
        let refused = encode(&foreign(vec![Turn::new(Role::User, vec![block])]), target).0.unwrap_err();
        assert!(refused.message.contains("send"), "{}", refused.message);
    }
}
