//! The life of one connection: request after request, until one side has enough.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::control;
use super::errors;
use super::faults::{Fault, Faults};
use super::play_script;
use super::play_stream;
use super::play_whole;
use super::reply::{After, Answer, Reply};
use super::request::Head;
use super::router;
use super::shared::Shared;
use super::stats::{Held, Stats};
use super::websocket;
use super::wire::{Broken, Wire};

/// What faults of earlier requests decided for the connection.
#[derive(Default)]
struct Lifetime {
    answered: u64,
    close_after: Option<u64>,
    race_after: Option<u64>,
}

/// Serves a connection to its end.
pub async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _nodelay = stream.set_nodelay(true);
    Stats::add(&shared.stats.connections_total, 1);
    let _open = Held::new(&shared.stats.connections_open);
    let mut wire = Wire::new(stream, shared.clone());
    if shared.scenario().refuses_all() {
        return wire.reset();
    }
    let mut head = Head::default();
    let mut lifetime = Lifetime::default();
    let after = loop {
        match wire.read_head(&mut head).await {
            Ok(true) => {}
            Ok(false) | Err(Broken::Left) => return,
            Err(Broken::Malformed(wrong)) => break refuse_malformed(&mut wire, &wrong.to_string()).await,
        }
        if lifetime.race_after.is_some_and(|limit| lifetime.answered >= limit) {
            break After::Close;
        }
        let after = if head.path().starts_with("/sim/") || head.path() == "/" {
            controlled(&mut wire, &head, &shared).await
        } else {
            exchange(&mut wire, &head, &shared, &mut lifetime).await
        };
        lifetime.answered += 1;
        match after {
            Ok(After::Keep) if !head.is_keep_alive => break After::Close,
            Ok(After::Keep) if lifetime.close_after.is_some_and(|limit| lifetime.answered >= limit) => {
                break After::Close;
            }
            Ok(After::Keep) => {}
            Ok(end) => break end,
            Err(Broken::Left) => return,
            Err(Broken::Malformed(wrong)) => break refuse_malformed(&mut wire, &wrong.to_string()).await,
        }
    };
    match after {
        After::Keep | After::Close => wire.close().await,
        After::Reset => wire.reset(),
    }
}

async fn refuse_malformed(wire: &mut Wire, wrong: &str) -> After {
    log::debug!("sim refuses a connection: {wrong}");
    let body = errors::openai(400, wrong);
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _sent = wire.send((head + &body).as_bytes()).await;
    After::Close
}

async fn controlled(wire: &mut Wire, head: &Head, shared: &Shared) -> Result<After, Broken> {
    let body = wire.read_body(head).await?;
    wire.send(&control::answer(shared, head, &body)).await?;
    Ok(After::Keep)
}

/// One request that counts, told from a client that leaves.
async fn exchange(
    wire: &mut Wire,
    head: &Head,
    shared: &Shared,
    lifetime: &mut Lifetime,
) -> Result<After, Broken> {
    Stats::add(&shared.stats.requests, 1);
    shared.stats.count_path(head.path());
    let _in_flight = Held::new(&shared.stats.in_flight);
    let ended = answer(wire, head, shared, lifetime).await;
    if matches!(ended, Err(Broken::Left)) {
        Stats::add(&shared.stats.aborted, 1);
    }
    ended
}

async fn answer(
    wire: &mut Wire,
    head: &Head,
    shared: &Shared,
    lifetime: &mut Lifetime,
) -> Result<After, Broken> {
    if head.directives.faults.has(Fault::Refuse) {
        return Ok(After::Reset);
    }
    let body = wire.read_body(head).await?;
    if shared.capture.is_on() {
        shared.capture.keep(head, &body);
    }
    if let Some(reply) = shared.scripts.take() {
        return play_script::play(wire, &reply).await;
    }
    let answer = router::answer(shared, head, &body);
    drop(body);
    remember(lifetime, &answer.directives.faults);
    if answer.directives.faults.has(Fault::Refuse) {
        return Ok(After::Reset);
    }
    if answer.directives.faults.has(Fault::BlackHole) {
        return Err(wire.hold().await);
    }
    let _seat = match answer.engine.clone() {
        None => None,
        Some(engine) => tokio::select! {
            seat = engine.enter() => Some(seat),
            left = wire.hold() => return Err(left),
        },
    };
    play(wire, head, shared, answer).await
}

async fn play(wire: &mut Wire, head: &Head, shared: &Shared, answer: Answer) -> Result<After, Broken> {
    let Answer { reply, dialect, mut directives, mut inside, .. } = answer;
    if let Some(inside) = &mut inside {
        inside.work(wire).await?;
        directives.delay_first = directives.delay_first.map(|span| inside.stretched(span));
        directives.delay_token = directives.delay_token.map(|span| inside.stretched(span));
    }
    match reply {
        Reply::Whole(mut whole) => {
            if !head.is_keep_alive {
                whole.headers.push(("connection", "close".to_owned()));
            }
            play_whole::play(wire, shared, &whole, dialect, &directives).await
        }
        Reply::Stream(stream) => {
            let _open = Held::new(&shared.stats.streams_open);
            play_stream::play(wire, head, shared, stream, &directives).await
        }
        Reply::WebSocket => websocket::serve(wire, head).await,
    }
}

fn remember(lifetime: &mut Lifetime, faults: &Faults) {
    if faults.is_empty() {
        return;
    }
    let close =
        faults.find(|fault| if let Fault::CloseIdleAfter(count) = fault { Some(*count) } else { None });
    let race = faults.find(|fault| if let Fault::RaceAfter(count) = fault { Some(*count) } else { None });
    lifetime.close_after = close.or(lifetime.close_after);
    lifetime.race_after = race.or(lifetime.race_after);
}
