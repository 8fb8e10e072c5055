//! Samples of the Prometheus text format, as servers show them at `/metrics`.
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>)
//!
//! For reading a few numbers: labels, types and times are passed over, a line that is none of the format's
//! too. Nothing is built and nothing allocated, so the bound is the text's own.

/// A number under a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'t> {
    pub name: &'t str,
    pub value: f64,
}

/// The samples of `text`, in its order.
pub fn samples(text: &str) -> impl Iterator<Item = Sample<'_>> {
    text.lines().filter_map(sample)
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let line = line.trim_start();
    let end = line.find(|c: char| !is_name(c)).filter(|end| *end > 0)?;
    let (name, rest) = line.split_at_checked(end)?;
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('{') {
        Some(labels) => after_labels(labels)?,
        None => rest,
    };
    let value = rest.split_ascii_whitespace().next()?;
    Some(Sample { name, value: number(value)? })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':')
}

/// What follows the closing brace; one inside of quotes closes nothing.
fn after_labels(labels: &str) -> Option<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in labels.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'}' if !is_quoted => return labels.get(at + 1..),
            _ => {}
        }
    }
    None
}

/// As Go writes floats: `NaN`, `+Inf` and `-Inf` too.
fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &str) -> Vec<(&str, f64)> {
        samples(text).map(|sample| (sample.name, sample.value)).collect()
    }

    #[test]
    fn samples_are_found_among_comments_labels_and_times() {
        let text = "# HELP vllm:num_requests_running Number of requests.\n# TYPE vllm:num_requests_running gauge\n\
                    vllm:num_requests_running{engine=\"0\",model_name=\"a}b\\\"c\"} 3.0\nup 1 1395066363000\n\
                    small{} 1e-3\r\n  padded { x = \"y\" }  2\nnone NaN\nmany +Inf\n";
        let found = all(text);
        let named: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(named, ["vllm:num_requests_running", "up", "small", "padded", "none", "many"]);
        assert_eq!(found[..4].iter().map(|(_, value)| *value).collect::<Vec<_>>(), [3.0, 1.0, 0.001, 2.0]);
        assert!(found[4].1.is_nan() && found[5].1.is_infinite());
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        let broken = "x{a=\"1\" 2\nx{a=\"\\\"} 2\n7x 2\nx\nx y\n{} 3\n= 2\n\nä 2\n";
        assert_eq!(all(broken), []);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_nonsense_around_it_does_no_harm(
            name in "[a-z_:][a-z0-9_:]{0,20}",
            label in "[ -~]{0,30}",
            value in -1e9..1e9_f64,
            nonsense in "\\PC{0,60}",
        ) {
            let escaped = label.replace('\\', "\\\\").replace('"', "\\\"");
            let line = format!("{name}{{l=\"{escaped}\",m=\"\"}} {value:?}");
            let text = format!("#{nonsense}\n{line}\n#{nonsense}");
            prop_assert_eq!(all(&text), vec![(name.as_str(), value)]);
            let _never_ends_badly = samples(&nonsense).count();
        }
    }
}
