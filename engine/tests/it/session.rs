//! The embedded session through its public API.

use sluice::{CsvOptions, ErrorCode, Session};

async fn session(folder: &std::path::Path) -> Session {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    Session::builder()
        .master("local[2]")
        .conf("sluice.catalog.path", path("catalog"))
        .conf("sluice.warehouse.path", path("warehouse"))
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_table_outlives_its_session() {
    let folder = tempfile::tempdir().unwrap();
    session(folder.path()).await.sql("CREATE TABLE t AS SELECT 1 AS a UNION ALL SELECT 2").await.unwrap();
    let later = session(folder.path()).await;
    assert_eq!(later.table("t").await.unwrap().count().await.unwrap(), 2);
    later.sql("INSERT INTO t VALUES (3)").await.unwrap();
    assert_eq!(later.table("t").await.unwrap().count().await.unwrap(), 3);
}

#[tokio::test]
async fn csv_options_are_honoured_and_a_missing_file_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, "1;x\n2;y\n").unwrap();
    let session = session(folder.path()).await;
    let options = CsvOptions::default().option("has_header", "false").option("delimiter", ";");
    let frame = session.read_csv(&file.to_string_lossy(), options).await.unwrap();
    assert_eq!(frame.schema().fields().len(), 2);
    assert_eq!(frame.count().await.unwrap(), 2);
    let missing = session.read_csv("no/such/file.csv", CsvOptions::default()).await;
    assert_eq!(missing.err().map(|error| error.code()), Some(ErrorCode::FileNotFound));
}

#[tokio::test]
async fn new_files_of_others_show_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("a.csv"), "v\n1\n").unwrap();
    let session = session(folder.path()).await;
    let create = format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}/'", data.display());
    session.sql(&create).await.unwrap();
    assert_eq!(session.table("t").await.unwrap().count().await.unwrap(), 1);
    std::fs::write(data.join("b.csv"), "v\n2\n3\n").unwrap();
    assert_eq!(session.table("t").await.unwrap().count().await.unwrap(), 3);
}

#[tokio::test]
async fn a_fitted_state_is_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(folder.path()).await;
    session
        .sql("CREATE TABLE t AS SELECT * FROM (VALUES ('north', 0), ('south', 1), ('south', 0)) AS t(c, y)")
        .await
        .unwrap();
    let apply = "SELECT woe_apply((SELECT fit_woe(c, y) FROM t), c) AS w, (SELECT max(c) FROM t) AS m FROM t";
    let rows = session.sql(apply).await.unwrap().collect().await.unwrap();
    assert_eq!(rows.iter().map(|rows| rows.num_rows()).sum::<usize>(), 3);
    let plan = session.sql(&format!("EXPLAIN ANALYZE {apply}")).await.unwrap().to_string().await.unwrap();
    assert!(plan.contains("scalar_subquery(…)") && !plan.contains("north"), "{plan}");
    // A plain value is short, and shown.
    assert!(plan.contains("scalar_subquery(south)"), "{plan}");
}
