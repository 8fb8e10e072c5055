//! Many short strings in one allocation.

/// Where a string lies in its [`Strings`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Span {
    start: u32,
    bytes: u16,
}

/// Strings laid end to end.
#[derive(Debug, Default)]
pub(super) struct Strings {
    text: String,
}

impl Strings {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes) }
    }

    /// None where it is too long, or there are too many.
    pub(super) fn add(&mut self, text: &str) -> Option<Span> {
        let span =
            Span { start: u32::try_from(self.text.len()).ok()?, bytes: u16::try_from(text.len()).ok()? };
        self.text.push_str(text);
        Some(span)
    }

    /// The string at `span`; empty for one of other strings.
    pub(super) fn get(&self, span: Span) -> &str {
        let start = span.start as usize;
        self.text.get(start..start + usize::from(span.bytes)).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_read_back() {
        let mut strings = Strings::with_capacity(4);
        let spans = ["gpt", "", "模型"].map(|text| strings.add(text).unwrap());
        assert_eq!(spans.map(|span| strings.get(span)), ["gpt", "", "模型"]);
        assert_eq!(strings.bytes(), 9);
        assert_eq!(Strings::default().get(spans[2]), "");
        assert_eq!(strings.add(&"x".repeat(70_000)), None);
    }
}
