//! Heads of multipart request bodies.

use crate::input::{BYTES_MAX, Input, each_input};
use bytes::Bytes;
use tidegate::dialect::head::{self, BodyForm};
use tidegate::dialect::splice::{model_edits, splice};
use tidegate::types::Endpoint;

const WORDS: [&str; 30] = [
    "--b",
    "--b\r\n",
    "\r\n--b\r\n",
    "--b--",
    "\r\n--b--\r\n",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "--",
    "b",
    "Content-Disposition: form-data; name=\"model\"",
    "content-disposition: form-data; name=model",
    "Content-Disposition: form-data; name=\"stream\"",
    "Content-Disposition: form-data; name=\"file\"; filename=\"a\"",
    "; name*=UTF-8''model",
    "Content-Type: audio/wav",
    "Content-Transfer-Encoding: base64",
    "whisper",
    "true",
    "1",
    "\"",
    ";",
    ":",
    " ",
    "\u{e9}",
    "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n",
    "name=\"mo\\del\"",
    "\t",
    "x",
    "",
];
const CONTENT_TYPES: [&str; 6] = [
    "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=\"b\"",
    "Multipart/Form-Data;charset=utf-8; BOUNDARY=b",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=b; boundary=c",
];
const VALID: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
    Content-Type: audio/wav\r\n\r\nRIFF\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n\
    --b\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--b--\r\n";
const UPSTREAM_MODEL: &str = "up-stream/x";

fn check(content_type: &str, body: &[u8]) {
    let shown = String::from_utf8_lossy(body);
    let Ok(head) = head::parse(Endpoint::Transcriptions, Some(content_type), body) else { return };
    let BodyForm::Multipart { boundary } = &head.form else { panic!("a form is no JSON: {shown}") };
    assert!(!boundary.is_empty());
    if let Some(model) = &head.model {
        let bytes = body.get(model.span.clone()).expect("the span lies in the body");
        assert_eq!(bytes, model.name.as_bytes(), "{shown}");
    }
    let edits = model_edits(&head, UPSTREAM_MODEL);
    let [edit] = edits.as_slice() else {
        assert_eq!(head.model.as_ref().map(|model| &*model.name), Some(UPSTREAM_MODEL));
        return;
    };
    let spliced = splice(&Bytes::copy_from_slice(body), &edits);
    assert!(
        spliced.starts_with(&body[..edit.range.start]) && spliced.ends_with(&body[edit.range.end..]),
        "{shown}"
    );
    let again = head::parse(Endpoint::Transcriptions, Some(content_type), &spliced)
        .unwrap_or_else(|error| panic!("{error}: {shown} became {:?}", String::from_utf8_lossy(&spliced)));
    assert_eq!(again.model.map(|model| model.name).as_deref(), Some(UPSTREAM_MODEL), "{shown}");
    assert_eq!(again.stream, head.stream, "{shown}");
}

#[test]
fn request_form_spans_hold_the_model_and_a_splice_changes_nothing_else() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let content_type = CONTENT_TYPES[input.choice / 4 % CONTENT_TYPES.len()];
        check(content_type, input.bytes);
        check(content_type, &input.spelt(&WORDS));
        check(CONTENT_TYPES[0], &input.changed(VALID.as_bytes(), &WORDS));
        // Content types are a client's bytes too.
        check(&String::from_utf8_lossy(&input.spelt(&WORDS)), VALID.as_bytes());
    });
}
