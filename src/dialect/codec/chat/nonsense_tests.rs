//! Bodies no client and no provider should send: refused or read, never a panic.

use super::*;
use crate::chat::{Losses, Target};
use crate::dialect::codec::mutants::mutants;
use crate::dialect::codec::{Called, DecodeStream, Owed};
use crate::framing::json::{Duplicates, parse_bytes};

const REQUEST: &str = r#"{"model":"m","messages":[
  {"role":"developer","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
  {"role":"user","name":"n","content":[{"type":"text","text":"b"},
    {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO","detail":"low"}},
    {"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}},
    {"type":"file","file":{"filename":"f.pdf","file_data":"data:application/pdf;base64,JVBE"}},
    {"type":"video_url","video_url":{"url":"https://x/y.mp4"}},{"type":"odd","x":1}]},
  {"role":"assistant","content":"c","refusal":"no","reasoning_content":"r",
    "reasoning_details":[{"type":"reasoning.text","text":"r","signature":"tg1.a.QQ","index":0}],
    "annotations":[{"type":"url_citation","url_citation":{"url":"https://x","start_index":0,"end_index":1}}],
    "tool_calls":[{"id":"x-tg1-gQQ","type":"function","function":{"name":"t","arguments":"{}"},
      "extra_content":{"google":{"thought_signature":"s"}}}]},
  {"role":"tool","tool_call_id":"x-tg1-gQQ","content":[{"type":"text","text":"d"}]},
  {"role":"system","content":"e"}],
 "tools":[{"type":"function","function":{"name":"t","description":"d","parameters":{"type":"object"},"strict":true}},
  {"type":"custom","custom":{"name":"u","format":{"type":"text"}}},{"type":"odd"}],
 "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"t"}}]}},
 "parallel_tool_calls":false,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{},"strict":true}},
 "reasoning_effort":"low","reasoning":{"effort":"high","max_tokens":5,"exclude":true,"summary":"auto"},
 "thinking":{"type":"enabled","budget_tokens":1},"max_tokens":1,"max_completion_tokens":2,"stop":["s"],
 "stream":true,"stream_options":{"include_usage":true,"x":1},"temperature":1,"top_p":1,"n":2,"seed":1,
 "logit_bias":{"1":1},"logprobs":true,"top_logprobs":1,"user":"u","metadata":{"a":"b"},"service_tier":"flex",
 "modalities":["text","audio"],"audio":{"voice":"v","format":"wav"},"prediction":{"type":"content","content":"p"}}"#;

const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","service_tier":"default",
 "choices":[{"index":0,"finish_reason":"tool_calls","native_finish_reason":"STOP","stop_reason":"x",
  "logprobs":{"content":[]},"message":{"role":"assistant","content":[{"type":"text","text":"a"},
  {"type":"thinking","thinking":[{"type":"text","text":"b"}]}],"refusal":"r","reasoning":"s",
  "reasoning_details":[{"type":"reasoning.summary","summary":"z","index":0},{"type":"reasoning.encrypted","data":"d"}],
  "annotations":[{"url_citation":{"url":"https://x"}}],"audio":{"id":"i","data":"UklG","expires_at":1,"transcript":"t"},
  "images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}],
  "function_call":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"g"}},
  "tool_calls":[{"id":"c","type":"function","function":{"name":"t","arguments":"{\"a\":1}"}}]}}],
 "citations":["https://y"],"search_results":[{"url":"https://z","title":"t"}],
 "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":1}}}"#;

const CHUNK: &str = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",
 "choices":[{"index":0,"finish_reason":"stop","native_finish_reason":"STOP","logprobs":{"content":[]},
  "delta":{"role":"assistant","content":"a","refusal":"r","reasoning":"s",
  "reasoning_details":[{"type":"reasoning.text","text":"z","index":0,"format":"f","signature":"q"},
   {"type":"reasoning.encrypted","data":"d"}],"annotations":[{"url_citation":{"url":"https://x"}}],
  "audio":{"id":"i","data":"UklG","transcript":"t"},"function_call":{"name":"f","arguments":"{}"},
  "images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}],
  "extra_content":{"google":{"thought_signature":"g"}},
  "tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"t","arguments":"{\"a\":1}"}}]}}],
 "citations":["https://y"],"x_groq":{"usage":{"prompt_tokens":1}},
 "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;

/// Calls `take` with the sample cut at every byte, and with every value replaced and every field renamed.
fn mangle(sample: &str, mut take: impl FnMut(&[u8])) -> usize {
    for cut in 0..sample.len() {
        take(&sample.as_bytes()[..cut]);
    }
    let all = mutants(sample);
    all.iter().for_each(|mutant| take(mutant.as_bytes()));
    all.len()
}

fn owed() -> Owed {
    Owed {
        model: "m".into(),
        token: "0123456789abcdef".into(),
        created: 0,
        wants_usage: false,
        is_array: false,
        echo: String::new(),
    }
}

#[test]
fn requests_of_every_wrong_type_are_read_or_refused() {
    let (mut read, mut refused) = (0, 0);
    let tried = mangle(REQUEST, |body| {
        let Ok(root) = parse_bytes(body, Duplicates::Refuse) else { return };
        match decode_request(&root, Called::default()) {
            Err(_) => refused += 1,
            Ok(request) => {
                read += 1;
                let mut out = Vec::new();
                if encode_request(&request, &Target::new("m"), &mut Losses::default(), &mut out).is_ok() {
                    let written = String::from_utf8_lossy(&out);
                    parse_bytes(&out, Duplicates::Refuse).unwrap_or_else(|e| panic!("{e} in {written}"));
                }
            }
        }
    });
    assert_eq!(read + refused, tried);
    assert!(read > 500 && refused > 300, "{read} read, {refused} refused");
}

#[test]
fn answers_of_every_wrong_type_are_read_or_garbled() {
    let (mut read, mut garbled) = (0, 0);
    let tried = mangle(ANSWER, |body| {
        let Ok(root) = parse_bytes(body, Duplicates::LastCounts) else { return };
        match decode_response(&root) {
            Err(_) => garbled += 1,
            Ok(response) => {
                read += 1;
                let mut out = Vec::new();
                encode_response(&response, &owed(), &mut out);
                assert!(parse_bytes(&out, Duplicates::Refuse).is_ok(), "{}", String::from_utf8_lossy(&out));
            }
        }
    });
    assert_eq!(read + garbled, tried);
    assert!(read > 300 && garbled > 30, "{read} read, {garbled} garbled");
}

#[test]
fn chunks_of_every_wrong_type_are_read_or_a_fault() {
    mangle(CHUNK, |chunk| {
        let mut decoder = Decoder::new();
        for _ in 0..2 {
            if decoder.on_frame(None, chunk, &mut |_| {}).is_err() {
                return;
            }
        }
        decoder.on_end(&mut |_| {});
    });
}

#[test]
fn what_is_no_answer_at_all_is_garbled() {
    for body in [
        r#"{"choices":{}}"#,
        r#"{"choices":[{}]}"#,
        r#"{"choices":["a"]}"#,
        r#"{"choices":[{"message":"hi"}]}"#,
        r#"{"object":"list","data":[]}"#,
        r#"{"error":{"message":"no","code":"x"}}"#,
        r#"{"choices":[],"error":{"message":"no"}}"#,
        r#"{"type":"message","role":"assistant","content":[]}"#,
        "[]",
        "\"<html>\"",
        "1",
    ] {
        let root = parse_bytes(body.as_bytes(), Duplicates::LastCounts).unwrap();
        assert!(decode_response(&root).is_err(), "{body}");
    }
}

#[test]
fn a_frame_that_is_no_json_is_the_upstreams_fault() {
    for frame in ["<html>busy", "{\"choices\":[", "data", "{}{}"] {
        let fault = Decoder::new().on_frame(None, frame.as_bytes(), &mut |_| {}).unwrap_err();
        assert_eq!(fault.status, 502, "{frame}");
    }
    for frame in ["", " ", "{}", "[]", "{\"type\":\"ping\"}", "12"] {
        assert_eq!(Decoder::new().on_frame(None, frame.as_bytes(), &mut |_| {}), Ok(()), "{frame}");
    }
}
