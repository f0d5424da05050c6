//! Versions: racing writers, restarts, damaged files.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use sluice::catalog::CatalogStore;
use sluice::catalog::model::{Snapshot, TableEntry, ViewEntry};
use sluice::{Error, ErrorCode, Result};

fn create(snapshot: &mut Snapshot, name: &str) -> Result<()> {
    let view = ViewEntry { definition: format!("CREATE VIEW {name} AS SELECT 1"), default_schema: "public".into() };
    let tables = &mut snapshot.schemas.get_mut("public").unwrap().tables;
    match tables.insert(name.to_string(), TableEntry::View(view)) {
        None => Ok(()),
        Some(_) => Err(Error::new(ErrorCode::AlreadyExists, name)),
    }
}

fn names(store: &CatalogStore) -> BTreeSet<String> {
    store.current().schemas["public"].tables.keys().cloned().collect()
}

async fn race(store: Arc<dyn ObjectStore>) {
    let folder = Path::from("catalog");
    let one = CatalogStore::open_on(Arc::clone(&store), folder.clone()).await.unwrap();
    let two = CatalogStore::open_on(Arc::clone(&store), folder.clone()).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let catalog = Arc::clone(if task % 2 == 0 { &one } else { &two });
            tokio::spawn(async move {
                for table in 0..10 {
                    catalog.update(|snapshot| create(snapshot, &format!("t_{task}_{table}"))).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let expected: BTreeSet<_> = (0..8).flat_map(|task| (0..10).map(move |table| format!("t_{task}_{table}"))).collect();
    assert_eq!(expected.len(), 80);
    let reopened = CatalogStore::open_on(store, folder).await.unwrap();
    assert_eq!(names(&reopened), expected);
    assert_eq!(reopened.current().version, 80);
    for catalog in [one, two] {
        catalog.refresh().await.unwrap();
        assert_eq!(names(&catalog), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_writers_lose_nothing_in_memory() {
    race(Arc::new(InMemory::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_writers_lose_nothing_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    race(Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap())).await;
    let versions = std::fs::read_dir(folder.path().join("catalog")).unwrap().count();
    assert_eq!(versions, 20, "80 versions were written and the newest 20 stay");
}

/// The version that it is about to write was written by others, and deleted, before it comes to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_far_behind_loses_nothing() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let folder = Path::from("catalog");
    let slow = CatalogStore::open_on(Arc::clone(&store), folder.clone()).await.unwrap();
    let fast = CatalogStore::open_on(Arc::clone(&store), folder.clone()).await.unwrap();
    let mut tries = 0;
    let change = |snapshot: &mut Snapshot| {
        tries += 1;
        if tries == 1 {
            let others = async {
                for table in 0..30 {
                    fast.update(|snapshot| create(snapshot, &format!("fast_{table}"))).await.unwrap();
                }
            };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(others));
        }
        create(snapshot, "slow")
    };
    slow.update(change).await.unwrap();
    assert_eq!(tries, 2);
    let reopened = CatalogStore::open_on(store, folder).await.unwrap();
    assert_eq!((names(&reopened).len(), reopened.current().version), (31, 31));
    assert!(names(&reopened).contains("slow"));
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_an_empty_catalog() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    let catalog = CatalogStore::open_on(store, Path::from("a/b")).await.unwrap();
    assert_eq!(*catalog.current(), Snapshot::default());
    assert!(!folder.path().join("a").exists(), "reading makes no folder");
    catalog.update(|snapshot| create(snapshot, "t")).await.unwrap();
    assert!(folder.path().join("a/b/v00000000000000000001.json").exists());
}

#[tokio::test]
async fn a_change_that_changes_nothing_or_fails_writes_nothing() {
    let catalog = CatalogStore::open_on(Arc::new(InMemory::new()), Path::from("c")).await.unwrap();
    catalog.update(|snapshot| create(snapshot, "t")).await.unwrap();
    assert_eq!(catalog.update(|snapshot| Ok(snapshot.schemas.len())).await.unwrap(), 1);
    let error = catalog.update(|snapshot| create(snapshot, "t")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::AlreadyExists);
    assert_eq!(catalog.refresh().await.unwrap().version, 1);
}

#[tokio::test]
async fn a_torn_version_is_named_and_the_one_before_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    let path = Path::from("c");
    let catalog = CatalogStore::open_on(store.clone(), path.clone()).await.unwrap();
    catalog.update(|snapshot| create(snapshot, "first")).await.unwrap();
    catalog.update(|snapshot| create(snapshot, "second")).await.unwrap();
    let newest = folder.path().join("c/v00000000000000000002.json");
    let text = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &text[..text.len() / 2]).unwrap();

    let error = CatalogStore::open_on(store.clone(), path.clone()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::CorruptFile);
    assert!(error.message().contains("c/v00000000000000000002.json is cut off"), "{error}");
    assert!(error.hint_text().unwrap().contains("version 1"), "{error}");

    std::fs::remove_file(&newest).unwrap();
    let reopened = CatalogStore::open_on(store, path).await.unwrap();
    assert_eq!(names(&reopened), BTreeSet::from(["first".to_string()]));
}

#[tokio::test]
async fn files_that_are_no_catalog_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/rows.csv"), "a\n1\n").unwrap();
    let error = CatalogStore::open_on(store.clone(), Path::from("data")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::CorruptFile);
    assert!(error.message().contains("data/rows.csv"), "{error}");

    let foreign = folder.path().join("other/v00000000000000000001.json");
    std::fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    std::fs::write(&foreign, r#"{"name": "left-pad"}"#).unwrap();
    let error = CatalogStore::open_on(store, Path::from("other")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::CorruptFile);
    assert!(error.message().contains("other/v00000000000000000001.json is not a catalog"), "{error}");
}
