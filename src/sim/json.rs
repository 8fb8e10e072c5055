//! Writing JSON by hand, in the field order of the provider that is played: `put!` appends parts.

use std::fmt::Write;

/// Something that can be appended to JSON text.
pub trait Put {
    fn put(&self, out: &mut String);
}

/// A string, to be quoted and escaped.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

/// Appends each part to a `String`: text as it is, numbers in decimal, [`Quoted`] escaped.
macro_rules! put {
    ($out:expr, $($part:expr),+ $(,)?) => {{
        let out: &mut String = $out;
        $( $crate::sim::json::Put::put(&$part, out); )+
    }};
}
pub(in crate::sim) use put;

impl Put for str {
    fn put(&self, out: &mut String) {
        out.push_str(self);
    }
}

impl Put for String {
    fn put(&self, out: &mut String) {
        out.push_str(self);
    }
}

impl<T: Put + ?Sized> Put for &T {
    fn put(&self, out: &mut String) {
        (**self).put(out);
    }
}

impl Put for u64 {
    fn put(&self, out: &mut String) {
        let _infallible = write!(out, "{self}");
    }
}

impl Put for usize {
    fn put(&self, out: &mut String) {
        let _infallible = write!(out, "{self}");
    }
}

impl Put for Quoted<'_> {
    fn put(&self, out: &mut String) {
        out.push('"');
        let mut rest = self.0;
        while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
            let (plain, tail) = rest.split_at(at);
            out.push_str(plain);
            let mut chars = tail.chars();
            if let Some(c) = chars.next() {
                let _infallible = match c {
                    '"' | '\\' => write!(out, "\\{c}"),
                    _ => write!(out, "\\u{:04x}", u32::from(c)),
                };
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_reads_back_as_itself() {
        for text in ["", "plain", "a\"b\\c\n\u{1}d", "\"", "schön \u{1F600}"] {
            let mut out = String::new();
            put!(&mut out, Quoted(text));
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
