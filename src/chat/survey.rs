//! Goes through a request and names everything in it that a target may lack.

use super::block::{Block, BlockKind, Media, Source};
use super::carry::{Carry, Feature};
use super::loss::{Losses, Refused};
use super::request::{OutputFormat, Request, Role, Turn};
use super::signature::{Signature, Vendor};
use super::text::{At, Extra};
use super::tool::{ToolChoice, ToolKind};
use crate::types::Protocol;

/// Whose request goes where, and what the target says to each feature.
pub struct Survey<'s> {
    /// The target's protocol: its own extras and opaque parts are no loss.
    pub to: Protocol,
    /// Whose signatures the target takes back.
    pub vendor: Vendor,
    /// Whether Gemini's signatures of calls go up.
    pub signs_calls: bool,
    pub carry: &'s dyn Fn(Feature) -> Carry,
}

impl Survey<'_> {
    /// Notes every feature of `request` that is dropped.
    ///
    /// # Errors
    /// [`Refused`] at the first one the target rejects.
    pub fn run(&self, request: &Request<'_>, losses: &mut Losses) -> Result<(), Refused> {
        self.check_substance(request)?;
        let mut walk = Walk { survey: self, losses };
        walk.parameters(request)?;
        walk.tools(request)?;
        for block in &request.system {
            walk.block(block)?;
        }
        for turn in &request.turns {
            if turn.role == Role::System {
                walk.meet(Feature::MidSystem, turn.at)?;
            }
            if turn.name.is_some() {
                walk.meet(Feature::ParticipantName, turn.at)?;
            }
            walk.extra(&turn.extra)?;
            for block in &turn.blocks {
                walk.block(block)?;
            }
        }
        walk.extra(&request.extra)
    }

    /// Blocks of another protocol are left out; where nothing else is left of what the user says, or of
    /// the whole conversation, the model would answer what nobody asked.
    fn check_substance(&self, request: &Request<'_>) -> Result<(), Refused> {
        let is_foreign =
            |block: &Block<'_>| matches!(&block.kind, BlockKind::Opaque { of, .. } if *of != self.to);
        let is_void = |turn: &&Turn<'_>| !turn.blocks.is_empty() && turn.blocks.iter().all(is_foreign);
        let said = |turn: &&Turn<'_>| !turn.blocks.is_empty();
        let is_all_void = request.turns.iter().filter(said).all(|turn| is_void(&turn));
        let mut void = request.turns.iter().filter(is_void);
        match void.find(|turn| is_all_void || turn.role == Role::User).and_then(|turn| turn.blocks.first()) {
            None => Ok(()),
            Some(block) => Err(Refused::new(
                block.at,
                "the model's provider has no such content, and there is nothing else in this turn",
            )),
        }
    }
}

struct Walk<'w, 's> {
    survey: &'w Survey<'s>,
    losses: &'w mut Losses,
}

impl Walk<'_, '_> {
    fn meet(&mut self, feature: Feature, at: At) -> Result<(), Refused> {
        match (self.survey.carry)(feature) {
            Carry::Kept | Carry::Renamed(_) => Ok(()),
            Carry::Drop(_) => {
                self.losses.push(feature, at);
                Ok(())
            }
            Carry::Reject(why) => Err(Refused::new(at, why)),
        }
    }

    fn extra(&mut self, extra: &Extra<'_>) -> Result<(), Refused> {
        if extra.of == Some(self.survey.to) {
            return Ok(());
        }
        for field in &extra.fields {
            match (self.survey.carry)(Feature::Unknown) {
                Carry::Reject(why) => return Err(Refused::new(field.at, why)),
                _ => self.losses.push_named(Feature::Unknown, field.at, &field.name),
            }
        }
        Ok(())
    }

    fn parameters(&mut self, request: &Request<'_>) -> Result<(), Refused> {
        for setting in &request.settings {
            // Who does not want an answer kept loses nothing where none is; Responses' own store
            // stands in front of every target.
            let is_kept_elsewhere = setting.feature == Feature::Store
                && (setting.value.as_str() == "false" || request.from == Protocol::Responses);
            if !is_kept_elsewhere {
                self.meet(setting.feature, setting.at)?;
            }
        }
        let parts = [
            (request.max_output.is_some(), Feature::MaxOutput),
            (!request.stop.is_empty(), Feature::Stop),
            (request.output == Some(OutputFormat::Json), Feature::JsonOutput),
            (matches!(request.output, Some(OutputFormat::Schema { .. })), Feature::SchemaOutput),
            (request.parallel_tools == Some(false), Feature::ParallelTools),
        ];
        for (_, feature) in parts.into_iter().filter(|(is_there, _)| *is_there) {
            self.meet(feature, At::NOWHERE)?;
        }
        let Some(reasoning) = &request.reasoning else { return Ok(()) };
        if reasoning.effort.is_some() {
            self.meet(Feature::ReasoningEffort, reasoning.at)?;
        }
        if reasoning.budget.is_some() {
            self.meet(Feature::ReasoningBudget, reasoning.at)?;
        }
        if reasoning.summary.is_some() {
            self.meet(Feature::ReasoningSummary, reasoning.at)?;
        }
        self.extra(&reasoning.extra)
    }

    fn tools(&mut self, request: &Request<'_>) -> Result<(), Refused> {
        for tool in &request.tools {
            match &tool.kind {
                ToolKind::Function { strict: Some(true), .. } => self.meet(Feature::StrictTools, tool.at)?,
                ToolKind::Function { .. } => {}
                ToolKind::Custom { .. } => self.meet(Feature::CustomTools, tool.at)?,
                ToolKind::Hosted { of, .. } if *of == self.survey.to => {}
                ToolKind::Hosted { .. } => self.meet(Feature::HostedTools, tool.at)?,
            }
            if tool.cache.is_some() {
                self.meet(Feature::CacheHints, tool.at)?;
            }
            self.extra(&tool.extra)?;
        }
        match &request.tool_choice {
            None | Some(ToolChoice::Auto) => Ok(()),
            Some(ToolChoice::None) => self.meet(Feature::ToolChoiceNone, At::NOWHERE),
            Some(ToolChoice::Any) => self.meet(Feature::ToolChoiceAny, At::NOWHERE),
            Some(ToolChoice::Tool(_)) => self.meet(Feature::ToolChoiceTool, At::NOWHERE),
            Some(ToolChoice::Allowed { .. }) => self.meet(Feature::ToolChoiceAllowed, At::NOWHERE),
            Some(ToolChoice::Opaque { of, .. }) if *of == self.survey.to => Ok(()),
            Some(ToolChoice::Opaque { .. }) => self.meet(Feature::OpaqueBlock, At::NOWHERE),
        }
    }

    fn block(&mut self, block: &Block<'_>) -> Result<(), Refused> {
        if let Some(hint) = &block.cache {
            self.meet(Feature::CacheHints, block.at)?;
            self.extra(&hint.extra)?;
        }
        self.extra(&block.extra)?;
        match &block.kind {
            BlockKind::Text { citations, .. } if citations.is_empty() => Ok(()),
            BlockKind::Text { .. } => self.meet(Feature::Citations, block.at),
            BlockKind::Image(media) => {
                let features = [Feature::ImageBase64, Feature::ImageUrl, Feature::ImageFile];
                self.media(media, block.at, features)
            }
            BlockKind::Document(media) => {
                let features = [Feature::DocumentBase64, Feature::DocumentUrl, Feature::DocumentFile];
                self.media(media, block.at, features)
            }
            BlockKind::Audio(_) => self.meet(Feature::AudioInput, block.at),
            BlockKind::Video(_) => self.meet(Feature::VideoInput, block.at),
            BlockKind::ToolUse(call) => {
                if call.is_custom {
                    self.meet(Feature::CustomTools, block.at)?;
                }
                let is_lost =
                    |proof: &Signature<'_>| !(self.survey.signs_calls && proof.vendor == Vendor::Gemini);
                match call.signature.as_ref().is_some_and(is_lost) {
                    true => self.meet(Feature::ForeignThinking, block.at),
                    false => Ok(()),
                }
            }
            BlockKind::ToolResult(result) => {
                if result.is_error {
                    self.meet(Feature::ToolResultError, block.at)?;
                }
                for inner in &result.content {
                    if inner.as_text().is_none() {
                        self.meet(Feature::ToolResultMedia, inner.at)?;
                    }
                    self.block(inner)?;
                }
                Ok(())
            }
            BlockKind::Thinking(thinking) => {
                self.thinking(thinking.signature.as_ref().map(|s| s.vendor), block.at)
            }
            BlockKind::Redacted(signature) => self.thinking(Some(signature.vendor), block.at),
            BlockKind::Refusal(_) => self.meet(Feature::RefusalBlock, block.at),
            BlockKind::Opaque { of, .. } if *of == self.survey.to => Ok(()),
            BlockKind::Opaque { .. } => self.meet(Feature::OpaqueBlock, block.at),
        }
    }

    fn thinking(&mut self, vendor: Option<Vendor>, at: At) -> Result<(), Refused> {
        let is_own = vendor.unwrap_or(Vendor::Unsigned) == self.survey.vendor;
        self.meet(if is_own { Feature::OwnThinking } else { Feature::ForeignThinking }, at)
    }

    /// `features`: for base64, for a URL, for a file.
    fn media(&mut self, media: &Media<'_>, at: At, features: [Feature; 3]) -> Result<(), Refused> {
        let [base64, url, file] = features;
        match &media.source {
            Source::Base64(_) => self.meet(base64, at),
            Source::Url(_) => self.meet(url, at),
            Source::Text(_) => self.meet(Feature::DocumentText, at),
            // Chat and Responses share one vendor's files.
            Source::File { of, .. } if of.dialect() == self.survey.to.dialect() => self.meet(file, at),
            Source::File { .. } => Err(Refused::new(
                at,
                "this file lives at another vendor than the one that serves the model: send its content instead",
            )),
        }
    }
}
