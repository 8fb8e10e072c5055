//! One model: as it is read ([`Facts`]), and as it is kept ([`Row`]).

use super::text::Span;
use super::{Day, Modality, Rates, Tokenizer};
use crate::chat::{Effort, ThinkingEcho, ThinkingStyle};
use crate::types::Protocol;

/// Everything a row says. None and empty: nobody says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub id: String,
    pub name: Option<String>,
    pub aliases: Vec<String>,
    pub context: Option<u32>,
    pub output: Option<u32>,
    pub takes: Vec<Modality>,
    pub gives: Vec<Modality>,
    pub tools: Option<bool>,
    pub schema: Option<bool>,
    pub reasoning: Option<bool>,
    pub sampling: Option<bool>,
    pub thinking: Option<ThinkingStyle>,
    pub efforts: Vec<Effort>,
    /// It knows the effort `none`.
    pub has_no_effort: bool,
    pub echo: Option<ThinkingEcho>,
    pub has_signatures: bool,
    pub is_deprecated: bool,
    pub is_free: bool,
    pub has_fee: bool,
    pub protocols: Vec<Protocol>,
    pub base_url: Option<String>,
    pub tokenizer: Option<Tokenizer>,
    pub released: Option<Day>,
    pub retires: Option<Day>,
    /// In order and checked ([`price::checked`](super::price)), or empty.
    pub prices: Vec<Rates>,
    pub source: String,
    pub as_of: Option<Day>,
}

/// The compact form: places in the tables of [`Table`](super::table::Table) and bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub id: Span,
    /// Empty where it is the id.
    pub name: Span,
    pub base_url: Span,
    /// 0 where nobody says; no model takes 0 tokens.
    pub context: u32,
    pub output: u32,
    /// One more than the place in the price lists; 0 for none.
    pub prices: u32,
    pub bits: Bits,
    pub provider: u16,
    pub released: u16,
    pub retires: u16,
    pub as_of: u16,
    pub source: u16,
    pub protocols: u16,
    pub tokenizer: Tokenizer,
}

/// Small facts of a row in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(u64);

const TOOLS: u32 = 0;
const SCHEMA: u32 = 2;
const REASONING: u32 = 4;
const SAMPLING: u32 = 6;
const SIGNATURES: u32 = 8;
const DEPRECATED: u32 = 9;
const FREE: u32 = 10;
const FEE: u32 = 11;
const TAKES: u32 = 12;
const GIVES: u32 = 17;
const THINKING: u32 = 22;
const ECHO: u32 = 24;
const EFFORTS: u32 = 26;
const NO_EFFORT: u32 = 32;

impl Bits {
    pub(super) fn new(facts: &Facts) -> Self {
        let told = |fact: Option<bool>| match fact {
            None => 0_u64,
            Some(false) => 1,
            Some(true) => 2,
        };
        let modalities = |list: &[Modality]| list.iter().fold(0_u64, |set, one| set | 1 << *one as u32);
        let thinking = match facts.thinking {
            None => 0_u64,
            Some(ThinkingStyle::None) => 1,
            Some(ThinkingStyle::Budget) => 2,
            Some(ThinkingStyle::Effort) => 3,
        };
        let echo = match facts.echo {
            None => 0_u64,
            Some(ThinkingEcho::None) => 1,
            Some(ThinkingEcho::ReasoningContent) => 2,
            Some(ThinkingEcho::ReasoningDetails) => 3,
        };
        let efforts = facts.efforts.iter().fold(0_u64, |set, effort| set | 1 << *effort as u32);
        Self(
            told(facts.tools) << TOOLS
                | told(facts.schema) << SCHEMA
                | told(facts.reasoning) << REASONING
                | told(facts.sampling) << SAMPLING
                | u64::from(facts.has_signatures) << SIGNATURES
                | u64::from(facts.is_deprecated) << DEPRECATED
                | u64::from(facts.is_free) << FREE
                | u64::from(facts.has_fee) << FEE
                | modalities(&facts.takes) << TAKES
                | modalities(&facts.gives) << GIVES
                | thinking << THINKING
                | echo << ECHO
                | efforts << EFFORTS
                | u64::from(facts.has_no_effort) << NO_EFFORT,
        )
    }

    fn field(self, at: u32, bits: u32) -> u64 {
        (self.0 >> at) & ((1 << bits) - 1)
    }

    fn told(self, at: u32) -> Option<bool> {
        match self.field(at, 2) {
            0 => None,
            told => Some(told == 2),
        }
    }

    pub(super) fn tools(self) -> Option<bool> {
        self.told(TOOLS)
    }

    pub(super) fn schema(self) -> Option<bool> {
        self.told(SCHEMA)
    }

    pub(super) fn reasoning(self) -> Option<bool> {
        self.told(REASONING)
    }

    pub(super) fn sampling(self) -> Option<bool> {
        self.told(SAMPLING)
    }

    pub(super) fn has_signatures(self) -> bool {
        self.field(SIGNATURES, 1) != 0
    }

    pub(super) fn is_deprecated(self) -> bool {
        self.field(DEPRECATED, 1) != 0
    }

    pub(super) fn is_free(self) -> bool {
        self.field(FREE, 1) != 0
    }

    pub(super) fn has_fee(self) -> bool {
        self.field(FEE, 1) != 0
    }

    pub(super) fn takes(self, modality: Modality) -> bool {
        self.field(TAKES + modality as u32, 1) != 0
    }

    pub(super) fn gives(self, modality: Modality) -> bool {
        self.field(GIVES + modality as u32, 1) != 0
    }

    pub(super) fn thinking(self) -> Option<ThinkingStyle> {
        match self.field(THINKING, 2) {
            1 => Some(ThinkingStyle::None),
            2 => Some(ThinkingStyle::Budget),
            3 => Some(ThinkingStyle::Effort),
            _ => None,
        }
    }

    pub(super) fn echo(self) -> Option<ThinkingEcho> {
        match self.field(ECHO, 2) {
            1 => Some(ThinkingEcho::None),
            2 => Some(ThinkingEcho::ReasoningContent),
            3 => Some(ThinkingEcho::ReasoningDetails),
            _ => None,
        }
    }

    pub(super) fn has_no_effort(self) -> bool {
        self.field(NO_EFFORT, 1) != 0
    }

    pub(super) fn efforts(self) -> impl Iterator<Item = Effort> {
        Effort::ALL.into_iter().filter(move |effort| self.field(EFFORTS + *effort as u32, 1) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_small_fact_reads_back_and_none_touches_another() {
        let facts = Facts {
            tools: Some(true),
            schema: Some(false),
            sampling: Some(false),
            takes: vec![Modality::Text, Modality::Pdf],
            gives: vec![Modality::Audio],
            thinking: Some(ThinkingStyle::Budget),
            echo: Some(ThinkingEcho::ReasoningDetails),
            efforts: vec![Effort::Minimal, Effort::Max],
            has_fee: true,
            has_no_effort: true,
            ..Facts::default()
        };
        let bits = Bits::new(&facts);
        assert_eq!((bits.tools(), bits.schema()), (Some(true), Some(false)));
        assert_eq!((bits.reasoning(), bits.sampling()), (None, Some(false)));
        let taken: Vec<_> = Modality::ALL.into_iter().filter(|one| bits.takes(*one)).collect();
        let given: Vec<_> = Modality::ALL.into_iter().filter(|one| bits.gives(*one)).collect();
        assert_eq!((taken, given), (facts.takes, facts.gives));
        assert_eq!((bits.thinking(), bits.echo()), (facts.thinking, facts.echo));
        assert!(bits.has_no_effort() && !Bits::new(&Facts::default()).has_no_effort());
        assert_eq!(bits.efforts().collect::<Vec<_>>(), facts.efforts);
        assert_eq!(
            (bits.has_fee(), bits.is_free(), bits.has_signatures(), bits.is_deprecated()),
            (true, false, false, false)
        );
    }
}
