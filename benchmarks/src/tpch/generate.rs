//! Makes the TPC-H data as Parquet, once for each scale, with all cores.
//!
//! A data set is one folder, `tpch-sf1` for instance, with a folder for each table and a manifest. It is written under
//! another name and renamed when whole, so a folder of that name is complete unless somebody took files out of it; the
//! manifest's sizes show that, and the set is made anew. The files carry no Arrow schema: each engine reads them as
//! plain Parquet and chooses its own types.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use sluice::{Error, ErrorCode, Result};

use super::tables::Table;

/// Changes when the same scale would give other files than before.
const LAYOUT: u32 = 1;
/// Rows of a row group: some tens of megabytes, the unit that readers split by.
const ROW_GROUP_ROWS: usize = 1_000_000;
/// The generator's keys and file counts stay in range up to here.
const MAX_SCALE: f64 = 100_000.0;
const MANIFEST: &str = "manifest.json";

/// A complete TPC-H data set on disk.
#[derive(Debug, Clone)]
pub struct TpchData {
    /// The data set's folder; each table is a folder of Parquet files in it.
    pub dir: PathBuf,
    /// Scale factor: 1 is about a gigabyte of text.
    pub scale: f64,
    /// The eight tables.
    pub tables: Vec<TableData>,
    /// How long it took to make, or nothing if the data was there already.
    pub generated_seconds: Option<f64>,
}

/// One table of a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableData {
    /// Name of the table and of its folder.
    pub name: String,
    /// Rows in all files.
    pub rows: u64,
    /// Bytes of each file, in the order of their numbers.
    pub file_sizes_bytes: Vec<u64>,
}

impl TpchData {
    /// The folder of a table.
    pub fn table_dir(&self, table: &str) -> PathBuf {
        self.dir.join(table)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    layout: u32,
    scale: f64,
    tables: Vec<TableData>,
}

/// Makes the data set of a scale in a folder below `dir`, or takes the complete one that is there.
///
/// # Errors
/// A scale that is not above 0 and at most 100,000, and whatever the file system answers. Nothing is left half way.
pub async fn generate(dir: &Path, scale: f64) -> Result<TpchData> {
    if !(scale > 0.0 && scale <= MAX_SCALE) {
        return Err(Error::new(ErrorCode::InvalidArgument, format!("scale {scale} is out of range"))
            .hint("a scale is above 0 and at most 100000; 1 is about a gigabyte"));
    }
    let stop = StopOnDrop(Arc::default());
    // Executors on this machine have other working folders than this process.
    let dir = std::path::absolute(dir).map_err(|error| file_error(dir, &error))?;
    let stopped = Arc::clone(&stop.0);
    let task = tokio::task::spawn_blocking(move || build(&dir, scale, &stopped));
    task.await.map_err(|error| Error::new(ErrorCode::Internal, "the data generator died").caused_by(error))?
}

/// Ends the threads of a generator that nobody waits for any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn build(parent: &Path, scale: f64, stop: &AtomicBool) -> Result<TpchData> {
    let start = Instant::now();
    let dir = parent.join(format!("tpch-sf{scale}"));
    if let Some(data) = complete(&dir, scale) {
        return Ok(data);
    }
    refuse_foreign(&dir)?;
    let failed = |error: std::io::Error| file_error(&dir, &error);
    fs::create_dir_all(parent).map_err(|error| file_error(parent, &error))?;
    let scratch =
        tempfile::Builder::new().prefix(".tpch-").tempdir_in(parent).map_err(|error| file_error(parent, &error))?;
    let unfinished = scratch.path().join("data");
    let tables = write_tables(&unfinished, scale, stop)?;
    let manifest = Manifest { layout: LAYOUT, scale, tables };
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Error::new(ErrorCode::Internal, "the manifest cannot be written").caused_by(error))?;
    fs::write(unfinished.join(MANIFEST), text).map_err(failed)?;
    if dir.exists() {
        fs::rename(&dir, scratch.path().join("outdated")).map_err(failed)?;
    }
    match fs::rename(&unfinished, &dir) {
        Ok(()) => {}
        // Another process may have made the same data set in the meantime.
        Err(error) => return complete(&dir, scale).ok_or_else(|| file_error(&dir, &error)),
    }
    Ok(TpchData { dir, scale, tables: manifest.tables, generated_seconds: Some(start.elapsed().as_secs_f64()) })
}

/// The data set in `dir`, if it is of this scale and layout and no file of it is missing or of another size.
fn complete(dir: &Path, scale: f64) -> Option<TpchData> {
    let manifest: Manifest = serde_json::from_str(&fs::read_to_string(dir.join(MANIFEST)).ok()?).ok()?;
    let whole = manifest.layout == LAYOUT
        && manifest.scale == scale
        && manifest.tables.iter().map(|table| table.name.as_str()).eq(Table::ALL.map(Table::name))
        && manifest.tables.iter().all(|table| {
            let mut files = table.file_sizes_bytes.iter().enumerate();
            files.all(|(at, size_bytes)| {
                let path = dir.join(&table.name).join(file_name(at + 1));
                fs::metadata(path).is_ok_and(|metadata| metadata.len() == *size_bytes)
            })
        });
    whole.then(|| TpchData { dir: dir.to_path_buf(), scale, tables: manifest.tables, generated_seconds: None })
}

/// Refuses to replace a folder that no generator made.
fn refuse_foreign(dir: &Path) -> Result<()> {
    if !dir.exists() || dir.join(MANIFEST).exists() {
        return Ok(());
    }
    let message = format!("{} exists and is not a data set of this benchmark", dir.display());
    Err(Error::new(ErrorCode::TargetExists, message).hint("move it away, or choose another folder with --data"))
}

fn file_name(number: usize) -> String {
    format!("part-{number:05}.parquet")
}

/// Writes all tables; each thread takes the next file that nobody has begun.
fn write_tables(dir: &Path, scale: f64, stop: &AtomicBool) -> Result<Vec<TableData>> {
    let mut work = Vec::new();
    for table in Table::ALL {
        let table_dir = dir.join(table.name());
        fs::create_dir_all(&table_dir).map_err(|error| file_error(&table_dir, &error))?;
        let files = table.files(scale);
        work.extend((1..=files).map(|file| (table, file, files)));
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut written = Vec::new();
        while let Some((table, file, files)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = dir.join(table.name()).join(file_name(*file as usize));
            let facts = write_file(&path, *table, scale, *file, *files, stop)
                .inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            written.push((*table, *file, facts));
        }
        Ok(written)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(work.len());
    let results: Vec<Result<Vec<_>>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let died = |_| Err(Error::new(ErrorCode::Internal, "a thread of the data generator died"));
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(died)).collect()
    });
    summarize(results)
}

type Written = Vec<(Table, i32, FileFacts)>;

fn summarize(results: Vec<Result<Written>>) -> Result<Vec<TableData>> {
    // The thread that failed has the cause; the others only report that they were stopped.
    let (whole, mut errors): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    errors.sort_by_key(|result| result.as_ref().is_err_and(|error| error.code() == ErrorCode::Cancelled));
    if let Some(Err(error)) = errors.into_iter().next() {
        return Err(error);
    }
    let mut written: Written = whole.into_iter().flatten().flatten().collect();
    written.sort_by_key(|(_, file, _)| *file);
    let of = |table: Table| written.iter().filter(move |(other, _, _)| *other == table).map(|(_, _, facts)| facts);
    Ok(Table::ALL
        .into_iter()
        .map(|table| TableData {
            name: table.name().to_owned(),
            rows: of(table).map(|facts| facts.rows).sum(),
            file_sizes_bytes: of(table).map(|facts| facts.size_bytes).collect(),
        })
        .collect())
}

struct FileFacts {
    rows: u64,
    size_bytes: u64,
}

fn write_file(path: &Path, table: Table, scale: f64, file: i32, files: i32, stop: &AtomicBool) -> Result<FileFacts> {
    let failed = |error: &(dyn std::error::Error + 'static)| file_error(path, error);
    let reader = table.rows(scale, file, files);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let output = File::create(path).map_err(|error| failed(&error))?;
    let mut writer =
        ArrowWriter::try_new_with_options(output, reader.schema(), options).map_err(|error| failed(&error))?;
    for batch in reader {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorCode::Cancelled, "the generation of data was stopped"));
        }
        writer.write(&batch.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
    }
    let metadata = writer.close().map_err(|error| failed(&error))?;
    let size_bytes = fs::metadata(path).map_err(|error| failed(&error))?.len();
    Ok(FileFacts { rows: metadata.file_metadata().num_rows().unsigned_abs(), size_bytes })
}

/// An error about a file, with the code of the input or output error at its root.
fn file_error(path: &Path, error: &(dyn std::error::Error + 'static)) -> Error {
    use std::io::ErrorKind;
    let chain = std::iter::successors(Some(error), |error| error.source());
    let kind = chain.filter_map(|error| error.downcast_ref::<std::io::Error>()).last().map(std::io::Error::kind);
    let code = match kind {
        Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => ErrorCode::DiskFull,
        Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => ErrorCode::AccessDenied,
        _ => ErrorCode::Storage,
    };
    Error::new(code, format!("cannot write {}: {error}", path.display()))
}
