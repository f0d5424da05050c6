//! Random skewed tables: every statement gives the rows that it gives without the handling of skew.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;
use sluice::Session;

const QUERIES: [&str; 14] = [
    "SELECT l.k, l.v, r.v FROM l JOIN r ON l.k = r.k",
    "SELECT l.k, l.v, r.v FROM l LEFT JOIN r ON l.k = r.k",
    "SELECT l.k, l.v, r.k, r.v FROM l RIGHT JOIN r ON l.k = r.k",
    "SELECT l.k, l.v, r.k, r.v FROM l FULL JOIN r ON l.k = r.k",
    "SELECT l.v, r.v FROM l FULL JOIN r ON l.k = r.k AND l.s = r.s",
    "SELECT l.v, r.v FROM l LEFT JOIN r ON l.s = r.s AND l.v > r.v",
    "SELECT v FROM l WHERE k IN (SELECT k FROM r)",
    "SELECT v FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE l.k = r.k AND l.s = r.s)",
    "SELECT k, count(DISTINCT v), count(DISTINCT s), count(*), avg(v), sum(DISTINCT v) FROM l GROUP BY k",
    "SELECT count(DISTINCT v), count(DISTINCT s), sum(v) FROM l",
    "SELECT v, s, row_number() OVER (PARTITION BY k ORDER BY v, s), count(*) OVER (PARTITION BY k ORDER BY v, s) FROM l",
    "SELECT v, rank() OVER w, sum(v) OVER w FROM l WINDOW w AS (PARTITION BY s ORDER BY v DESC NULLS LAST)",
    "SELECT k, median(v), count(*), median(nullif(v, 3)) FROM l GROUP BY k",
    "SELECT v, k, max(v) OVER (PARTITION BY k), count(s) OVER (PARTITION BY k) FROM l",
];

type Row = (Option<i64>, Option<u8>, i64);

/// Tables in which one key, the null or none has a good part of the rows.
fn table() -> impl Strategy<Value = Vec<Row>> {
    let key = prop_oneof![4 => Just(Some(1_i64)), 1 => Just(None), 2 => (0_i64..8).prop_map(Some)];
    let text = prop_oneof![3 => Just(Some(7_u8)), 1 => Just(None), 2 => (0_u8..5).prop_map(Some)];
    prop::collection::vec((key, text, 0_i64..40), 0..120)
}

fn batch(rows: &[Row]) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("s", DataType::Utf8, true),
        Field::new("v", DataType::Int64, true),
    ]));
    RecordBatch::try_new(
        schema,
        vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.1.map(|text| format!("s{text}"))).collect::<StringArray>()),
            Arc::new(rows.iter().map(|row| Some(row.2)).collect::<Int64Array>()),
        ],
    )
    .unwrap()
}

async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let batches = session.sql(sql).await.unwrap().collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let mut rows: Vec<String> = text.lines().skip(3).map(|line| line.replace(' ', "")).collect();
    rows.sort();
    rows
}

#[test]
fn handling_skew_changes_no_row() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let session = runtime.block_on(async {
        Session::builder()
            .master("local[4]")
            .conf("sluice.catalog.path", folder.path().join("catalog").to_string_lossy())
            .conf("datafusion.optimizer.hash_join_single_partition_threshold", "0")
            .conf("datafusion.optimizer.hash_join_single_partition_threshold_rows", "0")
            .build()
            .await
            .unwrap()
    });
    let rewritten = std::sync::atomic::AtomicUsize::new(0);
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(left in table(), right in table())| {
        runtime.block_on(async {
            for (name, table) in [("l", &left), ("r", &right)] {
                let batch = batch(table);
                session.deregister_table(name).await.unwrap();
                session.register_batches(name, vec![batch]).await.unwrap();
            }
            for sql in QUERIES {
                session.sql("SET sluice.skew.mode = 'off'").await.unwrap();
                let expected = rows(&session, sql).await;
                session.sql("SET sluice.skew.mode = 'on'").await.unwrap();
                let found = rows(&session, sql).await;
                prop_assert_eq!(&found, &expected, "{}", sql);
                let plan = rows(&session, &format!("EXPLAIN {sql}")).await.join("\n");
                let is_rewritten = plan.contains("__skew");
                rewritten.fetch_add(usize::from(is_rewritten), std::sync::atomic::Ordering::Relaxed);
            }
            Ok(())
        })?;
    });
    // Otherwise nothing was tried.
    assert!(rewritten.into_inner() > 150);
}
