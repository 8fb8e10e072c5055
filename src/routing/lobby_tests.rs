//! Doors and lines together: nobody overtakes, nothing leaks, no place stays free.

use super::gate::{Concurrency, PACE};
use super::live::TargetLive;
use super::lobby::{Called, Crowded, Grant, Lobby, Ticket, Wanted};
use super::numbers::Numbers;
use crate::types::{Priority, Ticks};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const OWN: (Priority, u64) = (Priority::Normal, 1);

fn at(micros: u64) -> Ticks {
    Ticks::from_start(Duration::from_micros(micros))
}

fn cell(max: u32) -> Arc<TargetLive> {
    let cell = Arc::new(TargetLive::default());
    cell.set_concurrency(Some(Concurrency { max, min: None }), at(0));
    cell
}

fn wanted(cells: &[&Arc<TargetLive>]) -> Vec<Wanted> {
    let one =
        |(target, cell): (usize, &&Arc<TargetLive>)| Wanted { target, cell: (*cell).clone(), is_away: false };
    cells.iter().enumerate().map(one).collect()
}

fn look(ticket: &mut Ticket) -> Poll<Option<Grant>> {
    let called = Pin::new(ticket).poll(&mut Context::from_waker(Waker::noop()));
    called.map(|called| match called? {
        Called::Place(grant) => Some(grant),
        Called::Again => panic!("called to look again"),
    })
}

fn granted(ticket: &mut Ticket) -> Grant {
    match look(ticket) {
        Poll::Ready(Some(grant)) => grant,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_target_lets_nobody_in_until_a_call_ends() {
    let cell = cell(2);
    let first = cell.try_enter().unwrap();
    let _second = cell.try_enter().unwrap();
    assert!(cell.is_full() && cell.try_enter().is_none());
    drop(first);
    assert!(!cell.is_full() && cell.try_enter().is_some());
    assert_eq!((cell.busy(), cell.limit()), (1, Some(2)));
    let open = Arc::new(TargetLive::default());
    let many: Vec<_> = (0..1000).map(|_| open.try_enter().unwrap()).collect();
    assert!(!open.is_full() && open.limit().is_none());
    drop(many);
    assert_eq!(open.busy(), 0);
}

#[test]
fn the_place_of_a_call_that_ends_goes_to_who_is_next_and_nobody_overtakes() {
    let (cell, lobby) = (cell(1), Lobby::new(10));
    let slot = cell.try_enter().unwrap();
    let mut one = lobby.enter(OWN, wanted(&[&cell]), None).unwrap();
    let mut two = lobby.enter(OWN, wanted(&[&cell]), None).unwrap();
    drop(slot);
    assert!(cell.try_enter().is_none());
    let grant = granted(&mut one);
    assert!(look(&mut two).is_pending());
    assert_eq!((grant.target, cell.busy(), cell.waiting(), lobby.len()), (0, 1, 1, 1));
    drop(grant);
    drop(granted(&mut two));
    assert_eq!((cell.busy(), cell.waiting()), (0, 0));
    assert!(cell.try_enter().is_some());
}

#[test]
fn who_leaves_is_out_of_line_and_a_place_given_to_it_goes_on() {
    let (cell, lobby) = (cell(1), Lobby::new(10));
    let slot = cell.try_enter().unwrap();
    let gone = lobby.enter(OWN, wanted(&[&cell]), None).unwrap();
    let called = lobby.enter(OWN, wanted(&[&cell]), None).unwrap();
    let mut last = lobby.enter(OWN, wanted(&[&cell]), None).unwrap();
    drop(gone);
    assert_eq!(lobby.len(), 2);
    drop(slot);
    // It had the place already, and left without a look at it.
    drop(called);
    let grant = granted(&mut last);
    assert_eq!(cell.busy(), 1);
    drop((grant, last));
    assert_eq!((cell.busy(), cell.waiting(), lobby.len()), (0, 0, 0));
}

#[test]
fn a_line_is_bounded_and_who_is_pushed_out_is_told() {
    let (cell, lobby) = (cell(1), Lobby::new(2));
    let slot = cell.try_enter().unwrap();
    let mut one = lobby.enter(OWN, wanted(&[&cell]), None).unwrap();
    let mut two = lobby.enter(OWN, wanted(&[&cell]), None).unwrap();
    assert_eq!(lobby.enter(OWN, wanted(&[&cell]), None).err(), Some(Crowded));
    let mut other = lobby.enter((Priority::Normal, 2), wanted(&[&cell]), None).unwrap();
    assert!(matches!(look(&mut two), Poll::Ready(None)), "the last of who has most");
    assert_eq!((lobby.len(), cell.waiting()), (2, 2));
    drop((slot, two));
    drop(granted(&mut one));
    drop(granted(&mut other));
    assert_eq!((cell.busy(), cell.waiting()), (0, 0));
}

#[test]
fn a_place_that_is_free_already_is_given_at_once() {
    let (full, free, lobby) = (cell(1), cell(1), Lobby::new(2));
    let _slot = full.try_enter().unwrap();
    let mut ticket = lobby.enter(OWN, wanted(&[&full, &free]), None).unwrap();
    assert_eq!(granted(&mut ticket).target, 1);
}

#[test]
fn lines_of_two_models_share_a_target() {
    let cell = cell(1);
    let lobbies = [Lobby::new(50), Lobby::new(50)];
    let mut slot = Some(cell.try_enter().unwrap());
    let mut tickets: Vec<Vec<Ticket>> = lobbies
        .iter()
        .map(|lobby| (0..20).map(|_| lobby.enter(OWN, wanted(&[&cell]), None).unwrap()).collect())
        .collect();
    let mut served = [0, 0];
    for _ in 0..20 {
        drop(slot.take());
        for (model, tickets) in tickets.iter_mut().enumerate() {
            if let Some(Poll::Ready(grant)) = tickets.first_mut().map(look) {
                slot = grant.map(|grant| grant.slot);
                served[model] += 1;
                drop(tickets.remove(0));
            }
        }
    }
    assert_eq!(served, [10, 10]);
}

#[test]
fn more_room_calls_more_of_those_who_wait_and_less_room_calls_nobody() {
    let (cell, lobby) = (cell(1), Lobby::new(10));
    let slot = cell.try_enter().unwrap();
    let mut tickets: Vec<Ticket> =
        (0..4).map(|_| lobby.enter(OWN, wanted(&[&cell]), None).unwrap()).collect();
    cell.set_concurrency(Some(Concurrency { max: 3, min: None }), at(1));
    let grants: Vec<Grant> = tickets.drain(..2).map(|mut ticket| granted(&mut ticket)).collect();
    assert_eq!((cell.busy(), lobby.len()), (3, 2));
    cell.set_concurrency(Some(Concurrency { max: 1, min: None }), at(2));
    drop(grants);
    assert_eq!((cell.busy(), lobby.len()), (1, 2));
    drop(slot);
    assert_eq!((cell.busy(), lobby.len()), (1, 1));
    // A reload takes the limit away.
    cell.set_concurrency(None, at(3));
    assert_eq!((cell.limit(), lobby.len()), (None, 0));
}

#[test]
fn those_who_wait_for_a_target_to_be_back_are_let_through_one_after_the_other() {
    let cell = Arc::new(TargetLive::default());
    let lobby = Lobby::new(10);
    let away = || vec![Wanted { target: 3, cell: cell.clone(), is_away: true }];
    let mut tickets: Vec<Ticket> = (0..3).map(|_| lobby.enter(OWN, away(), None).unwrap()).collect();
    assert!(cell.is_full() && cell.try_enter().is_none(), "a newcomer does not overtake");
    let now = at(5_000);
    let next = cell.pass(now);
    assert_eq!((next, lobby.len()), (now.plus(PACE), 2));
    assert_eq!(cell.pass(now.plus(PACE / 2)), next, "not yet");
    assert_eq!(granted(&mut tickets[0]).target, 3);
    cell.pass(next);
    cell.pass(next.plus(PACE));
    assert_eq!((lobby.len(), cell.waiting()), (0, 0));
    assert_eq!(cell.pass(next.plus(PACE * 2)), next.plus(PACE * 3), "nobody is left");
    drop(tickets);
    assert_eq!(cell.busy(), 0);
}

#[test]
fn the_limit_that_is_learned_opens_and_shuts_the_door() {
    let cell = Arc::new(TargetLive::default());
    cell.set_concurrency(Some(Concurrency { max: 50, min: Some(2) }), at(0));
    assert_eq!(cell.limit(), Some(2));
    let lobby = Lobby::new(100);
    let _slots = [cell.try_enter().unwrap(), cell.try_enter().unwrap()];
    let _tickets: Vec<Ticket> = (0..60).map(|_| lobby.enter(OWN, wanted(&[&cell]), None).unwrap()).collect();
    for n in 0..2_000 {
        cell.note_first(Duration::from_millis(100), at(1_000_000 + n * 1000));
    }
    assert!(cell.limit().unwrap() > 40, "{:?}", cell.limit());
    assert_eq!(cell.busy() as usize + lobby.len(), 62);
    assert_eq!(cell.busy(), cell.limit().unwrap());
    let before = cell.limit();
    (0..4).for_each(|n| cell.note_drop(at(5_000_000 + n)));
    assert!(cell.limit() < before);
}

/// Threads that come, wait, leave and end at random, over two targets and two lines.
#[test]
fn whatever_calls_do_no_place_is_lost_and_no_limit_is_passed() {
    let cells = [cell(3), cell(2)];
    let lobbies = [Lobby::new(8), Lobby::new(8)];
    std::thread::scope(|scope| {
        for seed in 0..8_u64 {
            let (cells, lobbies) = (&cells, &lobbies);
            scope.spawn(move || {
                let mut numbers = Numbers::new(seed);
                for _ in 0..3_000 {
                    let lobby = &lobbies[numbers.below(2) as usize];
                    let mut grant = cells.iter().find_map(TargetLive::try_enter);
                    if grant.is_none() {
                        let of = (Priority::ALL[numbers.below(3) as usize], numbers.below(4));
                        let Ok(mut ticket) = lobby.enter(of, wanted(&[&cells[0], &cells[1]]), None) else {
                            continue;
                        };
                        for _ in 0..numbers.below(30) {
                            if let Poll::Ready(Some(called)) = look(&mut ticket) {
                                grant = Some(called.slot);
                                break;
                            }
                            std::thread::yield_now();
                        }
                    }
                    assert!(cells[0].busy() <= 3 && cells[1].busy() <= 2);
                    if numbers.below(2) == 0 {
                        std::thread::yield_now();
                    }
                    drop(grant);
                }
            });
        }
    });
    assert_eq!(cells.each_ref().map(|cell| (cell.busy(), cell.waiting())), [(0, 0), (0, 0)]);
    assert_eq!(lobbies.each_ref().map(|lobby| lobby.len()), [0, 0]);
}

#[test]
fn who_waits_for_a_target_that_is_taken_out_looks_again_and_keeps_its_place_in_line() {
    let (one, two, lobby) = (cell(1), cell(1), Lobby::new(10));
    let (held, other) = (one.try_enter().unwrap(), two.try_enter().unwrap());
    let mut first = lobby.enter(OWN, wanted(&[&one, &two]), None).unwrap();
    let only_two = || vec![Wanted { target: 1, cell: two.clone(), is_away: false }];
    let second = lobby.enter(OWN, only_two(), None).unwrap();
    one.set_drained(true);
    let called = Pin::new(&mut first).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(called, Poll::Ready(Some(Called::Again))), "{called:?}");
    assert_eq!((lobby.len(), one.waiting(), two.waiting()), (1, 0, 1), "who waits for another stays");
    let mut again = lobby.enter(OWN, only_two(), Some(first.place())).unwrap();
    drop((other, held));
    assert_eq!(granted(&mut again).target, 1, "it is ahead of the second still");
    drop(second);
}

#[test]
fn a_line_takes_more_or_fewer_from_one_moment_on_and_lets_nobody_go() {
    let (cell, lobby) = (cell(1), Lobby::new(2));
    let _held = cell.try_enter().unwrap();
    let stand = || lobby.enter(OWN, wanted(&[&cell]), None);
    let _two = [stand().unwrap(), stand().unwrap()];
    assert_eq!(stand().err(), Some(Crowded));
    lobby.set_most(3);
    let _third = stand().unwrap();
    lobby.set_most(1);
    assert_eq!((lobby.len(), stand().err()), (3, Some(Crowded)));
}
