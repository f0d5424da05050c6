//! Sets rows apart, and gives them to a table for each part.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::PARTS;

/// Rows are set apart when there are more than so many.
const APART_ROWS: usize = 1 << 18;
/// So many rows are set apart at a time.
const CHUNK_ROWS: usize = 1 << 18;
/// What waits for the tables is given to them when it takes as much.
const WAITING_BYTES: usize = 64 << 20;
/// Not the seeds by which rows were sent here, or all would be of few parts.
const SEED: RandomState = RandomState::with_seed(0x5eed);

/// Rows that wait for a table, and whether there will be more.
#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<RecordBatch>,
    is_closed: bool,
}

type SharedQueue = Arc<Mutex<Queue>>;

fn push(queue: &SharedQueue, batch: RecordBatch) {
    queue.lock().unwrap_or_else(PoisonError::into_inner).batches.push_back(batch);
}

fn close(queue: &SharedQueue) {
    queue.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
}

/// A table: the step of the aggregation over rows of one part.
struct Table {
    queue: SharedQueue,
    groups: SendableRecordBatchStream,
}

/// One partition's rows in parts.
pub(super) struct Parts {
    node: Arc<dyn ExecutionPlan>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    partition: usize,
    context: Arc<TaskContext>,
    /// What all tables take from the memory pool.
    pool: Arc<PartsPool>,
    schema: SchemaRef,
    /// Rows that are not yet set apart.
    whole: Vec<RecordBatch>,
    whole_rows: usize,
    /// None until rows are set apart.
    tables: Vec<Table>,
    /// What the rows take that are set apart and wait for their tables.
    waiting: MemoryReservation,
}

impl Parts {
    pub(super) fn new(
        node: Arc<dyn ExecutionPlan>,
        keys: Vec<Arc<dyn PhysicalExpr>>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Self {
        let pool = context.memory_pool();
        let all = MemoryConsumer::new(format!("GroupParts[{partition}]")).with_can_spill(true).register(pool);
        let waiting = MemoryConsumer::new(format!("GroupPartsInput[{partition}]")).register(pool);
        let schema = node.schema();
        let pool = Arc::new(PartsPool { all, whole: Arc::clone(pool) });
        Self { node, keys, partition, context, pool, schema, whole: vec![], whole_rows: 0, tables: vec![], waiting }
    }

    /// The groups of all rows of the input.
    pub(super) fn run(mut self, mut input: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let groups = async move {
            while let Some(batch) = input.next().await {
                self.add(batch?).await?;
            }
            drop(input);
            self.finish().await
        };
        let groups = stream::once(groups).map_ok(|tables| stream::iter(tables).flatten()).try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(schema, groups))
    }

    async fn add(&mut self, batch: RecordBatch) -> Result<()> {
        // A batch that does not fit goes to the tables at once, which can spill.
        let fits = self.waiting.try_grow(batch.get_array_memory_size()).is_ok();
        self.whole_rows += batch.num_rows();
        self.whole.push(batch);
        if self.tables.is_empty() && self.whole_rows < APART_ROWS && fits {
            return Ok(());
        }
        if self.whole_rows >= CHUNK_ROWS || !fits {
            self.set_apart()?;
        }
        if !fits || self.waiting.size() >= WAITING_BYTES {
            self.look_up().await?;
        }
        Ok(())
    }

    /// Sets the rows that have come apart by their keys.
    fn set_apart(&mut self) -> Result<()> {
        if self.tables.is_empty() {
            self.tables = (0..PARTS).map(|_| self.table()).collect::<Result<_>>()?;
        }
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
        let mut start = 0;
        for (table, end) in self.tables.iter().zip(ends) {
            if end > start {
                push(&table.queue, ordered.slice(start, end - start));
            }
            start = end;
        }
        Ok(())
    }

    /// Has each table take the rows that wait for it.
    async fn look_up(&mut self) -> Result<()> {
        for table in &mut self.tables {
            // It has no groups before it knows that there are no more rows, and is asked again when there are.
            match poll_fn(|context| Poll::Ready(table.groups.poll_next_unpin(context))).await {
                Poll::Pending => {}
                Poll::Ready(Some(Err(error))) => return Err(error),
                Poll::Ready(_) => return internal_err!("groups are known before all rows are"),
            }
            tokio::task::yield_now().await;
        }
        self.waiting.resize(self.whole.iter().map(RecordBatch::get_array_memory_size).sum());
        Ok(())
    }

    /// The tables, which give their groups one after another.
    async fn finish(mut self) -> Result<Vec<SendableRecordBatchStream>> {
        if self.tables.is_empty() {
            // Few rows: one table.
            let table = self.table()?;
            take(&mut self.whole).into_iter().for_each(|batch| push(&table.queue, batch));
            self.tables.push(table);
        } else {
            self.set_apart()?;
            self.look_up().await?;
        }
        self.waiting.free();
        self.tables.iter().for_each(|table| close(&table.queue));
        Ok(self.tables.into_iter().map(|table| table.groups).collect())
    }

    fn table(&self) -> Result<Table> {
        let queue = SharedQueue::default();
        let outside = &self.context;
        let config = outside.session_config().clone().with_extension(Arc::new(PartQueue(Arc::clone(&queue))));
        let pool = Arc::clone(&self.pool) as Arc<dyn MemoryPool>;
        let runtime = Arc::new(RuntimeEnv { memory_pool: pool, ..outside.runtime_env().as_ref().clone() });
        let inside = TaskContext::new(
            outside.task_id(),
            outside.session_id(),
            config,
            outside.scalar_functions().clone(),
            outside.higher_order_functions().clone(),
            outside.aggregate_functions().clone(),
            outside.window_functions().clone(),
            runtime,
        );
        let groups = self.node.execute(self.partition, Arc::new(inside))?;
        Ok(Table { queue, groups })
    }
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

/// The queue of the table that runs in a context.
struct PartQueue(SharedQueue);

/// The input of a table.
#[derive(Debug)]
pub(super) struct FromParts {
    properties: Arc<PlanProperties>,
}

impl FromParts {
    pub(super) fn of(input: &Arc<dyn ExecutionPlan>) -> Self {
        Self { properties: Arc::clone(input.properties()) }
    }
}

impl DisplayAs for FromParts {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
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
        let Some(queue) = context.session_config().get_extension::<PartQueue>() else {
            return internal_err!("the input of a table comes from its queue");
        };
        let rows = stream::poll_fn(move |_| {
            let mut queue = queue.0.lock().unwrap_or_else(PoisonError::into_inner);
            match queue.batches.pop_front() {
                Some(batch) => Poll::Ready(Some(Ok(batch))),
                None if queue.is_closed => Poll::Ready(None),
                None => Poll::Pending,
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// The pool of all tables, which is one consumer of the whole pool: a pool that shares fairly would take each for as
/// much as a sort.
struct PartsPool {
    all: MemoryReservation,
    whole: Arc<dyn MemoryPool>,
}

impl fmt::Debug for PartsPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PartsPool").field("used", &self.all.size()).finish_non_exhaustive()
    }
}

impl fmt::Display for PartsPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt(formatter)
    }
}

impl MemoryPool for PartsPool {
    fn name(&self) -> &str {
        "parts"
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        self.all.grow(additional);
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        self.all.shrink(shrink);
    }

    fn try_grow(&self, _: &MemoryReservation, additional: usize) -> Result<()> {
        self.all.try_grow(additional)
    }

    fn reserved(&self) -> usize {
        self.all.size()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.whole.memory_limit()
    }
}
