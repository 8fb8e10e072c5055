//! A page of a list of items: `limit`, `order` and `after`, as OpenAI's lists have them.

use crate::dialect::paths::query;
use crate::framing::json::{Duplicates, JsonWriter, Node, parse};
use crate::types::{Reason, Reject};

const LIMIT: usize = 20;
const LIMIT_MAX: usize = 100;

/// The page that `query` asks for of `texts`: items in order, each text one or several with commas
/// between.
///
/// # Errors
/// 400 naming the parameter that is wrong.
pub fn page(texts: &[&str], query: Option<&str>) -> Result<String, Reject> {
    let list = format!("[{}]", texts.join(","));
    let parsed = parse(&list, Duplicates::LastCounts).ok();
    let mut items: Vec<&Node<'_>> = parsed.iter().flat_map(|list| list.items()).collect();
    let wanted = |name| query::value(query.unwrap_or_default(), name);
    match wanted("order").as_deref() {
        None | Some("desc") => items.reverse(),
        Some("asc") => {}
        Some(_) => return Err(wrong("order", "`order` must be asc or desc")),
    }
    let limit = match wanted("limit") {
        None => LIMIT,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
            limit.ok_or_else(|| wrong("limit", "`limit` must be a number from 1 to 100"))?
        }
    };
    let from = match wanted("after") {
        None => 0,
        Some(id) => {
            let place = items.iter().position(|item| item.text_of("id").is_some_and(|held| held == id));
            place.ok_or_else(|| wrong("after", "`after` names no item of this list"))? + 1
        }
    };
    let rest = items.get(from..).unwrap_or_default();
    let (shown, behind) = rest.split_at_checked(limit).unwrap_or((rest, &[]));
    Ok(written(shown, !behind.is_empty()))
}

fn written(shown: &[&Node<'_>], has_more: bool) -> String {
    let id = |item: Option<&&Node<'_>>| item.and_then(|item| item.text_of("id")).map(|id| id.into_owned());
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(|w| {
        w.field_str("object", "list");
        w.field_array("data", |w| shown.iter().for_each(|item| w.raw(item.raw())));
        for (key, id) in [("first_id", id(shown.first())), ("last_id", id(shown.last()))] {
            match id {
                Some(id) => w.field_str(key, &id),
                None => w.field_null(key),
            }
        }
        w.field_bool("has_more", has_more);
    });
    String::from_utf8(out).unwrap_or_default()
}

fn wrong(param: &'static str, message: &'static str) -> Reject {
    Reject::new(Reason::InvalidRequest, message).with_param(param)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(query: &str) -> Result<String, Reject> {
        let texts = [r#"{"id":"a"},{"id":"b"}"#, r#"{"id":"c"}"#];
        let page = page(&texts, Some(query))?;
        let list = parse(&page, Duplicates::Refuse).unwrap();
        let ids: Vec<String> =
            list.get("data").unwrap().items().iter().map(|i| i.text_of("id").unwrap().into_owned()).collect();
        let more = if list.get("has_more").unwrap().as_bool().unwrap() { "+" } else { "" };
        assert_eq!(list.text_of("first_id").as_deref(), ids.first().map(String::as_str));
        assert_eq!(list.text_of("last_id").as_deref(), ids.last().map(String::as_str));
        Ok(format!("{}{more}", ids.concat()))
    }

    #[test]
    fn pages_follow_each_other() {
        for (query, expected) in [
            ("", "cba"),
            ("order=asc", "abc"),
            ("order=asc&limit=2", "ab+"),
            ("order=asc&limit=2&after=b", "c"),
            ("limit=1", "c+"),
            ("after=c&limit=2", "ba"),
            ("order=asc&after=c", ""),
            ("limit=100", "cba"),
        ] {
            assert_eq!(ids(query).unwrap(), expected, "{query}");
        }
        for (query, param) in
            [("limit=0", "limit"), ("limit=101", "limit"), ("order=up", "order"), ("after=x", "after")]
        {
            assert_eq!(ids(query).unwrap_err().param.as_deref(), Some(param), "{query}");
        }
    }

    #[test]
    fn an_empty_list_is_a_list() {
        let expected = r#"{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}"#;
        assert_eq!(page(&[], None).unwrap(), expected);
    }
}
