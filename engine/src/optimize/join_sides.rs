//! Which side of a join is held in memory, and whether it is held once or shared out by key.
//!
//! DataFusion holds the side with fewer bytes, and holds it once for all partitions only where it is below a megabyte. But sharing
//! out costs an exchange of both sides, which is more than one thread needs for a table that is small beside what looks it
//! up. With many threads the table that one of them builds alone is the bottleneck again. So the side is held once where
//! the other one has so many more rows that exchanging them costs more than building alone, and where it takes no more
//! than its share of the memory pool.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode};

use super::estimate::{Estimate, estimate};
use crate::config::SluiceConfig;

/// A side that is held once may take this share of the memory pool.
const SHARE_OF_POOL: f64 = 1.0 / 16.0;
/// And no more than this, whatever the pool.
const MAX_HELD_BYTES: f64 = (1u64 << 30) as f64;
/// A hash table's bytes for a row besides the row.
const TABLE_BYTES: f64 = 16.0;
/// As many bytes can be copied in the time that it takes to find a row's place in the table.
const PLACE_BYTES: f64 = 100.0;
/// How many rows can be exchanged in the time that it takes to put one into a hash table.
const EXCHANGED_FOR_ONE_BUILT: f64 = 3.0;
/// A side with so few rows is always held once.
const FEW_ROWS: f64 = 10_000.0;

/// Decides sides and modes of joins.
#[derive(Debug, Default)]
pub(crate) struct JoinSides;

impl PhysicalOptimizerRule for JoinSides {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let limits = Limits::of(config);
        plan.transform_up(|node| decide(node, &limits)).data()
    }

    fn name(&self) -> &str {
        "join_sides"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

struct Limits {
    may_swap: bool,
    partitions: f64,
    held_bytes: f64,
}

impl Limits {
    fn of(config: &ConfigOptions) -> Self {
        let sluice = config.extensions.get::<SluiceConfig>().cloned().unwrap_or_default();
        let pool_bytes = match sluice.memory_limit_bytes() {
            0 => f64::INFINITY,
            bytes => bytes as f64,
        };
        Self {
            may_swap: config.optimizer.join_reordering,
            partitions: config.execution.target_partitions as f64,
            held_bytes: (pool_bytes * SHARE_OF_POOL).min(MAX_HELD_BYTES),
        }
    }

    /// Whether to hold `held` once for all partitions, where the other side is `other`.
    fn hold_once(&self, held: &Estimate, other: &Estimate) -> bool {
        let bytes = held.bytes() + held.rows * TABLE_BYTES;
        let fits = bytes <= self.held_bytes;
        // Building alone takes what the other threads would have built; exchanging is shared by all.
        let alone = held.rows * (self.partitions - 1.0);
        let exchanged = (held.rows + other.rows) / EXCHANGED_FOR_ONE_BUILT;
        fits && (held.rows <= FEW_ROWS || alone <= exchanged)
    }
}

/// What it costs to hold a side: its bytes, and for each row a place in the hash table, most often out of the caches.
pub(super) fn cost_of_holding(side: &Estimate) -> f64 {
    cost_of_holding_rows(side.rows, side.row_bytes())
}

/// The same of so many rows of so many bytes.
pub(super) fn cost_of_holding_rows(rows: f64, width: f64) -> f64 {
    rows * (width + PLACE_BYTES)
}

fn decide(node: Arc<dyn ExecutionPlan>, limits: &Limits) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        return Ok(Transformed::yes(decide_hash_join(join, limits)?));
    }
    if let Some(join) = node.downcast_ref::<CrossJoinExec>()
        && limits.may_swap
        && estimate(join.left())?.bytes() > estimate(join.right())?.bytes()
    {
        return Ok(Transformed::yes(join.swap_inputs()?));
    }
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
        && limits.may_swap
        && join.join_type().supports_swap()
        && estimate(join.left())?.bytes() > estimate(join.right())?.bytes()
    {
        return Ok(Transformed::yes(join.swap_inputs()?));
    }
    Ok(Transformed::no(node))
}

fn decide_hash_join(join: &HashJoinExec, limits: &Limits) -> Result<Arc<dyn ExecutionPlan>> {
    let (left, right) = (estimate(join.left())?, estimate(join.right())?);
    // Which side a null-aware join holds is what it is about.
    let may_swap = limits.may_swap && join.join_type().supports_swap() && !join.null_aware;
    let swap = may_swap && cost_of_holding(&left) > cost_of_holding(&right);
    let (held, other) = if swap { (&right, &left) } else { (&left, &right) };
    let mode = match join.partition_mode() {
        PartitionMode::Auto if join.null_aware || limits.hold_once(held, other) => PartitionMode::CollectLeft,
        PartitionMode::Auto => PartitionMode::Partitioned,
        decided => *decided,
    };
    if swap {
        return join.swap_inputs(mode);
    }
    Ok(Arc::new(join.builder().with_partition_mode(mode).build()?))
}
