//! Whole runs on an embedded session.

use std::path::Path;

use sluice::ErrorCode;
use sluice_bench::sql::{Benchmark, Memory, SqlOptions, Verdict, run, run_with_progress};

/// Options of a run whose data and catalog are in a folder of the test's own.
fn options(dir: &Path, benchmark: Benchmark) -> SqlOptions {
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    SqlOptions {
        scale: 0.01,
        data_dir: dir.join("data"),
        master: "local[2]".to_owned(),
        settings: vec![
            ("sluice.catalog.path".to_owned(), path("catalog")),
            ("sluice.warehouse.path".to_owned(), path("warehouse")),
        ],
        ..SqlOptions::new(benchmark)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chosen_queries_run_in_their_order_and_as_often_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqlOptions { queries: vec![6, 1], iterations: 3, ..options(dir.path(), Benchmark::TpcH) };
    let mut told = Vec::new();
    let report = run_with_progress(&options, |query| told.push(query.number)).await.unwrap();
    let ran: Vec<_> = report.queries.iter().map(|query| (query.number, query.seconds.len())).collect();
    assert_eq!((ran, told), (vec![(6, 3), (1, 3)], vec![6, 1]));
    assert_eq!(report.verdict(), "ran 2/2, not verified");
    // Q1 groups by the two flags, which come in four combinations at any scale.
    assert_eq!((report.queries[0].rows, report.queries[1].rows), (Some(1), Some(4)));
    assert!(report.queries.iter().all(|query| query.datafusion == Verdict::NotAsked && query.usage.len() == 3));
    assert!(report.bandwidth.memory_bytes_per_second > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_working_set_is_never_less_than_the_least_pool() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqlOptions { queries: vec![18], memory: Memory::Share(0.05), ..options(dir.path(), Benchmark::TpcH) };
    let report = run(&options).await.unwrap();
    let query = &report.queries[0];
    assert_eq!((query.error.as_deref(), query.pool_bytes), (None, Some(128 << 20)));
    assert!(query.working_set_bytes.is_some_and(|bytes| bytes > 100_000), "{query:?}");
}

#[tokio::test]
async fn options_out_of_range_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for options in [
        SqlOptions { queries: vec![23], ..options(dir.path(), Benchmark::TpcH) },
        SqlOptions { queries: vec![0], ..options(dir.path(), Benchmark::TpcDs) },
        SqlOptions { queries: vec![44], ..options(dir.path(), Benchmark::ClickBench) },
        SqlOptions { iterations: 0, ..options(dir.path(), Benchmark::TpcH) },
    ] {
        let error = run(&options).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{options:?}");
    }
}
