//! What a model's section can say of its mirror, and what it is told where it errs.

use super::mistakes_tests::{only, with};
use super::{Config, Report};
use std::time::Duration;

/// A good file whose model has `more`.
fn model(more: &str) -> Result<Config, Report> {
    with(&format!("[models.m]\ntargets = [{{ provider = \"openai\", model = \"gpt-5\" }}]\n{more}"))
}

fn said(mirror: &str) -> String {
    only(model(&format!("mirror = {mirror}")))
}

#[test]
fn nothing_is_copied_unless_the_model_says_so_and_then_one_in_twenty() {
    assert_eq!(model("").unwrap().models["m"].mirror, None);
    let config = model("mirror = { provider = \"claude\" }").unwrap();
    let mirror = config.models["m"].mirror.as_ref().unwrap();
    assert_eq!((mirror.target.provider.as_str(), mirror.upstream("m")), ("claude", "m"));
    assert_eq!((mirror.percent(), mirror.in_flight, mirror.timeout), (5.0, 8, Duration::from_secs(60)));
    let all =
        "{ provider = \"openai\", model = \"gpt-5-mini\", share = 0.05, in_flight = 2, timeout = \"5s\" }";
    let config = model(&format!("mirror = {all}")).unwrap();
    let mirror = config.models["m"].mirror.as_ref().unwrap();
    assert_eq!((mirror.upstream("m"), mirror.share, mirror.percent()), ("gpt-5-mini", 50, 0.05));
    assert_eq!((mirror.in_flight, mirror.timeout), (2, Duration::from_secs(5)));
}

#[test]
fn mistakes_are_shown_where_they_are() {
    assert_eq!(said("{ provider = \"opnai\" }"), "unknown provider `opnai`, did you mean `openai`?");
    assert_eq!(said("{ model = \"x\" }"), "missing `provider`");
    for share in ["0", "100.1", "-1"] {
        let text = format!("{{ provider = \"claude\", share = {share} }}");
        assert_eq!(said(&text), "out of range: must be 0.001 to 100", "{share}");
    }
    assert_eq!(said("{ provider = \"claude\", in_flight = 0 }"), "out of range: must be 1 to 256");
    assert_eq!(said("{ provider = \"claude\", shar = 5 }"), "unknown field `shar`, did you mean `share`?");
    let report = model("mirror = { provider = \"claude\", share = 200 }").unwrap_err();
    let shown = report.render(false);
    assert!(shown.contains("in models.m.mirror\n") && shown.contains("^^^"), "{shown}");
}

#[test]
fn a_mirror_must_be_another_target_and_hold_to_the_rules_of_data() {
    let same = "the mirror is this model's only target: there is nothing to compare";
    assert_eq!(said("{ provider = \"openai\", model = \"gpt-5\" }"), same);
    assert!(model("mirror = { provider = \"openai\" }").is_ok(), "another model of the same provider");
    let two = "[models.m]\ntargets = [{ provider = \"openai\" }, { provider = \"claude\" }]\nmirror = { provider = \"claude\" }";
    assert!(with(two).is_ok(), "one of two targets may be compared with both");
    let rules =
        |data: &str, more: &str| model(&format!("data = {data}\nmirror = {{ provider = \"claude\"{more} }}"));
    let broken = "this model's `data` does not let its calls go there: ";
    assert_eq!(only(rules("{ regions = [\"eu\"] }", "")), format!("{broken}region"));
    assert_eq!(only(rules("{ zdr = true }", "")), format!("{broken}zdr"));
    assert!(rules("{ regions = [\"eu\"], zdr = true }", ", region = \"eu-west-1\", zdr = true").is_ok());
}
