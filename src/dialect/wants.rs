//! What a request asks of a model besides text: tools, a JSON schema, pictures and the like.
//!
//! A look at the bytes, no parse: names that stand in the body as JSON strings of their own, as a key
//! or as a `type`. A text that talks about them is no such string, as its quotes are escaped. Not here:
//! whether a target has it (`routing`).

use memchr::memmem;

/// A set of wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants(u8);

impl Wants {
    pub const TOOLS: Wants = Wants(1);
    /// A schema that the answer must keep to.
    pub const JSON: Wants = Wants(2);
    pub const IMAGE: Wants = Wants(4);
    pub const AUDIO: Wants = Wants(8);
    pub const PDF: Wants = Wants(16);
    pub const VIDEO: Wants = Wants(32);
    pub const MEDIA: Wants = Wants(4 | 8 | 16 | 32);
    pub const EVERY: Wants = Wants(63);
    pub const ALL: [(&'static str, Wants); 6] = [
        ("tools", Wants::TOOLS),
        ("json", Wants::JSON),
        ("image", Wants::IMAGE),
        ("audio", Wants::AUDIO),
        ("pdf", Wants::PDF),
        ("video", Wants::VIDEO),
    ];

    /// Whether it has any of `other`.
    pub fn has(self, other: Wants) -> bool {
        self.0 & other.0 != 0
    }

    pub fn or(self, other: Wants) -> Wants {
        Wants(self.0 | other.0)
    }

    pub fn and(self, other: Wants) -> Wants {
        Wants(self.0 & other.0)
    }

    pub fn without(self, other: Wants) -> Wants {
        Wants(self.0 & !other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As one number, for those who keep it.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The words of what it has.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().filter(move |(_, want)| self.has(*want)).map(|(word, _)| word)
    }

    /// Of a word in [`Wants::ALL`].
    pub fn of_word(word: &str) -> Option<Wants> {
        Self::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, want)| want)
    }
}

/// Where a name stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Key,
    /// The value of a key `type`.
    Type,
    /// The beginning of a value, such as a media type.
    Start,
    /// The key of a block of Bedrock's Converse. A tool may have a parameter of the same name.
    Block,
    /// The key of a list of texts.
    List,
}

use Standing::{Block, Key, List, Start, Type};

/// Names of every dialect.
const NAMES: [(&[u8], Standing, Wants); 22] = [
    (b"\"image_url\"", Key, Wants::IMAGE),
    (b"\"input_image\"", Type, Wants::IMAGE),
    (b"\"image\"", Type, Wants::IMAGE),
    (b"\"image\"", Block, Wants::IMAGE),
    (b"\"images\"", List, Wants::IMAGE),
    (b"\"image/", Start, Wants::IMAGE),
    (b"\"input_audio\"", Type, Wants::AUDIO),
    (b"\"input_audio\"", Key, Wants::AUDIO),
    (b"\"audio/", Start, Wants::AUDIO),
    (b"\"input_file\"", Type, Wants::PDF),
    (b"\"document\"", Type, Wants::PDF),
    (b"\"file\"", Type, Wants::PDF),
    (b"\"document\"", Block, Wants::PDF),
    (b"\"application/pdf", Start, Wants::PDF),
    (b"\"video_url\"", Key, Wants::VIDEO),
    (b"\"video\"", Block, Wants::VIDEO),
    (b"\"video/", Start, Wants::VIDEO),
    (b"\"json_schema\"", Type, Wants::JSON),
    (b"\"json_schema\"", Key, Wants::JSON),
    (b"\"responseSchema\"", Key, Wants::JSON),
    (b"\"responseJsonSchema\"", Key, Wants::JSON),
    (b"\"tools\"", Key, Wants::TOOLS),
];

/// What `body` wants of `asked`: the rest is not looked for.
pub fn wants(body: &[u8], asked: Wants) -> Wants {
    let mut found = Wants::default();
    for (name, standing, want) in NAMES {
        if asked.has(want) && !found.has(want) && stands(body, name, standing) {
            found = found.or(want);
        }
    }
    found
}

fn stands(body: &[u8], name: &[u8], standing: Standing) -> bool {
    memmem::find_iter(body, name).any(|at| {
        let (before, from) = body.split_at_checked(at).unwrap_or_default();
        let after = from.get(name.len()..).unwrap_or_default().trim_ascii_start();
        if before.last() == Some(&b'\\') {
            return false;
        }
        match standing {
            // An empty list of tools asks for none.
            Key => after.strip_prefix(b":").is_some_and(|value| !is_nothing(value)),
            Block => begins(after, &[b":", b"{"])
                .is_some_and(|inner| inner.starts_with(b"\"format\"") || inner.starts_with(b"\"source\"")),
            List => begins(after, &[b":", b"[", b"\""]).is_some(),
            Type => {
                let before = before.trim_ascii_end().strip_suffix(b":").map(<[u8]>::trim_ascii_end);
                before.is_some_and(|before| before.ends_with(b"\"type\""))
            }
            Start => before.trim_ascii_end().ends_with(b":"),
        }
    })
}

/// What follows `marks`, white space between them left out.
fn begins<'b>(text: &'b [u8], marks: &[&[u8]]) -> Option<&'b [u8]> {
    marks.iter().try_fold(text, |text, mark| Some(text.strip_prefix(*mark)?.trim_ascii_start()))
}

fn is_nothing(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    let is_empty_list =
        value.strip_prefix(b"[").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"]"));
    is_empty_list || value.starts_with(b"null")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(body: &str) -> Vec<&'static str> {
        wants(body.as_bytes(), Wants::EVERY).words().collect()
    }

    #[test]
    fn each_dialect_has_its_own_words_for_the_same() {
        let image = [
            r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:"}}]}]}"#,
            r#"{"input":[{"content":[{"type" : "input_image"}]}]}"#,
            r#"{"messages":[{"content":[{"type":"image","source":{}}]}]}"#,
            r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":""}}]}]}"#,
            r#"{"messages":[{"content":[{"image":{"format":"png"}}]}]}"#,
            r#"{"messages":[{"content":"hi","images":["aGk="]}]}"#,
        ];
        image.iter().for_each(|body| assert_eq!(words(body), ["image"], "{body}"));
        assert_eq!(words(r#"{"a":[{"type":"document"}]}"#), ["pdf"]);
        assert_eq!(words(r#"{"a":{"mime_type": "audio/wav"}}"#), ["audio"]);
        assert_eq!(words(r#"{"a":{"fileData":{"mimeType":"video/mp4"}}}"#), ["video"]);
        assert_eq!(words(r#"{"response_format":{"type":"json_schema","json_schema":{}}}"#), ["json"]);
        assert_eq!(words(r#"{"generationConfig":{"responseSchema":{"type":"object"}}}"#), ["json"]);
        assert_eq!(words(r#"{"tools":[{"type":"function"}]}"#), ["tools"]);
    }

    #[test]
    fn texts_about_pictures_and_empty_lists_ask_for_nothing() {
        for body in [
            r#"{"messages":[{"content":"write {\"type\":\"image\",\"image_url\":1} and \"tools\":[1]"}]}"#,
            r#"{"messages":[{"content":"image"},{"content":["image_url","tools"]}]}"#,
            r#"{"tools":[ ],"images":null}"#,
            r#"{"p":{"image":{"type":"string"},"images":{"type":"array"},"video":{"type":"string"}}}"#,
            r#"{"messages":[{"content":"an image/png"}],"response_format":{"type":"json_object"}}"#,
        ] {
            assert!(words(body).is_empty(), "{body}: {:?}", words(body));
        }
    }

    #[test]
    fn what_is_not_asked_about_is_not_looked_for() {
        let body = br#"{"tools":[1],"a":{"type":"image"}}"#;
        assert_eq!(wants(body, Wants::TOOLS), Wants::TOOLS);
        assert!(wants(body, Wants::default()).is_empty());
    }

    #[test]
    fn words_are_read_back() {
        assert!(Wants::ALL.iter().all(|(word, want)| Wants::of_word(word) == Some(*want)));
        assert_eq!(Wants::of_word("smell"), None);
    }
}
