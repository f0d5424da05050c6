//! The search for skewed nodes: what is decided for each, on what evidence.

use std::collections::HashMap;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::NullEquality;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Aggregate, Expr, Join, JoinType, LogicalPlan, Window};

use super::distinct;
use super::hint::SkewHint;
use super::join::{self, Which};
use super::judge::{self, Plan, RangePlan, Trigger};
use super::lineage::{is_chain, source_of};
use super::median::{self, Medians};
use super::report::SkewNote;
use super::rewrite::{Decision, other};
use super::sample::{KeySample, What};
use super::size::TableSizes;
use super::window::{self, Shape};
use super::write;
use crate::error::Result;

// The work of a rewritten node over that of the plain one, in seconds of tasks, as `sluice bench skew` measures it.
const SPLIT_COST: f64 = 1.0;
const OUTER_COST: f64 = 1.3;
const LEVELS_COST: f64 = 1.9;
const WINDOW_COST: f64 = 2.0;
const MEDIAN_COST: f64 = 6.6;
/// Rows of one key that one task can hold: their values, in a state or a sort, are a few hundred megabytes.
const ROWS_HELD: f64 = 32_000_000.0;

/// The state of a search for skewed nodes.
pub(super) struct Search<'a> {
    pub(super) state: &'a SessionState,
    pub(super) partitions: usize,
    /// `None` to rewrite nodes whatever it costs.
    pub(super) cores: Option<usize>,
    /// Whether a hint speaks of the node that is looked at.
    pub(super) hinted: bool,
    pub(super) least_bytes: u64,
    pub(super) broadcast_bytes: u64,
    pub(super) copies: f64,
    pub(super) hints: Vec<SkewHint>,
    pub(super) sizes: TableSizes,
    /// By the text of the query for the keys.
    pub(super) samples: HashMap<String, Option<KeySample>>,
    pub(super) notes: Vec<SkewNote>,
}

impl Search<'_> {
    pub(super) async fn decide(&mut self, node: &LogicalPlan, number: usize) -> Result<Option<Decision>> {
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

    fn trigger(&self, cost: f64) -> Trigger {
        let cores = self.cores.filter(|_| !self.hinted);
        Trigger { partitions: self.partitions, cores, cost, rows_held: ROWS_HELD }
    }

    /// Takes the sample of some keys; gives the name under which it is kept.
    async fn sample(&mut self, plan: &LogicalPlan, keys: &[Expr], what: What) -> Result<Option<String>> {
        let Some(source) = source_of(plan, keys)? else { return Ok(None) };
        let name = format!("{what:?} {}", source.display_indent());
        if !self.samples.contains_key(&name) {
            let sample = KeySample::read(self.state, &source, what, self.partitions).await?;
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
        // A key that differs each time it is computed has no salt.
        if left_keys.iter().chain(&right_keys).any(Expr::is_volatile) {
            return Ok(None);
        }
        self.hinted = self.is_hinted(&join.left, &left_keys)? || self.is_hinted(&join.right, &right_keys)?;
        // In memory a column takes more than in a file.
        let is_broadcast = left_bytes.min(right_bytes).saturating_mul(4) < self.broadcast_bytes;
        if is_broadcast || (!self.hinted && left_bytes.max(right_bytes) < self.least_bytes) {
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
        let plan = |split: Option<&KeySample>, other: Option<&KeySample>, both: bool, cost: f64| match split {
            Some(split) => judge::plan_salts(split, other, self.trigger(cost), scatter, both, self.copies),
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
            let split = plan(outer, inner, false, SPLIT_COST)?;
            let inner_skew = plan(inner, None, false, SPLIT_COST)?;
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
            let may_split = join::may_split(join.join_type, side);
            let cost = if may_split { SPLIT_COST } else { OUTER_COST };
            let Some(salts) = plan(split, repeated, both, cost)? else { continue };
            let why = described(side, &salts);
            if may_split {
                return Ok(Some((Decision::Split { side, plan: salts.clone() }, Some(salts), why)));
            }
            // Both inputs are read again for the rows without a match.
            if join.filter.is_none() && is_chain(&join.left)? && is_chain(&join.right)? {
                let unmatched = plan(repeated, None, false, SPLIT_COST)?;
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
        self.hinted = self.is_hinted(&aggregate.input, &keys)?;
        if !self.hinted && self.sizes.of(&aggregate.input, self.state).await? < self.least_bytes {
            return Ok(None);
        }
        let (hot_keys, hashed, evidence) = if keys.is_empty() {
            (Vec::new(), self.partitions as f64, "there being one group".to_string())
        } else {
            let what = What { keys: keys.len(), null_is_key: true };
            let name = self.sample(&aggregate.input, &keys, what).await?;
            let Some(sample) = self.sampled(&name) else { return Ok(None) };
            let Some(forecast) = self.trigger(LEVELS_COST).is_worthwhile(sample)? else { return Ok(None) };
            (forecast.names(sample)?, forecast.hashed, evidence(Some(sample)))
        };
        if keys.is_empty()
            && !self.hinted
            && self.cores.is_some_and(|cores| (cores.min(self.partitions) as f64) < LEVELS_COST * 2.0)
        {
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
        self.hinted = self.is_hinted(&aggregate.input, &medians.keys)?;
        if !self.hinted && self.sizes.of(&aggregate.input, self.state).await? < self.least_bytes {
            return Ok(None);
        }
        let order = [SortOptions { descending: false, nulls_first: false }];
        let what = What { keys: medians.keys.len(), null_is_key: true };
        let (mut tables, mut found) = (Vec::new(), None);
        for value in &medians.values {
            let read: Vec<Expr> = medians.keys.iter().chain([value]).cloned().collect();
            let name = self.sample(&aggregate.input, &read, what).await?;
            let Some(sample) = self.sampled(&name) else { return Ok(None) };
            let Some(RangePlan { table, balance, names }) =
                judge::plan_ranges(sample, &order, self.trigger(MEDIAN_COST))?
            else {
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
        self.hinted = self.is_hinted(input, &keys)?;
        if !self.hinted && self.sizes.of(input, self.state).await? < self.least_bytes {
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
        self.hinted = self.is_hinted(&window.input, &shape.keys)?;
        if !self.hinted && self.sizes.of(&window.input, self.state).await? < self.least_bytes {
            return Ok(None);
        }
        let what = What { keys: shape.keys.len(), null_is_key: true };
        let read: Vec<Expr> =
            shape.keys.iter().cloned().chain(shape.order.iter().map(|sort| sort.expr.clone())).collect();
        let name = self.sample(&window.input, &read, what).await?;
        let Some(sample) = self.sampled(&name) else { return Ok(None) };
        let (decision, action, balance, hot_keys) = if shape.order.is_empty() {
            let Some(plan) = judge::plan_salts(sample, None, self.trigger(WINDOW_COST), false, false, f64::INFINITY)?
            else {
                return Ok(None);
            };
            let action =
                format!("{} keys in {} chunks, their values computed apart", plan.table.len(), plan.table.chunks());
            (Decision::Scattered { shape: shape.clone(), plan: plan.clone() }, action, plan.forecast, plan.names)
        } else {
            let Some(RangePlan { table, balance, names }) =
                judge::plan_ranges(sample, &shape.sort_options(), self.trigger(WINDOW_COST))?
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
