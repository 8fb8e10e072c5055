//! What a URL names of what is kept.

/// A stored response or a conversation, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'p> {
    Response(&'p str),
    ResponseInput(&'p str),
    ResponseCancel(&'p str),
    Conversations,
    Conversation(&'p str),
    Items(&'p str),
    /// A conversation's id and an item's.
    Item(&'p str, &'p str),
}

/// Reads a path below OpenAI's base URL, as `paths` has matched it.
pub fn resource(path: &str) -> Option<Resource<'_>> {
    let mut parts = path.strip_prefix('/')?.split('/');
    let found = match (parts.next()?, parts.next(), parts.next(), parts.next()) {
        ("responses", Some(id), None, None) => Resource::Response(id),
        ("responses", Some(id), Some("input_items"), None) => Resource::ResponseInput(id),
        ("responses", Some(id), Some("cancel"), None) => Resource::ResponseCancel(id),
        ("conversations", None, None, None) => Resource::Conversations,
        ("conversations", Some(id), None, None) => Resource::Conversation(id),
        ("conversations", Some(id), Some("items"), None) => Resource::Items(id),
        ("conversations", Some(id), Some("items"), Some(item)) => Resource::Item(id, item),
        _ => return None,
    };
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_they_name() {
        for (path, expected) in [
            ("/responses/r", Some(Resource::Response("r"))),
            ("/responses/r/input_items", Some(Resource::ResponseInput("r"))),
            ("/responses/r/cancel", Some(Resource::ResponseCancel("r"))),
            ("/conversations", Some(Resource::Conversations)),
            ("/conversations/c", Some(Resource::Conversation("c"))),
            ("/conversations/c/items", Some(Resource::Items("c"))),
            ("/conversations/c/items/i", Some(Resource::Item("c", "i"))),
            ("/conversations/c/items/i/x", None),
            ("/responses", None),
            ("/files/f", None),
        ] {
            assert_eq!(resource(path), expected, "{path}");
        }
    }
}
