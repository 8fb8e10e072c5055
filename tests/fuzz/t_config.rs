//! Configuration files.

use crate::input::{BYTES_MAX, Input, each_input};
use tidegate::config;

const FILES: [&str; 3] = [
    include_str!("../../conf/tidegate.toml"),
    include_str!("../../conf/full.toml"),
    include_str!("../../conf/lab.toml"),
];
const WORDS: [&str; 64] = [
    "[",
    "]",
    "[[",
    "]]",
    "=",
    "\"",
    "'",
    "\"\"\"",
    "\n",
    "\r\n",
    "#",
    ".",
    ",",
    "{",
    "}",
    "\\u0000",
    "\\x",
    "\u{7f}",
    "\u{e9}",
    "\t",
    "0",
    "-1",
    "1e400",
    "99999999999999999999",
    "0x",
    "true",
    "inf",
    "2026-11-21",
    "\"env:TIDEGATE_FUZZ\"",
    "\"env:\"",
    "\"file:\"",
    "\"250ms\"",
    "\"0s\"",
    "\"99999999999h\"",
    "\"5 m\"",
    "\"64KiB\"",
    "\"99999999TiB\"",
    "\"status:5xx,429,600\"",
    "\"127.0.0.1:0\"",
    "\"[::1]:99999\"",
    "\"http://\"",
    "\"https://a b/v1\"",
    "\"10.0.0.0/33\"",
    "[server]",
    "[server.limits]",
    "[providers.a]",
    "[models.\"*\"]",
    "[keys.a]",
    "kind",
    "base_url",
    "api_key",
    "targets",
    "provider",
    "model",
    "secret",
    "secret_sha256",
    "limits",
    "failover",
    "attempts",
    "timeouts",
    "balance",
    "listen",
    "workers",
    "streams_max",
];
/// Stands for every secret of the environment. Not a word of any file.
const SECRET: &str = "s3cr3t-0f-th3-3nv1r0nm3nt";

fn check(text: &str) {
    let environment = |name: &str| (!name.is_empty()).then(|| SECRET.to_owned());
    match config::parse("fuzz.toml", text, &environment) {
        Ok(config) => assert!(!format!("{config:?}").contains(SECRET), "a secret is shown: {text}"),
        Err(report) => {
            assert!(!report.is_empty());
            for problem in &report.problems {
                assert!(!problem.message.is_empty());
                assert!(text.get(problem.span.clone()).is_some(), "{problem:?} lies outside of {text:?}");
                let lines = text.lines().count().max(1) + 1;
                assert!(problem.line <= lines, "{problem:?}");
            }
            let rendered = report.render(false);
            assert!(!rendered.contains(SECRET) && !report.render(true).contains(SECRET), "{rendered}");
            assert!(!rendered.contains(|c: char| c.is_control() && c != '\n'), "{rendered:?}");
        }
    }
}

#[test]
fn config_refuses_or_reads_any_text_and_shows_no_secret() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        check(&String::from_utf8_lossy(input.bytes));
        check(&String::from_utf8_lossy(&input.spelt(&WORDS)));
    });
}

#[test]
fn config_refuses_or_reads_changed_files_and_shows_no_secret() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let file = FILES[input.choice / 4 % FILES.len()];
        check(&String::from_utf8_lossy(&input.changed(file.as_bytes(), &WORDS)));
    });
}
