//! The path a model is called on.

use crate::types::percent;

/// `/model/{id}/converse` or `/converse-stream`, the id percent-encoded once, as it goes on the wire:
/// `:` is `%3A`, the `/` of an ARN `%2F`.
pub fn path(model: &str, is_stream: bool) -> String {
    let call = if is_stream { "converse-stream" } else { "converse" };
    format!("/model/{}/{call}", percent::encoded(model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_whatever_it_holds() {
        assert_eq!(path("anthropic.claude-v2:1", false), "/model/anthropic.claude-v2%3A1/converse");
        let arn = "arn:aws:bedrock:us-east-1:0:application-inference-profile/x";
        assert_eq!(
            path(arn, true),
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A0%3Aapplication-inference-profile%2Fx/converse-stream"
        );
        assert_eq!(path("é/../x?y", false), "/model/%C3%A9%2F..%2Fx%3Fy/converse");
    }
}
