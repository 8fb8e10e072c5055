//! The two halves of a stream's translation.

use crate::chat::Event;
use crate::dialect::keepalive::OpenBlock;
use crate::dialect::tap::StreamFault;

/// Takes events in order.
pub type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

/// Reads one protocol's stream. Fixed in size but for what one open block needs.
pub trait DecodeStream: Send {
    /// Takes one frame: an SSE event (its `event:` name and joined data), one element of a Gemini
    /// array, one line of NDJSON, or one event stream message (`name` is its `:event-type` or
    /// `:exception-type`). Unknown events are skipped.
    ///
    /// # Errors
    /// [`StreamFault`] where the upstream says that it failed, or the frame is nonsense (status 502).
    /// The decoder is not asked again.
    fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> Result<(), StreamFault>;

    /// The upstream's bytes ended. Emits what is still to be said (a stop, the end) where an end of
    /// the bytes is a proper end of this protocol's stream at this point, and nothing otherwise: no
    /// [`Event::End`] then means a broken stream.
    fn on_end(&mut self, sink: Sink<'_>);

    /// Frames so far that this protocol is not known to have. They were skipped.
    fn unknown(&self) -> u64;
}

/// Writes one protocol's stream.
pub trait EncodeStream: Send {
    /// Appends the frames that `event` becomes: none, one or several, whole.
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>);

    /// Anthropic: the block that is open, for keepalives inside it.
    fn open_block(&self) -> Option<OpenBlock> {
        None
    }

    /// Responses: the number of the next event, for an error that ends the stream.
    fn next_sequence(&self) -> u64 {
        0
    }

    /// Responses: the id the client was told.
    fn response_id(&self) -> Option<&str> {
        None
    }

    /// Responses: the whole answer as JSON, once the stream has ended as it should.
    fn finished(&self) -> Option<&str> {
        None
    }
}
