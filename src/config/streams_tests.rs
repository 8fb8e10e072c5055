//! What a model's section can say of its streams, and what it is told where it errs.

use super::mistakes_tests::with;
use super::{Hold, Prefill, Recovery};
use crate::chat::PrefillStyle;
use std::time::Duration;

/// A good file whose model has `more`.
fn model(more: &str) -> Result<super::Model, super::Report> {
    let config = with(&format!("[models.m]\ntargets = [{{ provider = \"openai\" }}]\n{more}"));
    config.map(|config| config.models["m"].clone())
}

#[test]
fn nothing_is_held_or_gone_on_with_unless_the_model_says_so() {
    let streams = model("").unwrap().streams;
    assert_eq!((streams.hold, streams.recovery, streams.continuations), (None, Recovery::Error, 1));
    assert_eq!(streams.resume, None);
    let streams = model("hold = {}\nrecovery = \"continue\"\ncontinuations = 2").unwrap().streams;
    let hold = Hold { tokens: 16, time: Duration::from_millis(50), bytes_max: 64 * 1024 };
    assert_eq!((streams.hold, streams.recovery, streams.continuations), (Some(hold), Recovery::Continue, 2));
}

#[test]
fn a_target_says_whether_it_takes_a_beginning_and_how() {
    let prefill = |word: &str| {
        let text = format!("[models.m]\ntargets = [{{ provider = \"openai\", prefill = {word} }}]");
        with(&text).map(|config| config.models["m"].targets[0].prefill)
    };
    assert_eq!(prefill("true").unwrap(), Prefill::Yes);
    assert_eq!(prefill("false").unwrap(), Prefill::No);
    assert_eq!(prefill("\"partial\"").unwrap(), Prefill::As(PrefillStyle::Partial));
    assert_eq!(model("").unwrap().targets[0].prefill, Prefill::Known);
    assert_eq!(
        prefill("\"prefx\"").expect_err("a problem").problems[0].message,
        "unknown prefill `prefx`, did you mean `prefix`?"
    );
}

#[test]
fn bounds_are_held() {
    for (more, said) in [
        ("hold = { tokens = 0 }", "out of range: must be 1 to 1000"),
        ("hold = { bytes = \"1MiB\" }", "`1MiB` is out of range: must be 1KiB to 256KiB"),
        ("resume = { events = 0 }", "out of range: must be 1 to 65536"),
        ("resume = { bytes = \"32MiB\" }", "`32MiB` is out of range: must be 1KiB to 16MiB"),
        ("continuations = 9", "out of range: must be 1 to 8"),
        ("recovery = \"contine\"", "unknown value `contine`, did you mean `continue`?"),
    ] {
        assert_eq!(model(more).map(|_| ()).expect_err("a problem").problems[0].message, said, "{more}");
    }
}
