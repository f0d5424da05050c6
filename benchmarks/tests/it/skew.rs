//! The skew benchmark: its data has the shares that it should, and its steps give the same rows in both modes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int32Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice::{ErrorCode, Session};
use sluice_bench::skew::{Distribution, KeyCounts, SkewData, SkewOptions, generate, run, run_with_progress};

const ROWS: u64 = 20_000;

/// An embedded session whose catalog is in a folder of the test's own.
async fn session(catalog: &Path) -> Session {
    let path = |name: &str| catalog.join(name).to_string_lossy().into_owned();
    Session::builder()
        .master("local[2]")
        .conf("sluice.catalog.path", path("catalog"))
        .conf("sluice.warehouse.path", path("warehouse"))
        .build()
        .await
        .unwrap()
}

fn options(dir: &Path) -> SkewOptions {
    SkewOptions { rows: ROWS, partitions: 8, data_dir: dir.join("data"), ..SkewOptions::default() }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn rows(folder: &Path) -> RecordBatch {
    let mut batches = Vec::new();
    for name in files(folder).into_keys() {
        let file = File::open(folder.join(name)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        batches.extend(reader.map(|batch| batch.unwrap()));
    }
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// How many rows each key has; nothing stands for a row without a key.
fn counts(table: &RecordBatch) -> BTreeMap<Option<(i64, i32)>, u64> {
    let (first, second) = (table.column_by_name("k").unwrap(), table.column_by_name("k2").unwrap());
    let (first, second) = (first.as_primitive::<Int64Type>(), second.as_primitive::<Int32Type>());
    let mut counts = BTreeMap::new();
    for (first, second) in first.iter().zip(second) {
        *counts.entry(first.zip(second)).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_gives_the_same_rows_in_both_modes() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path()).await;
    let options = SkewOptions {
        distributions: vec![Distribution::Zipf12, Distribution::Null30, Distribution::Composite],
        iterations: 2,
        ..options(dir.path())
    };
    let mut told = Vec::new();
    let report = run_with_progress(&session, &options, |step| told.push((step.distribution, step.step))).await.unwrap();
    assert_eq!(told, report.steps.iter().map(|step| (step.distribution, step.step)).collect::<Vec<_>>());
    assert_eq!(report.steps.len(), 11 + 11 + 10);
    assert_eq!(report.failed(), 0, "{:#?}", report.steps);
    for step in &report.steps {
        let off = step.off.as_ref().unwrap();
        assert_eq!((off.seconds.len(), off.equal), (2, Some(true)), "{step:?}");
        assert_eq!(step.on.is_some(), report.no_modes.is_none(), "{step:?}");
        assert!(step.on.as_ref().is_none_or(|on| on.seconds.len() == 2 && on.equal == Some(true)), "{step:?}");
    }
    // What the run set is undone, and what it wrote and registered is gone.
    assert!(session.table("bench_fact").await.is_err());
    let left = fs::read_dir(options.data_dir).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["skew-20000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_and_numbers_out_of_range_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path()).await;
    let refused = [
        SkewOptions { steps: vec!["no_such_step".to_owned()], ..options(dir.path()) },
        SkewOptions { iterations: 0, ..options(dir.path()) },
        SkewOptions { partitions: 0, ..options(dir.path()) },
        SkewOptions { rows: 0, ..options(dir.path()) },
    ];
    for options in refused {
        let error = run(&session, &options).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{options:?}");
    }
    assert_eq!(Distribution::named("zipf1.2").unwrap(), Distribution::Zipf12);
    assert_eq!(Distribution::named("zipf1.3").unwrap_err().code(), ErrorCode::InvalidArgument);
}

#[tokio::test]
async fn the_same_number_of_rows_gives_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let first = generate(&dir.path().join("a"), ROWS, Distribution::Zipf15).await.unwrap();
    let other = generate(&dir.path().join("b"), ROWS, Distribution::Zipf15).await.unwrap();
    assert_eq!(files(&first.fact_dir), files(&other.fact_dir));
    assert_eq!(files(&first.dimension_dir), files(&other.dimension_dir));
    assert_eq!(fs::read(&first.keys_file).unwrap(), fs::read(&other.keys_file).unwrap());
    assert!(first.generated_seconds.is_some());
    let again = generate(&dir.path().join("a"), ROWS, Distribution::Zipf15).await.unwrap();
    assert_eq!(again.generated_seconds, None);
    fs::remove_file(first.dimension_dir.join("part-00000.parquet")).unwrap();
    let repaired = generate(&dir.path().join("a"), ROWS, Distribution::Zipf15).await.unwrap();
    assert!(repaired.generated_seconds.is_some());
    assert_eq!(files(&repaired.dimension_dir), files(&other.dimension_dir));
}

#[tokio::test]
async fn keys_have_their_shares_and_the_frequent_ones_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    for distribution in Distribution::ALL {
        let SkewData { rows: row_count, keys, fact_dir, keys_file, .. } =
            generate(dir.path(), ROWS, distribution).await.unwrap();
        assert_eq!((row_count, keys), (ROWS, 2_000));
        let table = rows(&fact_dir);
        assert_eq!(table.num_rows() as u64, ROWS);
        let ts = table.column_by_name("ts").unwrap().as_primitive::<Int64Type>();
        assert!(ts.values().iter().copied().eq(0..ROWS as i64));
        let texts = table.column_by_name("s").unwrap();
        assert_eq!(texts.null_count(), table.column_by_name("k").unwrap().null_count());

        let mut counts = counts(&table);
        let near = |count: u64, share: f64, what: &str| {
            let deviation = (share * (1.0 - share) / ROWS as f64).sqrt();
            let got = count as f64 / ROWS as f64;
            assert!((got - share).abs() <= 5.0 * deviation, "{distribution}, {what}: {got}, not {share}");
        };
        let nulls = counts.remove(&None).unwrap_or(0);
        near(nulls, distribution.share(keys, 0), "no key");
        let most = counts.values().copied().max().unwrap();
        // Where all keys are alike, the most frequent one of 2,000 is far from the mean.
        if !matches!(distribution, Distribution::Uniform | Distribution::Null30) {
            near(most, distribution.share(keys, 1), "the first key");
        } else {
            assert!(most < 40, "{distribution}: {most} of 20,000 rows have one key of 2,000");
        }

        let listed: KeyCounts = serde_json::from_slice(&fs::read(&keys_file).unwrap()).unwrap();
        assert_eq!((listed.rows, listed.keys, listed.null_rows), (ROWS, keys, nulls));
        let expected = counts.iter().filter(|(_, count)| **count * 1_024 >= ROWS).count();
        assert_eq!(listed.hot.len(), expected, "{distribution}");
        assert!(listed.hot.iter().all(|key| counts[&Some((key.k, key.k2))] == key.rows));
        assert!(listed.hot.is_sorted_by(|left, right| left.rows >= right.rows));
    }
}

#[tokio::test]
async fn the_small_table_has_up_to_two_rows_for_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let data = generate(dir.path(), ROWS, Distribution::Composite).await.unwrap();
    let counts = counts(&rows(&data.dimension_dir));
    assert!(counts.keys().flatten().all(|(first, second)| (0..20).contains(first) && (0..100).contains(second)));
    let with = |copies: u64| counts.values().filter(|count| **count == copies).count();
    assert_eq!(with(1) + with(2), counts.len());
    for (share, expected) in [(2_000 - counts.len(), 0.2), (with(1), 0.6), (with(2), 0.2)] {
        let share = share as f64 / 2_000.0;
        assert!((share - expected).abs() < 0.05, "{share}, not {expected}");
    }
}
