//! Budgets, limits and times as people type them.

use serde_json::{Value, json};

const WINDOWS: [&str; 5] = ["hour", "day", "week", "month", "total"];

/// `25/month`, `usd:0.5/day`, `1000000tokens/week`.
///
/// # Errors
/// What it should look like.
pub fn budget(text: &str) -> Result<Value, String> {
    let wrong = || format!("`{text}` is no budget: write 25/month (US dollars) or 1000000tokens/day");
    let (amount, per) = text.split_once('/').ok_or_else(wrong)?;
    if !WINDOWS.contains(&per) {
        return Err(wrong());
    }
    let mut budget = json!({ "name": per, "per": per });
    let fields = budget.as_object_mut().ok_or_else(wrong)?;
    match amount.strip_suffix("tokens") {
        Some(tokens) => {
            let tokens: u64 = tokens.replace('_', "").parse().map_err(|_| wrong())?;
            fields.insert("tokens".to_owned(), tokens.into());
        }
        None => {
            let usd = amount.trim_start_matches("usd:").trim_start_matches('$');
            crate::types::Money::parse(usd).map_err(|_| wrong())?;
            fields.insert("usd".to_owned(), usd.into());
        }
    }
    Ok(budget)
}

/// `60requests/minute`, `200000tokens/minute`, `8concurrent`.
///
/// # Errors
/// What it should look like.
pub fn limit(text: &str) -> Result<Value, String> {
    let wrong = || format!("`{text}` is no limit: write 60requests/minute, 200000tokens/day or 8concurrent");
    let (what, per) = match text.split_once('/') {
        Some((what, per)) => (what, Some(per)),
        None => (text, None),
    };
    let digits = what.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(what.len());
    let (amount, unit) = what.split_at_checked(digits).ok_or_else(wrong)?;
    let amount: u64 = amount.replace('_', "").parse().map_err(|_| wrong())?;
    match (unit, per) {
        ("concurrent", None) => Ok(json!({ "unit": unit, "amount": amount })),
        ("requests" | "tokens", Some("second" | "minute" | "hour" | "day")) => {
            Ok(json!({ "unit": unit, "per": per, "amount": amount }))
        }
        _ => Err(wrong()),
    }
}

/// `90d`, `12h`, `30m`, `45s`, in seconds.
///
/// # Errors
/// What it should look like.
pub fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time: write 90d, 12h, 30m or 45s");
    let scale = match text.chars().last() {
        Some('d') => 86_400,
        Some('h') => 3600,
        Some('m') => 60,
        Some('s') => 1,
        _ => return Err(wrong()),
    };
    let (number, _) = text.split_at_checked(text.len() - 1).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(scale).ok_or_else(wrong)
}

/// `NAME=VALUE`.
///
/// # Errors
/// What it should look like.
pub fn tag(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("`{text}` is no tag: write NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::{Budget, Limit};

    #[test]
    fn what_people_type_is_what_the_api_takes() {
        for text in ["25/month", "$0.50/day", "usd:1/total", "1_000_000tokens/week"] {
            let read: Budget = serde_json::from_value(budget(text).unwrap()).unwrap();
            assert!(WINDOWS.contains(&read.name.as_str()), "{text}");
        }
        for text in ["60requests/minute", "200_000tokens/day", "8concurrent"] {
            serde_json::from_value::<Limit>(limit(text).unwrap()).unwrap();
        }
        assert_eq!((seconds("90d"), seconds("45s")), (Ok(7_776_000), Ok(45)));
        assert_eq!(tag("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
    }

    #[test]
    fn what_is_none_says_what_one_looks_like() {
        for text in ["", "25", "25/minute", "x/month", "-1/day", "tokens/day", "1.5tokens/day"] {
            assert!(budget(text).unwrap_err().contains("write 25/month"), "{text}");
        }
        for text in ["", "60", "60/minute", "requests/minute", "8concurrent/minute", "5tokens/month"] {
            assert!(limit(text).unwrap_err().contains("write 60requests/minute"), "{text}");
        }
        for text in ["", "d", "1", "1w", "é", "99999999999999999999d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
