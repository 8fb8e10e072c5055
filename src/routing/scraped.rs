//! What an inference server says of its load at `/metrics`.
//!
//! Not here: asking it (`jobs`), what follows from it (`look`). Names by the servers' own documentation: vLLM
//! <https://docs.vllm.ai/en/stable/usage/metrics/>, SGLang
//! <https://docs.sglang.io/references/production_metrics.html>, TGI
//! <https://huggingface.co/docs/text-generation-inference/reference/metrics>.

use crate::framing::exposition::samples;

/// Whose names they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrapeKind {
    Vllm,
    Sglang,
    Tgi,
}

/// A server's load. One that serves several models, or has several engines, has one queue for each:
/// they are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gauges {
    /// Requests being worked on.
    pub running: u32,
    /// Requests that wait.
    pub waiting: u32,
    /// Used part of the KV cache, up to 1, of the fullest engine; None where the server has no such number.
    pub kv: Option<f32>,
    /// When the server was started, in milliseconds since 1970.
    pub started: Option<u64>,
}

struct Names {
    running: &'static str,
    waiting: &'static str,
    /// Newer name first.
    kv: [&'static str; 2],
}

impl ScrapeKind {
    pub const WORDS: [(&'static str, ScrapeKind); 3] =
        [("vllm", ScrapeKind::Vllm), ("sglang", ScrapeKind::Sglang), ("tgi", ScrapeKind::Tgi)];

    fn names(self) -> Names {
        match self {
            ScrapeKind::Vllm => Names {
                running: "vllm:num_requests_running",
                waiting: "vllm:num_requests_waiting",
                kv: ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
            },
            ScrapeKind::Sglang => Names {
                running: "sglang:num_running_reqs",
                waiting: "sglang:num_queue_reqs",
                kv: ["sglang:token_usage", ""],
            },
            ScrapeKind::Tgi => {
                Names { running: "tgi_batch_current_size", waiting: "tgi_queue_size", kv: ["", ""] }
            }
        }
    }

    /// Reads an exposition; None where it says neither what runs nor what waits.
    pub fn read(self, text: &str) -> Option<Gauges> {
        let names = self.names();
        let (mut running, mut waiting) = (None, None);
        let mut gauges = Gauges::default();
        for sample in samples(text).filter(|sample| sample.value.is_finite() && sample.value >= 0.0) {
            // `as` holds a float too large at the most.
            let count = sample.value as u32;
            match sample.name {
                name if name == names.running => running = Some(count.saturating_add(running.unwrap_or(0))),
                name if name == names.waiting => waiting = Some(count.saturating_add(waiting.unwrap_or(0))),
                name if names.kv.contains(&name) => {
                    let used = (sample.value as f32).min(1.0);
                    gauges.kv = Some(gauges.kv.map_or(used, |fullest| fullest.max(used)));
                }
                "process_start_time_seconds" => gauges.started = Some((sample.value * 1000.0) as u64),
                _ => {}
            }
        }
        running.or(waiting)?;
        Some(Gauges { running: running.unwrap_or(0), waiting: waiting.unwrap_or(0), ..gauges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_servers_names_are_known() {
        let vllm = "vllm:num_requests_running{engine=\"0\"} 3.0\nvllm:num_requests_running{engine=\"1\"} 4.0\n\
                    vllm:num_requests_waiting{engine=\"0\"} 2.0\nvllm:kv_cache_usage_perc{engine=\"0\"} 0.25\n\
                    vllm:kv_cache_usage_perc{engine=\"1\"} 0.75\nprocess_start_time_seconds 1.7000000005e9\n";
        let read = Gauges { running: 7, waiting: 2, kv: Some(0.75), started: Some(1_700_000_000_500) };
        assert_eq!(ScrapeKind::Vllm.read(vllm), Some(read));
        let older = "vllm:num_requests_running 1\nvllm:gpu_cache_usage_perc 0.5\n";
        assert_eq!(ScrapeKind::Vllm.read(older).unwrap().kv, Some(0.5));
        let sglang = "sglang:num_running_reqs{model_name=\"m\"} 5\nsglang:num_queue_reqs{model_name=\"m\"} 6\nsglang:token_usage{model_name=\"m\"} 0.28\n";
        let read = Gauges { running: 5, waiting: 6, kv: Some(0.28), started: None };
        assert_eq!(ScrapeKind::Sglang.read(sglang), Some(read));
        let tgi = "tgi_batch_current_size 8\ntgi_queue_size 9\n";
        assert_eq!(ScrapeKind::Tgi.read(tgi), Some(Gauges { running: 8, waiting: 9, ..Gauges::default() }));
    }

    #[test]
    fn what_says_nothing_of_its_load_is_no_answer_and_odd_numbers_are_bounded() {
        assert_eq!(ScrapeKind::Vllm.read("up 1\nsglang:num_running_reqs 5\n"), None);
        assert_eq!(ScrapeKind::Tgi.read(""), None);
        let odd = "vllm:num_requests_waiting 1e300\nvllm:num_requests_waiting 5\nvllm:num_requests_running -3\nvllm:kv_cache_usage_perc 7\n";
        let read = ScrapeKind::Vllm.read(odd).unwrap();
        assert_eq!((read.waiting, read.running, read.kv), (u32::MAX, 0, Some(1.0)));
    }
}
