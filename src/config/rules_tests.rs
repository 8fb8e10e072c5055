//! What a provider, a model and a key must say, and what contradicts what.

use super::mistakes_tests::{DIGEST_OF_K, KEYS, MODELS, only, read, said, with};
use super::{CountMode, Member, OnLoss};
use crate::govern::BudgetUnit;
use crate::routing::Balance;
use crate::types::Money;

fn provider(more: &str) -> String {
    said(&format!("[providers.x]\n{more}"))
}

fn model(more: &str) -> String {
    said(&format!("[models.x]\n{more}"))
}

fn model_with(more: &str) -> String {
    model(&format!("targets = [{{ provider = \"openai\" }}]\n{more}"))
}

fn key(more: &str) -> String {
    said(&format!("[keys.x]\n{more}"))
}

#[test]
fn providers_need_what_their_kind_needs() {
    assert_eq!(provider("api_key = \"env:A\""), "missing `kind`");
    assert_eq!(provider("kind = \"gemini\""), "kind `gemini` needs an `api_key`");
    assert_eq!(provider("kind = \"openai-compatible\""), "kind `openai-compatible` needs a `base_url`");
    assert_eq!(
        provider("kind = \"azure-openai\"\napi_key = \"env:A\""),
        "kind `azure-openai` needs a `resource`"
    );
    assert_eq!(
        provider("kind = \"bedrock\"\nregion = \"eu-west-1\""),
        "kind `bedrock` needs an `api_key` or `aws`"
    );
    let speaks = |words: &str| {
        provider(&format!("kind = \"openai-compatible\"\nbase_url = \"http://h\"\nprotocols = {words}"))
    };
    assert_eq!(speaks("[]"), "a provider speaks at least one protocol");
    assert_eq!(speaks("[\"chat\", \"chat\"]"), "this protocol is in the list already");
    assert_eq!(speaks("[\"chatt\"]"), "unknown protocol `chatt`, did you mean `chat`?");
    let compatible =
        |more: &str| provider(&format!("kind = \"openai-compatible\"\nbase_url = \"http://h\"\n{more}"));
    assert_eq!(
        compatible("api_key = \"env:A\"\napi_keys = [\"env:B\"]"),
        "`api_key` and `api_keys` exclude each other"
    );
    assert_eq!(compatible("api_keys = []"), "`api_keys` has 1 to 64 entries");
    assert_eq!(compatible("api_keys = [\"env:A\", \"env:A\"]"), "this credential is in the list already");
    assert_eq!(compatible("tls = { verify = false }"), "`tls` has no effect: the base URL is http://");
    assert_eq!(
        provider("kind = \"cohere-compatible\"\nbase_url = \"http://h\"\ncount_tokens = \"local\""),
        "`count_tokens` has no effect: this kind counts none"
    );
    assert_eq!(compatible("http2 = \"yes\""), "unknown value `yes`");
    assert_eq!(compatible("cooldown = { base = \"2m\", max = \"1m\" }"), "`base` is longer than `max`");
    assert_eq!(compatible("headers = { Host = \"x\" }"), "`host` is written by the gateway itself");
    assert_eq!(compatible("headers = { X-A = \"x\", x-a = \"y\" }"), "`x-a` is given twice");
    // A field with such a name takes no secret from the file, but a number is a limit.
    let is_secret = "a secret must not stand in this file";
    assert_eq!(compatible("headers = { x-max-tokens = \"100\", x-token = \"123456789\" }"), is_secret);
    assert_eq!(compatible("headers = { x-max-tokens = \"100\", x-token = \"a1\" }"), is_secret);
    assert_eq!(
        provider("kind = \"anthropic\"\napi_key = \"env:A\"\nstream_options = false"),
        "`stream_options` is only for the OpenAI kinds"
    );
    assert_eq!(said("[providers.\"a b\"]\nkind = \"openai\"\napi_key = \"env:A\""), "`a b` cannot be a name");
}

#[test]
fn targets_name_providers() {
    assert_eq!(model("balance = \"weighted\""), "missing `targets`");
    assert_eq!(model("targets = []"), "a model has 1 to 64 targets");
    assert_eq!(model("targets = [{ weight = 1 }]"), "missing `provider`");
    assert_eq!(
        model("targets = [{ provider = \"cluade\" }]"),
        "unknown provider `cluade`, did you mean `claude`?"
    );
    assert!(
        model("targets = [{ provider = \"openai\", weight = 0 }]").starts_with("every target has weight 0")
    );
    assert_eq!(
        model("targets = [{ provider = \"openai\", model = \"gpt-*\" }]"),
        "a target's model is one name, without `*`"
    );
    let many = format!("targets = [{}]", "{ provider = \"openai\" },".repeat(65));
    assert_eq!(model(&many), "a model has 1 to 64 targets");
    let off = "[models.x]\ntargets = [{ provider = \"openai\", weight = 0 }, { provider = \"openai\" }]";
    assert_eq!(with(off).unwrap().models["x"].groups[0].places[0].weight, 0);
    assert_eq!(
        said("[models.\"a*b\"]\ntargets = [{ provider = \"openai\" }]"),
        "`a*b`: `*` may only stand at the end"
    );
}

#[test]
fn a_provider_that_is_wrong_itself_is_not_called_missing_too() {
    let text = format!("[providers.openai]\nkind = \"x\"\napi_key = \"env:A\"\n{MODELS}{KEYS}");
    assert_eq!(only(read(&text)), "unknown kind `x`");
    assert_eq!(only(read(&format!("{MODELS}{KEYS}"))), "unknown provider `openai`");
}

#[test]
fn failover_says_what_it_is_about() {
    let on = |on: &str| model_with(&format!("failover = {{ on = [{on}] }}"));
    assert_eq!(on("\"tls\""), "`tls` is part of `connect`, write that");
    assert_eq!(on("\"conect\""), "unknown failure `conect`, did you mean `connect`?");
    assert_eq!(on("\"status:200\""), "`200` is no error status (400 to 599, 4xx, 5xx)");
    assert_eq!(model_with("failover = { attempts = 0 }"), "out of range: must be 1 to 10");
    assert_eq!(model_with("failover = { attempts = 11 }"), "out of range: must be 1 to 10");
    let text = "[models.x]\ntargets = [{ provider = \"openai\" }]\n\
                failover = { on = [\"timeout\", \"status:400\", \"status:429\"] }";
    let on = with(text).unwrap().models["x"].failover.on.clone();
    assert!(on.timeout && !on.connect && !on.stream_error);
    assert_eq!(on.status.iter().collect::<Vec<_>>(), [400, 429]);
}

#[test]
fn groups_lie_in_targets_with_a_balance_and_conditions_of_their_own() {
    let text = "[models.x]\nbalance = \"sticky\"\nsession = [\"header:X-User\", \"key\"]\ntargets = [\n\
        { name = \"near\", balance = \"fastest\", when = [\"stream\", \"input_tokens < 100\"], targets = [\n\
        { provider = \"openai\", weight = 2, zdr = true }, { provider = \"openai\", model = \"b\", region = \"eu\" } ] },\n\
        { provider = \"claude\", priority = 2, when = \"needs.tools\", context = 1000 } ]";
    let model = with(text).unwrap().models["x"].clone();
    let [root, near] = model.groups.as_slice() else { panic!("{:?}", model.groups) };
    assert_eq!((root.balance, near.balance, near.name.as_str()), (Balance::Sticky, Balance::Fastest, "near"));
    assert_eq!((root.places[0].member, root.places[1].member), (Member::Group(1), Member::Target(2)));
    assert_eq!(root.places[0].when.as_deref(), Some("(stream) && (input_tokens < 100)"));
    assert_eq!((near.places[0].weight, root.places[1].priority), (2, 2));
    assert!(model.targets[0].zero_retention && model.targets[1].region.as_deref() == Some("eu"));
    assert_eq!((model.targets[2].context, model.session.len()), (Some(1000), 2));
}

#[test]
fn routes_that_cannot_be_are_shown() {
    assert_eq!(model_with("balance = \"fastet\""), "unknown value `fastet`, did you mean `fastest`?");
    assert_eq!(model_with("session = [\"sesion\"]"), "unknown session `sesion`, did you mean `session`?");
    assert_eq!(model_with("panic = 101"), "out of range: must be 1 to 100");
    assert_eq!(model_with("data = { regions = [\"EU\"] }"), "a region has lowercase letters, digits and `-`");
    let when = |when: &str| model(&format!("targets = [{{ provider = \"openai\", when = {when} }}]"));
    assert_eq!(when("\"modell == 'a'\""), "no fact or function is called `modell`");
    assert_eq!(when("\"input_tokens\""), "it is no condition: it is a number, not true or false");
    assert_eq!(when("[]"), "no condition: leave `when` out");
    assert!(when("\"model ==\"").starts_with("no CEL: "));
    let deep =
        (0..4).fold("{ provider = \"openai\" }".to_owned(), |inner, _| format!("{{ targets = [{inner}] }}"));
    assert_eq!(model(&format!("targets = [{deep}]")), "at most 32 groups, 4 deep");
    assert_eq!(
        model("targets = [{ targets = [{ provider = \"openai\" }], provider = \"openai\" }]"),
        "unknown field `provider`"
    );
}

#[test]
fn limits_are_one_table_or_several() {
    let limits = |text: &str| {
        let config = with(&format!("[keys.x]\nsecret = \"env:Z\"\nlimits = {text}")).unwrap();
        config.keys["x"].limits.iter().map(|l| format!("{l:?}")).collect::<Vec<_>>()
    };
    let one = limits("{ requests_per_minute = 5, tokens_per_day = 7, concurrent = 2 }");
    assert_eq!(one.len(), 3);
    assert_eq!(limits("[{ requests_per_second = 5 }, { model = \"gpt-*\", tokens_per_hour = 7 }]").len(), 2);
    let wrong = |text: &str| key(&format!("secret = \"env:Z\"\nlimits = {text}"));
    assert_eq!(wrong("{ requests_per_minute = 0 }"), "out of range: must be 1 to 10000000");
    assert_eq!(wrong("[{ model = \"a*b\", concurrent = 1 }]"), "`a*b`: `*` may only stand at the end");
    assert_eq!(wrong("5"), "expected a table, found an integer");
}

#[test]
fn budgets_say_how_much_of_what_and_for_how_long() {
    let budget = |text: &str| with(&format!("[keys.x]\nsecret = \"env:Z\"\nbudget = {text}"));
    let config = budget(
        "[{ usd = \"25.50\", per = \"day\", time_zone = \"Europe/Berlin\", alerts = [50, 90] },          { name = \"all\", tokens = 9, per = \"total\", on_exhausted = \"downgrade:gpt-5\" }]",
    );
    let budgets = &config.unwrap().keys["x"].budgets;
    assert_eq!((budgets[0].name.as_str(), budgets[1].name.as_str()), ("day", "all"));
    assert_eq!(budgets[0].unit, BudgetUnit::Usd(Money::parse("25.5").unwrap()));
    let wrong = |text: &str| only(budget(text));
    assert_eq!(wrong("{ per = \"day\" }"), "a budget has either `usd` or `tokens`");
    assert_eq!(wrong("{ usd = 1, tokens = 1, per = \"day\" }"), "a budget has either `usd` or `tokens`");
    assert_eq!(wrong("{ usd = 1 }"), "missing `per`");
    assert_eq!(wrong("{ usd = 0, per = \"day\" }"), "a budget of nothing");
    assert_eq!(wrong("{ usd = \"-1\", per = \"day\" }"), "the amount must not be negative");
    assert_eq!(wrong("{ usd = 1, per = \"minute\" }"), "unknown value `minute`");
    assert_eq!(wrong("{ usd = 1, per = \"day\", time_zone = \"Mars\" }"), "no time zone `Mars`");
    assert_eq!(wrong("{ usd = 1, per = \"day\", alerts = [101] }"), "out of range: must be 1 to 100");
    assert_eq!(wrong("{ usd = 1, per = \"day\", on_exhausted = \"downgrade:x\" }"), "no model `x` here");
    assert_eq!(wrong("{ usd = 1, per = \"day\", on_exhausted = \"drop\" }"), "unknown value `drop`");
    let twice = "[{ usd = 1, per = \"day\" }, { tokens = 1, per = \"day\" }]";
    assert_eq!(wrong(twice), "two budgets are called `day`");
}

#[test]
fn a_cluster_has_an_address_without_a_password_or_a_reference() {
    let config = with("[cluster]\nurl = \"redis://127.0.0.1:6379\"\non_loss = \"fail-closed\"").unwrap();
    let cluster = config.cluster.unwrap();
    assert_eq!((cluster.on_loss, cluster.share), (OnLoss::FailClosed, None));
    assert!(with("[cluster]\nurl = \"env:REDIS\"\nshare = 0.25").is_ok());
    let wrong = |more: &str| said(&format!("[cluster]\n{more}"));
    assert_eq!(wrong("url = \"redis://:pw@h\""), "an address with a password in the file");
    assert_eq!(wrong("url = \"http://h\""), "this is no address of a Redis");
    assert_eq!(wrong("on_loss = \"open\""), "unknown value `open`");
    assert_eq!(wrong("share = 1.5"), "out of range: must be 0.001 to 1");
    assert_eq!(wrong("node = \"a b\""), "`a b` cannot be a name");
}

#[test]
fn deadlines_fit_into_the_whole_one() {
    let message = model_with("timeouts = { total = \"10s\", idle = \"1m\" }");
    assert_eq!(message, "longer than `total`, so it could never be reached");
    let text = "[models.x]\ntargets = [{ provider = \"openai\" }]\ntimeouts = { total = \"10s\" }";
    let timeouts = with(text).unwrap().models["x"].timeouts;
    assert_eq!((timeouts.idle.as_secs(), timeouts.connect.as_secs()), (10, 2));
}

#[test]
fn counting_is_the_models_own_or_the_default() {
    let models = with(
        "[counting]\ndefault = \"exact\"\n[models.x]\ntargets = [{ provider = \"openai\" }]\ncount = \"bound\"",
    )
    .unwrap()
    .models;
    assert_eq!(models["gpt-5"].count, CountMode::Exact);
    assert_eq!(models["x"].count, CountMode::Bound);
}

#[test]
fn keys_tell_who_calls_and_what_they_may() {
    assert_eq!(key("models = [\"gpt-5\"]"), "a key has either `secret` or `secret_sha256`");
    let both = format!("secret = \"env:Z\"\nsecret_sha256 = \"{}\"", "0".repeat(64));
    assert_eq!(key(&both), "a key has either `secret` or `secret_sha256`");
    assert_eq!(key("secret_sha256 = \"abc\""), "this is no SHA-256");
    assert_eq!(key("secret = \"env:Z\"\nmodels = []"), "a key that may call no model");
    assert_eq!(key("secret = \"env:K\""), "`x` has the same secret as `ci`");
    assert_eq!(key(&format!("secret_sha256 = \"{DIGEST_OF_K}\"")), "`x` has the same secret as `ci`");
    assert_eq!(key("secret = \"env:Z\"\nmodels = [\"gpt5\"]"), "no model `gpt5` here, did you mean `gpt-5`?");
    assert_eq!(key("secret = \"env:Z\"\nlimits = { concurrent = 0 }"), "out of range: must be 1 to 1000000");
    let later = with("[keys.x]\nsecret = \"env:Z\"\nmodels = [\"o-*\"]").unwrap();
    assert!(later.keys["x"].models[0].matches("o-1") && !later.keys["x"].models[0].matches("gpt-5"));
}
