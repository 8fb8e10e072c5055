//! Pushing to ClickHouse, against a small HTTP server of the test: it speaks HTTP, and knows ClickHouse's
//! parameters and nothing of SQL. No ClickHouse server has been asked.

use crate::harness::{Engine, calls, run, until};
use crate::write_behind::parts;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use tidegate::store::ledger::{ClickHouse, ClickHouseUrl, Ledger, Parts};
use tidegate::types::Secret;

/// What a server saw, and how it answers.
#[derive(Default)]
struct Seen {
    /// Rows by the token they came under.
    inserts: HashMap<String, Vec<String>>,
    heads: Vec<String>,
    attempts: usize,
}

type Answer = fn(usize) -> &'static str;

fn serve(answer: Answer) -> (SocketAddr, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Seen>>::default());
    let shared = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            take(stream.unwrap(), &shared, answer);
        }
    });
    (address, seen)
}

fn take(mut stream: TcpStream, seen: &Mutex<Seen>, answer: Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            return;
        }
    }
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut seen = seen.lock().unwrap();
    let answer = answer(seen.attempts);
    seen.attempts += 1;
    // Rows are kept even where the answer gets lost: that is what the token is for.
    if !answer.starts_with("HTTP/1.1 500") {
        let token =
            head.split("insert_deduplication_token=").nth(1).unwrap().split([' ', '&']).next().unwrap();
        let rows = String::from_utf8(body).unwrap().lines().map(str::to_owned).collect();
        seen.inserts.insert(token.to_owned(), rows);
    }
    seen.heads.push(head);
    drop(seen);
    let _ = stream.write_all(answer.as_bytes());
}

fn to(address: SocketAddr) -> ClickHouse {
    ClickHouse {
        url: ClickHouseUrl::parse(&format!("http://{address}")).unwrap(),
        table: "tidegate.calls".to_owned(),
        user: Some("writer".to_owned()),
        password: Some(Secret::new("pass word")),
    }
}

fn rows(seen: &Mutex<Seen>) -> Vec<String> {
    seen.lock().unwrap().inserts.values().flatten().cloned().collect()
}

const TAKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[test]
fn every_call_is_pushed_as_one_row() {
    run(Engine::Sqlite, |place| async move {
        let (address, seen) = serve(|_| TAKEN);
        let opened = place.open().await;
        let parts = Parts {
            clickhouse: Some(to(address)),
            ..parts(opened.store.clone(), &place.folder.join("spool"))
        };
        let counters = parts.counters.clone();
        let ledger = Ledger::start(parts).unwrap();
        let made = calls(1, 25_000);
        made.iter().for_each(|call| ledger.record(call.clone()));
        until("they are pushed", || async { counters.pushed.get() == 25_000 }).await;
        let mut ids: Vec<String> = rows(&seen)
            .iter()
            .map(|row| {
                let row: serde_json::Value = serde_json::from_str(row).unwrap();
                assert_eq!((row["input"].as_u64(), row["tenant"].is_string()), (Some(100), true));
                row["id"].as_str().unwrap().to_owned()
            })
            .collect();
        ids.sort();
        let mut expected: Vec<String> = made.iter().map(|call| call.id.to_string()).collect();
        expected.sort();
        assert_eq!(ids, expected);
        let head = seen.lock().unwrap().heads[0].clone();
        assert!(
            head.starts_with(
                "POST /?query=INSERT%20INTO%20tidegate.calls%20FORMAT%20JSONEachRow&async_insert=1&"
            ),
            "{head}"
        );
        assert!(head.contains("\r\nx-clickhouse-user: writer\r\nx-clickhouse-key: pass word\r\n"), "{head}");
    });
}

#[test]
fn what_is_refused_or_lost_on_the_way_is_sent_again_under_its_token() {
    run(Engine::Sqlite, |place| async move {
        let (address, seen) = serve(|attempt| match attempt {
            0 => "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\nbusy",
            // Kept, but the answer breaks off.
            1 => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbro",
            2 => "HTTP/1.1 200 OK\r\nx-clickhouse-exception-code: 241\r\ncontent-length: 0\r\n\r\n",
            _ => TAKEN,
        });
        let opened = place.open().await;
        let parts = Parts {
            clickhouse: Some(to(address)),
            ..parts(opened.store.clone(), &place.folder.join("spool"))
        };
        let counters = parts.counters.clone();
        let ledger = Ledger::start(parts).unwrap();
        calls(1, 100).into_iter().for_each(|call| ledger.record(call));
        until("they are pushed", || async { counters.pushed.get() == 100 }).await;
        assert_eq!(rows(&seen).len(), 100, "what came twice came under one token");
        assert!(seen.lock().unwrap().attempts >= 4);
        // The store had them all the while.
        until("they are written", || async { counters.written.get() == 100 }).await;
        place.check_ledger(100).await;
    });
}
