//! Joins give the same rows on a cluster with filters that reach across stages and without.

use futures::TryStreamExt;
use sluice::Session;

use crate::support::{MASTERS, Scratch};

/// A tenth of the facts has no key; the dimension has each key once, `other` has some twice and some that nothing else has.
const TABLES: [&str; 3] = [
    "CREATE TABLE fact AS SELECT v AS id, CASE WHEN v % 10 = 0 THEN NULL ELSE v % 2000 END AS k, 'c' || (v % 700) AS s, \
     v % 13 AS a, v * 0.5 AS x FROM generate_series(1, 20000) AS g(v)",
    "CREATE TABLE dim AS SELECT v AS k, 'c' || v AS s, v % 50 AS grp, v % 13 AS a, 'name ' || v AS name \
     FROM generate_series(0, 2100) AS g(v)",
    "CREATE TABLE other AS SELECT v AS id, CASE WHEN v % 9 = 0 THEN NULL ELSE v % 2600 END AS k, v % 40 AS grp \
     FROM generate_series(1, 4000) AS g(v)",
];

/// Whether a filter is expected to get its keys where no side is sent whole, and the query.
const QUERIES: [(bool, &str); 29] = [
    (true, "SELECT f.id, f.k, d.name FROM fact f JOIN dim d ON f.k = d.k WHERE d.grp = 3"),
    (true, "SELECT f.id FROM fact f WHERE f.k IN (SELECT k FROM dim WHERE grp = 3)"),
    (true, "SELECT d.name, f.id FROM (SELECT * FROM dim WHERE grp = 3) d LEFT JOIN fact f ON f.k = d.k"),
    (true, "SELECT d.name, f.id FROM fact f RIGHT JOIN (SELECT * FROM dim WHERE k < 90) d ON f.k = d.k AND f.x > 4000"),
    (true, "SELECT d.name FROM dim d WHERE d.k > 1800 AND NOT EXISTS (SELECT 1 FROM fact f WHERE f.k = d.k)"),
    (true, "SELECT d.name FROM dim d WHERE d.grp = 7 AND EXISTS (SELECT 1 FROM fact f WHERE f.k = d.k AND f.a <> d.a)"),
    // These rows are wanted also where nothing matches them.
    (false, "SELECT f.id, d.name FROM fact f LEFT JOIN (SELECT * FROM dim WHERE grp = 3) d ON f.k = d.k"),
    (false, "SELECT f.id FROM fact f WHERE NOT EXISTS (SELECT 1 FROM dim d WHERE d.k = f.k AND d.grp < 20)"),
    (false, "SELECT f.id, d.name FROM fact f FULL JOIN (SELECT * FROM dim WHERE grp = 3) d ON f.k = d.k"),
    (false, "SELECT f.id FROM fact f WHERE f.k NOT IN (SELECT k FROM dim WHERE grp = 3)"),
    // Below aggregations, whose groups the key tells apart.
    (
        true,
        "SELECT d.name, t.n, t.total FROM dim d JOIN (SELECT k, count(*) AS n, sum(x) AS total FROM fact GROUP BY k) t \
         ON t.k = d.k WHERE d.grp = 3",
    ),
    (
        true,
        "SELECT sum(f.x) FROM fact f JOIN dim d ON f.k = d.k WHERE d.grp = 3 \
         AND f.x < (SELECT 0.7 * avg(g.x) FROM fact g WHERE g.k = d.k)",
    ),
    (
        true,
        "SELECT d.name, f.id, sum(o.grp) FROM dim d JOIN fact f ON f.k = d.k JOIN other o ON o.k = f.k \
         WHERE f.k IN (SELECT k FROM fact GROUP BY k HAVING sum(x) > 59000) GROUP BY d.name, f.id",
    ),
    (
        true,
        "SELECT d.name, t.k, t.a, t.n FROM dim d JOIN (SELECT k, a, count(*) AS n FROM fact GROUP BY GROUPING SETS ((k, a), (k), ())) t \
         ON t.k = d.k WHERE d.grp = 3",
    ),
    (
        true,
        "SELECT d.name, t.k FROM dim d JOIN (SELECT DISTINCT k, a FROM fact) t ON t.k = d.k AND t.a = d.a WHERE d.grp = 3",
    ),
    // Several keys, texts, expressions.
    (true, "SELECT f.id, d.name FROM fact f JOIN dim d ON f.k = d.k AND f.a = d.a WHERE d.grp = 3"),
    (true, "SELECT f.id, d.name FROM fact f JOIN dim d ON f.k = d.k AND f.s = d.s WHERE d.k < 300"),
    (false, "SELECT f.id, d.name FROM fact f JOIN dim d ON f.s = d.s WHERE d.grp = 3"),
    (true, "SELECT f.id, d.name FROM fact f JOIN dim d ON f.k + 1 = d.k WHERE d.grp = 3"),
    // A limit is of rows before the join; each way of running has to have the same ones.
    (
        true,
        "SELECT f.id, d.name FROM (SELECT * FROM fact ORDER BY id LIMIT 700) f JOIN dim d ON f.k = d.k WHERE d.grp = 3",
    ),
    (
        true,
        "SELECT f.id, f.n, d.name FROM (SELECT id, k, row_number() OVER (PARTITION BY a ORDER BY id) AS n FROM fact) f \
         JOIN dim d ON f.k = d.k WHERE d.grp = 3",
    ),
    // Through unions, and from one join to the next.
    (
        true,
        "SELECT u.k, d.name FROM (SELECT k, id FROM fact UNION ALL SELECT k, id FROM other) u JOIN dim d ON u.k = d.k \
         WHERE d.grp = 3",
    ),
    (true, "SELECT f.id, o.id, d.name FROM dim d JOIN fact f ON f.k = d.k JOIN other o ON o.k = f.k WHERE d.grp = 3"),
    (
        true,
        "SELECT f.id, o.id FROM fact f JOIN other o ON f.k = o.k WHERE o.grp = 5 \
         AND EXISTS (SELECT 1 FROM fact g WHERE g.k = f.k AND g.id <> f.id) \
         AND NOT EXISTS (SELECT 1 FROM fact h WHERE h.k = f.k AND h.a = 4 AND h.id <> f.id)",
    ),
    (
        true,
        "SELECT d.name, f.id, o.id FROM dim d JOIN fact f ON f.k = d.k LEFT JOIN other o ON o.k = f.k AND o.grp > 20 WHERE d.grp = 3",
    ),
    (
        true,
        "SELECT f.id, g.id FROM fact f JOIN dim d ON f.k = d.k JOIN fact g ON g.k = d.k WHERE d.k BETWEEN 20 AND 40 AND g.a = 1",
    ),
    // Nothing at all, and nulls that are equal.
    (true, "SELECT f.id FROM fact f JOIN dim d ON f.k = d.k WHERE d.grp = 3 AND d.name = 'nobody'"),
    (false, "SELECT k FROM fact INTERSECT SELECT k FROM other WHERE grp = 5"),
    (false, "SELECT f.id, d.name FROM fact f JOIN dim d ON f.k IS NOT DISTINCT FROM d.k WHERE d.grp = 3"),
];

async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let frame = session.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let stream = frame.execute_stream().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches: Vec<_> = stream.try_collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let mut rows: Vec<String> = text.lines().filter(|line| line.starts_with('|')).map(str::to_string).collect();
    rows.sort();
    rows
}

fn compare(master: &str, partitions: &str, broadcast_limit: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let scratch = Scratch::new();
        let session = scratch
            .session(master)
            .conf("sluice.execution.partitions", partitions)
            .conf("sluice.cluster.broadcast_limit", broadcast_limit)
            .build()
            .await
            .unwrap();
        for table in TABLES {
            session.sql(table).await.unwrap();
        }
        let mut wrong = Vec::new();
        for (filters, sql) in QUERIES {
            // Its smaller side is sent whole or not at all.
            if broadcast_limit == "0" && sql.contains("NOT IN") {
                continue;
            }
            session.sql("SET sluice.cluster.join_filter_rows = 0").await.unwrap();
            let expected = rows(&session, sql).await;
            session.sql("SET sluice.cluster.join_filter_rows = 1").await.unwrap();
            let found = rows(&session, sql).await;
            if found != expected {
                wrong.push(format!("{sql}: {} rows for {}", found.len(), expected.len()));
            }
            // Of one partition nothing is exchanged: all is one stage.
            if broadcast_limit == "0" && partitions != "1" {
                let plan = rows(&session, &format!("EXPLAIN ANALYZE {sql}")).await.join("\n");
                if plan.contains("keys known") != filters {
                    wrong.push(format!("{sql}: a filter was expected: {filters}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{master}, {partitions} partitions:\n{}", wrong.join("\n"));
    });
}

#[test]
fn where_no_side_is_sent_whole() {
    compare(MASTERS[2], "5", "0");
}

#[test]
fn where_small_sides_are_sent_whole() {
    compare(MASTERS[2], "4", "128MiB");
}

#[test]
fn on_one_executor() {
    compare(MASTERS[1], "1", "0");
}
