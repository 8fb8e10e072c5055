//! What a client wants embedded, and how.

use super::Shape;
use crate::chat::{At, Feature, Field, Losses, Media, Raw, Text};
use crate::framing::json::JsonWriter;

/// One embeddings call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub from: Shape,
    /// As the client named it.
    pub model: Text<'a>,
    /// One vector each.
    pub inputs: Vec<Input<'a>>,
    pub dimensions: Option<u64>,
    pub input_type: Option<InputType>,
    /// The kinds of numbers asked for by name; none: floats.
    pub dtypes: Vec<Dtype>,
    /// The numbers packed as base64.
    pub is_base64: bool,
    pub truncate: Option<Truncate>,
    /// The end user, for the provider's abuse checks.
    pub user: Option<Text<'a>>,
    /// Fields this gateway has no word for.
    pub extra: Vec<Field<'a>>,
}

/// What one vector stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input<'a> {
    pub at: At,
    pub parts: Vec<Part<'a>>,
    /// Gemini: the document's title.
    pub title: Option<Text<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Text(Text<'a>),
    /// A list of token numbers, as written.
    Tokens(Raw<'a>),
    Image(Media<'a>),
}

/// What the vectors are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputType {
    Query,
    Document,
    Classification,
    Clustering,
    Similarity,
    QuestionAnswering,
    FactVerification,
    CodeQuery,
    Image,
}

/// Kinds of numbers. The binary ones pack eight dimensions into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    Float,
    Int8,
    Uint8,
    Binary,
    Ubinary,
}

/// What becomes of an input that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncate {
    /// It is refused.
    None,
    Start,
    End,
}

/// What of a request its answer depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// As the client named it: shown where the provider names none.
    pub model: String,
    pub dtypes: Vec<Dtype>,
    pub is_base64: bool,
    /// A token unique to this call: the answer's id where the provider gives none.
    pub token: String,
}

impl<'a> Request<'a> {
    pub(super) fn new(from: Shape, model: Text<'a>) -> Self {
        Self {
            from,
            model,
            inputs: Vec::new(),
            dimensions: None,
            input_type: None,
            dtypes: Vec::new(),
            is_base64: false,
            truncate: None,
            user: None,
            extra: Vec::new(),
        }
    }

    pub fn wanted(&self, token: impl Into<String>) -> Wanted {
        Wanted {
            model: self.model.to_string(),
            dtypes: self.dtypes.clone(),
            is_base64: self.is_base64,
            token: token.into(),
        }
    }

    /// The request cut into ones of at most `most` inputs, in order.
    pub fn parts(&self, most: usize) -> Vec<Self> {
        let piece = |inputs: &[Input<'a>]| Self { inputs: inputs.to_vec(), ..self.clone() };
        self.inputs.chunks(most.max(1)).map(piece).collect()
    }

    /// Every input as plain text; None where one is anything else.
    pub(super) fn texts(&self) -> Option<Vec<&str>> {
        self.inputs.iter().map(Input::as_text).collect()
    }

    /// Writes fields of the shape's own; others are told as lost.
    pub(super) fn write_extra(&self, to: Shape, losses: &mut Losses, w: &mut JsonWriter<'_>) {
        for field in &self.extra {
            match self.from.is_kin(to) {
                true => w.field_raw(&field.name, field.value.as_str()),
                false => losses.push_named(Feature::Unknown, field.at, &field.name),
            }
        }
    }

    /// Names what is asked for and the target has no word for.
    pub(super) fn lose(&self, names: &[&'static str], losses: &mut Losses) {
        for name in names {
            let is_asked = match *name {
                "dimensions" => self.dimensions.is_some(),
                "input_type" => self.input_type.is_some(),
                // To cut the end off is what all do who do not say.
                "truncate" => matches!(self.truncate, Some(Truncate::None | Truncate::Start)),
                "title" => self.inputs.iter().any(|input| input.title.is_some()),
                _ => false,
            };
            if is_asked {
                losses.push_named(Feature::Unknown, At::NOWHERE, &Text::Borrowed(name));
            }
        }
    }

    /// Only OpenAI has a field for the end user.
    pub(super) fn lose_user(&self, losses: &mut Losses) {
        if self.user.is_some() {
            losses.push(Feature::User, At::NOWHERE);
        }
    }
}

impl<'a> Input<'a> {
    pub(super) fn of(at: At, part: Part<'a>) -> Self {
        Self { at, parts: vec![part], title: None }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

impl Dtype {
    pub const ALL: [Dtype; 5] = [Dtype::Float, Dtype::Int8, Dtype::Uint8, Dtype::Binary, Dtype::Ubinary];

    /// Cohere's and Voyage's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Dtype::Float => "float",
            Dtype::Int8 => "int8",
            Dtype::Uint8 => "uint8",
            Dtype::Binary => "binary",
            Dtype::Ubinary => "ubinary",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.as_str() == word)
    }
}

/// A purpose, and the words of Gemini, Cohere and Voyage for it.
type Words = (InputType, &'static str, Option<&'static str>, Option<&'static str>);

impl InputType {
    /// Several purposes share a word where a vendor knows fewer: the first is what the word means.
    const WORDS: [Words; 9] = [
        (InputType::Query, "RETRIEVAL_QUERY", Some("search_query"), Some("query")),
        (InputType::Document, "RETRIEVAL_DOCUMENT", Some("search_document"), Some("document")),
        (InputType::Classification, "CLASSIFICATION", Some("classification"), None),
        (InputType::Clustering, "CLUSTERING", Some("clustering"), None),
        (InputType::Similarity, "SEMANTIC_SIMILARITY", None, None),
        (InputType::QuestionAnswering, "QUESTION_ANSWERING", Some("search_query"), Some("query")),
        (InputType::FactVerification, "FACT_VERIFICATION", Some("search_query"), Some("query")),
        (InputType::CodeQuery, "CODE_RETRIEVAL_QUERY", Some("search_query"), Some("query")),
        (InputType::Image, "", Some("image"), None),
    ];

    /// The purpose of any vendor's word; `passage` is NVIDIA's.
    pub(super) fn of(word: &str) -> Option<Self> {
        if word == "passage" {
            return Some(InputType::Document);
        }
        let is_it = |words: &&Words| words.1 == word || words.2 == Some(word) || words.3 == Some(word);
        Self::WORDS.iter().find(is_it).filter(|_| !word.is_empty()).map(|words| words.0)
    }

    fn words(self) -> Option<&'static Words> {
        Self::WORDS.iter().find(|words| words.0 == self)
    }

    pub(super) fn gemini(self) -> Option<&'static str> {
        self.words().map(|words| words.1).filter(|word| !word.is_empty())
    }

    pub(super) fn cohere(self) -> Option<&'static str> {
        self.words()?.2
    }

    pub(super) fn voyage(self) -> Option<&'static str> {
        self.words()?.3
    }
}
