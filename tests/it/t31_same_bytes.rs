//! T31: what a client writes is what the upstream reads, byte for byte.

use crate::harness::{Config, Gateway, Request, Sim, Wire, sha256};

/// JSON as serialisers do not write it: order, spaces, escapes, numbers that no float holds.
const ODD: &str = r#""zeta" :  1,	"alpha":[1.0 , 1e400,9223372036854775809, -0, 1E+2 ],
  "text":"\u00e9 é \ud83d\ude00 😀 </script> \/ \"quoted\"" , "unknown":{"b":null,"a":{}},"dup\u006c":true"#;

/// The same, but what every serialiser can read and would write differently.
fn mild(body: &str) -> String {
    body.replace("1e400", "1e2")
}

fn body(wire: Wire, is_stream: bool) -> String {
    let stream = match (wire, is_stream) {
        (Wire::Gemini, _) | (_, false) => "",
        (Wire::Chat, true) => r#" "stream":true ,"stream_options" : {"include_usage":true}, "#,
        (_, true) => r#" "stream":true ,"#,
    };
    let prompt = match wire {
        Wire::Chat => r#""messages" :[ {"content":"h\u00e9llo </b>" , "role":"user"} ],"model": "m""#,
        Wire::Responses => r#""input" : "h\u00e9llo </b>","model": "m""#,
        Wire::Messages => {
            r#""messages":[{"content":[{"text":"h\u00e9llo </b>","type":"text","cache_control":{"ttl":"1h","type":"ephemeral"}}],"role":"user"}],"max_tokens":9,"model": "m""#
        }
        Wire::Gemini => r#""contents":[{"parts":[{"text":"h\u00e9llo </b>"}],"role":"user"}]"#,
    };
    format!("{{{stream}{prompt} ,\r\n{ODD} }}\n")
}

fn gateway(wire: Wire, sim: &Sim) -> Gateway {
    let config = Config::new().provider("a", wire, sim.addr()).provider("b", wire, sim.addr());
    Gateway::start(config.model("m", &["a", "b"]))
}

fn hold_same(sim: &Sim, request: &Request, what: &str) {
    let sent = sim.last_request();
    assert_eq!(sent.body_bytes, request.body.len(), "{what}: {}", String::from_utf8_lossy(&sent.body));
    assert_eq!(sent.body_sha256, sha256(&request.body), "{what}: {}", String::from_utf8_lossy(&sent.body));
    assert_eq!(sent.header("content-length"), Some(request.body.len().to_string().as_str()), "{what}");
}

#[test]
fn t31_odd_json_reaches_the_upstream_byte_for_byte_in_every_dialect() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let gateway = gateway(wire, &sim);
        for is_stream in [false, true] {
            for chunk in [None, Some(1), Some(37)] {
                let odd = body(wire, is_stream);
                for text in [mild(&odd), odd] {
                    let what = format!("{wire:?} stream={is_stream} chunk={chunk:?}: {text}");
                    let mut request = wire.request_of("m", is_stream, text);
                    if let Some(size) = chunk {
                        request = request.chunked(size);
                    }
                    let mut answer = gateway.send(&request);
                    let seen = answer.body();
                    assert_eq!(answer.status, 200, "{what}: {}", String::from_utf8_lossy(&seen));
                    hold_same(&sim, &request, &what);
                }
            }
        }
        assert_eq!(sim.calls(), 12);
    }
}

#[test]
fn t31_the_second_attempt_gets_the_same_bytes_as_the_first() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        sim.answer_next(tidegate::sim::ScriptedReply::json(503, "{}"));
        let gateway = gateway(wire, &sim);
        let request = wire.request_of("m", false, mild(&body(wire, false)));
        assert_eq!(gateway.send(&request).status, 200, "{wire:?}");
        let bodies: Vec<String> = sim.requests().into_iter().map(|sent| sent.body_sha256).collect();
        assert_eq!(bodies, [sha256(&request.body), sha256(&request.body)], "{wire:?}");
    }
}

#[test]
fn t31_other_endpoints_pass_their_bodies_on_as_well() {
    let sim = Sim::start();
    let gateway = gateway(Wire::Chat, &sim);
    for (path, fields) in [
        ("/v1/embeddings", r#""input":["a",  "\u00e9"]"#),
        ("/v1/moderations", r#""input":"a""#),
        ("/v1/completions", r#""prompt":"a""#),
        ("/v1/rerank", r#""query":"a","documents":["b"]"#),
        ("/v1/images/generations", r#""prompt":"a""#),
    ] {
        let request = Request::post(path, mild(&format!("{{ {fields} , \"model\" :\"m\",{ODD} }}")));
        let mut answer = gateway.send(&request);
        let seen = answer.body();
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&seen));
        hold_same(&sim, &request, path);
        assert_eq!(sim.last_request().target, path);
    }
}

#[test]
fn t31_the_answer_of_the_upstream_reaches_the_client_byte_for_byte() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let gateway = gateway(wire, &sim);
        let mut plain = gateway.send(&wire.request("m", false));
        let mut odd: serde_json::Value = plain.json();
        odd["unknown"] = serde_json::json!({"b": 1, "a": 2});
        let text =
            format!(" {}\n", serde_json::to_string_pretty(&odd).unwrap()).replace("\"b\": 1", "\"b\":1e400");
        sim.answer_next(tidegate::sim::ScriptedReply::json(200, text.clone()));
        let mut answer = gateway.send(&wire.request("m", false));
        assert_eq!(String::from_utf8(answer.body()).unwrap(), text, "{wire:?}");
        assert_eq!(answer.header("content-length"), Some(text.len().to_string().as_str()));
    }
}
