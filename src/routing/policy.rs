//! Which failures move on to another target: `failover.on` of a model.

/// HTTP statuses from 400 to 599.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusSet {
    /// Bit per status from 400.
    client: u128,
    /// Bit per status from 500.
    server: u128,
}

impl StatusSet {
    /// Adds a status; others than 400 to 599 are no failures and cannot be added.
    pub fn with(mut self, status: u16) -> Self {
        match status {
            400..=499 => self.client |= 1 << (status - 400),
            500..=599 => self.server |= 1 << (status - 500),
            _ => {}
        }
        self
    }

    pub fn with_all(self, statuses: impl IntoIterator<Item = u16>) -> Self {
        statuses.into_iter().fold(self, Self::with)
    }

    pub fn contains(self, status: u16) -> bool {
        match status {
            400..=499 => self.client >> (status - 400) & 1 == 1,
            500..=599 => self.server >> (status - 500) & 1 == 1,
            _ => false,
        }
    }
}

/// What moves on. The default is the documented table: everything that another target may do
/// better, and nothing that is the request's own fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailoverPolicy {
    /// DNS, connect, TLS, and a connection that broke before an answer.
    pub connect: bool,
    /// No head, no first token, or silence, each in its time.
    pub timeout: bool,
    /// Errors inside a 200: error event, early end, a body that is not what was asked for.
    pub stream_error: bool,
    pub statuses: StatusSet,
}

impl Default for FailoverPolicy {
    fn default() -> Self {
        Self {
            connect: true,
            timeout: true,
            stream_error: true,
            // 401 and 403 are about our credential there, not about the client's.
            statuses: StatusSet::default().with_all([401, 403, 408, 429]).with_all(500..=599),
        }
    }
}

impl FailoverPolicy {
    /// Nothing moves on.
    pub fn none() -> Self {
        Self { connect: false, timeout: false, stream_error: false, statuses: StatusSet::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_set_holds_what_was_put_in_and_only_failures() {
        let set = StatusSet::default().with_all([100, 200, 399, 400, 429, 499, 500, 529, 599, 600]);
        let held: Vec<u16> = (0..1000).filter(|status| set.contains(*status)).collect();
        assert_eq!(held, [400, 429, 499, 500, 529, 599]);
    }
}
