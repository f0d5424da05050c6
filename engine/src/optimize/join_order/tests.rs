//! Orders of joins over tables whose sizes are known.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::datasource::MemTable;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use proptest::prelude::*;

/// A session with our rules or DataFusion's, over tables `t0`, `t1` and so on: (rows, values of `a`, values of `b`).
fn session(ours: bool, tables: &[(i64, i64, i64)]) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(4);
    let mut state = SessionStateBuilder::new().with_default_features().with_config(config);
    if ours {
        state = state.with_physical_optimizer_rules(crate::optimize::rules());
    }
    let context = SessionContext::new_with_state(state.build());
    for (number, (rows, a, b)) in tables.iter().enumerate() {
        let column =
            |values: i64| Arc::new(Int64Array::from_iter_values((0..*rows).map(|row| row % values))) as ArrayRef;
        let ids = Arc::new(Int64Array::from_iter_values(0..*rows)) as ArrayRef;
        let batch = RecordBatch::try_from_iter([("id", ids), ("a", column(*a)), ("b", column(*b))]).unwrap();
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
        context.register_table(format!("t{number}"), Arc::new(table)).unwrap();
    }
    context
}

async fn rows(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let text = pretty_format_batches(&batches).unwrap().to_string();
    let mut lines: Vec<String> = text.lines().filter(|line| line.starts_with('|')).map(str::to_owned).collect();
    // The first is the header.
    lines[1..].sort();
    lines
}

async fn plan(context: &SessionContext, sql: &str) -> String {
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    displayable(plan.as_ref()).indent(false).to_string()
}

/// How deep in the plan a table's scan is, counted in joins.
fn joins_above(plan: &str, marker: &str) -> usize {
    let lines: Vec<&str> = plan.lines().collect();
    let at = lines.iter().position(|line| line.contains(marker)).unwrap();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut least = depth(lines[at]);
    let mut joins = 0;
    for line in lines[..at].iter().rev() {
        if depth(line) < least {
            least = depth(line);
            joins += usize::from(line.contains("JoinExec"));
        }
    }
    joins
}

/// The session over the same rows in Parquet files, which tell how many values a column can have.
async fn with_files(context: &SessionContext, folder: &Path, tables: usize) {
    for number in 0..tables {
        let (name, path) = (format!("t{number}"), folder.join(format!("t{number}.parquet")));
        let path = path.to_string_lossy();
        let rows = context.table(&name).await.unwrap();
        rows.write_parquet(&path, DataFrameWriteOptions::new(), None).await.unwrap();
        context.deregister_table(&name).unwrap();
        context.register_parquet(&name, &*path, ParquetReadOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_table_that_leaves_few_rows_is_joined_early() {
    // t0 is large; t1 matches all of it, t2 one row in a hundred.
    let tables = [(100_000, 1_000, 1_000), (1_000, 1_000, 1_000), (1_000, 1_000, 1_000)];
    let (context, plain, folder) = (session(true, &tables), session(false, &tables), tempfile::tempdir().unwrap());
    with_files(&context, folder.path(), tables.len()).await;
    let sql = "SELECT t0.id, t1.b, t2.b FROM t0 JOIN t1 ON t0.a = t1.id JOIN t2 ON t0.b = t2.id WHERE t2.a < 10";
    let plan = plan(&context, sql).await;
    assert_eq!(joins_above(&plan, "a@1 < 10"), 2, "{plan}");
    assert_eq!(rows(&context, sql).await, rows(&plain, sql).await);
}

#[tokio::test]
async fn outer_joins_and_other_nodes_stay_where_they_are() {
    let tables = [(2_000, 50, 20), (300, 30, 10), (100, 10, 7), (40, 8, 4)];
    let (ours, plain) = (session(true, &tables), session(false, &tables));
    for sql in [
        "SELECT count(*), sum(t0.id), sum(t3.id) FROM t0 JOIN t1 ON t0.a = t1.id LEFT JOIN t2 ON t1.a = t2.id AND t2.b > 3 JOIN t3 ON t0.b = t3.id",
        "SELECT t1.a, count(*) FROM t0, t1, t2, t3 WHERE t0.a = t1.id AND t1.b = t2.b AND t2.a = t3.a AND t0.id + t3.id > 100 GROUP BY t1.a",
        "SELECT count(*) FROM t0 JOIN t1 ON t0.a = t1.id JOIN (SELECT a, max(id) AS id FROM t2 GROUP BY a) m ON m.id = t1.id JOIN t3 ON t3.a = m.a",
        "SELECT count(*), min(t2.id) FROM t1, t2, t3 WHERE t1.a = t2.a AND t1.id < 20 AND t3.id < 5",
        "SELECT * FROM t1 JOIN t2 ON t1.a = t2.id JOIN t3 ON t2.a = t3.id AND t1.b = t3.b ORDER BY t1.id, t3.id LIMIT 7",
    ] {
        assert_eq!(rows(&ours, sql).await, rows(&plain, sql).await, "{sql}");
    }
}

/// A random graph: each table after the first is joined to an earlier one, and there may be further equalities.
fn statement() -> impl Strategy<Value = (Vec<(i64, i64, i64)>, String)> {
    let table = (1_i64..120, 1_i64..30, 1_i64..12);
    (3_usize..7).prop_flat_map(move |count| {
        let tables = proptest::collection::vec(table.clone(), count);
        let columns = proptest::collection::vec((0_usize..3, 0_usize..3, any::<proptest::sample::Index>()), count - 1);
        let further = proptest::collection::vec((0..count, 0..count, 0_usize..3, 0_usize..5), 0..3);
        (tables, columns, further).prop_map(|(tables, columns, further)| {
            let name = |at: usize| ["id", "a", "b"][at];
            let mut conditions = Vec::new();
            for (at, (own, other, earlier)) in columns.into_iter().enumerate() {
                let earlier = earlier.index(at + 1);
                // At least one side is a key, so that the result stays small.
                let other = if own == 0 { other } else { 0 };
                conditions.push(format!("t{}.{} = t{earlier}.{}", at + 1, name(own), name(other)));
            }
            for (left, right, column, kind) in further {
                conditions.push(match kind {
                    0 => format!("t{left}.{0} = t{right}.{0}", name(column)),
                    1 => format!("t{left}.{} < t{right}.id + 20", name(column)),
                    2 => format!("t{left}.{} + t{right}.b < 40", name(column)),
                    _ => format!("t{left}.{} % 3 < 2", name(column)),
                });
            }
            let from: Vec<String> = (0..tables.len()).map(|table| format!("t{table}")).collect();
            let shown: Vec<String> =
                (0..tables.len()).rev().map(|table| format!("sum(t{table}.id), max(t{table}.a)")).collect();
            let sql = format!(
                "SELECT count(*), {} FROM {} WHERE {}",
                shown.join(", "),
                from.join(", "),
                conditions.join(" AND ")
            );
            (tables, sql)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_order_gives_the_same_rows((tables, sql) in statement()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (ours, theirs) = runtime.block_on(async {
            (rows(&session(true, &tables), &sql).await, rows(&session(false, &tables), &sql).await)
        });
        prop_assert_eq!(ours, theirs, "{}", sql);
    }
}
