//! Makes the data as Parquet, once for each number of rows and each distribution, with all cores.
//!
//! Below `skew-10000000`, for instance, each distribution has a folder with the large table in `rows/` and `keys.json`,
//! and `dim` and `dim_composite` hold the small tables. A file is one row group, and there are as many files as the scans
//! of 64 partitions share out evenly: what is uneven in a run is the keys' doing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use sluice::{Error, ErrorCode, Result};

use super::distributions::{Distribution, Ranks};
use super::rows;
use crate::dataset::{self, DataSet, file_error};

/// Changes when the same number of rows would give other files than before.
const LAYOUT: u32 = 1;
/// Files of a large table are a multiple of it, so that as many partitions, or half as many, read alike.
const FILES: u64 = 64;
const MOST_FILE_ROWS: u64 = 1_000_000;
/// Smaller files are not worth their footers.
const LEAST_FILE_ROWS: u64 = 1_000;
const BATCH_ROWS: u64 = 16_384;
const MAX_ROWS: u64 = 2_000_000_000;
const KEYS: std::ops::RangeInclusive<u64> = 1_000..=1_000_000;
const ROWS_PER_KEY: u64 = 10;
/// A key of at least this part of all rows is listed: a sixteenth of the mean of 64 partitions.
const LISTED_PART: u64 = 1_024;
const ROWS_FOLDER: &str = "rows";
const KEYS_FILE: &str = "keys.json";

/// A large table and the small one that it is joined with, complete on disk.
#[derive(Debug, Clone)]
pub struct SkewData {
    /// How often each key occurs.
    pub distribution: Distribution,
    /// Rows of the large table.
    pub rows: u64,
    /// Keys that there may be.
    pub keys: u64,
    /// The folder of the large table's files.
    pub fact_dir: PathBuf,
    /// The folder of the small table's files.
    pub dimension_dir: PathBuf,
    /// The file that has the frequent keys.
    pub keys_file: PathBuf,
    /// How long it took to make, or nothing if it was there already.
    pub generated_seconds: Option<f64>,
}

/// The true counts of the frequent keys, as written beside the data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyCounts {
    /// Rows of the table.
    pub rows: u64,
    /// Keys that there may be.
    pub keys: u64,
    /// Rows without a key.
    pub null_rows: u64,
    /// The keys that have at least 1/1024 of the rows, the most frequent first.
    pub hot: Vec<HotKey>,
}

/// A frequent key.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct HotKey {
    /// Its value of the column `k`.
    pub k: i64,
    /// Its value of the column `k2`.
    pub k2: i32,
    /// How many rows have it.
    pub rows: u64,
}

/// Makes the tables of so many rows and a distribution in folders below `dir`, or takes the complete ones there.
///
/// # Errors
/// A number of rows that is not from 1 to 2,000,000,000, and whatever the file system answers. Nothing is left half way.
pub async fn generate(dir: &Path, rows: u64, distribution: Distribution) -> Result<SkewData> {
    if rows == 0 || rows > MAX_ROWS {
        return Err(Error::new(ErrorCode::InvalidArgument, format!("{rows} rows are out of range"))
            .hint(format!("a table has 1 to {MAX_ROWS} rows")));
    }
    let keys = (rows / ROWS_PER_KEY).clamp(*KEYS.start(), *KEYS.end());
    let parent = dir.join(format!("skew-{rows}"));
    let made_with = |table: &str| format!("layout {LAYOUT}, {table}, {rows} rows, {keys} keys");
    let fact = dataset::make(
        &parent,
        distribution.name().to_owned(),
        made_with(distribution.name()),
        move |folder: &Path, stop: &AtomicBool| write_fact(folder, rows, keys, distribution, stop),
    )
    .await?;
    let table = if distribution == Distribution::Composite { "dim_composite" } else { "dim" };
    let dimension =
        dataset::make(&parent, table.to_owned(), made_with(table), move |folder: &Path, stop: &AtomicBool| {
            write_dimension(folder, keys, distribution, stop)
        })
        .await?;
    let seconds = |set: &DataSet| set.generated_seconds;
    Ok(SkewData {
        distribution,
        rows,
        keys,
        fact_dir: fact.dir.join(ROWS_FOLDER),
        dimension_dir: dimension.dir.join(ROWS_FOLDER),
        keys_file: fact.dir.join(KEYS_FILE),
        generated_seconds: seconds(&fact)
            .into_iter()
            .chain(seconds(&dimension))
            .reduce(|fact, dimension| fact + dimension),
    })
}

/// How many files a table of so many rows has.
fn file_count(rows: u64) -> u64 {
    FILES.min(rows / LEAST_FILE_ROWS).max(1) * rows.div_ceil(FILES * MOST_FILE_ROWS)
}

/// The rows of file `number` of `files`, which differ by one at most.
fn file_rows(rows: u64, files: u64, number: u64) -> std::ops::Range<u64> {
    rows * number / files..rows * (number + 1) / files
}

fn write_fact(folder: &Path, rows: u64, keys: u64, distribution: Distribution, stop: &AtomicBool) -> Result<()> {
    let ranks = Ranks::new(distribution, keys);
    let counts: Vec<AtomicU32> = (0..keys).map(|_| AtomicU32::new(0)).collect();
    let nulls = AtomicU32::new(0);
    let count = |key: Option<u64>| {
        let counter = key.and_then(|key| counts.get(key as usize)).unwrap_or(&nulls);
        counter.fetch_add(1, Ordering::Relaxed);
    };
    let files = file_count(rows);
    // Each distribution draws its own numbers.
    let table = Distribution::ALL.iter().position(|other| *other == distribution).unwrap_or_default() as u64;
    write_files(folder, files, rows::fact_schema(), stop, |number, write| {
        let mut random = rows::random(table, number);
        let mut left = file_rows(rows, files, number);
        while !left.is_empty() {
            let batch = (left.end - left.start).min(BATCH_ROWS);
            write(rows::fact(distribution, &ranks, keys, &mut random, left.start, batch as usize, count))?;
            left.start += batch;
        }
        Ok(())
    })?;
    let hot = counts.iter().zip(0..).filter_map(|(count, key)| {
        let count = u64::from(count.load(Ordering::Relaxed));
        let (k, k2) = rows::parts(distribution, key);
        (count * LISTED_PART >= rows).then_some(HotKey { k, k2, rows: count })
    });
    let mut hot: Vec<HotKey> = hot.collect();
    hot.sort_by_key(|key| (std::cmp::Reverse(key.rows), key.k, key.k2));
    let counts = KeyCounts { rows, keys, null_rows: nulls.into_inner().into(), hot };
    let text = serde_json::to_string_pretty(&counts)
        .map_err(|error| Error::new(ErrorCode::Internal, "the keys cannot be written").caused_by(error))?;
    let path = folder.join(KEYS_FILE);
    fs::write(&path, text).map_err(|error| file_error(&path, error))
}

fn write_dimension(folder: &Path, keys: u64, distribution: Distribution, stop: &AtomicBool) -> Result<()> {
    let files = file_count(keys);
    let table = (Distribution::ALL.len() + usize::from(distribution == Distribution::Composite)) as u64;
    write_files(folder, files, rows::dimension_schema(), stop, |number, write| {
        let ranks = file_rows(keys, files, number);
        write(rows::dimension(distribution, keys, &mut rows::random(table, number), ranks.start + 1..=ranks.end))
    })
}

/// Takes the next rows of a file, or why they could not be drawn.
type Writer<'a> = dyn FnMut(std::result::Result<RecordBatch, ArrowError>) -> Result<()> + 'a;

/// Writes files that carry no Arrow schema, so that each engine reads plain Parquet and chooses its own types.
fn write_files(
    folder: &Path,
    files: u64,
    schema: SchemaRef,
    stop: &AtomicBool,
    draw: impl Fn(u64, &mut Writer<'_>) -> Result<()> + Sync,
) -> Result<()> {
    let folder = folder.join(ROWS_FOLDER);
    fs::create_dir(&folder).map_err(|error| file_error(&folder, error))?;
    dataset::in_parallel(files as usize, stop, |number| {
        let path = folder.join(format!("part-{number:05}.parquet"));
        let failed = |error: parquet::errors::ParquetError| {
            Error::new(ErrorCode::Storage, format!("cannot write {}: {error}", path.display()))
        };
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let output = File::create(&path).map_err(|error| file_error(&path, error))?;
        let mut writer = ArrowWriter::try_new_with_options(output, schema.clone(), options).map_err(failed)?;
        draw(number as u64, &mut |batch| {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorCode::Cancelled, "the generation of data was stopped"));
            }
            let batch =
                batch.map_err(|error| Error::new(ErrorCode::Internal, "the rows cannot be drawn").caused_by(error))?;
            writer.write(&batch).map_err(failed)
        })?;
        writer.close().map_err(failed)?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::{file_count, file_rows};

    #[test]
    fn files_are_many_and_alike() {
        assert_eq!([1, 20_000, 10_000_000, 100_000_000, 200_000_000].map(file_count), [1, 20, 64, 128, 256]);
        let sizes: Vec<u64> = (0..3).map(|number| file_rows(10, 3, number)).map(|rows| rows.end - rows.start).collect();
        assert_eq!(sizes, [3, 3, 4]);
    }
}
