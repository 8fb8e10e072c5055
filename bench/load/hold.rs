//! Streams that stay open after their first event, so that their memory can be weighed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::connection::{CallError, Connection};
use crate::events::Events;
use crate::options::Hold;
use crate::template::Template;

/// Streams opened at a time, fewer than any listen backlog.
const OPENING_MAX: usize = 64;
/// All streams must be held after this long.
const OPENING_TIME: Duration = Duration::from_secs(30);

/// Holds the streams until stdin closes or the time is over, and reports.
pub async fn run(options: &Hold) -> Result<String, String> {
    let headers = ["x-sim-stamp: 1".to_owned(), "x-sim-fault: hold".to_owned()];
    let template = Template::new(&options.call, &headers)?;
    let gate = Arc::new(Semaphore::new(OPENING_MAX));
    let (held, mut heard) = mpsc::channel::<()>(options.streams.max(1));
    let mut streams = JoinSet::new();
    for number in 0..options.streams as u64 {
        streams.spawn(hold(template.clone(), number, gate.clone(), held.clone()));
    }
    drop(held);
    // One message for each stream that holds; the channel ends early only when all have failed.
    let mut count = 0;
    let opening = tokio::time::timeout(OPENING_TIME, async {
        while count < options.streams && heard.recv().await.is_some() {
            count += 1;
        }
    });
    let _is_late = opening.await;
    println!("held {count}");
    let mut stdin = tokio::io::stdin();
    let (mut end, mut lost, mut last_error) = ([0u8; 16], 0u64, None);
    let limit = tokio::time::sleep(Duration::from_secs_f64(options.seconds));
    tokio::pin!(limit);
    loop {
        tokio::select! {
            () = &mut limit => break,
            read = stdin.read(&mut end) => if !matches!(read, Ok(1..)) { break },
            Some(ended) = streams.join_next() => {
                lost += 1;
                last_error = ended.ok().and_then(Result::err).map(|e| e.to_string()).or(last_error);
            }
        }
    }
    Ok(json!({ "held": count, "lost": lost, "last_error": last_error }).to_string())
}

/// Ends only when the other side ends the stream.
async fn hold(
    mut template: Template,
    number: u64,
    gate: Arc<Semaphore>,
    held: mpsc::Sender<()>,
) -> Result<(), CallError> {
    let mut turn = gate.acquire().await.ok();
    let mut connection = Connection::open(template.addr).await?;
    connection.send(template.numbered(number)).await?;
    let mut answer = connection.head().await?;
    let (mut events, mut stamps) = (Events::default(), 0u64);
    let mut has_told = false;
    while connection.content(&mut answer, &mut |content| events.feed(content, |_| stamps += 1)).await? {
        if stamps > 0 && !has_told {
            has_told = true;
            drop(turn.take());
            let _told = held.try_send(());
        }
    }
    Ok(())
}
