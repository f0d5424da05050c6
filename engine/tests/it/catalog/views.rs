//! Views: what they refer to, cycles, temporary ones.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::common::TableReference;
use sluice::ErrorCode;
use sluice::catalog::IfExists;

use super::support::{Fixture, values};

fn numbers(values: &[i64]) -> RecordBatch {
    RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(values.to_vec())) as _)]).unwrap()
}

async fn csv_table(fixture: &Fixture, folder: &std::path::Path, name: &str, text: &str) {
    let file = folder.join(format!("{name}.csv"));
    std::fs::write(&file, text).unwrap();
    let options = "OPTIONS ('format.has_header' 'true')";
    fixture.ok(&format!("CREATE EXTERNAL TABLE {name} STORED AS CSV LOCATION '{}' {options}", file.display())).await;
}

#[tokio::test]
async fn a_view_outlives_the_session_and_follows_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let first = Fixture::open(folder.path()).await;
    csv_table(&first, folder.path(), "t", "n\n1\n2\n3\n").await;
    first.ok("CREATE VIEW big AS SELECT n FROM t WHERE n > 1").await;
    first.ok("CREATE VIEW bigger (m) AS SELECT n * 10 FROM big").await;

    let second = Fixture::open(folder.path()).await;
    assert_eq!(values(&second.ok("SELECT m FROM bigger ORDER BY m").await), ["20", "30"]);
    second.ok("CREATE OR REPLACE VIEW big AS SELECT n FROM t WHERE n > 2").await;
    assert_eq!(values(&first.ok("SELECT m FROM bigger ORDER BY m").await), ["30"]);
    let views = first.ok("SELECT table_name FROM information_schema.tables WHERE table_type = 'VIEW' AND table_schema = 'public' ORDER BY 1").await;
    assert_eq!(values(&views), ["big", "bigger"]);
    let columns = first.ok("SELECT column_name FROM information_schema.columns WHERE table_name = 'bigger'").await;
    assert_eq!(values(&columns), ["m"]);
}

#[tokio::test]
async fn a_cycle_is_refused_when_made_and_named_when_met() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    fixture.ok("CREATE VIEW a AS SELECT 1 AS n").await;
    fixture.ok("CREATE VIEW b AS SELECT n FROM a").await;
    let error = fixture.error("CREATE OR REPLACE VIEW a AS SELECT n FROM b").await;
    assert_eq!(error.code(), ErrorCode::InvalidPlan);
    assert!(error.message().contains("a -> b -> a"), "{error}");
    assert_eq!(values(&fixture.ok("SELECT n FROM b").await), ["1"]);

    // Two sessions that replace at once could still make one.
    let store = fixture.catalog.store();
    store
        .update(|snapshot| {
            let tables = &mut snapshot.schemas.get_mut("public").unwrap().tables;
            let Some(sluice::catalog::model::TableEntry::View(view)) = tables.get_mut("a") else { panic!("no view") };
            view.definition = "CREATE VIEW a AS SELECT n FROM b".into();
            Ok(())
        })
        .await
        .unwrap();
    let error = fixture.error("SELECT n FROM b").await;
    assert_eq!(error.code(), ErrorCode::InvalidPlan);
    assert!(error.message().contains("b -> a -> b"), "{error}");
    assert!(fixture.ok("SHOW TABLES").await.contains("| a "));
    fixture.ok("DROP VIEW a").await;
    let error = fixture.error("SELECT n FROM b").await;
    assert!(error.message().contains("view `b` does not plan any more"), "{error}");
}

#[tokio::test]
async fn a_temporary_table_hides_a_persistent_one_but_not_from_its_views() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    csv_table(&fixture, folder.path(), "t", "n\n1\n").await;
    fixture.ok("CREATE VIEW v AS SELECT n FROM t").await;
    fixture.context.register_batch("t", numbers(&[7])).unwrap();
    assert_eq!(values(&fixture.ok("SELECT n FROM t").await), ["7"]);
    assert_eq!(values(&fixture.ok("SELECT n FROM v").await), ["1"]);
    let forked = Fixture::open(folder.path()).await;
    assert_eq!(values(&forked.ok("SELECT n FROM t").await), ["1"]);
    fixture.ok("DROP TABLE t").await;
    assert_eq!(values(&fixture.ok("SELECT n FROM t").await), ["1"], "only the temporary one is gone");
}

#[tokio::test]
async fn a_view_over_a_temporary_table_is_temporary() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    fixture.context.register_batch("numbers", numbers(&[1, 2])).unwrap();
    fixture.ok("CREATE VIEW v AS SELECT sum(n) AS s FROM numbers").await;
    fixture.ok("CREATE VIEW w AS SELECT s + 1 AS s FROM v").await;
    assert_eq!(values(&fixture.ok("SELECT s FROM w").await), ["4"]);
    assert!(fixture.catalog.store().current().schemas["public"].tables.is_empty());
    let other = Fixture::open(folder.path()).await;
    assert_eq!(other.catalog.table_names(), Vec::<String>::new());
    fixture.ok("DROP VIEW v").await;
    assert_eq!(fixture.catalog.table_names(), ["numbers", "w"]);
}

#[tokio::test]
async fn unqualified_names_mean_the_schema_of_the_view() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    fixture.ok("CREATE SCHEMA s").await;
    csv_table(&fixture, folder.path(), "t", "n\n1\n").await;
    fixture.ok("CREATE VIEW s.v AS SELECT n FROM t").await;
    fixture.ok("SET datafusion.catalog.default_schema = 's'").await;
    assert_eq!(values(&fixture.ok("SELECT n FROM v").await), ["1"]);
    assert!(fixture.run("SELECT n FROM t").await.is_err(), "the session's own default is another schema");
}

#[tokio::test]
async fn names_are_taken_by_tables_and_views_alike() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    fixture.ok("CREATE VIEW v AS SELECT 1 AS n").await;
    assert_eq!(fixture.error("CREATE VIEW v AS SELECT 2 AS n").await.code(), ErrorCode::AlreadyExists);
    let error = fixture.error("DROP TABLE v").await;
    assert_eq!((error.code(), error.hint_text()), (ErrorCode::InvalidPlan, Some("use DROP VIEW v")));
    let begun = fixture.catalog.begin_managed_table(&TableReference::bare("v"), IfExists::Replace).await;
    assert_eq!(begun.unwrap_err().code(), ErrorCode::InvalidPlan);
    let error = fixture.error("CREATE VIEW twice AS SELECT a.n, b.n FROM v a CROSS JOIN v b").await;
    assert!(error.message().contains("two columns `n`"), "{error}");
}

#[tokio::test]
async fn a_scratch_copy_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    fixture.ok("CREATE VIEW v AS SELECT 1 AS n").await;
    let stores = Arc::new(sluice::storage::StoreRegistry::new(Default::default()));
    let scratch = Fixture::over(fixture.catalog.scratch(), stores);
    scratch.ok("CREATE VIEW w AS SELECT n FROM v").await;
    scratch.ok("DROP VIEW v").await;
    assert_eq!(scratch.catalog.table_names(), ["w"]);
    fixture.catalog.refresh().await.unwrap();
    assert_eq!(fixture.catalog.table_names(), ["v"]);
}
