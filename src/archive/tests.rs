//! The archive at each of its bounds.

use super::*;
use crate::types::Ticks;
use std::sync::Arc;
use std::time::Duration;

const ROOMY: Bounds = Bounds { bytes_max: 1 << 20, entries_max: 100, ttl: Duration::from_secs(60) };

fn at(second: u64) -> Ticks {
    Ticks::from_start(Duration::from_secs(second))
}

fn item(archive: &Archive, id: &str, json: &str) -> Vec<Arc<Item>> {
    archive.items(vec![NewItem { id: id.to_owned(), json: json.to_owned() }])
}

/// A response with one item of input and one of output.
fn response(archive: &Archive, id: &str, before: Before) -> NewResponse {
    let json = format!(r#"{{"output":["{id}"]}}"#);
    let output = 11..json.len() - 2;
    let input = item(archive, "i", &format!("\"ask {id}\""));
    NewResponse { id: id.to_owned(), json, output, outputs: 1, input, before }
}

fn put(archive: &Archive, owner: &str, id: &str, bounds: &Bounds) -> Result<(), NotKept> {
    archive.put_response(owner, response(archive, id, Before::Nothing), bounds, at(0))
}

fn goes_on(archive: &Archive, id: &str, from: &str) {
    let before = Before::Response(archive.response("a", from, at(0)).unwrap());
    archive.put_response("a", response(archive, id, before), &ROOMY, at(0)).unwrap();
}

#[test]
fn a_chain_is_told_from_its_beginning() {
    let archive = Archive::default();
    put(&archive, "a", "r1", &ROOMY).unwrap();
    goes_on(&archive, "r2", "r1");
    goes_on(&archive, "r3", "r2");
    let last = archive.response("a", "r3", at(0)).unwrap();
    let all = [r#""ask r1""#, r#""r1""#, r#""ask r2""#, r#""r2""#, r#""ask r3""#, r#""r3""#];
    assert_eq!(last.history(), History { texts: all.to_vec(), items: 6 });
    assert_eq!(last.asked(), History { texts: all[..5].to_vec(), items: 5 });
    assert_eq!(last.history().bytes(), all.iter().map(|text| text.len() + 1).sum::<usize>());
}

#[test]
fn a_deleted_response_is_gone_by_its_id_and_stays_where_others_go_on_from_it() {
    let archive = Archive::default();
    put(&archive, "a", "r1", &ROOMY).unwrap();
    goes_on(&archive, "r2", "r1");
    assert!(!archive.remove("b", "r1", at(0)), "it is another's");
    assert!(archive.remove("a", "r1", at(0)) && !archive.remove("a", "r1", at(0)));
    assert!(archive.response("a", "r1", at(0)).is_none());
    assert_eq!(archive.response("a", "r2", at(0)).unwrap().history().items, 4);
    assert!(archive.remove("a", "r2", at(0)));
    assert_eq!(archive.size(at(0)), (0, 0), "nothing is held for nobody");
}

#[test]
fn a_chain_of_any_length_is_let_go() {
    let archive = Archive::default();
    let bounds = Bounds { bytes_max: 1 << 30, entries_max: 1, ttl: ROOMY.ttl };
    let mut before = Before::Nothing;
    for serial in 0..50_000 {
        let id = format!("r{serial}");
        archive.put_response("a", response(&archive, &id, before), &bounds, at(0)).unwrap();
        before = Before::Response(archive.response("a", &id, at(0)).unwrap());
    }
    drop(before);
    assert_eq!(archive.size(at(0)).0, 1);
    assert!(archive.remove("a", "r49999", at(0)));
    assert_eq!(archive.size(at(0)), (0, 0));
}

#[test]
fn an_owner_has_so_many_entries_and_takes_nobody_elses_place() {
    let archive = Archive::default();
    let bounds = Bounds { entries_max: 2, ..ROOMY };
    put(&archive, "b", "other", &bounds).unwrap();
    for id in ["r1", "r2"] {
        put(&archive, "a", id, &bounds).unwrap();
    }
    assert!(archive.response("a", "r1", at(0)).is_some(), "used, it stays");
    put(&archive, "a", "r3", &bounds).unwrap();
    let is_kept = |owner, id| archive.response(owner, id, at(0)).is_some();
    assert_eq!([is_kept("a", "r1"), is_kept("a", "r2"), is_kept("a", "r3")], [true, false, true]);
    assert!(is_kept("b", "other") && !is_kept("a", "other"));
    assert_eq!(archive.size(at(0)).0, 3);
}

#[test]
fn no_more_bytes_are_held_than_may_be() {
    let archive = Archive::default();
    put(&archive, "a", "probe", &ROOMY).unwrap();
    let (_, one) = archive.size(at(0));
    assert!(archive.remove("a", "probe", at(0)));
    let bounds = Bounds { bytes_max: one * 10, entries_max: usize::MAX, ..ROOMY };
    for serial in 0..1000 {
        put(&archive, "a", &format!("r{serial:04}"), &bounds).unwrap();
        assert!(archive.size(at(0)).1 <= bounds.bytes_max);
    }
    assert!(archive.size(at(0)).0 >= 9, "{:?}", archive.size(at(0)));
    assert!(archive.response("a", "r0999", at(0)).is_some());
    assert!(archive.response("a", "r0500", at(0)).is_none());
}

#[test]
fn what_would_take_more_than_a_quarter_is_not_kept_and_drives_nothing_out() {
    let archive = Archive::default();
    put(&archive, "a", "r1", &ROOMY).unwrap();
    let (entries, one) = archive.size(at(0));
    let tight = Bounds { bytes_max: one * 4, ..ROOMY };
    put(&archive, "a", "r2", &tight).unwrap();
    let below = Bounds { bytes_max: one * 4 - 1, ..ROOMY };
    assert_eq!(put(&archive, "a", "r3", &below), Err(NotKept::TooLarge));
    assert_eq!(archive.size(at(0)), (entries + 1, one * 2));
    // A chain counts whole.
    let before = Before::Response(archive.response("a", "r1", at(0)).unwrap());
    let next = response(&archive, "r4", before);
    assert_eq!(archive.put_response("a", next, &tight, at(0)), Err(NotKept::TooLarge));
    assert_eq!(archive.size(at(0)), (entries + 1, one * 2), "and leaves nothing behind");
}

#[test]
fn where_nothing_may_be_kept_nothing_is() {
    let archive = Archive::default();
    for bounds in [Bounds { bytes_max: 0, ..ROOMY }, Bounds { entries_max: 0, ..ROOMY }] {
        assert_eq!(put(&archive, "a", "r1", &bounds), Err(NotKept::Off));
        let made = archive.put_conversation("a", ("c".into(), 0, "{}".into()), Vec::new(), &bounds, at(0));
        assert_eq!(made.err(), Some(NotKept::Off));
    }
    assert_eq!(archive.size(at(0)), (0, 0));
}

#[test]
fn entries_end_responses_from_when_they_were_made_and_conversations_from_their_last_change() {
    let archive = Archive::default();
    put(&archive, "a", "r1", &ROOMY).unwrap();
    archive.put_conversation("a", ("c".into(), 0, "{}".into()), Vec::new(), &ROOMY, at(0)).unwrap();
    assert!(archive.response("a", "r1", at(59)).is_some());
    let more = item(&archive, "m1", "1");
    assert!(archive.append("a", "c", &more, &ROOMY, at(59)).unwrap().is_some());
    assert!(archive.response("a", "r1", at(60)).is_none());
    assert!(archive.conversation("a", "c", at(118)).is_some());
    assert!(archive.conversation("a", "c", at(119)).is_none());
    drop(more);
    assert_eq!(archive.size(at(119)), (0, 0));
}

#[test]
fn a_conversation_grows_shrinks_and_is_its_owners() {
    let archive = Archive::default();
    let first = item(&archive, "m1", "1");
    archive.put_conversation("a", ("c".into(), 7, "{}".into()), first, &ROOMY, at(0)).unwrap();
    let second = item(&archive, "m2", "2");
    assert!(archive.append("b", "c", &second, &ROOMY, at(0)).unwrap().is_none());
    let held = archive.append("a", "c", &second, &ROOMY, at(0)).unwrap().unwrap();
    assert_eq!(History::of(&held.items), History { texts: vec!["1", "2"], items: 2 });
    let held = archive.set_metadata("a", "c", r#"{"k":"v"}"#.into(), &ROOMY, at(0)).unwrap().unwrap();
    assert_eq!((held.metadata.as_str(), held.created, held.items.len()), (r#"{"k":"v"}"#, 7, 2));
    assert!(archive.remove_item("a", ("c", "m3"), &ROOMY, at(0)).unwrap().is_none());
    let held = archive.remove_item("a", ("c", "m1"), &ROOMY, at(0)).unwrap().unwrap();
    assert!(held.item("m1").is_none() && held.item("m2").is_some());
    assert!(archive.conversation("b", "c", at(0)).is_none());
    assert!(archive.response("a", "c", at(0)).is_none(), "it is no response");
}

#[test]
fn a_conversation_that_would_grow_too_large_stays_as_it_was() {
    let archive = Archive::default();
    archive.put_conversation("a", ("c".into(), 0, "{}".into()), Vec::new(), &ROOMY, at(0)).unwrap();
    let long = "x".repeat(ROOMY.bytes_max / 4);
    let more = item(&archive, "m1", &long);
    assert_eq!(archive.append("a", "c", &more, &ROOMY, at(0)).err(), Some(NotKept::TooLarge));
    assert_eq!(archive.conversation("a", "c", at(0)).unwrap().items.len(), 0);
}

#[test]
fn a_response_of_a_conversation_remembers_what_the_conversation_held() {
    let archive = Archive::default();
    let items = item(&archive, "m1", "\"before\"");
    let held = archive.put_conversation("a", ("c".into(), 0, "{}".into()), items, &ROOMY, at(0)).unwrap();
    let new = response(&archive, "r1", Before::Items(held.items.clone()));
    archive.put_response("a", new, &ROOMY, at(0)).unwrap();
    archive.remove("a", "c", at(0));
    let kept = archive.response("a", "r1", at(0)).unwrap();
    assert_eq!(kept.history().texts, ["\"before\"", "\"ask r1\"", "\"r1\""]);
}

/// Notes what it is told.
#[derive(Debug, Default)]
struct Notes(std::sync::Mutex<Vec<(String, Option<Entry>)>>);

impl Journal for Notes {
    fn put(&self, owner: &str, entry: Entry, _: Duration) {
        self.0.lock().unwrap().push((owner.to_owned(), Some(entry)));
    }

    fn removed(&self, owner: &str, _: &str) {
        self.0.lock().unwrap().push((owner.to_owned(), None));
    }
}

#[test]
fn what_is_told_can_be_put_back_elsewhere_as_it_was() {
    let (archive, notes) = (Archive::default(), Arc::new(Notes::default()));
    archive.tell(notes.clone());
    let items = item(&archive, "m1", "{\"id\":\"m1\", \"text\":\"é\"}");
    archive.put_conversation("a", ("c".into(), 7, r#"{"k":1}"#.into()), items, &ROOMY, at(0)).unwrap();
    let held = archive.append("a", "c", &item(&archive, "m2", "{\"id\":\"m2\"}"), &ROOMY, at(0)).unwrap();
    let new = response(&archive, "r1", Before::Items(held.unwrap().items.clone()));
    archive.put_response("a", new, &ROOMY, at(0)).unwrap();
    goes_on(&archive, "r2", "r1");
    goes_on(&archive, "r3", "r2");
    assert!(archive.remove("a", "c", at(0)) && !archive.remove("b", "r1", at(0)));
    let told = std::mem::take(&mut *notes.0.lock().unwrap());
    assert_eq!(
        told.iter().map(|(owner, entry)| (owner.as_str(), entry.is_some())).collect::<Vec<_>>(),
        [("a", true), ("a", true), ("a", true), ("a", true), ("a", true), ("a", false)]
    );
    let entries: Vec<Entry> = told.into_iter().filter_map(|(_, entry)| entry).collect();
    let roots: Vec<(&str, Option<&str>)> =
        entries[2..].iter().map(|entry| (entry.root.as_str(), entry.before.as_deref())).collect();
    assert_eq!(roots, [("r1", None), ("r1", Some("r1")), ("r1", Some("r2"))]);

    let other = Archive::default();
    assert!(other.restore("a", "r3", &entries[2..], &ROOMY, at(0)));
    let (was, is) = (archive.response("a", "r3", at(0)).unwrap(), other.response("a", "r3", at(0)).unwrap());
    assert_eq!((was.history(), was.json()), (is.history(), is.json()));
    assert!(other.response("b", "r3", at(0)).is_none() && other.holds("a", "r3", at(0)));
    assert!(other.restore("a", "c", &entries[1..2], &ROOMY, at(0)));
    let held = other.conversation("a", "c", at(0)).unwrap();
    assert_eq!((held.created, held.metadata.as_str(), held.items.len()), (7, r#"{"k":1}"#, 2));
    assert_eq!(held.items[0].json, "{\"id\":\"m1\", \"text\":\"é\"}");
}

#[test]
fn what_is_not_whole_is_not_put_back() {
    let (archive, notes) = (Archive::default(), Arc::new(Notes::default()));
    archive.tell(notes.clone());
    put(&archive, "a", "r1", &ROOMY).unwrap();
    goes_on(&archive, "r2", "r1");
    let entries: Vec<Entry> = notes.0.lock().unwrap().iter().filter_map(|(_, entry)| entry.clone()).collect();
    let other = Archive::default();
    assert!(!other.restore("a", "r2", &entries[1..], &ROOMY, at(0)), "its beginning is missing");
    assert!(!other.restore("a", "r9", &entries, &ROOMY, at(0)));
    let mut circle = entries.clone();
    circle[0].before = Some("r2".into());
    assert!(!other.restore("a", "r2", &circle, &ROOMY, at(0)), "a circle is no chain");
    let tight = Bounds { bytes_max: 64, ..ROOMY };
    assert!(!other.restore("a", "r2", &entries, &tight, at(0)), "there is no room");
    for body in ["", "[]", "{}", r#"{"response":{}}"#, r#"{"response":{"output":[]}}"#] {
        let broken = Entry { body: body.into(), ..entries[0].clone() };
        assert!(!other.restore("a", "r1", &[broken], &ROOMY, at(0)), "{body}");
    }
    assert_eq!(other.size(at(0)).0, 0);
}
