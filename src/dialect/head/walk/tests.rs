use proptest::prelude::*;

use super::*;

fn walk(text: &str) -> Step<()> {
    let mut walk = Walk::new(text);
    walk.value(0)?;
    walk.end()
}

fn serde_takes(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn nested(levels: usize, filling: &str) -> String {
    format!("{}{filling}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn the_depth_limit_is_exact_and_counts_no_neighbours_and_no_strings() {
    assert_eq!(walk(&nested(128, "")), Ok(()));
    assert_eq!(walk(&nested(129, "")), Err(Fault { what: FaultKind::TooDeep, at: 128 }));
    assert_eq!(walk(&nested(127, &["[]", "{}", "\"[[{\""].join(","))), Ok(()));
    assert_eq!(walk(&nested(127, &["[1]"; 1000].join(","))), Ok(()));
    assert_eq!(walk(&nested(127, "[[]]")).unwrap_err().what, FaultKind::TooDeep);
    let objects = format!("{}1{}", "{\"a\":".repeat(128), "}".repeat(128));
    assert_eq!(walk(&objects), Ok(()));
    assert_eq!(walk(&"[".repeat(1 << 20)).unwrap_err().what, FaultKind::TooDeep);
}

#[test]
fn each_kind_of_container_is_closed_by_its_own_bracket() {
    for text in ["[}", "{]", "{\"a\":[}]", "[{]}", "[1}", "{\"a\":1]", "[[1]}"] {
        assert!(walk(text).is_err(), "{text}");
    }
}

#[test]
fn numbers_and_strings_are_held_to_the_letter() {
    for text in ["0", "-0", "-0.0e-0", "1e400", "12.50E+7", "\"\\ud800\"", "\"\u{7f}\u{e9}\"", " true\r\n"] {
        assert!(walk(text).is_ok() && serde_takes(text), "{text}");
    }
    let bad = [
        "00",
        "-",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "0x1",
        "NaN",
        "tru",
        "nulll",
        "\"\\x\"",
        "\"\\u12g4\"",
    ];
    for text in bad.into_iter().chain(["\"\t\"", "\"", "\"\\", "\"\\u12", "", " ", "\u{feff}1", "1 2", "'a'"])
    {
        assert!(walk(text).is_err() && !serde_takes(text), "{text:?}");
    }
}

#[test]
fn a_strings_end_is_found_at_every_offset_from_a_word() {
    for len in 0..40 {
        for filler in ["x", "!", "#", "[", "]", "\u{a2}", "\u{7f}"] {
            assert_eq!(walk(&format!("\"{}\"", filler.repeat(len))), Ok(()));
            assert_eq!(walk(&format!("[\"{}\\\"\",1]", filler.repeat(len))), Ok(()));
            let broken = format!("\"{}\u{1f}\"", filler.repeat(len));
            assert_eq!(walk(&broken).unwrap_err().at, filler.len() * len + 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn it_accepts_exactly_what_serde_json_accepts(
        soup in "[\\[\\]{}:,\"0-9eE+. \n-]{0,14}",
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\n\"", "1", "-0.5e3", "null", "true", " ", "\"", "\\u00e9",
            ]),
            0..12,
        ),
    ) {
        for text in [soup, tokens.concat()] {
            prop_assert_eq!(walk(&text).is_ok(), serde_takes(&text), "{}", text);
            let wrapped = format!("{{\"a\":[{text}],\"b\":{{\"c\":{text}}}}}");
            prop_assert_eq!(walk(&wrapped).is_ok(), serde_takes(&wrapped), "{}", wrapped);
        }
    }
}
