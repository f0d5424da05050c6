//! What goes wrong inside a task keeps its type on the way to the client, and is treated by it: what passes is tried again,
//! what does not is not.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cases::damage;
use super::client::{Client, Outcome};
use super::cluster::{Cluster, Executor};
use super::dice::Dice;
use super::statement::{Numbers, Statement};
use crate::support::wait_until;

fn fails(cluster: &Cluster, sql: &str, code: &str) -> Outcome {
    let outcome = Client::start(cluster, sql).wait();
    outcome.assert_error(&[code], sql);
    outcome
}

#[test]
fn errors_of_tasks_are_told_apart_and_treated_apart() {
    let numbers = Numbers::of(6_000_000);
    // One try only, so that a lost block is not made good.
    let cluster = Cluster::local(&numbers, 2, &["sluice.cluster.job_attempts=1", "sluice.store.retries=3"]);

    // A user's mistake: not tried again.
    let divided = fails(&cluster, "SELECT sum(10 / (v - 5)) AS s FROM numbers WHERE v < 10", "S0301");
    assert!(divided.stderr.contains("division by zero") && divided.stderr.contains("NULLIF"), "{}", divided.stderr);
    assert_eq!(cluster.attempts(), 1);
    let cast = fails(&cluster, "SELECT CAST(concat('x', v) AS INT) AS i FROM numbers WHERE v = 7", "S0301");
    assert!(cast.stderr.contains("'x7'") && cast.stderr.contains("TRY_CAST"), "{}", cast.stderr);
    assert_eq!(cluster.attempts(), 1);

    // A store that is asked too often: its client tries again, and says so when it gives up.
    for status in ["503 Service Unavailable", "429 Too Many Requests"] {
        let patient = Store::start(status, 2);
        let read = Client::start(&cluster, &patient.query()).wait();
        assert_eq!(read.stdout, "n,s\n3,6\n", "{}", read.stderr);
        assert_eq!(patient.asked(), 3, "{status}");
        let busy = Store::start(status, usize::MAX);
        let throttled = fails(&cluster, &busy.query(), "S0208");
        assert!(throttled.stderr.contains("3 retries"), "{}", throttled.stderr);
        assert!(throttled.stderr.contains("sluice.store.retries"), "{}", throttled.stderr);
        assert_eq!(cluster.attempts(), 1);
    }

    // A damaged block: the cluster's fault, and the same statement succeeds.
    let statement = Statement::aggregate(&numbers);
    let damaged = || {
        let client = Client::start(&cluster, &statement.sql);
        let mut written = Vec::new();
        wait_until("rows between stages", || {
            written = cluster.executors().iter().flat_map(Executor::finished_rows).collect();
            !written.is_empty()
        });
        written.iter().for_each(|file| damage(file, &mut Dice::new(1)));
        client.wait()
    };
    // Rows may have been read before they are damaged.
    let mut outcomes = std::iter::repeat_with(damaged).take(20);
    let lost = outcomes.find(|outcome| outcome.exit != Some(0)).expect("damage that is seen");
    lost.assert_error(&["S0409"], &statement.sql);
    assert!(lost.stderr.contains("damaged"), "{}", lost.stderr);
    statement.succeeds(&cluster);
    cluster.stop();
}

#[test]
fn memory_that_runs_out_says_where_and_what_to_set() {
    let numbers = Numbers::of(6_000_000);
    let cluster = Cluster::local(&numbers, 1, &["sluice.memory.limit=32MiB"]);
    let sql =
        "SELECT max(array_length(a)) AS l FROM (SELECT v % 2 AS k, array_agg(v) AS a FROM numbers GROUP BY v % 2)";
    let outcome = fails(&cluster, sql, "S0302");
    let text = &outcome.stderr;
    assert!(text.contains("MB for FinalHashAggregate") && text.contains("sluice.memory.limit"), "{text}");
    // Once as it was, and once with joins that spill.
    assert_eq!(cluster.attempts(), 2);
    Statement::small(&mut Dice::new(1)).succeeds(&cluster);
    cluster.stop();
}

/// A store with one file, which refuses its first readers.
struct Store {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Store {
    fn start(status: &'static str, refusals: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || answer(stream, status, refusals, &counted));
            }
        });
        Self { port, asked }
    }

    fn query(&self) -> String {
        let name = format!("http{}", self.port);
        // Types are given, so that only a task reads the file.
        format!(
            "CREATE EXTERNAL TABLE {name} (v BIGINT) STORED AS CSV LOCATION 'http://127.0.0.1:{}/file.csv' \
             OPTIONS ('format.has_header' 'true'); SELECT count(*) AS n, sum(v) AS s FROM {name}",
            self.port
        )
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

const FILE: &str = "v\n1\n2\n3\n";

fn answer(mut stream: TcpStream, status: &str, refusals: usize, asked: &AtomicUsize) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    loop {
        let Some(Ok(request)) = lines.next() else { return };
        let mut range = None;
        for header in lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            range = range.or(header.to_lowercase().strip_prefix("range: bytes=").map(str::to_string));
        }
        let refuse = request.starts_with("GET") && asked.fetch_add(1, Ordering::SeqCst) < refusals;
        let head = "Last-Modified: Tue, 01 Sep 2026 10:00:00 GMT\r\nETag: \"1\"";
        let text = if refuse {
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
        } else if request.starts_with("HEAD") {
            format!("HTTP/1.1 200 OK\r\n{head}\r\nContent-Length: {}\r\n\r\n", FILE.len())
        } else if let Some((from, to)) = range.as_deref().and_then(|range| range.split_once('-')) {
            let from: usize = from.parse().unwrap();
            let to = to.parse().unwrap_or(FILE.len() - 1).min(FILE.len() - 1);
            let part = &FILE[from..=to];
            let length = FILE.len();
            format!(
                "HTTP/1.1 206 Partial Content\r\n{head}\r\nContent-Range: bytes {from}-{to}/{length}\r\nContent-Length: {}\r\n\r\n{part}",
                part.len()
            )
        } else {
            format!("HTTP/1.1 200 OK\r\n{head}\r\nContent-Length: {}\r\n\r\n{FILE}", FILE.len())
        };
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}
