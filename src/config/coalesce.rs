//! What a model does with calls that ask for the same at once: `coalesce`.

use super::collector::Collector;
use super::number::integer;
use super::reader::Reader;
use super::size::{KIB, MIB, size};
use super::value::Value;

/// `coalesce` of a model: how calls that ask for the same share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coalesce {
    /// Bytes of an answer that are kept: for who comes late, and for who reads slowly.
    pub bytes_max: usize,
    /// Calls that share one.
    pub calls_max: usize,
}

impl Coalesce {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let coalesce = Self {
            bytes_max: reader.or("bytes", MIB, size(4 * KIB..=16 * MIB)),
            calls_max: reader.or("calls", 1000, integer(2..=10_000)),
        };
        reader.done();
        Some(coalesce)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::mistakes_tests::with;
    use crate::config::{Coalesce, Model, Report};

    fn model(more: &str) -> Result<Model, Report> {
        let config = with(&format!("[models.m]\ntargets = [{{ provider = \"openai\" }}]\n{more}"));
        config.map(|config| config.models["m"].clone())
    }

    #[test]
    fn calls_are_shared_only_where_the_model_says_so_and_within_bounds() {
        assert_eq!(model("").unwrap().coalesce, None);
        let coalesce = Coalesce { bytes_max: 1024 * 1024, calls_max: 1000 };
        assert_eq!(model("coalesce = {}").unwrap().coalesce, Some(coalesce));
        for (more, said) in [
            ("coalesce = { bytes = \"1KiB\" }", "`1KiB` is out of range: must be 4KiB to 16MiB"),
            ("coalesce = { calls = 1 }", "out of range: must be 2 to 10000"),
            ("coalesce = { call = 2 }", "unknown field `call`, did you mean `calls`?"),
        ] {
            assert_eq!(model(more).map(|_| ()).expect_err("a problem").problems[0].message, said, "{more}");
        }
    }
}
