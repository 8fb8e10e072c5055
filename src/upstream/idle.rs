//! Connections that wait for their next request.
//!
//! Pingora's pool spawns a task for each connection given back, which on small answers is a
//! twentieth of a request. Here a connection is pushed on a stack and asked when it is taken whether
//! it is still quiet. Last in, first out, so that what is not needed grows old; one sweep a second
//! closes what is too old or was closed by the other side, as long as anything waits.
//!
//! Invariant: never more than [`IDLE_MAX`] connections, none longer than its idle timeout plus a
//! sweep.

use super::plain::PlainStream;
use pingora_core::protocols::Stream;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, sleep};

/// Connections kept idle over all origins.
const IDLE_MAX: usize = 4096;
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The worker whose runtime a connection belongs to. Used from another one it costs a wake-up of
/// that other thread for each read.
pub type Home = ThreadId;

/// A pool; shared.
#[derive(Default)]
pub struct IdlePool {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_key: HashMap<u64, Vec<Idle>>,
    count: usize,
    is_swept: bool,
}

struct Idle {
    stream: Stream,
    home: Home,
    until: Instant,
}

/// The worker that runs this.
pub fn here() -> Home {
    thread::current().id()
}

impl IdlePool {
    /// A connection that is still quiet: this worker's if there is one, else any.
    pub fn take(&self, key: u64) -> Option<(Stream, Home)> {
        let here = here();
        loop {
            let mut idle = self.pop(key, here)?;
            if is_quiet(&mut idle.stream) {
                return Some((idle.stream, idle.home));
            }
        }
    }

    /// Keeps a connection that is between two requests, at most for `idle_timeout`.
    pub fn put(self: &Arc<Self>, key: u64, stream: Stream, home: Home, idle_timeout: Duration) {
        let until = Instant::now() + idle_timeout;
        let mut inner = self.lock();
        if inner.count >= IDLE_MAX {
            // Closed by being dropped.
            return;
        }
        inner.count += 1;
        inner.by_key.entry(key).or_default().push(Idle { stream, home, until });
        if !inner.is_swept {
            inner.is_swept = true;
            // It ends with the pool, or once nothing waits.
            tokio::runtime::Handle::current().spawn(sweep(Arc::downgrade(self)));
        }
    }

    fn pop(&self, key: u64, here: Home) -> Option<Idle> {
        let mut inner = self.lock();
        let waiting = inner.by_key.get_mut(&key)?;
        let idle = match waiting.iter().rposition(|idle| idle.home == here) {
            Some(at) => Some(waiting.swap_remove(at)),
            None => waiting.pop(),
        };
        inner.count -= usize::from(idle.is_some());
        idle
    }

    /// Closes what has waited too long, or was closed. True while anything is left.
    fn sweep(&self, now: Instant) -> bool {
        let mut inner = self.lock();
        let mut left = 0;
        inner.by_key.retain(|_, waiting| {
            waiting.retain_mut(|idle| idle.until > now && is_quiet(&mut idle.stream));
            left += waiting.len();
            !waiting.is_empty()
        });
        inner.count = left;
        inner.is_swept = left > 0;
        left > 0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(pool: Weak<IdlePool>) {
    loop {
        sleep(SWEEP_EVERY).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.sweep(Instant::now()) {
            return;
        }
    }
}

/// Whether nothing has arrived on a connection, an end included.
fn is_quiet(stream: &mut Stream) -> bool {
    if let Some(plain) = stream.as_any().downcast_ref::<PlainStream>() {
        return plain.is_quiet();
    }
    // Within TLS only reading tells; what is read was not asked for, and ends the connection.
    let mut byte = [0u8; 1];
    let mut read = ReadBuf::new(&mut byte);
    let polled = Pin::new(stream).poll_read(&mut Context::from_waker(Waker::noop()), &mut read);
    matches!(polled, Poll::Pending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    async fn pair(listener: &TcpListener) -> (Stream, TcpStream) {
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        (Box::new(PlainStream::new(near).unwrap()), far)
    }

    fn id(stream: &Stream) -> i32 {
        stream.id()
    }

    #[tokio::test]
    async fn the_last_connection_given_back_is_the_first_taken_and_keys_are_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pool = Arc::new(IdlePool::default());
        let (first, _far1) = pair(&listener).await;
        let (second, _far2) = pair(&listener).await;
        let (id1, id2) = (id(&first), id(&second));
        pool.put(1, first, here(), Duration::from_secs(9));
        pool.put(1, second, here(), Duration::from_secs(9));
        assert!(pool.take(2).is_none());
        assert_eq!(pool.take(1).map(|(s, _)| id(&s)), Some(id2));
        assert_eq!(pool.take(1).map(|(s, _)| id(&s)), Some(id1));
        assert!(pool.take(1).is_none());
        assert_eq!(pool.lock().count, 0);
    }

    #[tokio::test]
    async fn a_connection_of_this_worker_goes_before_a_later_one_of_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pool = Arc::new(IdlePool::default());
        let (own, _far1) = pair(&listener).await;
        let (foreign, _far2) = pair(&listener).await;
        let own_id = id(&own);
        let elsewhere = thread::spawn(here).join().unwrap();
        pool.put(1, own, here(), Duration::from_secs(9));
        pool.put(1, foreign, elsewhere, Duration::from_secs(9));
        assert_eq!(pool.take(1).map(|(s, _)| id(&s)), Some(own_id));
        assert_eq!(pool.take(1).map(|(_, home)| home), Some(elsewhere));
    }

    #[tokio::test]
    async fn what_was_closed_or_says_something_is_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pool = Arc::new(IdlePool::default());
        let (closed, far_closed) = pair(&listener).await;
        let (noisy, mut far_noisy) = pair(&listener).await;
        pool.put(1, closed, here(), Duration::from_secs(9));
        pool.put(1, noisy, here(), Duration::from_secs(9));
        drop(far_closed);
        far_noisy.write_all(b"HTTP/1.1 408 \r\n\r\n").await.unwrap();
        assert!(pool.take(1).is_none());
    }

    #[tokio::test]
    async fn a_sweep_closes_what_is_too_old() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pool = Arc::new(IdlePool::default());
        let (old, mut far) = pair(&listener).await;
        let (young, _far) = pair(&listener).await;
        pool.put(1, old, here(), Duration::from_secs(1));
        pool.put(2, young, here(), Duration::from_secs(60));
        assert!(pool.sweep(Instant::now() + Duration::from_secs(2)));
        assert_eq!(far.read(&mut [0u8; 1]).await.unwrap(), 0, "the other side sees the end");
        assert!(pool.take(1).is_none() && pool.lock().count == 1);
        assert!(!pool.sweep(Instant::now() + Duration::from_secs(61)));
        assert_eq!(pool.lock().count, 0);
    }
}
