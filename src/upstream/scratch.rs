//! Reading without a buffer of one's own: each thread has one, and what came is copied out of it.
//!
//! A connection that waits holds no memory for what may come, and what comes gets as much as it needs.
//! The kernel writes into lines that are still in the processor's cache, which is worth more than the
//! copy costs.

use bytes::BytesMut;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

/// The most one read takes.
pub const SCRATCH_BYTES: usize = 16 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// Reads once and appends what came to `buffer`. 0 is the end of the stream.
pub fn poll_read_into(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut read = ReadBuf::new(scratch);
        match Pin::new(stream).poll_read(cx, &mut read) {
            Poll::Ready(Ok(())) => {
                buffer.extend_from_slice(read.filled());
                Poll::Ready(Ok(read.filled().len()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn what_came_is_appended_and_nothing_is_held_for_what_did_not() {
        let (mut near, mut far) = tokio::io::duplex(4 * SCRATCH_BYTES);
        let mut buffer = BytesMut::new();
        let pending =
            poll_fn(|cx| Poll::Ready(poll_read_into(&mut near, cx, &mut buffer).is_pending())).await;
        assert!(pending && buffer.capacity() == 0);
        far.write_all(b"hello").await.unwrap();
        for more in [&b" "[..], &[b'x'; 2 * SCRATCH_BYTES]] {
            far.write_all(more).await.unwrap();
        }
        let first = poll_fn(|cx| poll_read_into(&mut near, cx, &mut buffer)).await.unwrap();
        assert_eq!((first, buffer.len()), (SCRATCH_BYTES, SCRATCH_BYTES), "no more than a scratch at once");
        while buffer.len() < 6 + 2 * SCRATCH_BYTES {
            poll_fn(|cx| poll_read_into(&mut near, cx, &mut buffer)).await.unwrap();
        }
        assert!(buffer.starts_with(b"hello xx"));
        drop(far);
        assert_eq!(poll_fn(|cx| poll_read_into(&mut near, cx, &mut buffer)).await.unwrap(), 0);
    }
}
