//! Long work of the processor, off the worker that other streams need.

/// Bodies up to here are translated on the worker: that is a millisecond or two.
const INLINE_BYTES_MAX: usize = 256 * 1024;

/// Runs `work` over so many `bytes`: here where they are few, else on a thread for such work. None
/// where the process ends meanwhile.
pub async fn aside<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if bytes <= INLINE_BYTES_MAX {
        return Some(work());
    }
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_short_stays_on_its_thread_and_what_is_long_leaves_it() {
        let here = std::thread::current().id();
        let thread_of = |bytes| aside(bytes, || std::thread::current().id());
        assert_eq!(thread_of(INLINE_BYTES_MAX).await, Some(here));
        assert!(thread_of(INLINE_BYTES_MAX + 1).await.is_some_and(|other| other != here));
    }
}
