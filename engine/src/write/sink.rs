//! One file, by DataFusion's own writer of its format.
//!
//! DataFusion's sinks take a channel of files and keep the text ones open until the last is done, so a write of many
//! folders would hold all of their buffers at once. Here a sink gets one file at a time.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::CompressionType;
use datafusion::arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use datafusion::common::runtime::SpawnedTask;
use datafusion::datasource::file_format::csv::CsvSink;
use datafusion::datasource::file_format::json::JsonSink;
use datafusion::datasource::file_format::parquet::ParquetSink;
use datafusion::datasource::physical_plan::{FileGroup, FileOutputMode, FileSink, FileSinkConfig};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::dml::InsertOp;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::writer::{TypedOptions, WriterOptions};

/// Batches that may wait for a file's encoder.
const WAITING_BATCHES: usize = 2;

/// Encoded bytes after which an Arrow file hands them to its store.
const ARROW_FLUSH_BYTES: usize = 1 << 20;

/// What all files of a task have in common.
pub(super) struct FileSettings {
    pub(super) writer: WriterOptions,
    /// The columns in the files.
    pub(super) schema: SchemaRef,
    /// Whether one file may use several cores.
    pub(super) parallel: bool,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) context: Arc<TaskContext>,
}

/// A file that is being written.
pub(super) struct OpenFile {
    pub(super) path: Path,
    pub(super) rows: u64,
    batches: Option<Sender<RecordBatch>>,
    encoder: Option<SpawnedTask<Result<()>>>,
}

impl OpenFile {
    pub(super) fn create(settings: &Arc<FileSettings>, path: Path) -> Self {
        let (batches, received) = mpsc::channel(WAITING_BATCHES);
        let encoder = SpawnedTask::spawn(write_file(Arc::clone(settings), path.clone(), received));
        Self { path, rows: 0, batches: Some(batches), encoder: Some(encoder) }
    }

    pub(super) async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        let sent = match &self.batches {
            Some(batches) => batches.send(batch).await.is_ok(),
            None => false,
        };
        if sent {
            return Ok(());
        }
        // Only an encoder that failed stops taking batches, and it has the reason.
        self.finish().await?;
        Err(DataFusionError::Internal(format!("the writer of {} ended early", self.path)))
    }

    /// Closes the file and waits until it is whole, or has failed. Safe to call again after it was dropped half way.
    pub(super) async fn finish(&mut self) -> Result<()> {
        self.batches = None;
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        let outcome = encoder.await;
        self.encoder = None;
        outcome.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?
    }
}

async fn write_file(settings: Arc<FileSettings>, path: Path, batches: Receiver<RecordBatch>) -> Result<()> {
    let config = FileSinkConfig {
        original_url: path.to_string(),
        // The sinks below are handed their store and their path, and look at neither of these.
        object_store_url: ObjectStoreUrl::local_filesystem(),
        table_paths: Vec::new(),
        file_group: FileGroup::default(),
        output_schema: Arc::clone(&settings.schema),
        table_partition_cols: Vec::new(),
        insert_op: InsertOp::Append,
        keep_partition_by_columns: true,
        file_extension: String::new(),
        file_output_mode: FileOutputMode::SingleFile,
    };
    match settings.writer.typed()? {
        TypedOptions::Parquet(mut options) => {
            options.global.allow_single_file_parallelism &= settings.parallel;
            run_sink(&ParquetSink::new(config, *options), &settings, path, batches).await
        }
        TypedOptions::Csv(options) => run_sink(&CsvSink::new(config, *options), &settings, path, batches).await,
        TypedOptions::Json(options) => run_sink(&JsonSink::new(config, options), &settings, path, batches).await,
        TypedOptions::Arrow => write_arrow(&settings, path, batches).await,
    }
}

async fn run_sink(
    sink: &dyn FileSink,
    settings: &FileSettings,
    path: Path,
    batches: Receiver<RecordBatch>,
) -> Result<()> {
    let (files, one_file) = mpsc::unbounded_channel();
    let queued = files.send((path, batches)).is_ok();
    drop(files);
    // The rows are dealt out to files before they come here.
    let nothing_to_deal = SpawnedTask::spawn(async move {
        if queued { Ok(()) } else { Err(DataFusionError::Internal("a file could not be queued".to_string())) }
    });
    let store = Arc::clone(&settings.store);
    sink.spawn_writer_tasks_and_join(&settings.context, nothing_to_deal, one_file, store).await?;
    Ok(())
}

/// DataFusion's sink for Arrow is private; this one writes the same files.
async fn write_arrow(settings: &FileSettings, path: Path, mut batches: Receiver<RecordBatch>) -> Result<()> {
    let buffer_bytes = settings.context.session_config().options().execution.objectstore_writer_buffer_size;
    let mut output = BufWriter::with_capacity(Arc::clone(&settings.store), path, buffer_bytes);
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &settings.schema, options)?;
    while let Some(batch) = batches.recv().await {
        writer.write(&batch)?;
        if writer.get_ref().len() >= ARROW_FLUSH_BYTES {
            output.write_all(writer.get_ref()).await?;
            writer.get_mut().clear();
        }
    }
    writer.finish()?;
    output.write_all(writer.get_ref()).await?;
    output.shutdown().await?;
    Ok(())
}
