//! `[server.shed]`: when new calls are refused because the gateway itself has too much to do.

use super::collector::Collector;
use super::duration::duration;
use super::number::integer;
use super::reader::Reader;
use super::size::{MIB, size};
use super::value::Value;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed {
    /// Bytes in RAM; None: nine tenths of what the control group may have, where it has a limit.
    pub memory_max: Option<usize>,
    /// How late the threads that serve calls may come to their work.
    pub lag_max: Duration,
    /// Calls under way; None: any number.
    pub calls_max: Option<u64>,
}

impl Shed {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let shed = Self {
            memory_max: reader.take("memory_max", size(64 * MIB..=1024 * 1024 * MIB)),
            lag_max: reader.or("lag_max", Duration::from_millis(250), duration),
            calls_max: reader.take("calls_max", integer(1..=10_000_000)),
        };
        reader.done();
        Some(shed)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::mistakes_tests::{said, with};
    use crate::types::Priority;
    use std::time::Duration;

    #[test]
    fn what_is_not_written_is_not_limited() {
        let config = with("").unwrap();
        let model = &config.models["gpt-5"];
        assert!(config.server.shed.is_none() && model.concurrency.is_none() && model.queue.is_none());
        assert!(config.keys.values().all(|key| key.priority == Priority::Normal));
        let shed = with("[server.shed]\n").unwrap().server.shed.unwrap();
        assert_eq!((shed.memory_max, shed.calls_max, shed.lag_max), (None, None, Duration::from_millis(250)));
    }

    #[test]
    fn limits_and_waits_are_read_with_their_defaults() {
        let more = "[models.x]\ntargets = [{ provider = \"openai\", concurrency = { max = 3 } }, { provider = \"openai\" }]\n\
                    concurrency = { max = 50, adaptive = true }\nqueue = { max = 7 }\n";
        let config = with(more).unwrap();
        let model = &config.models["x"];
        let own = model.targets[0].concurrency.unwrap();
        assert_eq!((own.max, own.adaptive), (3, false));
        assert!(model.targets[1].concurrency.is_none());
        let all = model.concurrency.unwrap();
        assert_eq!((all.max, all.adaptive, all.min), (50, true, 4));
        let queue = model.queue.unwrap();
        assert_eq!(
            (queue.max, queue.wait, queue.wait_max),
            (7, Duration::from_secs(5), Duration::from_secs(5))
        );
    }

    #[test]
    fn mistakes_are_told() {
        let of = |line: &str| said(&format!("[models.x]\ntargets = [{{ provider = \"openai\" }}]\n{line}\n"));
        for (line, words) in [
            ("concurrency = { adaptive = true }", "missing `max`"),
            ("concurrency = { max = 0 }", "out of range"),
            ("concurrency = { max = 5, min = 2 }", "`min` is for a limit that is learned"),
            ("concurrency = { max = 5, min = 9, adaptive = true }", "`min` (9) is more than `max` (5)"),
            ("queue = { wait = \"9s\", wait_max = \"5s\" }", "`wait` is longer than `wait_max`"),
            ("queue = { max = 0 }", "out of range"),
        ] {
            let told = of(line);
            assert!(told.contains(words), "{line}: {told}");
        }
        assert!(said("[keys.low]\nsecret_sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\npriority = \"urgent\"\n").contains("unknown value `urgent`"));
        assert!(said("[server.shed]\nmemory_max = \"1MiB\"\n").contains("out of range"));
    }
}
