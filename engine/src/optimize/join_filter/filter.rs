//! Drops rows whose keys the other side of a join does not have.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::{BatchCoalescer, filter_record_batch};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter_pushdown::{FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;
use sluice_partition::row_hashes;

use super::bloom::Bloom;

/// A partition stops to look at keys when, after so many rows, ...
const TRIED_ROWS: usize = 200_000;
/// ... more than this share of them was kept.
const MOST_KEPT: f64 = 0.8;

/// What is known of the other side's keys.
#[derive(Debug, Clone, Default)]
pub(crate) enum OtherKeys {
    /// Nothing yet.
    #[default]
    Awaited,
    /// Nothing, and nothing will be.
    Unknown,
    /// The keys.
    Known(Arc<Bloom>),
}

/// Drops rows whose keys the other side of a join does not have, once it is known which it has.
#[derive(Debug)]
pub struct JoinFilterExec {
    input: Arc<dyn ExecutionPlan>,
    filter: u64,
    columns: Vec<usize>,
    keys: OtherKeys,
    metrics: ExecutionPlanMetricsSet,
}

impl JoinFilterExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, filter: u64, columns: Vec<usize>, keys: OtherKeys) -> Self {
        Self { input, filter, columns, keys, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// The filter's number.
    pub fn filter(&self) -> u64 {
        self.filter
    }

    pub(crate) fn columns(&self) -> &[usize] {
        &self.columns
    }

    pub(crate) fn keys(&self) -> &OtherKeys {
        &self.keys
    }

    /// Whether it is still to be said what the other side has.
    pub fn awaits_keys(&self) -> bool {
        matches!(self.keys, OtherKeys::Awaited)
    }

    /// The same where the other side has these keys, by their hashes; of `None`, nothing is known.
    #[must_use]
    pub fn with_keys(&self, keys: Option<&Arc<OtherSide>>) -> Self {
        let keys = keys.map_or(OtherKeys::Unknown, |keys| OtherKeys::Known(Arc::clone(&keys.0)));
        Self::new(Arc::clone(&self.input), self.filter, self.columns.clone(), keys)
    }
}

/// The keys of a join's other side.
#[derive(Debug)]
pub struct OtherSide(Arc<Bloom>);

impl OtherSide {
    /// The keys with the given hashes, as [`super::GatheredKeys`] has them.
    pub fn of(hashes: &[u64]) -> Self {
        Self(Arc::new(Bloom::of(hashes)))
    }
}

impl DisplayAs for JoinFilterExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "JoinFilterExec: filter={}, columns={:?}", self.filter, self.columns)?;
        match self.keys {
            OtherKeys::Awaited => Ok(()),
            OtherKeys::Unknown => formatter.write_str(", passes all"),
            OtherKeys::Known(_) => formatter.write_str(", keys known"),
        }
    }
}

impl ExecutionPlan for JoinFilterExec {
    fn name(&self) -> &str {
        "JoinFilterExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::LowerEqual
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.filter, self.columns.clone(), self.keys.clone()))),
            _ => internal_err!("JoinFilterExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batch_size = context.session_config().batch_size();
        let rows = self.input.execute(partition, context)?;
        let OtherKeys::Known(bloom) = &self.keys else { return Ok(rows) };
        let filtering = Filtering {
            rows,
            columns: self.columns.clone(),
            bloom: Some(Arc::clone(bloom)),
            out: BatchCoalescer::new(self.schema(), batch_size),
            seen: 0,
            kept: 0,
            ended: false,
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let stream = futures::stream::try_unfold(filtering, |mut filtering| async move {
            Ok(filtering.next().await?.map(|batch| (batch, filtering)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }
}

/// A partition that is being filtered.
struct Filtering {
    rows: SendableRecordBatchStream,
    columns: Vec<usize>,
    /// Absent once it has turned out to keep most rows.
    bloom: Option<Arc<Bloom>>,
    out: BatchCoalescer,
    seen: usize,
    kept: usize,
    ended: bool,
    metrics: BaselineMetrics,
}

impl Filtering {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.out.next_completed_batch() {
                self.metrics.record_output(batch.num_rows());
                return Ok(Some(batch));
            }
            if self.ended {
                return Ok(None);
            }
            match self.rows.try_next().await? {
                Some(batch) => {
                    let compute = self.metrics.elapsed_compute().clone();
                    let _timer = compute.timer();
                    let kept = self.kept_of(batch)?;
                    if kept.num_rows() > 0 {
                        self.out.push_batch(kept)?;
                    }
                }
                None => {
                    self.ended = true;
                    self.out.finish_buffered_batch()?;
                }
            }
        }
    }

    fn kept_of(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        let Some(bloom) = &self.bloom else { return Ok(batch) };
        let keys: Vec<_> = self.columns.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        let mut kept = bloom.contained(&row_hashes(&keys, batch.num_rows())?);
        for key in &keys {
            // A key that is null matches none.
            if let Some(nulls) = key.logical_nulls() {
                kept = &kept & nulls.inner();
            }
        }
        let count = kept.count_set_bits();
        self.seen += batch.num_rows();
        self.kept += count;
        if self.seen >= TRIED_ROWS && self.kept as f64 > self.seen as f64 * MOST_KEPT {
            self.bloom = None;
        }
        if count == batch.num_rows() {
            return Ok(batch);
        }
        Ok(filter_record_batch(&batch, &BooleanArray::new(kept, None))?)
    }
}
