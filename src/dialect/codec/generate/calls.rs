//! Which call a tool's answer belongs to, in a history that may name no ids.
//!
//! Gemini pairs by name and order; every other protocol pairs by id. Ids made here follow from the
//! place of the call in the conversation alone, so the same history has the same ids on every turn.

use super::part_in::{Call, Piece};
use crate::chat::{At, Refused, Text};

/// The calls read so far.
#[derive(Default)]
pub(super) struct Calls<'a> {
    calls: Vec<Known<'a>>,
    contents: usize,
    in_content: usize,
}

struct Known<'a> {
    id: Text<'a>,
    name: Text<'a>,
    has_own_id: bool,
    is_answered: bool,
}

impl<'a> Calls<'a> {
    /// The next of `contents` begins.
    pub(super) fn next_content(&mut self) {
        self.contents += 1;
        self.in_content = 0;
    }

    /// The id of what a part holds; empty for what needs none.
    ///
    /// # Errors
    /// [`Refused`] for an answer without an id that answers no call before it.
    pub(super) fn id(&mut self, piece: &Piece<'a>, at: At) -> Result<Text<'a>, Refused> {
        match piece {
            Piece::Call(call) => Ok(self.call(call)),
            Piece::Result { id, result } => self.answer(id.as_ref(), result.name.as_deref(), at),
            _ => Ok(Text::Borrowed("")),
        }
    }

    fn call(&mut self, call: &Call<'a>) -> Text<'a> {
        let own = call.id.clone();
        let has_own_id = own.is_some();
        let id = own.unwrap_or_else(|| format!("call_{}_{}", self.contents, self.in_content).into());
        self.in_content += 1;
        self.calls.push(Known { id: id.clone(), name: call.name.clone(), has_own_id, is_answered: false });
        id
    }

    fn answer(&mut self, id: Option<&Text<'a>>, name: Option<&str>, at: At) -> Result<Text<'a>, Refused> {
        let open = |call: &&mut Known<'a>| !call.is_answered;
        let is_named = |call: &Known<'a>| name.is_none_or(|name| call.name == name);
        if let Some(id) = id {
            // An id the call was given; else the client made ids up for answers alone.
            let by_id = self.calls.iter_mut().filter(open).find(|call| call.id == *id);
            if let Some(call) = by_id {
                call.is_answered = true;
                return Ok(id.clone());
            }
            let nameless = self.calls.iter_mut().filter(open).find(|call| !call.has_own_id && is_named(call));
            return Ok(nameless.map_or_else(|| id.clone(), |call| call.answered()));
        }
        let call = self.calls.iter_mut().filter(open).find(|call| is_named(call));
        call.map(Known::answered)
            .ok_or_else(|| Refused::new(at, "this functionResponse answers no functionCall before it"))
    }
}

impl<'a> Known<'a> {
    fn answered(&mut self) -> Text<'a> {
        self.is_answered = true;
        self.id.clone()
    }
}
