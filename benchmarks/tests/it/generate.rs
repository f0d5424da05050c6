//! The data set: row counts of the specification, several files, one writing.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

use parquet::file::reader::{FileReader, SerializedFileReader};
use sluice::ErrorCode;
use sluice_bench::sql::{Benchmark, SqlData, generate};

async fn tpch(dir: &Path, scale: f64) -> sluice::Result<SqlData> {
    generate(dir, Benchmark::TpcH, scale).await
}

fn stored_rows(dir: &Path) -> i64 {
    let files = fs::read_dir(dir).unwrap().map(|entry| File::open(entry.unwrap().path()).unwrap());
    files.map(|file| SerializedFileReader::new(file).unwrap().metadata().file_metadata().num_rows()).sum()
}

#[tokio::test]
async fn tables_have_the_rows_of_the_specification() {
    let dir = tempfile::tempdir().unwrap();
    let data = tpch(dir.path(), 0.01).await.unwrap();
    assert!(data.generated_seconds.is_some());
    // Section 4.2.5 of the specification, times 0.01; the lines of an order vary, and their sum is that of `dbgen`.
    let expected = [
        ("lineitem", 60_175),
        ("orders", 15_000),
        ("partsupp", 8_000),
        ("part", 2_000),
        ("customer", 1_500),
        ("supplier", 100),
        ("nation", 25),
        ("region", 5),
    ];
    for (table, count) in expected {
        assert_eq!(stored_rows(&data.table_dir(table)), count, "{table}");
    }
    assert_eq!(fs::read_dir(data.table_dir("lineitem")).unwrap().count(), 2);
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["tpch-sf0.01"], "a scratch folder was left behind");
}

#[tokio::test]
async fn every_benchmark_has_the_tables_that_its_queries_read() {
    let dir = tempfile::tempdir().unwrap();
    for (benchmark, tables) in [(Benchmark::TpcH, 8), (Benchmark::TpcDs, 24), (Benchmark::ClickBench, 1)] {
        let data = generate(dir.path(), benchmark, 0.01).await.unwrap();
        assert_eq!(data.tables.len(), tables);
        for table in &data.tables {
            assert!(stored_rows(&data.table_dir(table)) > 0, "{table}");
        }
    }
}

#[tokio::test]
async fn complete_data_is_taken_as_it_is_and_damaged_data_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let first = tpch(dir.path(), 0.001).await.unwrap();
    let file = first.table_dir("orders").join("part-00001.parquet");
    let modified = |path: &Path| -> SystemTime { fs::metadata(path).unwrap().modified().unwrap() };
    let written = modified(&file);

    let again = tpch(dir.path(), 0.001).await.unwrap();
    assert_eq!((again.generated_seconds, modified(&file)), (None, written));
    assert_eq!((&again.tables, again.size_bytes), (&first.tables, first.size_bytes));

    fs::remove_file(&file).unwrap();
    let repaired = tpch(dir.path(), 0.001).await.unwrap();
    assert!(repaired.generated_seconds.is_some() && file.exists());
    assert_eq!(repaired.size_bytes, first.size_bytes);
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let precious = dir.path().join("tpch-sf0.001").join("precious.txt");
    fs::create_dir_all(precious.parent().unwrap()).unwrap();
    fs::write(&precious, "keep me").unwrap();
    let error = tpch(dir.path(), 0.001).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TargetExists);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "keep me");
}

#[tokio::test]
async fn scales_out_of_range_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e6] {
        let error = tpch(dir.path(), scale).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{scale}");
    }
}
