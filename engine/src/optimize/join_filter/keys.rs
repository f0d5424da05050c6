//! Gathers the keys of one side of a join, for a filter of the other.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter_pushdown::{FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::TryStreamExt;
use parking_lot::Mutex;
use sluice_partition::row_hashes;

/// Of more different keys no filter is made.
pub(super) const MOST_KEYS: usize = 4 << 20;

/// Passes rows on, and keeps the hashes of their keys.
///
/// It does not say how its rows are partitioned: a join that needs nothing exchanged would run in one stage with what
/// gathers its keys, and the other side's stages would have read all their rows before.
#[derive(Debug)]
pub struct JoinKeysExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    filter: u64,
    columns: Vec<usize>,
    gathered: Arc<Mutex<Gathered>>,
}

/// What a task's partitions have gathered.
#[derive(Debug, Default)]
struct Gathered {
    hashes: Hashes,
    partitions: usize,
}

/// The keys of one side of a join, as far as one task has seen that side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatheredKeys {
    /// The filter that they are for.
    pub filter: u64,
    /// Hashes of all keys, each once; `None` where there are too many, or not all rows were read.
    pub hashes: Option<Vec<u64>>,
}

impl JoinKeysExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, filter: u64, columns: Vec<usize>) -> Self {
        Self::over(input, filter, columns, Arc::default())
    }

    fn over(input: Arc<dyn ExecutionPlan>, filter: u64, columns: Vec<usize>, gathered: Arc<Mutex<Gathered>>) -> Self {
        let partitions = input.output_partitioning().partition_count();
        let properties = input.properties().as_ref().clone();
        let properties = Arc::new(properties.with_partitioning(Partitioning::UnknownPartitioning(partitions)));
        Self { input, properties, filter, columns, gathered }
    }

    /// The filter that the keys are for.
    pub fn filter(&self) -> u64 {
        self.filter
    }

    pub(crate) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Where the keys are kept, also those of copies of this node over other inputs.
    pub fn gatherer(&self) -> Gatherer {
        let partitions = self.input.output_partitioning().partition_count();
        Gatherer { filter: self.filter, partitions, gathered: Arc::clone(&self.gathered) }
    }
}

/// The keys that a node gathers.
#[derive(Debug)]
pub struct Gatherer {
    filter: u64,
    partitions: usize,
    gathered: Arc<Mutex<Gathered>>,
}

impl Gatherer {
    /// What has been gathered by now, which is all once the task has ended.
    pub fn take(&self) -> GatheredKeys {
        let mut gathered = std::mem::take(&mut *self.gathered.lock());
        let all = gathered.partitions == self.partitions;
        GatheredKeys { filter: self.filter, hashes: if all { gathered.hashes.take() } else { None } }
    }
}

/// Hashes, each kept once or a few times, until there are too many.
#[derive(Debug, Default)]
struct Hashes {
    kept: Vec<u64>,
    /// As many of the first are in order, each once.
    in_order: usize,
    too_many: bool,
}

impl Hashes {
    fn add(&mut self, hashes: impl Iterator<Item = u64>) {
        if self.too_many {
            return;
        }
        self.kept.extend(hashes);
        // Ordered again whenever they have doubled, so each is moved a few times at most.
        if self.kept.len() > (2 * self.in_order).max(1 << 16) {
            self.order();
        }
    }

    fn order(&mut self) {
        self.kept.sort_unstable();
        self.kept.dedup();
        self.in_order = self.kept.len();
        if self.in_order > MOST_KEYS {
            *self = Self { too_many: true, ..Self::default() };
        }
    }

    fn take(&mut self) -> Option<Vec<u64>> {
        self.order();
        (!self.too_many).then(|| std::mem::take(&mut self.kept))
    }
}

/// A partition that is being read.
struct Reading {
    rows: SendableRecordBatchStream,
    columns: Vec<usize>,
    hashes: Hashes,
    gathered: Arc<Mutex<Gathered>>,
}

impl Reading {
    /// Adds the partition's keys to the task's.
    fn finish(mut self) {
        let own = self.hashes.take();
        let mut gathered = self.gathered.lock();
        gathered.partitions += 1;
        match own {
            Some(own) => gathered.hashes.add(own.into_iter()),
            None => gathered.hashes = Hashes { too_many: true, ..Hashes::default() },
        }
    }
}

/// The hash of each row's keys, of rows that have all of them: a key that is null matches none.
pub(super) fn key_hashes(batch: &RecordBatch, columns: &[usize]) -> Result<Vec<Option<u64>>> {
    let keys: Vec<_> = columns.iter().map(|at| Arc::clone(batch.column(*at))).collect();
    let hashes = row_hashes(&keys, batch.num_rows())?;
    let nulls: Vec<_> =
        keys.iter().filter_map(|key| key.logical_nulls()).filter(|nulls| nulls.null_count() > 0).collect();
    let is_null = |row: usize| nulls.iter().any(|nulls| nulls.is_null(row));
    Ok(hashes.into_iter().enumerate().map(|(row, hash)| (!is_null(row)).then_some(hash)).collect())
}

impl DisplayAs for JoinKeysExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "JoinKeysExec: filter={}, columns={:?}", self.filter, self.columns)
    }
}

impl ExecutionPlan for JoinKeysExec {
    fn name(&self) -> &str {
        "JoinKeysExec"
    }

    /// An empty set: the driver tells the sets of a task's nodes by their order, and counts this node's.
    fn metrics(&self) -> Option<MetricsSet> {
        Some(MetricsSet::new())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
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
        CardinalityEffect::Equal
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => {
                Ok(Arc::new(Self::over(input, self.filter, self.columns.clone(), Arc::clone(&self.gathered))))
            }
            _ => internal_err!("JoinKeysExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let reading = Reading {
            rows: self.input.execute(partition, context)?,
            columns: self.columns.clone(),
            hashes: Hashes::default(),
            gathered: Arc::clone(&self.gathered),
        };
        let stream = futures::stream::try_unfold(reading, |mut reading| async move {
            let Some(batch) = reading.rows.try_next().await? else {
                reading.finish();
                return Ok(None);
            };
            reading.hashes.add(key_hashes(&batch, &reading.columns)?.into_iter().flatten());
            Ok(Some((batch, reading)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
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
