//! Finds the nodes of a plan whose keys are skewed, and rewrites them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::NullEquality;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Aggregate, Expr, Join, JoinType, LogicalPlan, Window};
use sluice_partition::kinds::HotKeyPartitioner;
use sluice_partition::ranges::RangeTable;

use super::distinct;
use super::hint::{self, SkewHint};
use super::join::{self, Which};
use super::judge::{self, Forecast, Plan, RangePlan, WORTHWHILE};
use super::lineage::{is_chain, source_of};
use super::median::{self, Medians};
use super::report::SkewNote;
use super::sample::{KeySample, What};
use super::scope::SkewScope;
use super::size::TableSizes;
use super::window::{self, Shape};
use super::write;
use crate::config::{SluiceConfig, Switch};
use crate::error::Result;

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
    let least_bytes = if mode == Switch::On { 0 } else { settings.skew_min_input_bytes() };
    let mut search = Search {
        state,
        partitions,
        least_bytes,
        broadcast_bytes: SkewScope::broadcast_bytes(state.config()),
        copies: settings.skew_copies_percent() as f64 / 100.0,
        hints,
        sizes: TableSizes::default(),
        samples: HashMap::new(),
        notes: Vec::new(),
    };
    let mut nodes = Vec::new();
    collect(&plan, &mut nodes);
    let mut decisions = Vec::with_capacity(nodes.len());
    for (node, number) in nodes.into_iter().zip(1..) {
        decisions.push(search.decide(&node, number).await?);
    }
    let notes = search.notes;
    if decisions.iter().all(Option::is_none) {
        return Ok((plan, notes));
    }
    let mut number = 0;
    let mut decisions = decisions.into_iter();
    let rewritten = plan.transform_up(|node| {
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
enum Decision {
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

fn other(side: Which) -> Which {
    match side {
        Which::Left => Which::Right,
        Which::Right => Which::Left,
    }
}

/// The state of a search for skewed nodes.
struct Search<'a> {
    state: &'a SessionState,
    partitions: usize,
    least_bytes: u64,
    broadcast_bytes: u64,
    copies: f64,
    hints: Vec<SkewHint>,
    sizes: TableSizes,
    /// By the text of the query for the keys.
    samples: HashMap<String, Option<KeySample>>,
    notes: Vec<SkewNote>,
}

impl Search<'_> {
    async fn decide(&mut self, node: &LogicalPlan, number: usize) -> Result<Option<Decision>> {
        match node {
            LogicalPlan::Join(join) => self.decide_join(join, number).await,
            LogicalPlan::Aggregate(aggregate) => match Medians::of(aggregate) {
                Some(medians) => self.decide_medians(aggregate, medians, number).await,
                None => self.decide_aggregate(aggregate).await,
            },
            LogicalPlan::Window(window) => self.decide_window(window, number).await,
            LogicalPlan::Extension(_) => self.decide_write(node).await,
            _ => Ok(None),
        }
    }

    /// Takes the sample of some keys; gives the name under which it is kept.
    async fn sample(&mut self, plan: &LogicalPlan, keys: &[Expr], what: What) -> Result<Option<String>> {
        let Some(source) = source_of(plan, keys)? else { return Ok(None) };
        let name = format!("{what:?} {}", source.display_indent());
        if !self.samples.contains_key(&name) {
            let sample = KeySample::read(self.state, &source, what).await?;
            self.samples.insert(name.clone(), sample);
        }
        Ok(Some(name))
    }

    /// Whether a hint speaks of one of the columns that the keys come from.
    fn is_hinted(&self, plan: &LogicalPlan, keys: &[Expr]) -> Result<bool> {
        if self.hints.is_empty() {
            return Ok(false);
        }
        let Some(source) = source_of(plan, keys)? else { return Ok(false) };
        Ok(self.hints.iter().any(|hint| hint.concerns(&source)))
    }

    fn sampled(&self, name: &Option<String>) -> Option<&KeySample> {
        name.as_ref().and_then(|name| self.samples.get(name)).and_then(Option::as_ref)
    }

    async fn decide_join(&mut self, join: &Join, number: usize) -> Result<Option<Decision>> {
        if join.on.is_empty() || join.null_aware || matches!(join.join_type, JoinType::LeftMark | JoinType::RightMark) {
            return Ok(None);
        }
        let left_bytes = self.sizes.of(&join.left, self.state).await?;
        let right_bytes = self.sizes.of(&join.right, self.state).await?;
        let (left_keys, right_keys): (Vec<Expr>, Vec<Expr>) = join.on.iter().cloned().unzip();
        let hinted = self.is_hinted(&join.left, &left_keys)? || self.is_hinted(&join.right, &right_keys)?;
        // In memory a column takes more than in a file.
        let is_broadcast = left_bytes.min(right_bytes).saturating_mul(4) < self.broadcast_bytes;
        if is_broadcast || (!hinted && left_bytes.max(right_bytes) < self.least_bytes) {
            return Ok(None);
        }
        let null_is_key = join.null_equality == NullEquality::NullEqualsNull;
        let what = What { keys: join.on.len(), null_is_key };
        let left = self.sample(&join.left, &left_keys, what).await?;
        let right = self.sample(&join.right, &right_keys, what).await?;
        let Some((decision, plan, why)) = self.choose(join, &left, &right)? else { return Ok(None) };
        let side = match &decision {
            Decision::Split { side, .. } | Decision::Outer { side, .. } => *side,
            Decision::DistinctKeys { inner, .. } => *inner,
            _ => Which::Left,
        };
        let sample = self.sampled(if side == Which::Left { &left } else { &right });
        let on: Vec<String> = join.on.iter().map(|(left, right)| format!("{left} = {right}")).collect();
        self.notes.push(SkewNote {
            node: format!("{} join on {}", join.join_type, on.join(" and ")),
            action: why,
            hot_keys: plan.as_ref().map(|plan| plan.names.clone()).unwrap_or_default(),
            evidence: evidence(sample),
            mark: join::mark(number),
            balance: plan.map(|plan| plan.forecast),
        });
        Ok(Some(decision))
    }

    /// What is done to a join, with what it rests on and a word on it.
    fn choose(
        &self,
        join: &Join,
        left: &Option<String>,
        right: &Option<String>,
    ) -> Result<Option<(Decision, Option<Plan>, String)>> {
        let scatter = join.null_equality == NullEquality::NullEqualsNothing;
        let both = join.join_type == JoinType::Inner;
        let (left, right) = (self.sampled(left), self.sampled(right));
        let plan = |split: Option<&KeySample>, other: Option<&KeySample>, both: bool| match split {
            Some(split) => judge::plan_salts(split, other, self.partitions, scatter, both, self.copies),
            None => Ok(None),
        };
        let rows = |sample: Option<&KeySample>| sample.map_or(0.0, |sample| sample.rows as f64 * sample.scale);
        let semi = matches!(
            join.join_type,
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::RightSemi | JoinType::RightAnti
        );
        if semi {
            let outer_side = match join.join_type {
                JoinType::LeftSemi | JoinType::LeftAnti => Which::Left,
                _ => Which::Right,
            };
            let (outer, inner) = match outer_side {
                Which::Left => (left, right),
                Which::Right => (right, left),
            };
            let split = plan(outer, inner, false)?;
            let inner_skew = plan(inner, None, false)?;
            return Ok(match (split, inner_skew) {
                (split, Some(skew)) if join.filter.is_none() => {
                    let why = "the inner side gives each key once".to_string();
                    let shown = split.clone().unwrap_or(skew);
                    Some((Decision::DistinctKeys { inner: other(outer_side), split }, Some(shown), why))
                }
                (Some(plan), _) => {
                    let why = described(outer_side, &plan);
                    Some((Decision::Split { side: outer_side, plan: plan.clone() }, Some(plan), why))
                }
                (None, _) => None,
            });
        }
        // The larger side first.
        let order = match rows(right) > rows(left) {
            true => [Which::Right, Which::Left],
            false => [Which::Left, Which::Right],
        };
        for side in order {
            let (split, repeated) = match side {
                Which::Left => (left, right),
                Which::Right => (right, left),
            };
            let Some(salts) = plan(split, repeated, both)? else { continue };
            let why = described(side, &salts);
            if join::may_split(join.join_type, side) {
                return Ok(Some((Decision::Split { side, plan: salts.clone() }, Some(salts), why)));
            }
            // Both inputs are read again for the rows without a match.
            if join.filter.is_none() && is_chain(&join.left)? && is_chain(&join.right)? {
                let unmatched = plan(repeated, None, false)?;
                let why = format!("{why}; rows without a match are found apart");
                return Ok(Some((Decision::Outer { side, plan: salts.clone(), unmatched }, Some(salts), why)));
            }
        }
        Ok(None)
    }

    async fn decide_aggregate(&mut self, aggregate: &Aggregate) -> Result<Option<Decision>> {
        if distinct::in_two_levels(aggregate)?.is_none() {
            return Ok(None);
        }
        let keys = distinct::coarsest_keys(aggregate)?;
        let hinted = self.is_hinted(&aggregate.input, &keys)?;
        if !hinted && self.sizes.of(&aggregate.input, self.state).await? < self.least_bytes {
            return Ok(None);
        }
        let (hot_keys, hashed, evidence) = if keys.is_empty() {
            (Vec::new(), self.partitions as f64, "there being one group".to_string())
        } else {
            let what = What { keys: keys.len(), null_is_key: true };
            let name = self.sample(&aggregate.input, &keys, what).await?;
            let Some(sample) = self.sampled(&name) else { return Ok(None) };
            let forecast = Forecast::of(sample, self.partitions, false)?;
            (forecast.names(sample)?, forecast.hashed, evidence(Some(sample)))
        };
        if hashed < WORTHWHILE {
            return Ok(None);
        }
        let by: Vec<String> = keys.iter().map(ToString::to_string).collect();
        self.notes.push(SkewNote {
            node: if by.is_empty() { "aggregate".into() } else { format!("aggregate by {}", by.join(", ")) },
            action: format!("in two levels, by value first; fullest partition over the mean {hashed:.2} in one"),
            hot_keys,
            evidence,
            mark: distinct::MARK.to_string(),
            balance: None,
        });
        Ok(Some(Decision::TwoLevels))
    }
}

impl Search<'_> {
    async fn decide_medians(
        &mut self,
        aggregate: &Aggregate,
        medians: Medians,
        number: usize,
    ) -> Result<Option<Decision>> {
        // The input is read once for each value, and for the other aggregates.
        if !is_chain(&aggregate.input)? {
            return Ok(None);
        }
        let hinted = self.is_hinted(&aggregate.input, &medians.keys)?;
        if !hinted && self.sizes.of(&aggregate.input, self.state).await? < self.least_bytes {
            return Ok(None);
        }
        let order = [SortOptions { descending: false, nulls_first: false }];
        let what = What { keys: medians.keys.len(), null_is_key: true };
        let (mut tables, mut found) = (Vec::new(), None);
        for value in &medians.values {
            let read: Vec<Expr> = medians.keys.iter().chain([value]).cloned().collect();
            let name = self.sample(&aggregate.input, &read, what).await?;
            let Some(sample) = self.sampled(&name) else { return Ok(None) };
            let Some(RangePlan { table, balance, names }) = judge::plan_ranges(sample, &order, self.partitions)? else {
                return Ok(None);
            };
            found.get_or_insert((balance, names, evidence(Some(sample))));
            tables.push(table);
        }
        let Some((balance, hot_keys, evidence)) = found else { return Ok(None) };
        let by: Vec<String> = medians.keys.iter().map(ToString::to_string).collect();
        let ranges: usize = tables.iter().map(|table| table.ranges()).sum();
        self.notes.push(SkewNote {
            node: format!("median by {}", by.join(", ")),
            action: format!("found in {ranges} ranges of the values of frequent groups"),
            hot_keys,
            evidence,
            mark: median::mark(number),
            balance: Some(balance),
        });
        Ok(Some(Decision::Medians { medians, tables }))
    }

    async fn decide_write(&mut self, node: &LogicalPlan) -> Result<Option<Decision>> {
        let Some((input, keys)) = write::partitioned(node) else { return Ok(None) };
        let hinted = self.is_hinted(input, &keys)?;
        if !hinted && self.sizes.of(input, self.state).await? < self.least_bytes {
            return Ok(None);
        }
        let name = self.sample(input, &keys, What { keys: keys.len(), null_is_key: true }).await?;
        let Some(sample) = self.sampled(&name) else { return Ok(None) };
        let (partitioner, balance, hot_keys) = judge::plan_write(sample, self.partitions)?;
        let evidence = evidence(Some(sample));
        let by: Vec<String> = keys.iter().map(ToString::to_string).collect();
        self.notes.push(SkewNote {
            node: format!("write partitioned by {}", by.join(", ")),
            action: "rows of one value go to one task, and those of frequent values to several".to_string(),
            hot_keys,
            evidence,
            mark: write::MARK.to_string(),
            balance: Some(balance),
        });
        Ok(Some(Decision::Write { partitioner }))
    }

    async fn decide_window(&mut self, window: &Window, number: usize) -> Result<Option<Decision>> {
        let Some(shape) = Shape::of(window)? else { return Ok(None) };
        // The input is read again for the totals of frequent keys.
        if !is_chain(&window.input)? {
            return Ok(None);
        }
        let hinted = self.is_hinted(&window.input, &shape.keys)?;
        if !hinted && self.sizes.of(&window.input, self.state).await? < self.least_bytes {
            return Ok(None);
        }
        let what = What { keys: shape.keys.len(), null_is_key: true };
        let read: Vec<Expr> =
            shape.keys.iter().cloned().chain(shape.order.iter().map(|sort| sort.expr.clone())).collect();
        let name = self.sample(&window.input, &read, what).await?;
        let Some(sample) = self.sampled(&name) else { return Ok(None) };
        let (decision, action, balance, hot_keys) = if shape.order.is_empty() {
            let Some(plan) = judge::plan_salts(sample, None, self.partitions, false, false, f64::INFINITY)? else {
                return Ok(None);
            };
            let action =
                format!("{} keys in {} chunks, their values computed apart", plan.table.len(), plan.table.chunks());
            (Decision::Scattered { shape: shape.clone(), plan: plan.clone() }, action, plan.forecast, plan.names)
        } else {
            let Some(RangePlan { table, balance, names }) =
                judge::plan_ranges(sample, &shape.sort_options(), self.partitions)?
            else {
                return Ok(None);
            };
            let action = format!("{} keys in {} ranges of their order", table.len(), table.ranges());
            (Decision::Ranges { shape: shape.clone(), table }, action, balance, names)
        };
        let evidence = evidence(Some(sample));
        let by: Vec<String> = shape.keys.iter().map(ToString::to_string).collect();
        self.notes.push(SkewNote {
            node: format!("window by {}", by.join(", ")),
            action,
            hot_keys,
            evidence,
            mark: window::mark(number),
            balance: Some(balance),
        });
        Ok(Some(decision))
    }
}

fn described(side: Which, plan: &Plan) -> String {
    let side = match side {
        Which::Left => "left",
        Which::Right => "right",
    };
    format!("{} keys of the {side} side in {} chunks", plan.table.len(), plan.table.chunks())
}

fn evidence(sample: Option<&KeySample>) -> String {
    match sample {
        Some(sample) if sample.scale > 1.0 => {
            format!("a sample of {} rows, one in {:.0}", sample.rows, sample.scale)
        }
        Some(sample) => format!("all {} rows", sample.rows),
        None => "a hint".to_string(),
    }
}
