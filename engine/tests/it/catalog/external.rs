//! External tables: what is kept of them, and that their files are never touched.

use std::path::Path;
use std::sync::Arc;

use datafusion::datasource::listing::ListingTable;
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use sluice::ErrorCode;
use sluice::catalog::{CatalogStore, SessionCatalog};
use sluice::storage::{StorageOptions, StoreRegistry};
use url::Url;

use super::support::{Fixture, files_below, values};

async fn write_parquet(fixture: &Fixture, folder: &Path, query: &str, partition: &str) {
    fixture.ok(&format!("COPY ({query}) TO '{}/' STORED AS PARQUET {partition}", folder.display())).await;
}

#[tokio::test]
async fn a_partitioned_parquet_table_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = Fixture::open(folder.path()).await;
    let rows = "SELECT * FROM (VALUES (1, 'x'), (2, 'x'), (3, 'y')) AS t(n, day)";
    write_parquet(&first, &data, rows, "PARTITIONED BY (day)").await;
    std::fs::write(data.join("_SUCCESS"), "").unwrap();
    first
        .ok(&format!("CREATE EXTERNAL TABLE t STORED AS PARQUET PARTITIONED BY (day) LOCATION '{}'", data.display()))
        .await;

    let second = Fixture::open(folder.path()).await;
    assert_eq!(values(&second.ok("SELECT sum(n) FROM t WHERE day = 'x'").await), ["3"]);
    assert_eq!(values(&second.ok("SELECT count(*) FROM t").await), ["3"]);
    let opened = second.context.table_provider("t").await.unwrap();
    assert!(opened.is::<ListingTable>());
    assert_eq!(second.catalog.table_names(), ["t"]);
    assert!(second.ok("SHOW TABLES").await.contains("| t "));

    let before = files_below(&data);
    second.ok("DROP TABLE t").await;
    assert_eq!(files_below(&data), before);
    assert!(!before.is_empty());
    assert_eq!(first.error("DROP TABLE t").await.code(), ErrorCode::TableNotFound);
    first.ok("DROP TABLE IF EXISTS t").await;
}

#[tokio::test]
async fn declared_columns_order_keys_and_defaults_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("rows.csv");
    std::fs::write(&data, "1;ann\n2;bob\n").unwrap();
    let first = Fixture::open(folder.path()).await;
    let sql = format!(
        "CREATE EXTERNAL TABLE t (id BIGINT NOT NULL, \"Name\" VARCHAR DEFAULT 'none', PRIMARY KEY (id)) STORED AS CSV \
         WITH ORDER (id ASC, \"Name\" DESC) LOCATION '{}' OPTIONS ('format.delimiter' ';', 'format.has_header' 'false')",
        data.display()
    );
    first.ok(&sql).await;

    let second = Fixture::open(folder.path()).await;
    assert_eq!(values(&second.ok("SELECT \"Name\" FROM t ORDER BY id DESC").await), ["bob", "ann"]);
    let plan = second.ok("EXPLAIN SELECT id FROM t ORDER BY id").await;
    assert!(!plan.contains("SortExec"), "the declared order makes a sort needless:\n{plan}");
    let opened = second.context.table_provider("t").await.unwrap();
    assert_eq!(opened.constraints().unwrap().iter().count(), 1);
    assert_eq!(opened.get_column_default("Name").unwrap().to_string(), "Utf8(\"none\")");
    assert!(!opened.schema().field_with_name("id").unwrap().is_nullable());
}

#[tokio::test]
async fn a_location_must_exist_unless_columns_are_declared() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    let missing = folder.path().join("missing");
    let error =
        fixture.error(&format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{}'", missing.display())).await;
    assert_eq!(error.code(), ErrorCode::FileNotFound);
    assert!(error.message().contains(missing.to_str().unwrap()), "{error}");
    fixture.ok(&format!("CREATE EXTERNAL TABLE t (n INT) STORED AS PARQUET LOCATION '{}/'", missing.display())).await;
    assert_eq!(values(&fixture.ok("SELECT count(*) FROM t").await), ["0"]);

    let error = fixture.error("CREATE EXTERNAL TABLE u STORED AS PARKET LOCATION '/tmp'").await;
    assert_eq!(error.code(), ErrorCode::Unsupported);
    let error = fixture.error("CREATE EXTERNAL TABLE u STORED AS CSV LOCATION 'ftp://host/x.csv'").await;
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}

#[tokio::test]
async fn a_taken_name_is_an_error_a_no_op_or_a_replacement() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    let location = |name: &str, value: i64| {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("{value}\n")).unwrap();
        format!("(n BIGINT) STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'false')", file.display())
    };
    let (one, two) = (location("one.csv", 1), location("two.csv", 2));
    fixture.ok(&format!("CREATE EXTERNAL TABLE customers {one}")).await;
    let error = fixture.error(&format!("CREATE EXTERNAL TABLE customers {two}")).await;
    assert_eq!(error.code(), ErrorCode::AlreadyExists);
    fixture.ok(&format!("CREATE EXTERNAL TABLE IF NOT EXISTS customers {two}")).await;
    assert_eq!(values(&fixture.ok("SELECT n FROM customers").await), ["1"]);
    fixture.ok(&format!("CREATE OR REPLACE EXTERNAL TABLE customers {two}")).await;
    assert_eq!(values(&fixture.ok("SELECT n FROM customers").await), ["2"]);
    let error = fixture.error("DROP TABLE customer").await;
    assert_eq!((error.code(), error.hint_text()), (ErrorCode::TableNotFound, Some("did you mean `customers`?")));
}

#[tokio::test]
async fn schemas_hold_tables_and_are_dropped_with_care() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::open(folder.path()).await;
    assert_eq!(fixture.error("CREATE VIEW s.v AS SELECT 1 AS n").await.code(), ErrorCode::InvalidPlan);
    fixture.ok("CREATE SCHEMA s").await;
    fixture.ok("CREATE SCHEMA IF NOT EXISTS s").await;
    assert_eq!(fixture.error("CREATE SCHEMA s").await.code(), ErrorCode::AlreadyExists);
    fixture.ok("CREATE VIEW s.v AS SELECT 1 AS n").await;
    assert_eq!(values(&fixture.ok("SELECT n FROM datafusion.s.v").await), ["1"]);
    assert_eq!(fixture.catalog.table_names(), ["s.v"]);
    assert_eq!(fixture.error("DROP SCHEMA s").await.code(), ErrorCode::InvalidPlan);
    fixture.ok("DROP SCHEMA s CASCADE").await;
    assert_eq!(fixture.error("DROP SCHEMA s").await.code(), ErrorCode::InvalidPlan);
    fixture.ok("DROP SCHEMA IF EXISTS s").await;
    assert_eq!(fixture.error("DROP SCHEMA public").await.code(), ErrorCode::InvalidPlan);
}

#[tokio::test]
async fn a_folder_on_an_object_store_needs_no_slash() {
    let stores = Arc::new(StoreRegistry::new(StorageOptions::default()));
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    stores.register_store(&Url::parse("memory://bucket").unwrap(), Arc::clone(&memory));
    memory.put(&"data/v1.0/a.csv".into(), "n\n1\n".into()).await.unwrap();
    memory.put(&"data/v1.0/b.csv".into(), "n\n2\n".into()).await.unwrap();
    let url = Url::parse("memory://bucket/catalog").unwrap();
    let store = CatalogStore::open(&stores, &url).await.unwrap();
    let warehouse = Url::parse("memory://bucket/warehouse/").unwrap();
    let fixture = Fixture::over(SessionCatalog::new(store, Arc::clone(&stores), warehouse), stores);
    fixture
        .ok("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'memory://bucket/data/v1.0' OPTIONS ('format.has_header' 'true')")
        .await;
    assert_eq!(values(&fixture.ok("SELECT sum(n) FROM t").await), ["3"]);
    assert!(memory.head(&"catalog/v00000000000000000001.json".into()).await.is_ok());
}
