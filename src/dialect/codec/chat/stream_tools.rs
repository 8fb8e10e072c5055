//! The tool calls of one choice while they stream.
//!
//! A delta belongs to the call of its `index`; where vendors number every call 0, or none at all, an
//! id and a name say that another call begins. A call is closed when its arguments are a whole object
//! and something else begins, at the latest with its choice. Bounded: [`CALLS_MAX`] calls.

use crate::chat::{BlockStart, Delta, Event, Signature, Text, freeform, unpack_id};
use crate::dialect::codec::Sink;
use crate::dialect::tap::StreamFault;
use crate::framing::json::Node;

use super::calls;

/// Tool calls of one choice; more are nonsense.
const CALLS_MAX: usize = 512;
/// Arguments kept: those before the tool's name, those of a function that stands for a custom tool.
const KEPT_BYTES_MAX: usize = 1024 * 1024;
/// Longest id compared.
const ID_BYTES_MAX: usize = 256;

#[derive(Default)]
pub(super) struct Tools {
    calls: Vec<Call>,
}

struct Call {
    index: Option<u64>,
    id: String,
    is_custom: bool,
    state: State,
    end: ObjectEnd,
    /// Arguments of a function that stands for a custom tool: told whole, at its end.
    wrapped: Option<String>,
}

enum State {
    /// Its name has not come; arguments that have.
    Nameless(String),
    Open(u32),
    Closed,
}

/// Where events of a choice go.
pub(super) struct Stage<'s, 'k> {
    pub(super) choice: u32,
    /// The number of the next block.
    pub(super) next: &'s mut u32,
    pub(super) sink: Sink<'k>,
}

impl Stage<'_, '_> {
    pub(super) fn start(&mut self, start: BlockStart<'_>) -> u32 {
        let block = *self.next;
        *self.next = self.next.saturating_add(1);
        (self.sink)(Event::BlockStart { choice: self.choice, block, start });
        block
    }

    pub(super) fn delta(&mut self, block: u32, delta: Delta<'_>) {
        (self.sink)(Event::Delta { choice: self.choice, block, delta });
    }

    pub(super) fn stop(&mut self, block: u32) {
        (self.sink)(Event::BlockStop { choice: self.choice, block });
    }
}

/// One delta, taken apart.
pub(super) struct CallDelta<'a> {
    index: Option<u64>,
    id: Text<'a>,
    name: Text<'a>,
    arguments: Text<'a>,
    is_custom: bool,
    signature: Option<Signature<'a>>,
}

impl<'a> CallDelta<'a> {
    pub(super) fn read(node: &Node<'a>, message_signature: Option<Signature<'a>>) -> Self {
        let is_custom = node.get("type").is_some_and(|kind| kind.is("custom"))
            || (node.get("function").is_none() && node.get("custom").is_some());
        let inner = node.get(if is_custom { "custom" } else { "function" });
        let arguments = if is_custom { "input" } else { "arguments" };
        let (id, packed) = unpack_id(node.text_of("id").unwrap_or_default());
        Self {
            index: node.get("index").and_then(Node::as_u64),
            id,
            name: inner.and_then(|inner| inner.text_of("name")).unwrap_or_default(),
            arguments: inner.and_then(|inner| inner.get(arguments)).map(calls::arguments).unwrap_or_default(),
            is_custom,
            signature: calls::google_signature(node).or(message_signature).or(packed),
        }
    }

    /// The deprecated `function_call`: one call, without id or number.
    pub(super) fn read_function(node: &Node<'a>) -> Self {
        Self {
            index: None,
            id: Text::default(),
            name: node.text_of("name").unwrap_or_default(),
            arguments: node.get("arguments").map(calls::arguments).unwrap_or_default(),
            is_custom: false,
            signature: None,
        }
    }

    /// Snowflake and others name an empty call in every chunk.
    pub(super) fn is_empty(&self) -> bool {
        self.id.is_empty() && self.name.is_empty() && self.arguments.is_empty()
    }
}

impl Tools {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether the delta begins a call, so that what else is open must close.
    pub(super) fn begins(&self, delta: &CallDelta<'_>) -> bool {
        self.find(delta).is_none()
    }

    /// The place of the call that the delta goes on with.
    fn find(&self, delta: &CallDelta<'_>) -> Option<usize> {
        let numbered = |call: &Call| delta.index.is_none() || call.index == delta.index;
        let at = match (delta.index, delta.id.is_empty(), delta.name.is_empty()) {
            (None, false, _) => {
                let same = self.calls.iter().rposition(|call| call.id == bounded(&delta.id));
                return same.or(if delta.name.is_empty() { self.calls.len().checked_sub(1) } else { None });
            }
            _ => self.calls.iter().rposition(numbered)?,
        };
        let call = self.calls.get(at)?;
        let is_other = !delta.name.is_empty()
            && !matches!(call.state, State::Nameless(_))
            && (call.is_other_id(&delta.id) || call.end.is_whole());
        (!is_other).then_some(at)
    }

    pub(super) fn take(
        &mut self,
        delta: CallDelta<'_>,
        stage: &mut Stage<'_, '_>,
    ) -> Result<(), StreamFault> {
        let at = match self.find(&delta) {
            Some(at) => at,
            None => {
                self.close_whole(stage);
                if self.calls.len() >= CALLS_MAX {
                    return Err(super::stream_in::nonsense("the upstream calls more tools than anybody has"));
                }
                self.calls.push(Call {
                    index: delta.index,
                    id: bounded(&delta.id).to_owned(),
                    is_custom: delta.is_custom,
                    state: State::Nameless(String::new()),
                    end: ObjectEnd::default(),
                    wrapped: None,
                });
                self.calls.len() - 1
            }
        };
        match self.calls.get_mut(at) {
            Some(call) => call.take(delta, stage),
            None => Ok(()),
        }
    }

    /// Closes the calls that need nothing more.
    pub(super) fn close_whole(&mut self, stage: &mut Stage<'_, '_>) {
        for call in &mut self.calls {
            if call.end.is_whole() {
                call.close(stage);
            }
        }
    }

    /// The choice is over: a call that never got a name is told without one.
    pub(super) fn close_all(&mut self, stage: &mut Stage<'_, '_>) {
        for call in &mut self.calls {
            // Early arguments are bounded already, and a nameless call wraps nothing: it cannot fail.
            let _ = call.open("", None, stage);
            call.close(stage);
        }
    }
}

fn bounded(id: &str) -> &str {
    id.get(..id.floor_char_boundary(ID_BYTES_MAX)).unwrap_or_default()
}

impl Call {
    fn is_other_id(&self, id: &str) -> bool {
        !id.is_empty() && !self.id.is_empty() && self.id != bounded(id)
    }

    fn take(&mut self, delta: CallDelta<'_>, stage: &mut Stage<'_, '_>) -> Result<(), StreamFault> {
        if self.id.is_empty() {
            bounded(&delta.id).clone_into(&mut self.id);
        }
        if !delta.name.is_empty() {
            self.open(&delta.name, delta.signature, stage)?;
        }
        match &mut self.state {
            State::Nameless(early) => {
                if early.len() + delta.arguments.len() > KEPT_BYTES_MAX {
                    return Err(super::stream_in::nonsense("a tool call goes on without a name"));
                }
                early.push_str(&delta.arguments);
            }
            State::Open(block) if !delta.arguments.is_empty() => {
                let block = *block;
                self.say(block, delta.arguments, stage)?;
            }
            State::Open(_) | State::Closed => {}
        }
        Ok(())
    }

    /// Opens a call that is not open yet, and says the arguments that came early.
    fn open(
        &mut self,
        name: &str,
        signature: Option<Signature<'_>>,
        stage: &mut Stage<'_, '_>,
    ) -> Result<(), StreamFault> {
        let State::Nameless(early) = &mut self.state else { return Ok(()) };
        let early = std::mem::take(early);
        let own = freeform::unwrap_name(name);
        self.wrapped = own.map(|_| String::new());
        let block = stage.start(BlockStart::ToolUse {
            id: Text::Borrowed(&self.id),
            name: Text::Borrowed(own.unwrap_or(name)),
            is_custom: self.is_custom || own.is_some(),
            signature,
        });
        self.state = State::Open(block);
        if early.is_empty() { Ok(()) } else { self.say(block, Text::Owned(early), stage) }
    }

    fn say(&mut self, block: u32, arguments: Text<'_>, stage: &mut Stage<'_, '_>) -> Result<(), StreamFault> {
        if !self.is_custom {
            self.end.feed(&arguments);
        }
        match &mut self.wrapped {
            Some(whole) if whole.len() + arguments.len() > KEPT_BYTES_MAX => {
                return Err(super::stream_in::nonsense("a free-form tool call is longer than the limit"));
            }
            Some(whole) => whole.push_str(&arguments),
            None => stage.delta(block, Delta::Arguments(arguments)),
        }
        Ok(())
    }

    fn close(&mut self, stage: &mut Stage<'_, '_>) {
        if let State::Open(block) = self.state {
            if let Some(whole) = self.wrapped.take().filter(|whole| !whole.is_empty()) {
                let text = freeform::unwrap_input(&whole).into_owned();
                stage.delta(block, Delta::Arguments(Text::Owned(text)));
            }
            stage.stop(block);
            self.state = State::Closed;
        }
    }
}

/// Finds the end of one JSON object in pieces of text.
#[derive(Default)]
struct ObjectEnd {
    depth: u32,
    is_begun: bool,
    is_in_string: bool,
    is_escaped: bool,
}

impl ObjectEnd {
    fn is_whole(&self) -> bool {
        self.is_begun && self.depth == 0
    }

    fn feed(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if self.is_in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.is_in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.is_in_string = true,
                b'{' | b'[' => {
                    self.is_begun = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_whole_at_its_last_brace_wherever_it_was_cut() {
        let json = r#"{"a":"}\"{","b":[{"c":1}]}"#;
        for cut in 0..=json.len() {
            let mut end = ObjectEnd::default();
            end.feed(&json[..cut]);
            assert_eq!(end.is_whole(), cut == json.len(), "{cut}");
            end.feed(&json[cut..]);
            assert!(end.is_whole());
        }
        let mut none = ObjectEnd::default();
        none.feed("  ");
        assert!(!none.is_whole());
    }
}
