//! Managed tables: what a commit shows, and which files go when.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::datasource::listing::ListingTable;
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use sluice::ErrorCode;
use sluice::catalog::model::FileEntry;
use sluice::catalog::{CatalogStore, CommitMode, IfExists, ManagedTarget, SessionCatalog};
use sluice::storage::{StorageOptions, StoreRegistry};
use url::Url;

use super::support::{Fixture, files_below, values};

fn table(name: &str) -> TableReference {
    TableReference::parse_str(name)
}

/// Writes the numbers as one file of the target and says what it wrote.
async fn write(fixture: &Fixture, target: &ManagedTarget, file: &str, numbers: &[i64]) -> Vec<FileEntry> {
    let batch = batch(numbers);
    let path = target.location.join(file).unwrap();
    let options = DataFrameWriteOptions::new().with_single_file_output(true);
    let frame = fixture.context.read_batch(batch).unwrap();
    frame.write_parquet(path.as_str(), options, None).await.unwrap();
    vec![FileEntry { path: file.to_string(), bytes: 1, rows: numbers.len() as u64 }]
}

fn batch(numbers: &[i64]) -> RecordBatch {
    RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(numbers.to_vec())) as _)]).unwrap()
}

async fn create(fixture: &Fixture, name: &str, numbers: &[i64], if_exists: IfExists) -> ManagedTarget {
    let target = fixture.catalog.begin_managed_table(&table(name), if_exists).await.unwrap().unwrap();
    let files = write(fixture, &target, "first.parquet", numbers).await;
    let mode = CommitMode::Create(if_exists);
    assert!(fixture.catalog.commit_managed_table(&target, &batch(&[]).schema(), files, mode).await.unwrap());
    target
}

async fn sum(fixture: &Fixture, name: &str) -> String {
    values(&fixture.ok(&format!("SELECT sum(n) FROM {name}")).await).remove(0)
}

#[tokio::test]
async fn a_commit_shows_the_files_and_only_those() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    let target = fixture.catalog.begin_managed_table(&table("t"), IfExists::Fail).await.unwrap().unwrap();
    let files = write(&fixture, &target, "first.parquet", &[1, 2]).await;
    write(&fixture, &target, "stray.parquet", &[100]).await;
    assert!(fixture.run("SELECT * FROM t").await.is_err(), "not committed yet");
    let schema = batch(&[]).schema();
    fixture.catalog.commit_managed_table(&target, &schema, files, CommitMode::Create(IfExists::Fail)).await.unwrap();
    assert_eq!(sum(&fixture, "t").await, "3");
    assert!(fixture.context.table_provider("t").await.unwrap().is::<ListingTable>());

    let second = Fixture::open(folder.path()).await;
    let target = second.catalog.managed_target(&table("t")).unwrap().unwrap();
    let files = write(&second, &target, "second.parquet", &[4]).await;
    second.catalog.commit_managed_table(&target, &schema, files, CommitMode::Append).await.unwrap();
    assert_eq!(sum(&second, "t").await, "7");
    assert_eq!(sum(&fixture, "t").await, "7", "the other session sees it at its next statement");
}

#[tokio::test]
async fn an_empty_table_has_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    let target = fixture.catalog.begin_managed_table(&table("t"), IfExists::Fail).await.unwrap().unwrap();
    let schema = batch(&[]).schema();
    fixture.catalog.commit_managed_table(&target, &schema, vec![], CommitMode::Create(IfExists::Fail)).await.unwrap();
    assert_eq!(values(&fixture.ok("SELECT count(n) FROM t").await), ["0"]);
}

#[tokio::test]
async fn an_overwrite_keeps_the_replaced_files_until_the_next_commit() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = folder.path().join("warehouse");
    let fixture = Fixture::open(folder.path()).await;
    let target = create(&fixture, "t", &[1], IfExists::Fail).await;
    let schema = batch(&[]).schema();
    let before = fixture.context.table("t").await.unwrap();
    for (file, number) in [("second.parquet", 10), ("third.parquet", 20)] {
        let files = write(&fixture, &target, file, &[number]).await;
        fixture.catalog.commit_managed_table(&target, &schema, files, CommitMode::Overwrite).await.unwrap();
        assert_eq!(sum(&fixture, "t").await, number.to_string());
        if number == 10 {
            assert_eq!(before.clone().count().await.unwrap(), 1, "a query planned before still finds its file");
        }
    }
    let names: Vec<_> =
        files_below(&warehouse).iter().map(|path| path.rsplit('/').next().unwrap().to_string()).collect();
    assert_eq!(names, ["second.parquet", "third.parquet"]);
    fixture.ok("DROP TABLE t").await;
    assert_eq!(files_below(&warehouse), Vec::<String>::new());
    assert!(!target.location.to_file_path().unwrap().exists());
}

#[tokio::test]
async fn a_replaced_table_gets_a_folder_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    let old = create(&fixture, "t", &[1], IfExists::Fail).await;
    let error = fixture.catalog.begin_managed_table(&table("t"), IfExists::Fail).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::AlreadyExists);
    assert_eq!(fixture.catalog.begin_managed_table(&table("t"), IfExists::Skip).await.unwrap(), None);
    let new = create(&fixture, "t", &[2], IfExists::Replace).await;
    assert_ne!(old.location, new.location);
    assert_eq!(sum(&fixture, "t").await, "2");

    // A write that began on the old table cannot end on the new one.
    let schema = batch(&[]).schema();
    let files = write(&fixture, &old, "late.parquet", &[5]).await;
    let error = fixture.catalog.commit_managed_table(&old, &schema, files, CommitMode::Append).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert_eq!(sum(&fixture, "t").await, "2");
}

#[tokio::test]
async fn the_loser_of_if_not_exists_leaves_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    let loser = fixture.catalog.begin_managed_table(&table("t"), IfExists::Skip).await.unwrap().unwrap();
    let files = write(&fixture, &loser, "lost.parquet", &[9]).await;
    create(&fixture, "t", &[1], IfExists::Fail).await;
    let mode = CommitMode::Create(IfExists::Skip);
    assert!(!fixture.catalog.commit_managed_table(&loser, &batch(&[]).schema(), files, mode).await.unwrap());
    assert_eq!(sum(&fixture, "t").await, "1");
    assert!(!loser.location.to_file_path().unwrap().exists());
}

#[tokio::test]
async fn columns_that_differ_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    let target = create(&fixture, "t", &[1], IfExists::Fail).await;
    let other = RecordBatch::try_from_iter([("m", Arc::new(Int64Array::from(vec![1])) as _)]).unwrap().schema();
    let error = fixture.catalog.commit_managed_table(&target, &other, vec![], CommitMode::Append).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TypeMismatch);
}

#[tokio::test]
async fn everything_works_on_an_object_store() {
    let stores = Arc::new(StoreRegistry::new(StorageOptions::default()));
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    stores.register_store(&Url::parse("memory://bucket").unwrap(), Arc::clone(&memory));
    let store = CatalogStore::open(&stores, &Url::parse("memory://bucket/catalog").unwrap()).await.unwrap();
    let warehouse = Url::parse("memory://bucket/warehouse/").unwrap();
    let fixture = Fixture::over(SessionCatalog::new(store, Arc::clone(&stores), warehouse), stores);
    create(&fixture, "\"odd/name.\"", &[1, 2, 3], IfExists::Fail).await;
    assert_eq!(sum(&fixture, "\"odd/name.\"").await, "6");
    let in_warehouse = || async { memory.list(Some(&"warehouse".into())).try_collect::<Vec<_>>().await.unwrap().len() };
    assert_eq!(in_warehouse().await, 1);
    fixture.ok("DROP TABLE \"odd/name.\"").await;
    assert_eq!(in_warehouse().await, 0);
    assert!(memory.head(&"catalog/v00000000000000000002.json".into()).await.is_ok());
}
