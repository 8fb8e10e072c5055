use super::*;

fn chat(body: &str) -> Result<RequestHead, HeadError> {
    parse(Endpoint::ChatCompletions, Some("application/json"), body.as_bytes())
}

fn kind(endpoint: Endpoint, body: &str) -> HeadErrorKind {
    parse(endpoint, None, body.as_bytes()).unwrap_err().kind
}

fn form(content_type: &str, body: &str) -> Result<RequestHead, HeadError> {
    parse(Endpoint::Transcriptions, Some(content_type), body.as_bytes())
}

#[test]
fn the_head_is_found_among_unknown_fields_odd_spaces_and_numbers() {
    let body = " {\n \"x\" : [1e400, -0, 9223372036854775809, {\"model\":\"inner\"}],\t\"mod\\u0065l\" : \"gp\\u0074-5\" ,\
                \"stream\":true, \"max_tokens\": 7, \"max_completion_tokens\":9 ,\"n\" : 3 } ";
    let head = chat(body).unwrap();
    let model = head.model.clone().unwrap();
    assert_eq!(model.name, "gpt-5");
    assert_eq!(&body[model.span], "\"gp\\u0074-5\"");
    assert!(head.stream && !head.is_empty_object && !head.client_wants_usage());
    assert_eq!((head.max_output, head.n, head.insert_at), (Some(9), 3, 2));
    assert_eq!(head.stream_options, StreamOptions::Absent);
}

#[test]
fn stream_options_are_told_apart_in_every_form() {
    let options = |value: &str| chat(&format!("{{\"stream_options\":{value}}}")).unwrap().stream_options;
    assert_eq!(options("null"), StreamOptions::Null { span: 18..22 });
    let present = |include_usage, include_usage_span, end, is_empty| StreamOptions::Present {
        include_usage,
        include_usage_span,
        span: 18..end,
        is_empty,
    };
    assert_eq!(options("{ }"), present(None, None, 21, true));
    assert_eq!(options("{\"include_usage\":true}"), present(Some(true), Some(35..39), 40, false));
    assert_eq!(options("{\"include_usage\":null}"), present(None, Some(35..39), 40, false));
    assert_eq!(options("{\"include_obfuscation\":false}"), present(None, None, 47, false));
    assert!(chat("{\"stream_options\":{\"include_usage\":true}}").unwrap().client_wants_usage());
}

#[test]
fn each_endpoint_reads_its_own_limit_and_only_its_own_fields() {
    let body = "{\"model\":\"m\",\"max_tokens\":1,\"max_output_tokens\":2,\"previous_response_id\":\"r\",\
                \"stream_options\":{\"include_usage\":true},\"best_of\":4}";
    let head = |endpoint| parse(endpoint, None, body.as_bytes()).unwrap();
    assert_eq!(head(Endpoint::Responses).max_output, Some(2));
    assert_eq!(head(Endpoint::Responses).previous_response.as_deref(), Some("r"));
    assert_eq!(head(Endpoint::Responses).stream_options, StreamOptions::Absent);
    assert_eq!(head(Endpoint::Messages).max_output, Some(1));
    assert_eq!(head(Endpoint::Messages).previous_response, None);
    assert_eq!(head(Endpoint::Completions).n, 4);
}

#[test]
fn a_conversation_is_named_alone_or_in_an_object() {
    let read = |value: &str| {
        let body = format!("{{\"model\":\"m\",\"conversation\":{value}}}");
        parse(Endpoint::Responses, None, body.as_bytes()).map(|head| head.conversation)
    };
    assert_eq!(read("\"c\"").unwrap().as_deref(), Some("c"));
    assert_eq!(read("{\"id\":\"c\"}").unwrap().as_deref(), Some("c"));
    assert_eq!(read("null").unwrap(), None);
    for wrong in ["7", "{}", "{\"id\":null}", "{\"id\":7}", "{\"id\":\"c\",\"id\":\"d\"}"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn numbers_are_read_in_any_form_and_other_values_left_to_the_upstream() {
    for (value, max) in [
        ("12", Some(12)),
        ("12.5", Some(13)),
        ("1e3", Some(1000)),
        ("1e400", Some(u64::MAX)),
        ("-1", None),
        ("null", None),
        ("\"12\"", None),
        ("[1]", None),
    ] {
        assert_eq!(chat(&format!("{{\"max_tokens\":{value}}}")).unwrap().max_output, max, "{value}");
    }
    assert_eq!(chat("{\"n\":0}").unwrap().n, 1);
}

#[test]
fn a_known_field_given_twice_is_refused_also_when_spelled_with_escapes() {
    for (body, field) in [
        ("{\"model\":\"a\",\"model\":\"a\"}", "model"),
        ("{\"model\":\"a\",\"x\":{},\"\\u006dodel\":\"b\"}", "model"),
        ("{\"model\":null,\"model\":\"b\"}", "model"),
        ("{\"stream\":true,\"stream\":true}", "stream"),
        ("{\"messages\":[],\"m\\u0065ssages\":[]}", "messages"),
        (
            "{\"stream_options\":{\"include_usage\":true,\"include_usage\":true}}",
            "stream_options.include_usage",
        ),
    ] {
        let error = chat(body).unwrap_err();
        assert_eq!(error.kind, HeadErrorKind::Duplicate(field), "{body}");
        let reject = error.to_reject();
        assert_eq!((reject.reason, reject.status), (Reason::DuplicateField, 400));
        assert_eq!(reject.param.as_deref(), Some(field));
        assert!(reject.message.contains("line 1"), "{}", reject.message);
    }
    assert!(chat("{\"temperature\":1,\"temperature\":2,\"x\":{\"model\":1,\"model\":2}}").is_ok());
}

#[test]
fn an_error_names_its_line_and_column() {
    let error = chat("{\n  \"model\": \"a\",\n  \"stream\": 1\n}").unwrap_err();
    assert_eq!((error.kind, error.line, error.column), (HeadErrorKind::WrongType("stream"), 3, 13));
    let error = chat("{\n  \"model\": \"a\"\n  \"n\": 1}").unwrap_err();
    assert_eq!((error.kind, error.line, error.column), (HeadErrorKind::Invalid, 3, 3));
    assert!(error.to_string().contains("line 3, column 3"), "{error}");
    let error = chat("{\"model\":\"a\",\n\"model\":\"b\"}").unwrap_err();
    assert_eq!((error.kind, error.line), (HeadErrorKind::Duplicate("model"), 2));
}

#[test]
fn bodies_that_are_no_object_or_no_json_are_refused() {
    for body in ["[]", " [{}]", "null", "1", "-1", "\"x\"", "true"] {
        let error = chat(body).unwrap_err();
        assert_eq!(error.kind, HeadErrorKind::NotObject, "{body}");
        assert_eq!(error.to_reject().reason, Reason::InvalidJson);
    }
    for body in
        ["", " ", "{", "{}x", "{}{}", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":01}", "{\"a\":\"\n\"}", "{,}"]
    {
        let error = chat(body).unwrap_err();
        assert_eq!(error.kind, HeadErrorKind::Invalid, "{body:?}");
        assert_eq!(error.to_reject().reason, Reason::InvalidJson);
    }
    let error = parse(Endpoint::Messages, None, b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!((error.kind, error.column), (HeadErrorKind::NotUtf8, 7));
}

#[test]
fn an_unknown_value_deeper_than_allowed_is_refused() {
    let nested = |levels: usize| format!("{{\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(chat(&nested(127)).is_ok());
    assert_eq!(kind(Endpoint::ChatCompletions, &nested(128)), HeadErrorKind::TooDeep);
    assert_eq!(kind(Endpoint::ChatCompletions, &"[".repeat(1_000_000)), HeadErrorKind::TooDeep);
}

#[test]
fn fields_of_a_wrong_type_are_named_and_their_values_are_not_shown() {
    for (body, field) in [
        ("{\"model\":5}", "model"),
        ("{\"model\":null}", "model"),
        ("{\"model\":\"\\ud800\"}", "model"),
        ("{\"stream\":\"secret\"}", "stream"),
        ("{\"stream_options\":[]}", "stream_options"),
        ("{\"stream_options\":{\"include_usage\":\"secret\"}}", "stream_options.include_usage"),
    ] {
        let error = chat(body).unwrap_err();
        assert_eq!(error.kind, HeadErrorKind::WrongType(field), "{body}");
        assert_eq!(error.to_reject().reason, Reason::InvalidRequest);
        assert!(!error.to_string().contains("secret"));
    }
    let long = format!("{{\"model\":\"{}\"}}", "a".repeat(257));
    assert_eq!(kind(Endpoint::ChatCompletions, &long), HeadErrorKind::TooLong("model"));
}

#[test]
fn a_call_without_a_model_is_told_so_unless_the_url_names_one() {
    let head = chat("{}").unwrap();
    assert!(head.is_empty_object);
    assert_eq!(head.model_or(Some("deployment")), Ok("deployment"));
    assert_eq!(head.model_or(None).unwrap_err().param.as_deref(), Some("model"));
    assert_eq!(chat("{\"model\":\"m\"}").unwrap().model_or(None), Ok("m"));
}

#[test]
fn geminis_limits_and_every_model_in_its_bodies_are_found() {
    let body = "{\"contents\":[],\"generation_config\":{\"maxOutputTokens\":9,\"candidateCount\":2},\"model\":\"models/a\",\
                \"generateContentRequest\":{\"model\":\"models/b\",\"generationConfig\":{\"max_output_tokens\":11}}}";
    let head = parse(Endpoint::GeminiCountTokens, None, body.as_bytes()).unwrap();
    assert_eq!((head.max_output, head.n, head.stream), (Some(11), 2, false));
    assert_eq!(head.model.unwrap().name, "models/a");
    assert_eq!(&body[head.inner_models[0].span.clone()], "\"models/b\"");

    let body = "{\"requests\":[{\"model\":\"models/a\"},{\"content\":{}},{\"model\":\"models/b\"}]}";
    let head = parse(Endpoint::EmbedContent, None, body.as_bytes()).unwrap();
    let names: Vec<_> = head.inner_models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["models/a", "models/b"]);
    assert!(parse(Endpoint::StreamGenerateContent, None, b"{}").unwrap().stream);
}

#[test]
fn geminis_two_spellings_of_one_field_are_that_field_twice() {
    let gemini = |body| kind(Endpoint::GenerateContent, body);
    let both = "{\"generationConfig\":{},\"generation_config\":{}}";
    assert_eq!(gemini(both), HeadErrorKind::Duplicate("generationConfig"));
    let both = "{\"generationConfig\":{\"maxOutputTokens\":1,\"max_output_tokens\":2}}";
    assert_eq!(gemini(both), HeadErrorKind::Duplicate("generationConfig.maxOutputTokens"));
    assert_eq!(gemini("{\"generationConfig\":1}"), HeadErrorKind::WrongType("generationConfig"));
    assert_eq!(gemini("{\"requests\":{}}"), HeadErrorKind::WrongType("requests"));
    assert_eq!(gemini("{\"requests\":[1]}"), HeadErrorKind::WrongType("requests"));
    let many = format!("{{\"requests\":[{}{{}}]}}", "{},".repeat(1024));
    assert_eq!(gemini(&many), HeadErrorKind::TooMany("requests"));
}

#[test]
fn a_forms_model_is_found_between_its_files() {
    let body = "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;name=x\\\".wav\"\r\n\
                Content-Type: audio/wav\r\n\r\n\x01--b--\r\nname=\"model\"\r\n--b \r\ncontent-disposition:form-data;NAME=model\r\n\r\n\
                whisper-1\r\n--b\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--b\r\n\
                Content-Disposition: form-data; name=\"prompt\"\r\n\r\n\r\n--b--\r\n";
    let head = form("multipart/form-data; boundary=\"b\"", body).unwrap();
    let model = head.model.unwrap();
    assert_eq!((model.name.as_str(), &body[model.span]), ("whisper-1", "whisper-1"));
    assert!(head.stream);
    assert_eq!(head.form, BodyForm::Multipart { boundary: "b".into() });
    assert!(body[head.insert_at..].starts_with("--b\r\n"));
}

#[test]
fn a_form_that_servers_could_read_differently_is_refused() {
    let part = |disposition: &str, value: &str| {
        format!("--b\r\nContent-Disposition: {disposition}\r\n\r\n{value}\r\n")
    };
    let read = |parts: &str| form("multipart/form-data; boundary=b", &format!("{parts}--b--"));
    let model = part("form-data; name=\"model\"", "m");
    assert_eq!(read(&model).unwrap().model.unwrap().name, "m");
    assert_eq!(read(&model.repeat(2)).unwrap_err().kind, HeadErrorKind::Duplicate("model"));
    for parts in [
        part("form-data; name*=utf-8''model", "m"),
        part("form-data; name=\"mo\\del\"", "m"),
        part("form-data; name=\"a\"; name=\"model\"", "m"),
        part("form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"model\"", "m"),
        part("form-data;\r\n name=\"model\"", "m"),
        "--bx\r\n\r\n\r\n".into(),
        "--b\r\nno end".into(),
        String::from("no delimiter "),
        part(&"x".repeat(9000), "m"),
    ] {
        assert_eq!(read(&parts).unwrap_err().kind, HeadErrorKind::Invalid, "{parts:?}");
    }
    let encoded = part("form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64", "bQ==");
    assert_eq!(read(&encoded).unwrap_err().kind, HeadErrorKind::WrongType("model"));
    let long = part("form-data; name=\"model\"", &"a".repeat(257));
    assert_eq!(read(&long).unwrap_err().kind, HeadErrorKind::TooLong("model"));
    assert_eq!(read(&part("form-data; name=\"model\"", "")).unwrap_err().kind, HeadErrorKind::Empty("model"));
    // The blank line's end is the delimiter's own.
    let bare = read("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n").unwrap_err();
    assert_eq!(bare.kind, HeadErrorKind::Empty("model"));
    let reject = bare.to_reject();
    assert_eq!((reject.reason, reject.param.as_deref()), (Reason::InvalidRequest, Some("model")));
    assert!(reject.message.starts_with("`model` is empty"), "{}", reject.message);
    let many = part("form-data; name=\"x\"", "").repeat(256);
    assert_eq!(read(&many).unwrap_err().kind, HeadErrorKind::TooMany("parts"));
}

#[test]
fn a_form_without_a_sound_boundary_is_refused_and_json_is_read_as_json() {
    let too_long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"b",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=a\u{e9}",
        too_long.as_str(),
    ] {
        assert_eq!(form(content_type, "--b--").unwrap_err().kind, HeadErrorKind::Invalid, "{content_type}");
    }
    assert_eq!(form("application/json", "{\"model\":\"m\"}").unwrap().model.unwrap().name, "m");
    let chat = parse(Endpoint::ChatCompletions, Some("multipart/form-data; boundary=b"), b"--b--");
    assert_eq!(chat.unwrap_err().kind, HeadErrorKind::Invalid);
}
