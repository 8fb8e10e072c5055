//! A short string kept inline, so that an open stream costs no heap for what it remembers.

/// At most `N` (≤ 255) bytes of UTF-8.
#[derive(Clone, Copy)]
pub(crate) struct Label<const N: usize> {
    len: u8,
    bytes: [u8; N],
}

impl<const N: usize> Default for Label<N> {
    fn default() -> Self {
        Self { len: 0, bytes: [0; N] }
    }
}

impl<const N: usize> Label<N> {
    /// Takes the start of `value`, cut at a character boundary. Bytes that are not UTF-8 are
    /// ignored.
    pub(crate) fn set_cut(&mut self, value: &[u8]) {
        let Ok(text) = std::str::from_utf8(value) else { return };
        let kept = text.get(..text.floor_char_boundary(N.min(255))).unwrap_or_default();
        if let Some(room) = self.bytes.get_mut(..kept.len()) {
            room.copy_from_slice(kept.as_bytes());
            self.len = kept.len() as u8;
        }
    }

    /// Takes `value` whole or not at all: a cut identifier would name something else.
    pub(crate) fn set_whole(&mut self, value: &[u8]) {
        if value.len() <= N {
            self.set_cut(value);
        }
    }

    /// `None` until something was set.
    pub(crate) fn as_str(&self) -> Option<&str> {
        let bytes = self.bytes.get(..usize::from(self.len))?;
        std::str::from_utf8(bytes).ok().filter(|s| !s.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_cut_between_characters_and_an_identifier_is_not_cut() {
        let mut label = Label::<4>::default();
        assert_eq!(label.as_str(), None);
        label.set_cut("abcé".as_bytes());
        assert_eq!(label.as_str(), Some("abc"));
        label.set_whole(b"longer");
        assert_eq!(label.as_str(), Some("abc"));
        label.set_whole(b"id");
        assert_eq!(label.as_str(), Some("id"));
    }
}
