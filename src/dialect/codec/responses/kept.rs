//! What a stream must remember because its last event repeats it.

/// Text, items and their overhead that one stream keeps. Beyond it the deltas still flow; what is
/// repeated (`*.done` and the last event) is the part that came before.
pub(super) const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Ids, names and brackets of one item.
const ITEM_BYTES: usize = 1024;

/// Names and brackets of one part of a message.
const PART_BYTES: usize = 96;

/// Room for what is kept, and the items that are done.
#[derive(Debug)]
pub(super) struct Kept {
    room: usize,
    /// Something was left out.
    is_cut: bool,
    /// With their place in the output: calls that are open beside each other end in any order.
    items: Vec<(u64, String)>,
}

impl Kept {
    pub(super) fn new(room: usize) -> Self {
        Self { room, is_cut: false, items: Vec::new() }
    }

    /// Whether something was left out for want of room.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Appends as much of `piece` as there is room for, counted as JSON will have it:
    /// the bytes it took.
    pub(super) fn append(&mut self, text: &mut String, piece: &str) -> usize {
        let mut taken = 0;
        for character in piece.chars() {
            let cost = written(character);
            if cost > self.room {
                // Nothing may follow what is left out.
                self.room = 0;
                self.is_cut = true;
                break;
            }
            self.room -= cost;
            taken += cost;
            text.push(character);
        }
        taken
    }

    /// Appends JSON if all of it has room: the bytes it took.
    pub(super) fn append_whole(&mut self, json: &mut String, piece: &str) -> usize {
        if piece.len() > self.room {
            self.is_cut = true;
            return 0;
        }
        self.room -= piece.len();
        json.push_str(piece);
        piece.len()
    }

    /// Takes room for what a part is beside its text: the bytes, or None where there are none.
    pub(super) fn part(&mut self) -> Option<usize> {
        let left = self.room.checked_sub(PART_BYTES);
        self.is_cut |= left.is_none();
        self.room = left?;
        Some(PART_BYTES)
    }

    /// Takes room for what an item is beside its text. False where there is none: it will not be kept.
    pub(super) fn reserve(&mut self) -> bool {
        let has_room = self.room >= ITEM_BYTES;
        if has_room {
            self.room -= ITEM_BYTES;
        }
        self.is_cut |= !has_room;
        has_room
    }

    /// Keeps an item for which room was [reserved](Self::reserve). `counted`: bytes of it for which
    /// room was taken beside that.
    pub(super) fn item(&mut self, index: u64, json: &[u8], counted: usize) {
        self.room += ITEM_BYTES;
        let more = json.len().saturating_sub(counted);
        if more <= self.room {
            self.room -= more;
            self.items.push((index, String::from_utf8_lossy(json).into_owned()));
        } else {
            self.is_cut = true;
        }
    }

    /// The items in the order of the output.
    pub(super) fn items(&mut self) -> &[(u64, String)] {
        self.items.sort_by_key(|(index, _)| *index);
        &self.items
    }
}

/// Bytes of a character between the quotes of JSON.
fn written(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut kept = Kept::new(12 + ITEM_BYTES);
        assert!(kept.reserve() && !kept.is_cut());
        assert!(!kept.reserve() && kept.is_cut());
        let mut text = String::new();
        assert_eq!(kept.append(&mut text, "12345\n7"), 8);
        assert_eq!(kept.append(&mut text, "é8é"), 3);
        assert_eq!(kept.append(&mut text, "x"), 0);
        assert_eq!(text, "12345\n7é8");
        assert_eq!(kept.append_whole(&mut text, "y"), 0);
        kept.item(1, &[b'x'; ITEM_BYTES], 12);
        assert!(!kept.reserve());
        assert_eq!(kept.items().len(), 1);
        kept.item(0, &[b'x'; ITEM_BYTES * 2], 0);
        assert_eq!(kept.items().len(), 1, "longer than what was left");
    }
}
