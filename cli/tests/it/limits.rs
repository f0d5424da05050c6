//! What is large goes through: statements, plans and rows.

use crate::support::{Scratch, stderr, stdout};

#[test]
fn a_plan_of_twenty_mebibytes_goes_through() {
    let scratch = Scratch::new();
    let cluster = scratch.cluster(1, &[]);
    assert!(
        scratch
            .run(&["sql", "-e", "CREATE TABLE t AS SELECT value AS v FROM generate_series(1, 1000)"])
            .status
            .success()
    );
    // One literal of 20 MiB, which travels in the text, in the plan and in every task.
    let literal = "x".repeat(20 << 20);
    let script = scratch.path("large.sql");
    let statement = format!("SELECT count(*) AS n FROM t WHERE CAST(v AS VARCHAR) || 'x' <> '{literal}';");
    std::fs::write(&script, statement).unwrap();
    let output = scratch.run(&["sql", "--master", &cluster.url, "--format", "csv", "-f", &script]);
    assert!(output.status.success(), "{}", stderr(&output).chars().take(2000).collect::<String>());
    assert_eq!(stdout(&output), "n\n1000\n");
}

#[test]
fn a_batch_of_a_hundred_megabytes_goes_through() {
    let scratch = Scratch::new();
    let cluster = scratch.cluster(1, &[]);
    // 100 rows of a million characters each: one batch, whatever the batch size.
    assert!(
        scratch
            .run(&["sql", "-e", "CREATE TABLE t AS SELECT value AS v FROM generate_series(1, 100)"])
            .status
            .success()
    );
    let sql = "SELECT repeat('abcdefghij', 100000) || v AS wide FROM t";
    let output = scratch.run(&["sql", "--master", &cluster.url, "--format", "csv", "-e", sql]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(output.stdout.len(), "wide\n".len() + 100 * 1_000_001 + 9 + 90 * 2 + 3);
    // The same rows through a shuffle.
    let sql = "SELECT length(max(wide)) AS l, count(DISTINCT wide) AS n FROM (SELECT repeat('abcdefghij', 100000) || v AS wide, v % 3 AS k FROM t) GROUP BY k ORDER BY n";
    let output = scratch.run(&[
        "sql",
        "--master",
        &cluster.url,
        "--format",
        "csv",
        "--conf",
        "sluice.execution.partitions=3",
        "-e",
        sql,
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let counts: usize =
        stdout(&output).lines().skip(1).filter_map(|line| line.rsplit(',').next()?.parse::<usize>().ok()).sum();
    assert_eq!(counts, 100);
}

#[test]
fn a_result_larger_than_any_message_streams() {
    let scratch = Scratch::new();
    let cluster = scratch.cluster(1, &["sluice.cluster.message_limit=16MiB", "sluice.results.piece_size=1MiB"]);
    assert!(
        scratch
            .run(&["sql", "-e", "CREATE TABLE t AS SELECT value AS v FROM generate_series(1, 4000000)"])
            .status
            .success()
    );
    let output =
        scratch.run(&["sql", "--master", &cluster.url, "--format", "csv", "-e", "SELECT v, v AS w, v AS x FROM t"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 4_000_001);
}
