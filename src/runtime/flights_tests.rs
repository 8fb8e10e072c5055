use super::*;
use crate::types::ids::RequestIds;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const RULES: Coalesce = Coalesce { bytes_max: 100, passengers_max: 3 };
const KEY: FlightKey = FlightKey([7; 32]);

fn first(flights: &Arc<Flights>, key: FlightKey) -> (Flying, Passenger) {
    match flights.begin(key, RequestIds::new(1).next(), RULES) {
        Boarding::First(flying, passenger) => (flying, passenger),
        _ => panic!("nobody else has begun"),
    }
}

fn head(is_whole: bool) -> Head {
    Head { status: 200, fields: FieldLines::default(), is_whole }
}

/// What a future comes to without waiting for anybody; None where it waits.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    // The first time it may only have let others go first.
    for _ in 0..2 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(value);
        }
    }
    None
}

/// All that is there for a passenger.
fn read(passenger: &mut Passenger) -> String {
    let mut text = String::new();
    loop {
        match passenger.read() {
            Next::Begin(head, body) => {
                text.push_str(&format!("{} {}", head.status, String::from_utf8_lossy(&body)));
            }
            Next::More(body) => text.push_str(&String::from_utf8_lossy(&body)),
            Next::Nothing => return text,
            Next::Behind => return text + " behind",
            Next::End(landing) => return text + if landing.is_complete { " end" } else { " broken" },
        }
    }
}

#[test]
fn whoever_boards_reads_all_of_it_and_its_end() {
    let flights = Arc::new(Flights::default());
    let (flying, mut leader) = first(&flights, KEY);
    let mut early = flights.board(&KEY).unwrap();
    assert_eq!((early.flight(), read(&mut early)), (leader.flight(), String::new()));
    flying.begin(head(false));
    assert_eq!(now(flying.piece(b"one ")), Some(Ok(())));
    assert_eq!(read(&mut leader), "200 one ");
    assert_eq!(now(flying.piece(b"two ")), Some(Ok(())));
    let mut late = flights.board(&KEY).unwrap();
    assert_eq!(read(&mut leader), "two ");
    assert_eq!(read(&mut early), "200 one two ");
    flying.land(Landing { is_complete: true, ..Landing::default() });
    assert_eq!([read(&mut leader), read(&mut early), read(&mut late)], [" end", " end", "200 one two  end"]);
    assert!(flights.board(&KEY).is_none() && flights.is_empty(), "what has landed is not boarded");
}

#[test]
fn one_that_ends_without_landing_is_broken() {
    let flights = Arc::new(Flights::default());
    let (flying, mut passenger) = first(&flights, KEY);
    drop(flying);
    assert_eq!(read(&mut passenger), " broken");
    assert!(flights.is_empty());
}

#[test]
fn the_fastest_sets_the_pace_and_who_falls_behind_what_is_kept_is_told() {
    let flights = Arc::new(Flights::default());
    let (flying, mut fast) = first(&flights, KEY);
    let mut slow = flights.board(&KEY).unwrap();
    flying.begin(head(false));
    assert_eq!(now(flying.piece(&[b'a'; 50])), Some(Ok(())), "half of what is kept may be unread");
    assert_eq!(now(flying.piece(b"b")), None, "nobody has read that much");
    read(&mut fast);
    assert_eq!(now(flying.piece(&[b'c'; 49])), Some(Ok(())));
    assert!(read(&mut slow).ends_with('c'), "all that is kept is there for the slow one");
    read(&mut fast);
    assert_eq!(now(flying.piece(&[b'd'; 50])), Some(Ok(())));
    read(&mut fast);
    assert_eq!(now(flying.piece(&[b'e'; 50])), Some(Ok(())));
    assert!(flights.board(&KEY).is_none(), "the beginning is gone");
    read(&mut fast);
    assert_eq!(now(flying.piece(&[b'f'; 50])), Some(Ok(())));
    assert_eq!(read(&mut slow), " behind");
    assert_eq!(read(&mut fast), "f".repeat(50));
    assert!(flights.bytes.load(Ordering::Relaxed) <= RULES.bytes_max);
}

#[test]
fn a_flight_that_cannot_be_boarded_is_replaced_and_forgotten_apart() {
    let flights = Arc::new(Flights::default());
    let (full, passenger) = first(&flights, KEY);
    let others: Vec<_> = (1..RULES.passengers_max).map(|_| flights.board(&KEY).unwrap()).collect();
    assert!(flights.board(&KEY).is_none(), "as many as may");
    let (_second, _) = first(&flights, KEY);
    drop((full, passenger, others));
    assert_eq!(flights.len(), 1, "the second one is still there");
    assert!(flights.board(&KEY).is_some());
}

#[test]
fn a_whole_answer_longer_than_what_is_kept_is_read_by_all() {
    let flights = Arc::new(Flights::default());
    let (flying, mut leader) = first(&flights, KEY);
    let mut other = flights.board(&KEY).unwrap();
    flying.begin(head(true));
    assert_eq!(flying.whole(&[b'x'; 1000]), Ok(()));
    flying.land(Landing { is_complete: true, ..Landing::default() });
    let whole = format!("200 {} end", "x".repeat(1000));
    assert_eq!([read(&mut leader), read(&mut other)], [whole.clone(), whole]);
    drop((leader, other));
    assert_eq!(flights.bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn a_deserted_flight_takes_nobody() {
    let flights = Arc::new(Flights::default());
    let (flying, leader) = first(&flights, KEY);
    let other = flights.board(&KEY).unwrap();
    drop(leader);
    assert_eq!(now(flying.deserted()), None, "somebody reads still");
    assert_eq!(now(flying.piece(b"x")), Some(Ok(())));
    drop(other);
    let boarded = flights.board(&KEY).unwrap();
    assert_eq!(now(flying.deserted()), None, "somebody came in time");
    drop(boarded);
    assert_eq!(now(flying.deserted()), Some(()));
    assert!(flights.board(&KEY).is_none());
    assert_eq!(now(flying.piece(b"x")), Some(Err(Deserted)));
}

#[test]
fn only_so_many_flights_are_shared() {
    let flights = Arc::new(Flights::default());
    let key = |number: usize| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_le_bytes());
        FlightKey(key)
    };
    let all: Vec<_> = (0..FLIGHTS_MAX).map(|number| first(&flights, key(number))).collect();
    let more = || flights.begin(key(FLIGHTS_MAX), RequestIds::new(2).next(), RULES);
    assert!(matches!(more(), Boarding::Alone));
    drop(all);
    assert!(matches!(more(), Boarding::First(..)));
    assert!(flights.is_empty());
}
