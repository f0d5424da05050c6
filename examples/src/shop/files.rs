//! Parquet files like those of other systems, and the threads that write them.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// Several row groups per file, so that one file can be read by several tasks.
const ROW_GROUP_ROWS: usize = 65_536;

/// Writes one file of the data.
pub(super) type Job<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// Runs all jobs on up to `threads` threads; the first error ends the work.
pub(super) fn run(mut jobs: Vec<Job<'_>>, threads: usize) -> Result<()> {
    jobs.reverse();
    let threads = threads.clamp(1, jobs.len().max(1));
    let queue = Mutex::new(jobs);
    let failure = Mutex::new(None);
    let poisoned = || DataFusionError::Execution("a thread that writes the data has panicked".into());
    let work = || {
        while let Some(job) = queue.lock().ok().and_then(|mut jobs| jobs.pop()) {
            if let Err(error) = job() {
                if let Ok(mut jobs) = queue.lock() {
                    jobs.clear();
                }
                if let Ok(mut first) = failure.lock() {
                    first.get_or_insert(error);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    failure.into_inner().map_err(|_| poisoned())?.map_or(Ok(()), Err)
}

/// One Parquet file in the making.
pub(super) struct TableFile {
    writer: ArrowWriter<File>,
}

impl TableFile {
    /// The file carries no Arrow schema of its own: readers see plain Parquet types, text in place of text views.
    pub(super) fn create(path: &Path, schema: SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        Ok(Self { writer: ArrowWriter::try_new_with_options(File::create(path)?, schema, options)? })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        Ok(self.writer.write(batch)?)
    }

    pub(super) fn close(self) -> Result<()> {
        self.writer.close()?;
        Ok(())
    }
}
