//! Bad input: a clear message with its place and one hint, the right exit code, and nothing half written.

use std::net::TcpListener;
use std::path::Path;

use crate::support::{MASTERS, Scratch, SmallDisk, stderr, stdout};

/// Runs one statement and gives its exit code and message.
fn fail(scratch: &Scratch, master: &str, sql: &str) -> (Option<i32>, String) {
    let output = scratch.run(&["sql", "--master", master, "-e", sql]);
    assert_eq!(stdout(&output), "", "{sql}");
    (output.status.code(), stderr(&output))
}

/// Names of a folder's entries, hidden ones too.
fn entries(folder: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn statements_that_are_wrong_say_where_and_what_was_meant() {
    let scratch = Scratch::new();
    let orders = scratch.path("orders.parquet");
    let made = format!("COPY (SELECT 1 AS order_id, 2 AS customer_id, 3.5 AS price) TO '{orders}'");
    assert!(scratch.run(&["sql", "-e", &made]).status.success());
    let create = format!("CREATE EXTERNAL TABLE orders STORED AS PARQUET LOCATION '{orders}'");
    assert!(scratch.run(&["sql", "-e", &create]).status.success());
    let cases = [
        (
            "SELECT custmer_id FROM orders",
            "S0102",
            vec!["line 1, column 8", "did you mean \"customer_id\"?", "columns of `orders`"],
        ),
        ("SELECT 1 FROM ordrs", "S0101", vec!["line 1, column 15", "did you mean \"orders\"?"]),
        ("SELECT date_trnc('day', now())", "S0103", vec!["line 1, column 8", "date_trunc"]),
        ("SELECT 1 +* 2", "S0001", vec!["^"]),
        ("SET sluice.memory.limt = '1GB'", "S0104", vec!["sluice.memory.limit"]),
        ("SET datafusion.execution.batch_size = 'many'", "S0105", vec!["batch_size"]),
        ("SELECT sum(order_id, 'x') FROM orders", "S0106", vec!["hint"]),
        ("SELECT 1 FROM 'nowhere/at/all.parquet'", "S0201", vec!["nowhere/at/all.parquet", "hint"]),
        ("SELECT CAST(concat('x', price) AS INT) FROM orders", "S0301", vec!["x3.5"]),
    ];
    for master in MASTERS {
        for (sql, code, parts) in &cases {
            let (exit, message) = fail(&scratch, master, sql);
            assert_eq!(exit, Some(1), "{master}: {sql}\n{message}");
            assert!(message.contains(&format!("error[{code}]")), "{master}: {sql}\n{message}");
            for part in parts {
                assert!(message.contains(part), "{master}: {sql} should say {part}\n{message}");
            }
            assert!(!message.contains("DataFusionError") && !message.contains("backtrace"), "{message}");
        }
    }
}

#[test]
fn a_damaged_file_is_named_as_such() {
    let scratch = Scratch::new();
    let file = scratch.path("broken.parquet");
    std::fs::write(&file, b"PAR1 this is not what it says PAR1").unwrap();
    for master in MASTERS {
        let (exit, message) = fail(&scratch, master, &format!("SELECT count(*) FROM '{file}'"));
        assert_eq!(exit, Some(1), "{message}");
        assert!(message.contains("error[S0202]"), "{master}: {message}");
    }
}

#[test]
fn a_write_that_fails_leaves_nothing() {
    for master in MASTERS {
        let scratch = Scratch::new();
        let target = scratch.path("out");
        // The last of many rows cannot be computed.
        let source = "SELECT value, 10 / (value - 400000) AS q FROM generate_series(1, 400000)";
        let (exit, message) = fail(&scratch, master, &format!("COPY ({source}) TO '{target}' STORED AS PARQUET"));
        assert_eq!(exit, Some(1), "{message}");
        assert!(message.contains("error[S0301]"), "{master}: {message}");
        let left: Vec<String> = entries(&scratch.path("")).into_iter().filter(|name| name.contains("out")).collect();
        assert_eq!(left, Vec::<String>::new(), "{master}");
        let (exit, _) = fail(&scratch, master, &format!("CREATE TABLE half AS {source}"));
        assert_eq!(exit, Some(1));
        let output = scratch.run(&["sql", "--master", master, "-e", "SELECT * FROM half"]);
        assert!(stderr(&output).contains("error[S0101]"), "{}", stderr(&output));
    }
}

#[test]
fn a_failed_overwrite_leaves_the_old_rows() {
    for master in MASTERS {
        let scratch = Scratch::new();
        let run = |sql: &str| scratch.run(&["sql", "--master", master, "--format", "csv", "-e", sql]);
        assert!(run("CREATE TABLE kept AS SELECT 1 AS a").status.success());
        let failed = run("INSERT OVERWRITE kept SELECT 10 / (value - 50000) FROM generate_series(1, 50000)");
        assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
        assert_eq!(stdout(&run("SELECT a FROM kept")), "a\n1\n", "{master}");
    }
}

#[test]
fn a_scheduler_that_is_not_there_is_a_lost_cluster() {
    let scratch = Scratch::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (exit, message) = fail(&scratch, &format!("sluice://127.0.0.1:{port}"), "SELECT 1");
    assert_eq!(exit, Some(3), "{message}");
    assert!(message.contains("error[S0401]") && message.contains("hint"), "{message}");
}

#[test]
fn a_port_in_use_is_said_at_once() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for role in [vec!["scheduler"], vec!["cluster", "--executors", "1"]] {
        let arguments: Vec<&str> = role.iter().copied().chain(["--port", &port]).collect();
        let output = scratch.run(&arguments);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("error[S0403]") && stderr(&output).contains(&port), "{}", stderr(&output));
    }
}

#[test]
fn an_executor_without_a_scheduler_says_so() {
    let scratch = Scratch::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = scratch.run(&[
        "executor",
        "--scheduler",
        &format!("sluice://127.0.0.1:{port}"),
        "--port",
        "0",
        "--grpc-port",
        "0",
        "--conf",
        "sluice.cluster.start_timeout=1s",
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("error[S0401]"), "{}", stderr(&output));
}

#[test]
fn a_full_disk_is_said_and_nothing_is_left_on_it() {
    for master in MASTERS {
        let scratch = Scratch::new();
        // Without the right to mount there is no small disk to fill.
        let Some(disk) = SmallDisk::mount(&scratch.path("small"), "4m") else {
            eprintln!("no right to mount a file system: the full disk was not tried");
            return;
        };
        let source = "SELECT value, md5(CAST(value AS VARCHAR)) AS noise FROM generate_series(1, 600000)";
        let sql = format!("COPY ({source}) TO '{}/out' STORED AS PARQUET", disk.0);
        let (exit, message) = fail(&scratch, master, &sql);
        assert!(message.contains("error[S0205]"), "{master}: {message}");
        assert_eq!(exit, Some(2), "{message}");
        assert_eq!(entries(&disk.0), Vec::<String>::new(), "{master}");
        assert!(Path::new(&disk.0).is_dir());
    }
}
