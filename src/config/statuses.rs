//! Sets of HTTP error statuses: `408,429,5xx`.

/// Statuses from 400 to 599.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet {
    /// Sorted, without doubles.
    statuses: Vec<u16>,
}

impl StatusSet {
    pub fn contains(&self, status: u16) -> bool {
        self.statuses.binary_search(&status).is_ok()
    }

    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.statuses.iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.statuses.is_empty()
    }

    pub(super) fn add(&mut self, other: StatusSet) {
        self.statuses.extend(other.statuses);
        self.statuses.sort_unstable();
        self.statuses.dedup();
    }

    /// The set written as `408,429,5xx`; the part that is none, where it is none.
    pub fn parse(text: &str) -> Result<Self, &str> {
        let mut set = Self::default();
        for part in text.split(',') {
            let part = part.trim();
            let statuses = match part {
                "4xx" => (400..=499).collect(),
                "5xx" => (500..=599).collect(),
                _ => match part.parse::<u16>() {
                    Ok(status @ 400..=599) if part.len() == 3 => vec![status],
                    _ => return Err(part),
                },
            };
            set.add(Self { statuses });
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_it_is_written_as() {
        let set = StatusSet::parse("408, 429,5xx,429").unwrap();
        let inside: Vec<u16> = (0..=700).filter(|status| set.contains(*status)).collect();
        let expected: Vec<u16> = [408, 429].into_iter().chain(500..=599).collect();
        assert_eq!(inside, expected);
        assert!(set.iter().eq(expected));
    }

    #[test]
    fn what_is_no_error_status_is_named() {
        for (text, part) in
            [("200", "200"), ("429,", ""), ("5XX", "5XX"), ("429,600", "600"), ("+429", "+429"), ("", "")]
        {
            assert_eq!(StatusSet::parse(text), Err(part));
        }
    }
}
