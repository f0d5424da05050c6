//! Statements over skewed keys give the same rows with frequent keys placed by hand and without, in each way of running.

use futures::TryStreamExt;
use sluice::Session;

use crate::support::{MASTERS, Scratch};

/// Half of the fact's rows have one key, a tenth has none, some keys are on one side only; the dimension has two rows of
/// the frequent key.
const TABLES: [&str; 3] = [
    "CREATE TABLE fact AS SELECT v AS id, CASE WHEN v % 10 < 5 THEN 7 WHEN v % 10 = 5 THEN NULL ELSE v % 400 END AS k, \
     CASE WHEN v % 10 < 5 THEN 'hot' ELSE 'c' || (v % 300) END AS s, v * 0.5 AS x, v % 97 AS a, v % 31 AS b \
     FROM generate_series(1, 6000) AS g(v)",
    "CREATE TABLE dim AS SELECT v AS d, CASE WHEN v % 50 = 0 THEN NULL WHEN v > 400 THEN 7 ELSE v END AS k, \
     CASE WHEN v > 400 THEN 'hot' ELSE 'c' || v END AS s, 'name ' || v AS name FROM generate_series(100, 402) AS g(v)",
    // Frequent on both sides.
    "CREATE TABLE other AS SELECT v AS id, CASE WHEN v % 3 = 0 THEN 7 ELSE v END AS k FROM generate_series(1, 300) AS g(v)",
];

/// What the rewritten plan has to have in it, and the query.
const QUERIES: [(&str, &str); 30] = [
    ("skew_salt", "SELECT f.id, f.k, d.d, d.name FROM fact f JOIN dim d ON f.k = d.k"),
    ("skew_salt", "SELECT f.id, f.k, d.d, d.name FROM fact f LEFT JOIN dim d ON f.k = d.k"),
    ("skew_salt", "SELECT f.id, f.k, d.d, d.name FROM fact f RIGHT JOIN dim d ON f.k = d.k"),
    ("skew_salt", "SELECT f.id, f.k, d.d, d.name FROM fact f FULL JOIN dim d ON f.k = d.k"),
    ("skew_salt", "SELECT d.d, d.name, f.id FROM dim d LEFT JOIN fact f ON f.k = d.k"),
    ("skew_salt", "SELECT d.d, d.name, f.id FROM dim d RIGHT JOIN fact f ON f.k = d.k"),
    ("skew_salt", "SELECT d.d, d.name, f.id FROM dim d FULL JOIN fact f ON f.k = d.k"),
    ("skew_salt", "SELECT f.id FROM fact f WHERE f.k IN (SELECT k FROM dim WHERE d > 105)"),
    ("skew_salt", "SELECT f.id FROM fact f WHERE NOT EXISTS (SELECT 1 FROM dim d WHERE d.k = f.k)"),
    ("gives each key once", "SELECT d.d FROM dim d WHERE EXISTS (SELECT 1 FROM fact f WHERE d.k = f.k)"),
    ("gives each key once", "SELECT d.d FROM dim d WHERE NOT EXISTS (SELECT 1 FROM fact f WHERE d.k = f.k)"),
    ("skew_salt", "SELECT f.id, d.d FROM fact f JOIN dim d ON f.k = d.k AND f.s = d.s"),
    ("skew_salt", "SELECT f.id, d.d FROM fact f LEFT JOIN dim d ON f.k = d.k AND f.s = d.s AND f.id > d.d"),
    ("skew_salt", "SELECT f.id, o.id FROM fact f JOIN other o ON f.k = o.k"),
    ("skew_salt", "SELECT f.id, o.id FROM fact f FULL JOIN other o ON f.k = o.k"),
    ("skew_salt", "SELECT f.s, d.d FROM fact f JOIN dim d ON f.s = d.s"),
    ("skew_salt", "SELECT count(*), count(d.d) FROM fact f LEFT JOIN dim d ON f.k = d.k"),
    ("skew_salt", "SELECT f.k, count(*), sum(d.d) FROM fact f JOIN dim d ON f.k = d.k GROUP BY f.k"),
    ("skew_range", "SELECT id, row_number() OVER (PARTITION BY k ORDER BY id DESC) FROM fact"),
    (
        "skew_range",
        "SELECT id, rank() OVER w, count(*) OVER w, sum(b) OVER w, sum(x) OVER w, count(nullif(a, 3)) OVER w FROM fact \
         WINDOW w AS (PARTITION BY k ORDER BY a, s NULLS FIRST)",
    ),
    ("skew_range", "SELECT k, median(a), median(x), count(*), median(id) FROM fact GROUP BY k"),
    ("skew_range", "SELECT k, s, median(nullif(b, a)) FROM fact GROUP BY k, s"),
    ("skew_range", "SELECT id, sum(b) OVER (PARTITION BY k, s ORDER BY id ROWS UNBOUNDED PRECEDING) FROM fact"),
    ("skew_salt", "SELECT id, k, max(id) OVER (PARTITION BY k), avg(x) OVER (PARTITION BY k) FROM fact"),
    ("skew_salt", "SELECT k, count(*) OVER (PARTITION BY s) FROM fact"),
    ("state_of_count", "SELECT k, count(distinct a), count(distinct b), count(*), sum(x), avg(x) FROM fact GROUP BY k"),
    (
        "state_of_avg",
        "SELECT k, count(distinct a) FILTER (WHERE b > 10), sum(distinct b), avg(distinct a), avg(x) FILTER (WHERE a > 5), \
         min(s), max(id), round(stddev(x), 6) FROM fact GROUP BY k",
    ),
    ("state_of_count", "SELECT count(distinct a), count(distinct s), count(k), round(var_pop(id), 3) FROM fact"),
    ("state_of_count", "SELECT count(distinct a), count(distinct s), count(*) FROM fact WHERE id < 0"),
    (
        "state_of_sum",
        "SELECT k, b, count(distinct a), count(distinct s), sum(x) FROM fact GROUP BY GROUPING SETS ((k, b), (k), ())",
    ),
];

async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let frame = session.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches: Vec<_> = frame
        .execute_stream()
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .try_collect()
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let mut rows: Vec<String> = text.lines().filter(|line| line.starts_with('|')).map(str::to_string).collect();
    rows.sort();
    rows
}

fn compare(master: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let scratch = Scratch::new();
        let session = scratch
            .session(master)
            .conf("sluice.execution.partitions", "8")
            .conf("sluice.cluster.broadcast_limit", "0")
            .conf("datafusion.execution.target_partitions", "8")
            .conf("datafusion.optimizer.hash_join_single_partition_threshold", "0")
            .conf("datafusion.optimizer.hash_join_single_partition_threshold_rows", "0")
            .build()
            .await
            .unwrap();
        for table in TABLES {
            session.sql(table).await.unwrap();
        }
        let mut wrong = Vec::new();
        for (mark, sql) in QUERIES {
            session.sql("SET sluice.skew.mode = 'off'").await.unwrap();
            let expected = rows(&session, sql).await;
            session.sql("SET sluice.skew.mode = 'on'").await.unwrap();
            let plan = rows(&session, &format!("EXPLAIN {sql}")).await.join("\n");
            assert!(plan.contains(mark), "{master}: {sql} is not rewritten:\n{plan}");
            let found = rows(&session, sql).await;
            if found != expected {
                wrong.push(format!("{sql}: {} rows for {}", found.len(), expected.len()));
            }
        }
        assert!(wrong.is_empty(), "{master}:\n{}", wrong.join("\n"));
    });
}

#[test]
fn embedded() {
    compare(MASTERS[0]);
}

#[test]
fn on_one_executor() {
    compare(MASTERS[1]);
}

#[test]
fn on_three_executors() {
    compare(MASTERS[2]);
}

/// A frequent value becomes several files, another one file.
fn write_partitioned(master: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let scratch = Scratch::new();
        let session = scratch
            .session(master)
            .conf("sluice.execution.partitions", "8")
            .conf("datafusion.execution.target_partitions", "8")
            .build()
            .await
            .unwrap();
        for table in TABLES {
            session.sql(table).await.unwrap();
        }
        session.sql("SET sluice.skew.mode = 'on'").await.unwrap();
        let target = scratch.path("written");
        let copy = format!(
            "COPY (SELECT id, a, coalesce(k, -1) AS k FROM fact) TO '{target}' STORED AS PARQUET PARTITIONED BY (k)"
        );
        session.sql(&copy).await.unwrap();
        let files = |value: &str| std::fs::read_dir(format!("{target}/k={value}")).unwrap().count();
        assert!(files("7") > 2, "{master}: {} files of half the rows", files("7"));
        for value in ["9", "19", "209"] {
            assert_eq!(files(value), 1, "{master}: files of {value}");
        }
        let read = format!("SELECT count(*), sum(id), count(DISTINCT k) FROM '{target}/'");
        let original = "SELECT count(*), sum(id), count(DISTINCT coalesce(k, -1)) FROM fact";
        let numbers = |rows: Vec<String>| {
            rows.into_iter().map(|row| row.replace(' ', "")).filter(|row| row.contains("6000")).collect::<Vec<_>>()
        };
        assert_eq!(numbers(rows(&session, &read).await), numbers(rows(&session, original).await));
    });
}

#[test]
fn a_partitioned_write_splits_frequent_values_only() {
    MASTERS.iter().for_each(|master| write_partitioned(master));
}
