//! A URL that a client wrote, before anything is fetched from it.

use crate::input::{BYTES_MAX, Input, each_input};
use tidegate::types::{UrlRule, WebUrl};

const WORDS: [&str; 30] = [
    "http",
    "https",
    "://",
    "//",
    "/",
    "\\",
    "@",
    ":",
    "?",
    "#",
    "%2e",
    "%2f",
    "..",
    ".",
    "127.0.0.1",
    "[::1]",
    "[",
    "]",
    "example.com",
    "EXAMPLE",
    "*",
    "80",
    "0",
    "65536",
    " ",
    "\t",
    "\r\n",
    "\u{ff0e}",
    "\u{e9}",
    "%",
];

#[test]
fn a_url_that_is_read_means_one_thing_only() {
    let wide: Vec<UrlRule> =
        ["https://*.example.com/a/", "http://127.0.0.1/"].map(|r| r.parse().unwrap()).into();
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let spelt = input.spelt(&WORDS);
        for text in [String::from_utf8_lossy(&spelt), String::from_utf8_lossy(raw)] {
            let Ok(url) = WebUrl::parse(&text) else { continue };
            let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\\@#".contains(&byte);
            assert!(url.path.starts_with('/') && url.port > 0, "{url:?}");
            assert!(
                url.path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#".contains(&byte)),
                "{url:?}"
            );
            assert!(!url.host.is_empty() && url.host.bytes().all(is_plain), "{url:?}");
            let scheme = if url.is_tls { "https" } else { "http" };
            let again = WebUrl::parse(&format!("{scheme}://{}{}", url.authority(), url.path));
            assert_eq!(again.as_ref(), Ok(&url));
            if wide.iter().any(|rule| rule.allows(&url)) {
                let is_below = url.host.ends_with(".example.com") && url.path.starts_with("/a/");
                assert!(is_below || url.host == "127.0.0.1", "{url:?}");
            }
        }
    });
}
