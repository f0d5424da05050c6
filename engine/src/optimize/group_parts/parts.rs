//! Sets rows apart, and makes the groups of one part after another.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::PARTS;

/// So many rows are set apart at a time; fewer in all are not.
const CHUNK_ROWS: usize = if cfg!(test) { 1 << 13 } else { 1 << 18 };
/// Rows that take more than this in a partition, ...
const MOST_BYTES: usize = 512 << 20;
/// ... or this part of what the memory pool has for each partition, are not held.
const MOST_PART: usize = 4;
/// Not the seeds by which rows were sent here, or all would be of few parts.
const SEED: RandomState = RandomState::with_seed(0x5eed);

/// One partition's rows in parts.
pub(super) struct Parts {
    tables: Tables,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    /// Rows that are not yet set apart.
    whole: Vec<RecordBatch>,
    whole_rows: usize,
    /// The others; none until there are enough.
    apart: Vec<Vec<RecordBatch>>,
    /// What all rows take, and may take.
    held: MemoryReservation,
    most_bytes: usize,
}

/// Makes the tables of a partition: the step of the aggregation over given rows.
struct Tables {
    node: Arc<dyn ExecutionPlan>,
    partition: usize,
    context: Arc<TaskContext>,
}

impl Parts {
    pub(super) fn new(
        node: Arc<dyn ExecutionPlan>,
        keys: Vec<Arc<dyn PhysicalExpr>>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Self {
        let pool = context.memory_pool();
        let held = MemoryConsumer::new(format!("GroupParts[{partition}]")).with_can_spill(true).register(pool);
        let most_bytes = match pool.memory_limit() {
            MemoryLimit::Finite(bytes) => {
                let partitions = context.session_config().target_partitions().max(1);
                (bytes / partitions / MOST_PART).min(MOST_BYTES)
            }
            _ => MOST_BYTES,
        };
        let tables = Tables { node, partition, context };
        Self { tables, keys, whole: Vec::new(), whole_rows: 0, apart: Vec::new(), held, most_bytes }
    }

    /// The groups of all rows of the input.
    pub(super) fn run(mut self, mut input: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let schema = self.tables.node.schema();
        let groups = async move {
            while let Some(batch) = input.next().await {
                let batch = batch?;
                let bytes = bytes(&batch);
                let fits = self.held.size() + bytes <= self.most_bytes && self.held.try_grow(bytes).is_ok();
                self.whole_rows += batch.num_rows();
                self.whole.push(batch);
                if !fits {
                    return self.in_one_table(Some(input));
                }
                if self.whole_rows >= CHUNK_ROWS {
                    self.set_apart()?;
                }
            }
            drop(input);
            if self.apart.is_empty() {
                return self.in_one_table(None);
            }
            self.set_apart()?;
            Ok(self.in_parts())
        };
        Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(groups).try_flatten()))
    }

    /// The groups of the rows that are held, and of those that are still to come, made in one table, which can spill.
    fn in_one_table(self, rest: Option<SendableRecordBatchStream>) -> Result<SendableRecordBatchStream> {
        let Self { tables, whole, apart, held, .. } = self;
        let first: Vec<RecordBatch> = apart.into_iter().flatten().chain(whole).collect();
        let rows = stream::iter(first).map(move |batch| {
            held.shrink(bytes(&batch).min(held.size()));
            Ok(batch)
        });
        let rest = rest.map_or_else(|| stream::empty().boxed(), |rest| rest.boxed());
        tables.over(rows.chain(rest).boxed())
    }

    /// The groups of one part after another.
    fn in_parts(self) -> SendableRecordBatchStream {
        let Self { tables, apart, held, .. } = self;
        let schema = tables.node.schema();
        let groups = stream::iter(apart).map(move |part| {
            // Parts share memory: all of it is held until the last is made.
            let _held = &held;
            tables.over(stream::iter(part).map(Ok).boxed())
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, groups.try_flatten()))
    }

    /// Sets the rows that have come apart by their keys.
    fn set_apart(&mut self) -> Result<()> {
        self.whole_rows = 0;
        let batches = take(&mut self.whole);
        let [first, ..] = batches.as_slice() else { return Ok(()) };
        let chunk = concat_batches(first.schema_ref(), &batches)?;
        drop(batches);
        let rows = chunk.num_rows();
        let keys = self.keys.iter().map(|key| key.evaluate(&chunk)?.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let mut hashes = vec![0; rows];
        create_hashes(&keys, &SEED, &mut hashes)?;
        let (order, ends) = in_order_of_parts(&hashes);
        let ordered = take_record_batch(&chunk, &order)?;
        self.apart.resize_with(PARTS, Vec::new);
        let mut start = 0;
        for (part, end) in self.apart.iter_mut().zip(ends) {
            if end > start {
                part.push(ordered.slice(start, end - start));
            }
            start = end;
        }
        Ok(())
    }
}

impl Tables {
    /// The groups of the rows.
    fn over(&self, rows: stream::BoxStream<'static, Result<RecordBatch>>) -> Result<SendableRecordBatchStream> {
        let outside = &self.context;
        let rows = Arc::new(PartRows(Mutex::new(Some(rows))));
        let inside = TaskContext::new(
            outside.task_id(),
            outside.session_id(),
            outside.session_config().clone().with_extension(rows),
            outside.scalar_functions().clone(),
            outside.higher_order_functions().clone(),
            outside.aggregate_functions().clone(),
            outside.window_functions().clone(),
            outside.runtime_env(),
        );
        self.node.execute(self.partition, Arc::new(inside))
    }
}

/// What the rows of a batch take. Batches may be slices of a large one, of which each is only its part.
fn bytes(batch: &RecordBatch) -> usize {
    let of = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(column.get_array_memory_size());
    batch.columns().iter().map(of).sum()
}

/// The rows, by their places, in the order of their parts, and where each part ends.
fn in_order_of_parts(hashes: &[u64]) -> (UInt32Array, [usize; PARTS]) {
    let part = |hash: &u64| (hash >> (u64::BITS - PARTS.trailing_zeros())) as usize;
    let mut ends = [0; PARTS];
    hashes.iter().for_each(|hash| ends[part(hash)] += 1);
    let mut before = 0;
    let mut next = ends.map(|rows| {
        before += rows;
        before - rows
    });
    let mut order = vec![0_u32; hashes.len()];
    for (row, hash) in hashes.iter().enumerate() {
        let place = &mut next[part(hash)];
        order[*place] = row as u32;
        *place += 1;
    }
    (UInt32Array::from(order), next)
}

/// The rows of the table that runs in a context.
struct PartRows(Mutex<Option<stream::BoxStream<'static, Result<RecordBatch>>>>);

/// The input of a table.
#[derive(Debug)]
pub(super) struct FromParts {
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl FromParts {
    pub(super) fn of(input: &Arc<dyn ExecutionPlan>) -> Self {
        Self { schema: input.schema(), properties: Arc::clone(input.properties()) }
    }
}

impl DisplayAs for FromParts {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("FromParts")
    }
}

impl ExecutionPlan for FromParts {
    fn name(&self) -> &str {
        "FromParts"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = context.session_config().get_extension::<PartRows>();
        let rows = rows.and_then(|rows| rows.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        match rows {
            Some(rows) => Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))),
            None => internal_err!("a table is made of the rows of its part, once"),
        }
    }
}
