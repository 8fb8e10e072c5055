//! A request for Ollama.

use crate::chat::{Losses, OutputFormat, Refused, Request, Survey, Target, Vendor};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;

use super::messages_out::Messages;
use super::{extra, losses, options, reasoning, tools};

/// Writes a request for `target`. `stream` is always said: Ollama streams unless told not to.
///
/// # Errors
/// [`Refused`] where the target cannot answer without what it lacks.
pub fn encode_request(
    request: &Request<'_>,
    target: &Target,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let carry = |feature| losses::for_target(feature, target);
    Survey { to: Protocol::Ollama, vendor: Vendor::Unsigned, signs_calls: false, carry: &carry }
        .run(request, losses)?;
    JsonWriter::new(out).object(|w| {
        w.field_str("model", &target.model);
        w.field_array("messages", |w| Messages { request, target }.write(losses, w));
        tools::write(request, w);
        match &request.output {
            None => {}
            Some(OutputFormat::Json) => w.field_str("format", "json"),
            Some(OutputFormat::Schema { schema, .. }) => w.field_raw("format", schema.as_str()),
        }
        options::write(request, target, w);
        if let Some(wanted) = &request.reasoning {
            reasoning::write(wanted, target, w);
        }
        w.field_bool("stream", request.is_stream);
        extra::write(&request.extra, &["options"], w);
    });
    Ok(())
}
