//! A whole run on an embedded session.

use std::path::Path;

use sluice::{ErrorCode, Session};
use sluice_bench::tpch::{TpchOptions, Verdict, run, run_with_progress};

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

fn options(dir: &Path) -> TpchOptions {
    TpchOptions { scale: 0.01, data_dir: dir.join("data"), ..TpchOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_queries_give_the_rows_of_plain_datafusion() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path()).await;
    let options = TpchOptions { verify: true, against_datafusion: true, ..options(dir.path()) };
    let mut told = Vec::new();
    let report = run_with_progress(&session, &options, |query| told.push(query.number)).await.unwrap();
    let wrong: Vec<_> = report.queries.iter().filter(|query| !query.is_right()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(told, (1..=22).collect::<Vec<u8>>());
    assert!(report.queries.iter().all(|query| query.datafusion == Verdict::Matches), "{}", report.to_markdown());
    assert!(report.queries.iter().all(|query| query.time_ratio.is_some()));
    assert_eq!((report.verified(), report.failed(), report.is_success()), (22, 0, true));
    assert!(report.verdict().starts_with("verified 22/22 against datafusion, "), "{}", report.verdict());
    // Q1 groups by the two flags, which come in four combinations at any scale; Q4 by the five priorities.
    assert_eq!((report.queries[0].rows, report.queries[3].rows), (Some(4), Some(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn chosen_queries_run_in_their_order_and_as_often_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path()).await;
    let options = TpchOptions { queries: vec![6, 1], iterations: 3, ..options(dir.path()) };
    let report = run(&session, &options).await.unwrap();
    let ran: Vec<_> = report.queries.iter().map(|query| (query.number, query.seconds.len())).collect();
    assert_eq!(ran, [(6, 3), (1, 3)]);
    assert_eq!(report.verdict(), "ran 2/2, not verified");
}

#[tokio::test]
async fn options_out_of_range_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path()).await;
    for options in [
        TpchOptions { queries: vec![23], ..options(dir.path()) },
        TpchOptions { queries: vec![0], ..options(dir.path()) },
        TpchOptions { iterations: 0, ..options(dir.path()) },
    ] {
        let error = run(&session, &options).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{options:?}");
    }
}
