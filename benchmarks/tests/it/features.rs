//! The feature functions: every step runs, and the data has the shares that it should.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice::{ErrorCode, Session};
use sluice_bench::features::{FeatureData, FeatureOptions, generate, run, run_with_progress};

const ROWS: u64 = 20_000;

/// An embedded session on one core whose catalog is in a folder of the test's own.
async fn session(catalog: &Path) -> Session {
    let path = |name: &str| catalog.join(name).to_string_lossy().into_owned();
    Session::builder()
        .master("local[1]")
        .conf("sluice.catalog.path", path("catalog"))
        .conf("sluice.warehouse.path", path("warehouse"))
        .build()
        .await
        .unwrap()
}

fn options(dir: &Path) -> FeatureOptions {
    FeatureOptions { rows: ROWS, iterations: 1, data_dir: dir.join("data"), ..FeatureOptions::default() }
}

fn files(data: &FeatureData, table: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(data.table_dir(table)).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn rows(data: &FeatureData, table: &str) -> RecordBatch {
    let mut batches = Vec::new();
    for name in files(data, table).into_keys() {
        let file = File::open(data.table_dir(table).join(name)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        batches.extend(reader.map(|batch| batch.unwrap()));
    }
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_runs() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path()).await;
    let mut told = Vec::new();
    let report = run_with_progress(&session, &options(dir.path()), |step| told.push(step.name)).await.unwrap();
    let failed: Vec<_> = report.steps.iter().filter_map(|step| Some((step.name, step.error.as_ref()?))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(told, report.steps.iter().map(|step| step.name).collect::<Vec<_>>());
    for step in &report.steps {
        assert!(step.median_seconds.is_some() && step.million_values_per_second.is_some(), "{step:?}");
        assert!(step.values > 0 && step.input_bytes > 0, "{step:?}");
    }
    let hash = &report.steps[0];
    // Every category is a text of eight digits.
    assert_eq!((hash.name, hash.rows, hash.values, hash.input_bytes), ("hash_bucket", ROWS, 26 * ROWS, 208 * ROWS));
    assert!(report.copy_bytes_per_second > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_can_be_chosen_and_an_unknown_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path()).await;
    let choose = |functions: &[&str]| FeatureOptions {
        rows: 1_000,
        functions: functions.iter().map(|name| (*name).to_owned()).collect(),
        ..options(dir.path())
    };
    let report = run(&session, &choose(&["bins_apply", "auc"])).await.unwrap();
    assert_eq!(report.steps.iter().map(|step| step.name).collect::<Vec<_>>(), ["bins_apply", "auc"]);
    let refused = [
        choose(&["no_such_function"]),
        FeatureOptions { iterations: 0, ..options(dir.path()) },
        FeatureOptions { rows: 0, ..options(dir.path()) },
        FeatureOptions { rows: u64::MAX, ..options(dir.path()) },
    ];
    for options in refused {
        let error = run(&session, &options).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{options:?}");
    }
}

#[tokio::test]
async fn the_same_number_of_rows_gives_the_same_files_and_whole_data_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let first = generate(&dir.path().join("a"), ROWS).await.unwrap();
    let other = generate(&dir.path().join("b"), ROWS).await.unwrap();
    for table in ["criteo", "docs"] {
        assert_eq!(files(&first, table), files(&other, table), "{table}");
    }
    assert!(first.generated_seconds.is_some());
    let again = generate(&dir.path().join("a"), ROWS).await.unwrap();
    assert_eq!(again.generated_seconds, None);
    fs::remove_file(first.table_dir("docs").join("part-00000.parquet")).unwrap();
    let repaired = generate(&dir.path().join("a"), ROWS).await.unwrap();
    assert!(repaired.generated_seconds.is_some());
    assert_eq!(files(&repaired, "docs"), files(&other, "docs"));
}

#[tokio::test]
async fn shares_are_those_published() {
    let dir = tempfile::tempdir().unwrap();
    let data = generate(dir.path(), ROWS).await.unwrap();
    let table = rows(&data, "criteo");
    assert_eq!((table.num_rows() as u64, table.num_columns()), (ROWS, 2 + 13 + 26));
    let column = |name: &str| table.column_by_name(name).unwrap();
    // The widest of these is five standard deviations.
    let near = |value: f64, expected: f64| assert!((value - expected).abs() < 0.018, "{value}, not {expected}");
    let share = |count: usize| count as f64 / ROWS as f64;

    let ids = column("id").as_primitive::<Int64Type>();
    assert!(ids.values().iter().copied().eq(0..ROWS as i64));
    let labels = column("label").as_primitive::<Int32Type>();
    near(share(labels.values().iter().filter(|label| **label == 1).count()), 0.256);
    for (name, missing) in [("i1", 0.45), ("i2", 0.0), ("i12", 0.76)] {
        near(share(column(name).null_count()), missing);
    }
    let coded = column("i2").as_primitive::<Float64Type>();
    near(share(coded.values().iter().filter(|value| **value == -1.0).count()), 0.1);
    near(share(coded.values().iter().filter(|value| **value == -2.0).count()), 0.01);

    let counts = |name: &str| {
        let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (text, label) in column(name).as_string::<i32>().iter().zip(labels.values()) {
            let count = counts.entry(text.unwrap().to_owned()).or_default();
            count.0 += 1;
            count.1 += usize::from(*label == 1);
        }
        counts
    };
    let c9 = counts("c9");
    assert!(c9.keys().all(|text| text.len() == 8 && text.chars().all(|digit| digit.is_ascii_hexdigit())));
    let mut by_count: Vec<_> = c9.into_values().collect();
    by_count.sort();
    // Shares of ranks 3, 2 and 1 under Zipf's law with the exponent 1.1: 3^-1.1, 2^-1.1 and 1 over their sum.
    for ((count, _), expected) in by_count.iter().zip([0.1691, 0.2643, 0.5666]) {
        near(share(*count), expected);
    }
    let (count, clicks) = by_count[0];
    assert!((clicks as f64 / count as f64 - 0.6).abs() < 0.05, "the planted category has {clicks} of {count} clicks");
    let distinct: HashSet<_> = column("c3").as_string::<i32>().iter().flatten().collect();
    assert!(distinct.len() > 3_000, "{} categories of at most {ROWS}", distinct.len());
}

#[tokio::test]
async fn documents_are_of_many_lengths_and_some_are_empty() {
    let dir = tempfile::tempdir().unwrap();
    let data = generate(dir.path(), ROWS).await.unwrap();
    let table = rows(&data, "docs");
    assert_eq!((data.documents, table.num_rows()), (ROWS / 10, 2_000));
    let bodies: Vec<&str> = table.column(1).as_string::<i32>().iter().flatten().collect();
    let empty = bodies.iter().filter(|body| body.is_empty()).count();
    assert!((5..=45).contains(&empty), "{empty} empty documents of 2000");
    let mut lengths: Vec<usize> = bodies.iter().map(|body| body.split_whitespace().count()).collect();
    lengths.sort_unstable();
    assert!((36..=44).contains(&lengths[1_000]), "the median is {} words", lengths[1_000]);
    assert!(lengths[1_980] > 150, "a hundredth has more than {} words", lengths[1_980]);
    assert!(bodies.iter().any(|body| !body.is_ascii()));
}
