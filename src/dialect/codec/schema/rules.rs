//! The keywords of each subset.
//!
//! Sources: Gemini, the reference of `Schema` and of `responseJsonSchema` (its list of keywords);
//! OpenAI, "Structured outputs: supported schemas"; Anthropic, "Structured outputs: JSON Schema
//! limitations"; Bedrock, "Get validated JSON results from models".

use super::Subset;

/// Keywords that constrain. What is neither here nor above is some tool's own and means nothing.
const CONSTRAINTS: [&str; 26] = [
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "dependentRequired",
    "dependentSchemas",
    "not",
    "if",
    "then",
    "else",
];

pub(super) fn is_constraint(keyword: &str) -> bool {
    CONSTRAINTS.contains(&keyword)
}

/// What a subset of JSON Schema proper takes.
pub(super) struct Rules {
    /// Whose, in messages.
    pub(super) vendor: &'static str,
    /// References to `$defs` stay; else they are inlined and recursion is refused.
    pub(super) keeps_refs: bool,
    /// `const` is unknown: an `enum` of one stands for it.
    pub(super) is_const_enum: bool,
    /// `null` stands in the type, never in an `enum`.
    pub(super) has_no_null_in_enum: bool,
    pub(super) has_one_of: bool,
    pub(super) has_tuples: bool,
    /// Every object says `additionalProperties: false`.
    pub(super) closes_objects: bool,
    /// Every property is required; what was optional may be null instead.
    pub(super) requires_all: bool,
    /// The root is an object also as the form of an answer.
    pub(super) has_object_root: bool,
    /// An `enum` or `const` of strings or of numbers says its type.
    pub(super) types_enums: bool,
    pub(super) minimal_items_max: u64,
    /// Keywords kept as they are written.
    pub(super) kept: &'static [&'static str],
    pub(super) formats: &'static [&'static str],
}

const GEMINI: Rules = Rules {
    vendor: "Gemini",
    keeps_refs: true,
    is_const_enum: true,
    has_no_null_in_enum: true,
    has_one_of: true,
    has_tuples: true,
    closes_objects: false,
    requires_all: false,
    has_object_root: false,
    types_enums: true,
    minimal_items_max: u64::MAX,
    kept: &["title", "description", "minItems", "maxItems", "minimum", "maximum", "propertyOrdering"],
    formats: &["date-time", "date", "time", "duration", "enum", "float", "double", "int32", "int64"],
};

const OPENAI: Rules = Rules {
    vendor: "OpenAI",
    keeps_refs: true,
    is_const_enum: false,
    has_no_null_in_enum: false,
    has_one_of: false,
    has_tuples: false,
    closes_objects: true,
    requires_all: true,
    has_object_root: true,
    types_enums: true,
    minimal_items_max: u64::MAX,
    kept: &[
        "title",
        "description",
        "pattern",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
    ],
    formats: &["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"],
};

const ANTHROPIC: Rules = Rules {
    vendor: "Anthropic",
    keeps_refs: false,
    is_const_enum: false,
    has_no_null_in_enum: false,
    has_one_of: false,
    has_tuples: false,
    closes_objects: true,
    requires_all: false,
    has_object_root: false,
    types_enums: false,
    minimal_items_max: 1,
    kept: &["title", "description", "default", "minItems"],
    formats: &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"],
};

impl Rules {
    /// `GeminiOpenApi` and `Tool` follow rules of their own; of these only the name and the
    /// references are used.
    pub(super) fn of(subset: Subset) -> Self {
        match subset {
            Subset::GeminiJson => GEMINI,
            Subset::GeminiOpenApi => Rules { keeps_refs: false, ..GEMINI },
            Subset::OpenAiStrict => OPENAI,
            Subset::AnthropicStrict => ANTHROPIC,
            Subset::BedrockStrict => Rules { vendor: "Bedrock", ..ANTHROPIC },
            Subset::Tool => Rules { vendor: "a function", keeps_refs: true, ..ANTHROPIC },
        }
    }
}
