//! Metrics of inference servers: whatever they show, reading ends, and finds only what stands there.

use crate::input::{BYTES_MAX, Input, each_input};
use tidegate::framing::exposition::samples;
use tidegate::routing::ScrapeKind;

const WORDS: [&str; 16] = [
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "sglang:token_usage",
    "tgi_queue_size",
    "{",
    "}",
    "=\"",
    "\"",
    "\\",
    ",",
    " ",
    "\n",
    "# HELP ",
    "1.5",
    "+Inf",
    "1e999",
];

fn hold(bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    let mut lines = 0;
    for sample in samples(&shown) {
        lines += 1;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        assert!(!sample.name.is_empty() && sample.name.chars().all(is_name), "{sample:?} in {shown:?}");
        assert!(shown.contains(sample.name));
    }
    assert!(lines <= shown.lines().count());
    for (_, kind) in ScrapeKind::WORDS {
        if let Some(gauges) = kind.read(&shown) {
            assert!(gauges.kv.is_none_or(|kv| (0.0..=1.0).contains(&kv)), "{gauges:?} in {shown:?}");
        }
    }
}

const VALID: &str = "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{engine=\"0\",model_name=\"a\\\"}\"} 3.0\n\
                     vllm:num_requests_waiting{} 2 1395066363000\nvllm:kv_cache_usage_perc 0.5\n";

#[test]
fn exposition_is_read_to_its_end_whatever_it_is() {
    assert_eq!(ScrapeKind::Vllm.read(VALID).map(|gauges| (gauges.running, gauges.waiting)), Some((3, 2)));
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        hold(input.bytes);
        hold(&input.spelt(&WORDS));
        hold(&input.changed(VALID.as_bytes(), &WORDS));
    });
}
