//! Several futures at once, a bounded number at a time.
//!
//! Not a pool: they belong to the one who awaits, and are dropped with it. Invariant: at most `width`
//! are under way; results keep the order of the work; the first failure drops all others.

use std::pin::Pin;
use std::task::Poll;

/// Runs all of `work`.
///
/// # Errors
/// The first one that any of them ends with; the others are dropped where they stand.
pub async fn several<T, E, F>(work: Vec<F>, width: usize) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut results: Vec<Option<T>> = work.iter().map(|_| None).collect();
    let mut waiting = work.into_iter().enumerate();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::with_capacity(width);
    std::future::poll_fn(move |cx| {
        loop {
            let room = width.max(1).saturating_sub(running.len());
            running.extend(waiting.by_ref().take(room).map(|(place, future)| (place, Box::pin(future))));
            if running.is_empty() {
                return Poll::Ready(Ok(results.iter_mut().filter_map(Option::take).collect()));
            }
            let before = running.len();
            let mut at = 0;
            while let Some((place, future)) = running.get_mut(at) {
                match future.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(value)) => {
                        if let Some(result) = results.get_mut(*place) {
                            *result = Some(value);
                        }
                        running.swap_remove(at);
                    }
                }
            }
            if running.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    async fn later(turns: usize) {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn results_keep_their_order_and_no_more_than_the_width_run_at_once() {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let job = |number: usize| {
            let (now, most) = (&now, &most);
            async move {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                later(7 - number % 5).await;
                now.set(now.get() - 1);
                Ok::<usize, ()>(number)
            }
        };
        let all = several((0..20).map(job).collect(), 3).await.unwrap();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
        assert_eq!((now.get(), most.get()), (0, 3));
        let none: Vec<std::future::Ready<Result<u8, ()>>> = Vec::new();
        assert_eq!(several(none, 3).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn the_first_failure_ends_all_and_what_waits_never_starts() {
        let started = Cell::new(0);
        let job = |number: usize| {
            let started = &started;
            async move {
                started.set(started.get() + 1);
                later(number).await;
                if number == 1 { Err(number) } else { Ok(number) }
            }
        };
        assert_eq!(several((0..50).map(job).collect(), 2).await, Err(1));
        assert!(started.get() < 6, "{}", started.get());
    }
}
