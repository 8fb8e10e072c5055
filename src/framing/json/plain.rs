//! The part of a string that stands for itself.

/// How many bytes stand before the next quote, backslash or control character. Most strings of a body
/// are short: of those eight bytes are looked at at a time; prose is left to wider searches.
#[inline]
pub fn plain_len(bytes: &[u8]) -> usize {
    const SHORT: usize = 48;
    let (short, long) = bytes.split_at_checked(SHORT).unwrap_or((bytes, &[]));
    let run = by_words(short);
    if run < short.len() || long.is_empty() { run } else { SHORT + of_prose(long) }
}

fn of_prose(bytes: &[u8]) -> usize {
    let run = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
    let prose = bytes.get(..run).unwrap_or(bytes);
    // Without a branch for each byte, so that many are looked at at once.
    if prose.iter().fold(false, |found, byte| found | (*byte < b' ')) {
        return prose.iter().position(|byte| *byte < b' ').unwrap_or(run);
    }
    run
}

/// The bytes of a word that are one of those have their high bit set in `hits`, and the lowest set bit
/// is never wrong.
#[inline]
fn by_words(bytes: &[u8]) -> usize {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(each(limit)) & !word & each(0x80)
    }
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let hits = below(word, b' ') | below(word ^ each(b'"'), 1) | below(word ^ each(b'\\'), 1);
        if hits != 0 {
            return index * 8 + hits.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    words.len() * 8 + tail.iter().position(is_special).unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_means_something_is_found_wherever_it_stands() {
        let is_special = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
        for special in (0..=255u8).filter(|byte| is_special(byte) || *byte >= 0x7f || *byte == b'#') {
            for at in 0..130 {
                // A second one behind it must not hide the first.
                let mut text = vec![b'a'; 130];
                text[at] = special;
                text[(at + 3).min(129)] = b'"';
                assert_eq!(plain_len(&text), text.iter().position(is_special).unwrap(), "{special} at {at}");
            }
        }
        assert_eq!((plain_len(b""), plain_len(&[b'a'; 99])), (0, 99));
    }
}
