//! Where filters are put, and that they drop nothing that is wanted.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

use super::{GatheredKeys, JoinFilterExec, JoinFilters, JoinKeysExec, OtherSide};
use crate::config::SluiceConfig;

/// `fact (id, k, a)` of 2,000 rows and 300 keys, a few of them null, and `dim (k, grp)` of 400 keys in 20 groups.
async fn session(folder: &tempfile::TempDir) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(3).with_option_extension(SluiceConfig::default());
    config.options_mut().set("sluice.cluster.join_filter_rows", "1").unwrap();
    // No side is sent whole to those that read the other.
    config.options_mut().set("sluice.cluster.broadcast_limit", "0").unwrap();
    // As on a cluster, where these filters would wait for another process.
    config.options_mut().set("datafusion.optimizer.enable_dynamic_filter_pushdown", "false").unwrap();
    // The rules add exchanges, which have to be there, so the filters come right before them.
    let mut rules = PhysicalOptimizer::new().rules;
    rules.insert(0, Arc::new(JoinFilters));
    let state = SessionStateBuilder::new().with_default_features().with_config(config);
    let context = SessionContext::new_with_state(state.with_physical_optimizer_rules(rules).build());
    let numbers =
        |rows: i64, of: &dyn Fn(i64) -> Option<i64>| Arc::new((0..rows).map(of).collect::<Int64Array>()) as ArrayRef;
    let fact = [
        ("id", numbers(2_000, &|row| Some(row))),
        ("k", numbers(2_000, &|row| (row % 17 > 0).then_some(row * 7 % 300))),
        ("a", numbers(2_000, &|row| Some(row % 11))),
    ];
    let dim = [("k", numbers(400, &|row| Some(row))), ("grp", numbers(400, &|row| Some(row % 20)))];
    for (name, columns) in [("fact", fact.to_vec()), ("dim", dim.to_vec())] {
        let path = folder.path().join(format!("{name}.parquet")).to_string_lossy().into_owned();
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, values)| (name, values, true)));
        let frame = context.read_batch(batch.unwrap()).unwrap();
        frame.write_parquet(&path, DataFrameWriteOptions::new(), None).await.unwrap();
        context.register_parquet(name, &path, ParquetReadOptions::default()).await.unwrap();
    }
    context
}

async fn plan(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    context.sql(sql).await.unwrap().create_physical_plan().await.unwrap()
}

async fn run(context: &SessionContext, plan: Arc<dyn ExecutionPlan>) -> Vec<String> {
    let rows = collect(plan, context.task_ctx()).await.unwrap();
    let mut rows: Vec<String> = pretty_format_batches(&rows).unwrap().to_string().lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

/// What the nodes of the plan have gathered.
fn gathered(plan: &Arc<dyn ExecutionPlan>) -> Vec<GatheredKeys> {
    let mut gathered = Vec::new();
    plan.apply(|node| {
        gathered.extend(node.downcast_ref::<JoinKeysExec>().map(|keys| keys.gatherer().take()));
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    gathered
}

fn filled(plan: &Arc<dyn ExecutionPlan>, keys: &[GatheredKeys]) -> Arc<dyn ExecutionPlan> {
    let known: HashMap<u64, Arc<OtherSide>> =
        keys.iter().filter_map(|keys| Some((keys.filter, Arc::new(OtherSide::of(keys.hashes.as_deref()?))))).collect();
    Arc::clone(plan)
        .transform_up(|node| match node.downcast_ref::<JoinFilterExec>() {
            Some(filter) => {
                let filter = filter.with_keys(known.get(&filter.filter()));
                Ok(Transformed::yes(Arc::new(filter) as Arc<dyn ExecutionPlan>))
            }
            None => Ok(Transformed::no(node)),
        })
        .data()
        .unwrap()
}

/// The line of the plan right below the filter.
fn below_filter(plan: &Arc<dyn ExecutionPlan>) -> Option<String> {
    let text = displayable(plan.as_ref()).indent(false).to_string();
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.trim_start().starts_with("JoinFilterExec"))?;
    lines.get(at + 1).map(|line| line.trim_start().split(':').next().unwrap_or_default().to_string())
}

#[tokio::test]
async fn filters_go_as_far_down_as_they_may_and_drop_what_is_not_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let context = session(&folder).await;
    let scan = "DataSourceExec";
    for (sql, below) in [
        ("SELECT f.id FROM fact f JOIN dim d ON f.k = d.k WHERE d.grp = 3", Some(scan)),
        ("SELECT f.id FROM fact f JOIN dim d ON f.k = d.k WHERE d.grp = 3 AND f.a < 5", Some("FilterExec")),
        ("SELECT f.id FROM fact f WHERE f.k IN (SELECT k FROM dim WHERE grp = 3)", Some(scan)),
        ("SELECT d.k, f.id FROM (SELECT * FROM dim WHERE grp = 3) d LEFT JOIN fact f ON f.k = d.k", Some(scan)),
        ("SELECT d.k FROM dim d WHERE d.grp = 3 AND NOT EXISTS (SELECT 1 FROM fact f WHERE f.k = d.k)", Some(scan)),
        (
            "SELECT d.k, t.n FROM (SELECT k, count(*) n FROM fact GROUP BY k) t JOIN dim d ON t.k = d.k WHERE d.grp = 3",
            Some(scan),
        ),
        (
            "SELECT d.k, t.n FROM (SELECT id, max(k) n FROM fact GROUP BY id) t JOIN dim d ON t.n = d.k WHERE d.grp = 3",
            Some("AggregateExec"),
        ),
        (
            "SELECT d.k, t.id FROM (SELECT * FROM fact ORDER BY id LIMIT 50) t JOIN dim d ON t.k = d.k WHERE d.grp = 3",
            Some("SortExec"),
        ),
        (
            "SELECT u.k, d.grp FROM (SELECT k FROM fact UNION ALL SELECT a FROM fact) u JOIN dim d ON u.k = d.k WHERE d.grp = 3",
            Some(scan),
        ),
        ("SELECT f.id, d.grp FROM fact f LEFT JOIN (SELECT * FROM dim WHERE grp = 3) d ON f.k = d.k", None),
        ("SELECT f.id, d.grp FROM fact f FULL JOIN (SELECT * FROM dim WHERE grp = 3) d ON f.k = d.k", None),
        ("SELECT f.id FROM fact f WHERE NOT EXISTS (SELECT 1 FROM dim d WHERE d.k = f.k AND d.grp = 3)", None),
        ("SELECT f.id FROM fact f JOIN dim d ON f.k = d.k", None),
    ] {
        let planned = plan(&context, sql).await;
        let shown = displayable(planned.as_ref()).indent(false).to_string();
        let found = below_filter(&planned);
        // A limit is part of the sort or a node of its own.
        let found = found.map(|node| node.replace("GlobalLimitExec", "SortExec"));
        assert_eq!(found.as_deref(), below, "{sql}\n{shown}");
        // Without keys nothing is dropped.
        let expected = run(&context, Arc::clone(&planned)).await;
        let keys = gathered(&planned);
        assert_eq!(keys.is_empty(), below.is_none(), "{sql}");
        assert!(keys.iter().all(|keys| keys.hashes.is_some()), "{sql}: {keys:?}");
        let filled = reset_plan_states(filled(&planned, &keys)).unwrap();
        assert_eq!(run(&context, filled).await, expected, "{sql}");
    }
}
