//! Groups in parts are the groups.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

const ROWS: i64 = 700_000;

/// A table with many keys, in which each key comes several times, far apart.
fn table() -> MemTable {
    let step = 8_000;
    let batches: Vec<RecordBatch> = (0..ROWS / step)
        .map(|at| {
            let ids = (at * step..(at + 1) * step).map(|row| row * 7_919 % (ROWS / 2));
            let ids: Vec<i64> = ids.collect();
            let key = Int64Array::from_iter(ids.iter().map(|id| (id % 1_001 != 0).then_some(*id)));
            let text =
                StringArray::from_iter(ids.iter().map(|id| (id % 9 != 0).then(|| format!("text {}", id % 90_000))));
            let float = Float64Array::from_iter(ids.iter().map(|id| (id % 5 != 0).then_some((id % 300) as f64 / 8.0)));
            let price = Decimal128Array::from_iter_values(ids.iter().map(|id| i128::from(id % 10_000)));
            let price = price.with_precision_and_scale(12, 2).unwrap();
            RecordBatch::try_from_iter_with_nullable([
                ("key", Arc::new(key) as ArrayRef, true),
                ("text", Arc::new(text) as ArrayRef, true),
                ("float", Arc::new(float) as ArrayRef, true),
                ("price", Arc::new(price) as ArrayRef, true),
            ])
            .unwrap()
        })
        .collect();
    let schema = batches[0].schema();
    let half = batches.len() / 2;
    let (first, second) = batches.split_at(half);
    MemTable::try_new(schema, vec![first.to_vec(), second.to_vec()]).unwrap()
}

fn session(ours: bool, memory_bytes: Option<usize>) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(2);
    let mut state = SessionStateBuilder::new().with_default_features().with_config(config);
    if let Some(bytes) = memory_bytes {
        let pool = Arc::new(FairSpillPool::new(bytes));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
        state = state.with_runtime_env(runtime);
    }
    if ours {
        state = state.with_physical_optimizer_rules(crate::optimize::rules());
    }
    let context = SessionContext::new_with_state(state.build());
    context.register_table("t", Arc::new(table())).unwrap();
    context
}

const STATEMENTS: [&str; 4] = [
    "SELECT count(*), sum(n), sum(s), min(s), max(a) FROM \
     (SELECT key, count(*) AS n, sum(price) AS s, avg(float) AS a FROM t GROUP BY key)",
    "SELECT count(*), sum(n), min(lowest), max(highest) FROM \
     (SELECT text, key % 7 AS k, count(float) AS n, min(key) AS lowest, max(text) AS highest FROM t GROUP BY text, key % 7)",
    "SELECT count(*), count(key), sum(key) FROM (SELECT DISTINCT key, float FROM t)",
    "SELECT key, count(*) AS n FROM t GROUP BY key HAVING sum(price) > 199.90 ORDER BY n DESC, key LIMIT 20",
];

async fn rows(context: &SessionContext, sql: &str) -> String {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_groups() {
    let (ours, theirs) = (session(true, None), session(false, None));
    for sql in STATEMENTS {
        assert_eq!(rows(&ours, sql).await, rows(&theirs, sql).await, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_groups_in_little_memory() {
    let theirs = session(false, None);
    // With the least, rows are held only for a while, and the table spills.
    for mebibytes in [20, 64, 160] {
        let ours = session(true, Some(mebibytes << 20));
        for sql in STATEMENTS {
            assert_eq!(rows(&ours, sql).await, rows(&theirs, sql).await, "{mebibytes} {sql}");
        }
        // What was held has been given back.
        assert_eq!(ours.runtime_env().memory_pool.reserved(), 0);
    }
    let explained = rows(&session(true, Some(20 << 20)), &format!("EXPLAIN ANALYZE {}", STATEMENTS[0])).await;
    let mut steps = explained.lines().filter(|line| line.contains("spill_count"));
    assert!(steps.any(|line| !line.contains("spill_count=0")), "{explained}");
}
