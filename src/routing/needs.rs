//! What a request needs of a target, and whether one has it.
//!
//! Facts of models are the catalogue's, or the configuration's over it; where nobody says, a target
//! counts as able: its provider will say. Data rules are the operator's, and where nobody says that a
//! target keeps to one, it does not.

use super::look::Verdict;
use crate::dialect::wants::Wants;

/// What a request needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens the answer may have, where the client says so.
    pub output: u64,
    pub wants: Wants,
}

/// Where data may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataRules {
    /// Any of these; all where it is empty. `eu` stands for `eu-west-1` and the like too.
    pub regions: Vec<Box<str>>,
    /// Only to targets that keep nothing.
    pub zero_retention: bool,
}

/// What a target is known to be able to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Tokens of prompt and answer together.
    pub context: Option<u64>,
    /// What it is known not to take.
    pub lacks: Wants,
    pub region: Option<Box<str>>,
    /// It keeps nothing of what it is sent.
    pub zero_retention: bool,
}

impl DataRules {
    /// Whether any target may have the data.
    pub fn is_open(&self) -> bool {
        self.regions.is_empty() && !self.zero_retention
    }

    fn allows_region(&self, region: Option<&str>) -> bool {
        let lies_in = |wanted: &str, region: &str| {
            region.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        self.regions.is_empty()
            || region.is_some_and(|region| self.regions.iter().any(|wanted| lies_in(wanted, region)))
    }
}

impl Abilities {
    /// What keeps the target from serving the request: the hardest reason. None where nothing does.
    pub fn judge<'r>(
        &self,
        needs: &Needs,
        rules: impl IntoIterator<Item = &'r DataRules>,
    ) -> Option<Verdict> {
        for rules in rules {
            if !rules.allows_region(self.region.as_deref()) {
                return Some(Verdict::Region);
            }
            if rules.zero_retention && !self.zero_retention {
                return Some(Verdict::ZeroRetention);
            }
        }
        let missing = needs.wants.and(self.lacks);
        if missing.has(Wants::MEDIA) {
            Some(Verdict::Modality)
        } else if missing.has(Wants::TOOLS) {
            Some(Verdict::Tools)
        } else if missing.has(Wants::JSON) {
            Some(Verdict::Json)
        } else if self.context.is_some_and(|context| needs.input.saturating_add(needs.output) > context) {
            Some(Verdict::Context)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(abilities: &Abilities, needs: Needs, rules: &[DataRules]) -> Option<Verdict> {
        abilities.judge(&needs, rules)
    }

    #[test]
    fn what_nobody_says_of_a_model_is_no_reason_and_what_nobody_says_of_data_is_one() {
        let needs = Needs { input: 1 << 40, output: 1 << 40, wants: Wants::IMAGE.or(Wants::TOOLS) };
        assert_eq!(judge(&Abilities::default(), needs, &[]), None);
        let zero = DataRules { zero_retention: true, ..DataRules::default() };
        assert_eq!(judge(&Abilities::default(), needs, &[zero]), Some(Verdict::ZeroRetention));
        let eu = DataRules { regions: vec!["eu".into()], ..DataRules::default() };
        assert_eq!(judge(&Abilities::default(), needs, &[eu]), Some(Verdict::Region));
    }

    #[test]
    fn prompt_and_answer_must_fit_together() {
        let small = Abilities { context: Some(1000), ..Abilities::default() };
        let of = |input, output| judge(&small, Needs { input, output, ..Needs::default() }, &[]);
        assert_eq!(
            (of(900, 100), of(900, 101), of(1001, 0)),
            (None, Some(Verdict::Context), Some(Verdict::Context))
        );
    }

    #[test]
    fn each_lack_has_its_own_name() {
        let lacking = |lacks| Abilities { lacks, ..Abilities::default() };
        let all = Needs { wants: Wants::IMAGE.or(Wants::TOOLS).or(Wants::JSON), ..Needs::default() };
        assert_eq!(judge(&lacking(Wants::IMAGE), all, &[]), Some(Verdict::Modality));
        assert_eq!(judge(&lacking(Wants::TOOLS), all, &[]), Some(Verdict::Tools));
        assert_eq!(judge(&lacking(Wants::JSON), all, &[]), Some(Verdict::Json));
        assert_eq!(judge(&lacking(Wants::AUDIO), all, &[]), None);
    }

    #[test]
    fn a_region_holds_its_own_parts_and_no_others_and_every_rule_must_hold() {
        let rules = |regions: &[&str]| DataRules {
            regions: regions.iter().map(|region| Box::from(*region)).collect(),
            ..DataRules::default()
        };
        let at = |region: &str| Abilities { region: Some(region.into()), ..Abilities::default() };
        let eu = rules(&["eu"]);
        for (region, is_in) in [("eu", true), ("eu-west-1", true), ("europe", false), ("us-east-1", false)] {
            assert_eq!(
                judge(&at(region), Needs::default(), std::slice::from_ref(&eu)).is_none(),
                is_in,
                "{region}"
            );
        }
        let both = [eu, rules(&["eu-west-1", "us"])];
        assert_eq!(judge(&at("eu-west-1"), Needs::default(), &both), None);
        assert_eq!(judge(&at("eu-west-2"), Needs::default(), &both), Some(Verdict::Region));
    }
}
