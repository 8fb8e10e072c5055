//! The counter against recorded traffic: `TIDEGATE_CORPUS`, by default `../shared/corpus` beside the
//! repository. Skipped with a notice where there is none.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::types::recordings;

struct Case {
    name: String,
    endpoint: Endpoint,
    model: String,
    body: String,
    /// Input tokens as the provider reported them.
    truth: u64,
    features: Vec<String>,
}

impl Case {
    fn count(&self, counter: &Counter) -> Count {
        let family = Family::of(&self.model);
        counter.count(self.endpoint, family, &self.model, self.body.as_bytes()).unwrap()
    }

    /// Whether the prompt is all text, and all in the body.
    fn is_plain(&self) -> bool {
        ["tool", "image", "document", "audio", "structured", "cached", "reasoning", "file", "previous"]
            .iter()
            .all(|word| !self.name.contains(word) && !self.features.iter().any(|f| f.contains(word)))
            && !["tools", "file", "schema", "cachedContent"].iter().any(|key| self.body.contains(key))
    }

    /// Whether the provider's own tools fetch text during the call and charge it as input.
    fn has_server_tools(&self) -> bool {
        self.features.iter().any(|f| f == "server-tools") || self.model.starts_with("compound")
    }
}

fn cases() -> Vec<Case> {
    let Some(root) = recordings::folder() else { return Vec::new() };
    let index: Value =
        serde_json::from_str(&std::fs::read_to_string(root.join("index.json")).unwrap()).unwrap();
    let entries = index["entries"].as_array().unwrap();
    entries.iter().filter_map(|entry| case(&root, entry["dir"].as_str()?)).collect()
}

fn case(root: &Path, name: &str) -> Option<Case> {
    let read = |file: &str| std::fs::read_to_string(root.join(name).join(file)).ok();
    let meta: Value = serde_json::from_str(&read("meta.json")?).ok()?;
    let endpoint = match meta["api"].as_str()? {
        "chat" => Endpoint::ChatCompletions,
        "completions" => Endpoint::Completions,
        "embeddings" => Endpoint::Embeddings,
        "responses" | "responses-input-tokens" => Endpoint::Responses,
        "messages" | "count-tokens" => Endpoint::Messages,
        "generateContent" | "streamGenerateContent" | "countTokens" => Endpoint::GenerateContent,
        _ => return None,
    };
    let body = read("request.json")?;
    let request: Value = serde_json::from_str(&body).ok()?;
    // An answer that is the count itself has no usage.
    let answer = read("response.json").and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let usage = match &meta["usage_last"] {
        Value::Object(_) => &meta["usage_last"],
        _ => answer.as_ref()?,
    };
    let number = |key: &str| usage[key].as_u64();
    let truth =
        number("prompt_tokens").or(number("promptTokenCount")).or(number("totalTokens")).or_else(|| {
            let cached = number("cache_read_input_tokens").unwrap_or(0)
                + number("cache_creation_input_tokens").unwrap_or(0);
            Some(number("input_tokens")? + cached)
        })?;
    let model = request["model"].as_str().or(meta["model"].as_str())?.to_owned();
    let features = meta["features"].as_array().into_iter().flatten();
    let features = features.filter_map(|f| Some(f.as_str()?.to_owned())).collect();
    Some(Case { name: name.to_owned(), endpoint, model, body, truth, features })
}

#[test]
fn every_count_called_exact_is_what_the_provider_reported() {
    let counter = Counter::new(FactorTable::default(), 64);
    let cases = cases();
    let exact: Vec<_> = cases.iter().filter(|case| case.count(&counter).kind == CountKind::Exact).collect();
    let wrong: Vec<_> = exact.iter().filter(|case| case.count(&counter).tokens != case.truth).collect();
    println!("{} of {} recorded counts are called exact, {} wrongly", exact.len(), cases.len(), wrong.len());
    for case in &wrong {
        println!("{}: {} reported, {:?}", case.name, case.truth, case.count(&counter));
    }
    assert!(wrong.is_empty());
    assert!(cases.is_empty() || exact.len() >= 25);
}

#[test]
fn the_bound_is_never_below_what_the_provider_reported() {
    let counter = Counter::new(FactorTable::default(), 0);
    let cases = cases();
    let mut tightest = u64::MAX;
    for case in cases.iter().filter(|case| !case.has_server_tools()) {
        let bound = counter.bound(case.endpoint, Family::of(&case.model), case.body.as_bytes());
        assert!(bound >= case.truth, "{}: {} reported, bound {bound}", case.name, case.truth);
        assert!(
            bound >= case.count(&counter).upper,
            "{}: {:?}, bound {bound}",
            case.name,
            case.count(&counter)
        );
        tightest = tightest.min(bound * 100 / case.truth.max(1));
    }
    println!("the tightest bound is {tightest} % of what was reported");
}

#[test]
fn estimates_of_plain_text_are_close_for_claude_gemini_and_mistral() {
    let counter = Counter::new(FactorTable::default(), 0);
    let families = [Family::ClaudeOld, Family::ClaudeNew, Family::Gemini, Family::Mistral];
    let cases = cases();
    let plain = cases.iter().filter(|case| families.contains(&Family::of(&case.model)) && case.is_plain());
    let mut off = Vec::new();
    let mut seen = 0;
    for case in plain {
        let tokens = case.count(&counter).tokens;
        seen += 1;
        if tokens.abs_diff(case.truth) > case.truth / 5 + 4 {
            off.push(format!("{}: {} reported, {tokens} estimated", case.name, case.truth));
        }
    }
    println!("{} of {seen} estimates are off by more than a fifth and 4 tokens: {off:#?}", off.len());
    assert!(off.len() * 10 <= seen && (cases.is_empty() || seen >= 15));
}

/// How far, in per cent, all calls of a family together may be off. OpenAI's are counted by the vendor's
/// own vocabularies. Of the others nobody has the tokenizer (or the template around a few words); these
/// are the figures that were measured, rounded up: they may fall, and must not rise.
fn off_percent_max(family: Family) -> f64 {
    match family {
        Family::O200k | Family::Cl100k | Family::Gemini => 5.0,
        Family::ClaudeOld => 6.0,
        Family::Mistral => 9.0,
        Family::ClaudeNew => 11.0,
        Family::Other => 39.0,
    }
}

/// T34: what `count_tokens` answers here, beside what the vendor counted or billed, family by family.
#[test]
fn counts_are_as_near_to_the_vendors_as_was_measured() {
    let counter = Counter::new(FactorTable::default(), 0);
    let cases: Vec<Case> = cases().into_iter().filter(|case| !case.has_server_tools()).collect();
    let mut wrong = Vec::new();
    for (is_plain, family) in [true, false].into_iter().flat_map(|plain| Family::ALL.map(|f| (plain, f))) {
        let own =
            cases.iter().filter(|case| Family::of(&case.model) == family && case.is_plain() == is_plain);
        let pairs: Vec<(u64, u64)> = own.map(|case| (case.count(&counter).tokens, case.truth)).collect();
        let sum = |of: fn(&(u64, u64)) -> u64| pairs.iter().map(of).sum::<u64>();
        let (ours, theirs) = (sum(|pair| pair.0), sum(|pair| pair.1));
        let near = pairs.iter().filter(|(ours, theirs)| ours.abs_diff(*theirs) * 20 <= *theirs).count();
        let percent = (ours as f64 - theirs as f64) * 100.0 / (theirs.max(1) as f64);
        let kind = if is_plain { "text" } else { "tools, media, caches" };
        println!(
            "{family:?}, {kind}: {} calls, {ours} counted, {theirs} told by the vendor: {percent:+.1} %; {near} of them within 5 %",
            pairs.len()
        );
        if is_plain && !pairs.is_empty() && percent.abs() > off_percent_max(family) {
            wrong.push(format!("{family:?}: {percent:+.1} %"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
