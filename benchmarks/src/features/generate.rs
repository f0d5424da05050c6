//! Makes the data as Parquet, once for each number of rows, with all cores.
//!
//! A data set is one folder, `features-1000000` for instance, with a folder for each table and a manifest. It is written
//! under another name and renamed when whole; the manifest's file sizes show whether somebody took files out of it. The
//! files carry no Arrow schema: each engine reads them as plain Parquet and chooses its own types.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use rand::rngs::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use sluice::{Error, ErrorCode, Result};

use super::columns::{self, Rows};
use super::documents::{self, Documents};

/// Changes when the same number of rows would give other files than before.
const LAYOUT: u32 = 1;
const ROWS_PER_FILE: u64 = 250_000;
const DOCUMENTS_PER_FILE: u64 = 50_000;
const ROWS_PER_DOCUMENT: u64 = 10;
const BATCH_ROWS: u64 = 16_384;
/// Beyond it, more rows only repeat what the columns' cardinalities allow.
const MAX_ROWS: u64 = 1_000_000_000;
const MANIFEST: &str = "manifest.json";

/// The table of clicks.
pub(super) const CRITEO: &str = "criteo";
/// The table of texts.
pub(super) const DOCS: &str = "docs";

/// A complete data set on disk.
#[derive(Debug, Clone)]
pub struct FeatureData {
    /// The data set's folder; the tables `criteo` and `docs` are folders of Parquet files in it.
    pub dir: PathBuf,
    /// Rows of the table `criteo`.
    pub rows: u64,
    /// Rows of the table `docs`: a tenth of them, at least one.
    pub documents: u64,
    /// How long it took to make, or nothing if it was there already.
    pub generated_seconds: Option<f64>,
}

impl FeatureData {
    /// The folder of a table.
    pub fn table_dir(&self, table: &str) -> PathBuf {
        self.dir.join(table)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    layout: u32,
    rows: u64,
    documents: u64,
    /// Table, name and bytes of each file.
    files: Vec<(String, String, u64)>,
}

/// Makes the data set of so many rows in a folder below `dir`, or takes the complete one that is there.
///
/// # Errors
/// A number of rows that is not from 1 to 1,000,000,000, and whatever the file system answers. Nothing is left half way.
pub async fn generate(dir: &Path, rows: u64) -> Result<FeatureData> {
    if rows == 0 || rows > MAX_ROWS {
        return Err(Error::new(ErrorCode::InvalidArgument, format!("{rows} rows are out of range"))
            .hint(format!("a data set has 1 to {MAX_ROWS} rows")));
    }
    let dir = std::path::absolute(dir).map_err(|error| file_error(dir, error))?;
    let stop = StopOnDrop(Arc::default());
    let stopped = Arc::clone(&stop.0);
    let task = tokio::task::spawn_blocking(move || build(&dir, rows, &stopped));
    task.await.map_err(|error| Error::new(ErrorCode::Internal, "the data generator died").caused_by(error))?
}

/// Ends the threads of a generator that nobody waits for any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn build(parent: &Path, rows: u64, stop: &AtomicBool) -> Result<FeatureData> {
    let start = Instant::now();
    let dir = parent.join(format!("features-{rows}"));
    if let Some(data) = complete(&dir, rows) {
        return Ok(data);
    }
    if dir.exists() && !dir.join(MANIFEST).exists() {
        let message = format!("{} exists and is not a data set of this benchmark", dir.display());
        return Err(
            Error::new(ErrorCode::TargetExists, message).hint("move it away, or choose another folder with --data")
        );
    }
    fs::create_dir_all(parent).map_err(|error| file_error(parent, error))?;
    let scratch =
        tempfile::Builder::new().prefix(".features-").tempdir_in(parent).map_err(|error| file_error(parent, error))?;
    let unfinished = scratch.path().join("data");
    let documents = (rows / ROWS_PER_DOCUMENT).max(1);
    let files = write_tables(&unfinished, rows, documents, stop)?;
    let manifest = Manifest { layout: LAYOUT, rows, documents, files };
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Error::new(ErrorCode::Internal, "the manifest cannot be written").caused_by(error))?;
    let failed = |error| file_error(&dir, error);
    fs::write(unfinished.join(MANIFEST), text).map_err(failed)?;
    if dir.exists() {
        fs::rename(&dir, scratch.path().join("outdated")).map_err(failed)?;
    }
    match fs::rename(&unfinished, &dir) {
        Ok(()) => {}
        // Another process may have made the same data set in the meantime.
        Err(error) => return complete(&dir, rows).ok_or_else(|| failed(error)),
    }
    Ok(FeatureData { dir, rows, documents, generated_seconds: Some(start.elapsed().as_secs_f64()) })
}

/// The data set in `dir`, if it is of this size and layout and no file of it is missing or of another size.
fn complete(dir: &Path, rows: u64) -> Option<FeatureData> {
    let manifest: Manifest = serde_json::from_str(&fs::read_to_string(dir.join(MANIFEST)).ok()?).ok()?;
    let whole = manifest.layout == LAYOUT
        && manifest.rows == rows
        && manifest.files.iter().all(|(table, file, size_bytes)| {
            fs::metadata(dir.join(table).join(file)).is_ok_and(|metadata| metadata.len() == *size_bytes)
        });
    let documents = manifest.documents;
    whole.then(|| FeatureData { dir: dir.to_path_buf(), rows, documents, generated_seconds: None })
}

/// Draws the rows of either table.
enum Source {
    Criteo(Box<Rows>),
    Docs(Documents),
}

impl Source {
    fn schema(&self) -> SchemaRef {
        match self {
            Source::Criteo(_) => columns::schema(),
            Source::Docs(_) => documents::schema(),
        }
    }

    fn batch(
        &self,
        random: &mut Xoshiro256PlusPlus,
        first_id: u64,
        rows: usize,
    ) -> std::result::Result<RecordBatch, ArrowError> {
        match self {
            Source::Criteo(source) => source.batch(random, first_id, rows),
            Source::Docs(source) => source.batch(random, first_id, rows),
        }
    }
}

/// One file of a table.
struct Job<'a> {
    table: &'static str,
    number: u64,
    rows: std::ops::Range<u64>,
    source: &'a Source,
}

/// Writes both tables; each thread takes the next file that nobody has begun.
fn write_tables(dir: &Path, rows: u64, documents: u64, stop: &AtomicBool) -> Result<Vec<(String, String, u64)>> {
    let sources = [Source::Criteo(Box::new(Rows::new(rows))), Source::Docs(Documents::new())];
    let tables = [(CRITEO, rows, ROWS_PER_FILE), (DOCS, documents, DOCUMENTS_PER_FILE)];
    let mut jobs = Vec::new();
    for ((table, rows, per_file), source) in tables.into_iter().zip(&sources) {
        let folder = dir.join(table);
        fs::create_dir_all(&folder).map_err(|error| file_error(&folder, error))?;
        jobs.extend((0..rows.div_ceil(per_file)).map(|number| {
            let rows = number * per_file..((number + 1) * per_file).min(rows);
            Job { table, number, rows, source }
        }));
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut written = Vec::new();
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            written.push(write_file(dir, job, stop).inspect_err(|_| stop.store(true, Ordering::Relaxed))?);
        }
        Ok(written)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let results: Vec<Result<Vec<_>>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let died = |_| Err(Error::new(ErrorCode::Internal, "a thread of the data generator died"));
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(died)).collect()
    });
    // The thread that failed has the cause; the others only report that they were stopped.
    let (whole, mut errors): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    errors.sort_by_key(|result| result.as_ref().is_err_and(|error| error.code() == ErrorCode::Cancelled));
    if let Some(Err(error)) = errors.into_iter().next() {
        return Err(error);
    }
    let mut files: Vec<_> = whole.into_iter().flatten().flatten().collect();
    files.sort();
    Ok(files)
}

fn write_file(dir: &Path, job: &Job<'_>, stop: &AtomicBool) -> Result<(String, String, u64)> {
    let name = format!("part-{:05}.parquet", job.number);
    let path = dir.join(job.table).join(&name);
    let failed = |error: parquet::errors::ParquetError| {
        Error::new(ErrorCode::Storage, format!("cannot write {}: {error}", path.display()))
    };
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let output = File::create(&path).map_err(|error| file_error(&path, error))?;
    let mut writer = ArrowWriter::try_new_with_options(output, job.source.schema(), options).map_err(failed)?;
    let mut random = columns::random(u64::from(job.table == DOCS), job.number);
    let mut first = job.rows.start;
    while first < job.rows.end {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorCode::Cancelled, "the generation of data was stopped"));
        }
        let rows = (job.rows.end - first).min(BATCH_ROWS);
        let batch = job.source.batch(&mut random, first, rows as usize).map_err(drawing_error)?;
        writer.write(&batch).map_err(failed)?;
        first += rows;
    }
    writer.close().map_err(failed)?;
    let size_bytes = fs::metadata(&path).map_err(|error| file_error(&path, error))?.len();
    Ok((job.table.to_owned(), name, size_bytes))
}

fn drawing_error(error: ArrowError) -> Error {
    Error::new(ErrorCode::Internal, "the rows cannot be drawn").caused_by(error)
}

fn file_error(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind;
    let code = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorCode::AccessDenied,
        _ => ErrorCode::Storage,
    };
    Error::new(code, format!("cannot write {}", path.display())).caused_by(error)
}
