//! One try of one partition: rows in, files in a folder of its own out.
//!
//! A try that fails or is dropped first closes the file that it has open and then deletes its folder: an encoder that is
//! merely aborted may still create its file after the deletion. So dropping the future does not stop it at once; it
//! drops the input, and finishes the rest on the runtime.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::watch;
use uuid::Uuid;

use super::commit::remove_folder;
use super::files::WrittenFile;
use super::in_flight::InFlight;
use super::partition_path;
use super::sink::{FileSettings, OpenFile};
use super::spec::WriteSpec;
use crate::error::{Error, ErrorCode};

/// One partition to write.
pub(super) struct PartitionTask {
    pub(super) spec: Arc<WriteSpec>,
    pub(super) partition: usize,
    /// Whether it is the only partition.
    pub(super) alone: bool,
    pub(super) context: Arc<TaskContext>,
    pub(super) metrics: ExecutionPlanMetricsSet,
}

impl PartitionTask {
    /// Writes the rows of `input`. Dropping the future drops the input and takes back what was written.
    pub(super) fn start(self, input: SendableRecordBatchStream) -> Cancellable<Result<Vec<WrittenFile>>> {
        let in_flight = InFlight::enter(&self.spec.staging);
        let (cancel, cancelled) = watch::channel(());
        let work = async move {
            let files = self.run(input, cancelled).await;
            drop(in_flight);
            files
        };
        Cancellable { work: Some(work.boxed()), cancel: Some(cancel) }
    }

    async fn run(
        self,
        input: SendableRecordBatchStream,
        mut cancelled: watch::Receiver<()>,
    ) -> Result<Vec<WrittenFile>> {
        let attempt = format!("attempt-{}", Uuid::now_v7().simple());
        let folder = ListingTableUrl::parse(format!("{}{attempt}/", self.spec.staging))?;
        let store = self.context.runtime_env().object_store(&folder)?;
        let mut files = AttemptFiles::new(&self, attempt, &folder, Arc::clone(&store), input.schema())?;
        let written = {
            let work = AssertUnwindSafe(self.write_rows(input, &mut files)).catch_unwind();
            tokio::select! {
                biased;
                _ = cancelled.changed() => Ok(Err(was_cancelled())),
                written = work => written,
            }
        };
        // The sender says nothing; it only goes when the future is dropped.
        let written = match written {
            Ok(Ok(())) if cancelled.has_changed().is_ok() => return Ok(files.done),
            Ok(Ok(())) => Ok(Err(was_cancelled())),
            failed => failed,
        };
        files.abandon().await;
        remove_folder(&store, folder.get_url()).await;
        match written {
            Ok(Ok(())) => Ok(Vec::new()),
            Ok(Err(error)) => Err(error),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    async fn write_rows(&self, mut input: SendableRecordBatchStream, files: &mut AttemptFiles) -> Result<()> {
        let whole = Path::default();
        while let Some(batch) = input.next().await.transpose()? {
            if batch.num_rows() == 0 {
                continue;
            }
            check_required(&batch, &self.spec.required_columns)?;
            if self.spec.partition_by.is_empty() {
                files.write(&whole, batch).await?;
                continue;
            }
            for (folder, rows) in partition_path::runs(&batch, &self.spec.partition_by)? {
                let part = batch.slice(rows.start, rows.len()).project(&files.columns)?;
                files.write(&folder, part).await?;
            }
        }
        // A result without rows is still a file with columns: the first partition writes it, and the commit drops it
        // if another has rows. (On a cluster each task's slice of the plan has a first partition.)
        let nothing = files.done.is_empty() && files.open.is_none();
        if nothing && self.spec.partition_by.is_empty() && (self.partition == 0 || self.spec.single_file) {
            files.write(&whole, RecordBatch::new_empty(Arc::clone(&files.settings.schema))).await?;
        }
        files.close().await
    }
}

/// The files of one try; at most one is open, since rows come sorted by folder.
struct AttemptFiles {
    settings: Arc<FileSettings>,
    /// The columns of the input that go into the files.
    columns: Vec<usize>,
    attempt: String,
    prefix: Path,
    /// Makes names unique among all writes into a folder.
    stem: String,
    extension: String,
    rows_per_file: u64,
    open: Option<(Path, OpenFile)>,
    done: Vec<WrittenFile>,
    written_rows: Count,
    written_bytes: Count,
}

impl AttemptFiles {
    fn new(
        task: &PartitionTask,
        attempt: String,
        folder: &ListingTableUrl,
        store: Arc<dyn ObjectStore>,
        input: SchemaRef,
    ) -> Result<Self> {
        let spec = &task.spec;
        let is_kept = |name: &String| spec.keep_partition_columns || !spec.partition_by.contains(name);
        let columns: Vec<usize> =
            (0..input.fields().len()).filter(|&index| is_kept(input.field(index).name())).collect();
        let settings = FileSettings {
            writer: spec.writer.clone(),
            schema: Arc::new(input.project(&columns)?),
            parallel: task.alone && spec.partition_by.is_empty(),
            store,
            context: Arc::clone(&task.context),
        };
        let soft_limit = task.context.session_config().options().execution.soft_max_rows_per_output_file.get();
        let metric = |name: &'static str| MetricBuilder::new(&task.metrics).counter(name, task.partition);
        Ok(Self {
            settings: Arc::new(settings),
            columns,
            stem: format!("part-{:05}-{}", task.partition, attempt.trim_start_matches("attempt-")),
            attempt,
            prefix: folder.prefix().clone(),
            extension: spec.extension.clone(),
            rows_per_file: if spec.single_file { u64::MAX } else { soft_limit as u64 },
            open: None,
            done: Vec::new(),
            written_rows: metric("rows_written"),
            written_bytes: metric("bytes_written"),
        })
    }

    async fn write(&mut self, folder: &Path, batch: RecordBatch) -> Result<()> {
        if self.open.as_ref().is_some_and(|(current, file)| current != folder || file.rows >= self.rows_per_file) {
            self.close().await?;
        }
        let rows = batch.num_rows();
        if self.open.is_none() {
            let name = format!("{}-{:04}.{}", self.stem, self.done.len(), self.extension);
            let path = Path::from_iter(self.prefix.parts().chain(folder.parts())).join(name);
            self.open = Some((folder.clone(), OpenFile::create(&self.settings, path)));
        }
        if let Some((_, file)) = &mut self.open {
            file.write(batch).await?;
            self.written_rows.add(rows);
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        // The file stays in its place while it is awaited, so that a drop half way cannot lose it.
        let Some((_, file)) = &mut self.open else { return Ok(()) };
        file.finish().await?;
        let bytes = self.settings.store.head(&file.path).await?.size;
        let (path, rows) = (file.path.clone(), file.rows);
        let path = self.below_attempt(&path)?;
        self.written_bytes.add(usize::try_from(bytes).unwrap_or(usize::MAX));
        self.done.push(WrittenFile { attempt: self.attempt.clone(), path, bytes, rows });
        self.open = None;
        Ok(())
    }

    fn below_attempt(&self, path: &Path) -> Result<String> {
        let below = path.as_ref().strip_prefix(self.prefix.as_ref()).map(|rest| rest.trim_start_matches('/'));
        let outside = || DataFusionError::Internal(format!("{path} is not below {}", self.prefix));
        below.map(str::to_string).ok_or_else(outside)
    }

    /// Waits until no file is open; what became of the last one does not matter any more.
    async fn abandon(&mut self) {
        if let Some((_, mut file)) = self.open.take() {
            let _ = file.finish().await;
        }
    }
}

fn check_required(batch: &RecordBatch, columns: &[String]) -> Result<()> {
    for name in columns {
        if batch.column_by_name(name).is_some_and(|column| column.logical_null_count() > 0) {
            let message = format!("column \"{name}\" must not be null, and a row to write has a null there");
            return Err(DataFusionError::External(Box::new(Error::new(ErrorCode::Evaluation, message))));
        }
    }
    Ok(())
}

fn was_cancelled() -> DataFusionError {
    DataFusionError::External(Box::new(Error::new(ErrorCode::Cancelled, "the write was stopped")))
}

/// Work that is told when its future is dropped, and is then finished on the runtime.
pub(super) struct Cancellable<T: Send + 'static> {
    work: Option<BoxFuture<'static, T>>,
    /// Its drop is the signal.
    cancel: Option<watch::Sender<()>>,
}

impl<T: Send + 'static> Future for Cancellable<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Taken out while it is polled, so that work which panics is not polled again by the drop.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let polled = work.poll_unpin(context);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Cancellable<T> {
    fn drop(&mut self) {
        self.cancel = None;
        if let (Some(work), Ok(runtime)) = (self.work.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}
