//! Bodies of forms, as OAuth's endpoints take them.

use crate::types::percent::encoded;

/// The body of an `application/x-www-form-urlencoded` POST.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_cannot_leave_their_place() {
        assert_eq!(form(&[("a b", "c/d"), ("é", "~-._&=")]), "a%20b=c%2Fd&%C3%A9=~-._%26%3D");
    }
}
