//! Finds the nodes of a plan whose keys are skewed, and rewrites them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Join, JoinType, LogicalPlan};
use sluice_partition::kinds::HotKeyPartitioner;
use sluice_partition::ranges::RangeTable;

use super::distinct;
use super::hint;
use super::join::{self, Which};
use super::judge::Plan;
use super::median::Medians;
use super::report::SkewNote;
use super::scope::SkewScope;
use super::search::Search;
use super::size::TableSizes;
use super::window::{self, Shape};
use super::write;
use crate::config::{SluiceConfig, Switch};
use crate::error::{Blame, Result};

/// Cores below which frequent keys are not looked for unasked.
const FEWEST_CORES: usize = 4;

/// Rewrites the skewed nodes of `plan`, which is optimised, for exchanges of the session's number of partitions.
///
/// Gives the plan, optimised again where a node was rewritten, and what was found.
pub(crate) async fn handle(state: &SessionState, plan: LogicalPlan) -> Result<(LogicalPlan, Vec<SkewNote>)> {
    let (plan, hints) = hint::take(plan)?;
    let settings = SluiceConfig::of(state.config());
    let mode = settings.skew_mode();
    let partitions = state.config().target_partitions();
    if mode == Switch::Off || partitions < 2 || !plan.exists(|node| Ok(is_candidate(node)))? {
        return Ok((plan, Vec::new()));
    }
    // So few wait for no more than each other.
    if mode == Switch::Auto && hints.is_empty() && SkewScope::cores(state.config()) < FEWEST_CORES {
        return Ok((plan, Vec::new()));
    }
    match find_and_rewrite(state, &settings, hints, &plan).await {
        // The user's own mistake, in a hint for instance.
        Err(error) if error.blame() == Blame::User => Err(error),
        // Nothing is wrong with the plan as it was.
        Err(error) => {
            tracing::warn!(%error, "skewed keys are left as they are");
            Ok((plan, Vec::new()))
        }
        done => done,
    }
}

async fn find_and_rewrite(
    state: &SessionState,
    settings: &SluiceConfig,
    hints: Vec<hint::SkewHint>,
    plan: &LogicalPlan,
) -> Result<(LogicalPlan, Vec<SkewNote>)> {
    let (mode, partitions) = (settings.skew_mode(), state.config().target_partitions());
    let least_bytes = if mode == Switch::On { 0 } else { settings.skew_min_input_bytes() };
    let mut search = Search {
        state,
        partitions,
        cores: (mode == Switch::Auto).then(|| SkewScope::cores(state.config())),
        hinted: false,
        least_bytes,
        broadcast_bytes: SkewScope::broadcast_bytes(state.config()),
        copies: settings.skew_copies_percent() as f64 / 100.0,
        hints,
        sizes: TableSizes::default(),
        samples: HashMap::new(),
        notes: Vec::new(),
    };
    let mut nodes = Vec::new();
    collect(plan, &mut nodes);
    let mut decisions = Vec::with_capacity(nodes.len());
    for (node, number) in nodes.into_iter().zip(1..) {
        decisions.push(search.decide(&node, number).await?);
    }
    let notes = search.notes;
    if decisions.iter().all(Option::is_none) {
        return Ok((plan.clone(), notes));
    }
    let mut number = 0;
    let mut decisions = decisions.into_iter();
    let rewritten = plan.clone().transform_up(|node| {
        if !is_candidate(&node) {
            return Ok(Transformed::no(node));
        }
        number += 1;
        match decisions.next().flatten() {
            Some(decision) => Ok(Transformed::yes(decision.apply(&node, number)?)),
            None => Ok(Transformed::no(node)),
        }
    })?;
    let rewritten = state.optimize(&rewritten.data)?;
    tracing::debug!(plan = %rewritten.display_indent(), "rewritten for skewed keys");
    Ok((rewritten, notes))
}

fn is_candidate(node: &LogicalPlan) -> bool {
    matches!(node, LogicalPlan::Join(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Window(_))
        || write::partitioned(node).is_some()
}

/// The candidates, inputs before the nodes above them.
fn collect(plan: &LogicalPlan, nodes: &mut Vec<LogicalPlan>) {
    plan.inputs().into_iter().for_each(|input| collect(input, nodes));
    if is_candidate(plan) {
        nodes.push(plan.clone());
    }
}

/// What is done to a node.
pub(super) enum Decision {
    /// One side is split.
    Split {
        side: Which,
        plan: Plan,
    },
    /// The inner side of a semi or anti join gives each key once; the other may be split besides.
    DistinctKeys {
        inner: Which,
        split: Option<Plan>,
    },
    /// An outer join's sides that must not be split are; what they do not match is found by itself.
    Outer {
        side: Which,
        plan: Plan,
        unmatched: Option<Plan>,
    },
    TwoLevels,
    /// The rows of frequent groups are cut into ranges of the values whose median it is.
    Medians {
        medians: Medians,
        tables: Vec<Arc<RangeTable>>,
    },
    /// A window's frequent keys are cut into ranges.
    Ranges {
        shape: Shape,
        table: Arc<RangeTable>,
    },
    /// A write's rows are placed by what it is partitioned by.
    Write {
        partitioner: HotKeyPartitioner,
    },
    /// A window's frequent keys lie anywhere.
    Scattered {
        shape: Shape,
        plan: Plan,
    },
}

impl Decision {
    fn apply(&self, node: &LogicalPlan, number: usize) -> datafusion::common::Result<LogicalPlan> {
        match (self, node) {
            (Self::Split { side, plan }, LogicalPlan::Join(join)) => join::split(join, *side, plan, number),
            (Self::DistinctKeys { inner, split }, LogicalPlan::Join(join)) => {
                let join = join::with_distinct_keys(join, *inner)?;
                match split {
                    Some(plan) => join::split(&join, other(*inner), plan, number),
                    None => Ok(LogicalPlan::Join(join)),
                }
            }
            (Self::Outer { side, plan, unmatched }, LogicalPlan::Join(join)) => {
                outer(join, *side, plan, unmatched.as_ref(), number)
            }
            (Self::TwoLevels, LogicalPlan::Aggregate(aggregate)) => {
                Ok(distinct::in_two_levels(aggregate)?.unwrap_or_else(|| node.clone()))
            }
            (Self::Medians { medians, tables }, LogicalPlan::Aggregate(node)) => medians.apart(node, tables, number),
            (Self::Ranges { shape, table }, LogicalPlan::Window(node)) => window::in_ranges(node, shape, table, number),
            (Self::Scattered { shape, plan }, LogicalPlan::Window(node)) => {
                window::scattered(node, shape, &plan.table, number)
            }
            (Self::Write { partitioner }, node) => write::placed(node, partitioner),
            _ => datafusion::common::internal_err!("a decision for another node"),
        }
    }
}

/// An outer join that splits a side whose rows do not all come out, or of which the other side's do too.
fn outer(
    join: &Join,
    side: Which,
    plan: &Plan,
    unmatched: Option<&Plan>,
    number: usize,
) -> datafusion::common::Result<LogicalPlan> {
    // The rows of the side that is repeated come out by themselves.
    let kept = other(side);
    let matched = match (join.join_type, side) {
        (JoinType::Full, Which::Left) => join::retyped(join, JoinType::Left)?,
        (JoinType::Full, Which::Right) => join::retyped(join, JoinType::Right)?,
        _ => join::retyped(join, JoinType::Inner)?,
    };
    let matched = join::split(&matched, side, plan, number)?;
    let anti = match kept {
        Which::Left => JoinType::LeftAnti,
        Which::Right => JoinType::RightAnti,
    };
    let anti = join::with_distinct_keys(&join::retyped(join, anti)?, side)?;
    let anti = match unmatched {
        Some(plan) => join::split(&anti, kept, plan, number + 1_000_000)?,
        None => LogicalPlan::Join(anti),
    };
    join::with_unmatched(join, kept, matched, anti)
}

pub(super) fn other(side: Which) -> Which {
    match side {
        Which::Left => Which::Right,
        Which::Right => Which::Left,
    }
}
