//! A benchmark's tables as Parquet files, made once for each scale with all cores.
//!
//! The files carry no Arrow schema: each engine reads them as plain Parquet and chooses its own types.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::record_batch::RecordBatchReader;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sluice::{Error, ErrorCode, Result};

use super::Benchmark;
use crate::dataset::{self, file_error};

/// Changes when the same scale would give other files than before.
const LAYOUT: u32 = 2;
/// Rows of a row group: some tens of megabytes, the unit that readers split by.
const ROW_GROUP_ROWS: usize = 1_000_000;
/// The generators' keys and file counts stay in range up to here.
const MAX_SCALE: f64 = 100_000.0;

/// Rows on their way from a generator to a file.
pub(crate) type Rows = Box<dyn RecordBatchReader + Send>;

/// One file of a table, and where its rows come from.
pub(crate) struct DataFile {
    table: &'static str,
    number: usize,
    rows: Box<dyn Fn() -> Rows + Send + Sync>,
}

impl DataFile {
    /// The file of that number, counted from 1.
    pub(crate) fn new(table: &'static str, number: usize, rows: impl Fn() -> Rows + Send + Sync + 'static) -> Self {
        Self { table, number, rows: Box::new(rows) }
    }

    /// Name of the table.
    #[cfg(test)]
    pub(crate) fn table(&self) -> &'static str {
        self.table
    }
}

/// A complete data set on disk.
#[derive(Debug, Clone)]
pub struct SqlData {
    /// The data set's folder; each table is a folder of Parquet files in it.
    pub dir: PathBuf,
    /// Names of the tables and of their folders.
    pub tables: Vec<&'static str>,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// How long it took to make, or nothing if the data was there already.
    pub generated_seconds: Option<f64>,
}

impl SqlData {
    /// The folder of a table.
    pub fn table_dir(&self, table: &str) -> PathBuf {
        self.dir.join(table)
    }

    /// The files of all tables, by path.
    pub(crate) fn files(&self) -> std::io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for table in &self.tables {
            for entry in fs::read_dir(self.table_dir(table))? {
                files.push(entry?.path());
            }
        }
        files.sort();
        Ok(files)
    }
}

/// Makes the data set of a scale in a folder below `dir`, or takes the complete one that is there.
///
/// # Errors
/// A scale that is not above 0 and at most 100,000, and whatever the file system answers. Nothing is left half way.
pub async fn generate(dir: &Path, benchmark: Benchmark, scale: f64) -> Result<SqlData> {
    if !(scale > 0.0 && scale <= MAX_SCALE) {
        return Err(Error::new(ErrorCode::InvalidArgument, format!("scale {scale} is out of range"))
            .hint("a scale is above 0 and at most 100000"));
    }
    let name = format!("{}-sf{scale}", benchmark.name());
    let made_with = format!("layout {LAYOUT}, {} at scale {scale}", benchmark.name());
    let files = benchmark.files(scale)?;
    let mut tables: Vec<&'static str> = Vec::new();
    for file in &files {
        if !tables.contains(&file.table) {
            tables.push(file.table);
        }
    }
    let set = dataset::make(dir, name, made_with, move |dir, stop| {
        for file in &files {
            let folder = dir.join(file.table);
            fs::create_dir_all(&folder).map_err(|error| file_error(&folder, error))?;
        }
        dataset::in_parallel(files.len(), stop, |piece| write_file(dir, &files[piece], stop))
    })
    .await?;
    let mut data = SqlData { dir: set.dir, tables, size_bytes: 0, generated_seconds: set.generated_seconds };
    let failed = |error| file_error(&data.dir, error);
    let sizes: std::io::Result<Vec<u64>> =
        data.files().map_err(failed)?.iter().map(|file| Ok(fs::metadata(file)?.len())).collect();
    data.size_bytes = sizes.map_err(failed)?.iter().sum();
    Ok(data)
}

fn write_file(dir: &Path, file: &DataFile, stop: &AtomicBool) -> Result<()> {
    let path = dir.join(file.table).join(format!("part-{:05}.parquet", file.number));
    let failed = |error: ParquetError| parquet_error(&path, error);
    let reader = (file.rows)();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let output = File::create(&path).map_err(|error| file_error(&path, error))?;
    let mut writer = ArrowWriter::try_new_with_options(output, reader.schema(), options).map_err(failed)?;
    for batch in reader {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorCode::Cancelled, "the generation of data was stopped"));
        }
        writer.write(&batch.map_err(|error| failed(error.into()))?).map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    Ok(())
}

/// An error about a file, with the code of the input or output error at its root.
fn parquet_error(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) if source.is::<std::io::Error>() => match source.downcast() {
            Ok(error) => file_error(path, *error),
            Err(error) => Error::new(ErrorCode::Storage, format!("cannot write {}: {error}", path.display())),
        },
        error => Error::new(ErrorCode::Storage, format!("cannot write {}", path.display())).caused_by(error),
    }
}
