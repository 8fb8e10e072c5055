//! The value of `x-tidegate-dropped`.
//!
//! Not here: what is lost, and where that stands in the client's body (`dialect::codec::places`).
//! Invariant: whatever names a client chooses, the value is a header's, and bounded.

use crate::types::percent;

/// Longest list of what was dropped: heads of answers are bounded by those who read them.
const LISTED_BYTES_MAX: usize = 4096;

/// Paths behind each other. Names are the client's: bytes that no header has, commas and `%` are
/// percent-encoded. What has no room is counted: `+7` at the end.
pub fn listed(paths: &[String]) -> String {
    let (mut list, mut left) = (String::new(), 0u64);
    for path in paths {
        if let Some(more) = path.strip_prefix('+').and_then(|more| more.parse::<u64>().ok()) {
            left += more;
            continue;
        }
        let mut item = String::with_capacity(path.len());
        percent::encode(path, |byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b'%'), &mut item);
        if left > 0 || list.len() + item.len() > LISTED_BYTES_MAX {
            left += 1;
            continue;
        }
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(&item);
    }
    if left > 0 {
        list.push_str(&format!(",+{left}"));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str]) -> String {
        listed(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn paths_stand_behind_each_other_and_odd_bytes_are_encoded() {
        assert_eq!(of(&["seed", "tools[0].strict"]), "seed,tools[0].strict");
        assert_eq!(of(&["größe", "a,b", "c\r\nd", "50%"]), "gr%C3%B6%C3%9Fe,a%2Cb,c%0D%0Ad,50%25");
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let long: Vec<String> = (0..40).map(|number| format!("{number}{}", "x".repeat(200))).collect();
        let list = listed(&[long, vec!["+3".to_owned()]].concat());
        assert!(list.len() < LISTED_BYTES_MAX + 64, "{}", list.len());
        let told = list.split(',').count() - 1;
        assert!(list.ends_with(&format!(",+{}", 40 - told + 3)), "{list}");
    }
}
